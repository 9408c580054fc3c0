"""Facts about FrozenBiLM: the official code's numbers, what learns, answers, prompts, layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
    read_keys,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_ids, seeded_input
from torch import Tensor, nn

from scenewise.errors import NetworkError
from scenewise.models import create_model
from scenewise.models.video_text.frozen_bilm import (
    AdaptedOutput,
    Adapter,
    FrozenBiLM,
    learns,
)
from scenewise.models.video_text.frozen_bilm_layouts import LAYOUTS, load_in_parts
from scenewise.models.video_text.frozen_bilm_prompts import (
    blank_prompt,
    choice_prompt,
    hide_words,
    question_prompt,
    spread_frames,
)
from scenewise.models.weights.layout import Identified

MASK_ID = 4


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two questions, the second with fewer words and frames."""
    ids = seeded_ids("ids", (2, 20), 300)
    ids[ids == MASK_ID] = 5
    ids[0, 12] = ids[1, 7] = MASK_ID
    mask, frame_mask = torch.ones(2, 20), torch.ones(2, 10)
    mask[1, 14:] = 0
    ids[1, 14:] = 0
    frame_mask[1, 6:] = 0
    return seeded_input("frames", (2, 10, 768)), ids, mask.bool(), frame_mask.bool()


def answers() -> Tensor:
    """Five answers of one to three words."""
    ids = seeded_ids("answers", (5, 3), 300)
    ids[1, 1:] = ids[3, 2] = 0
    return ids


def tiny(num_answers: int = 0) -> FrozenBiLM:
    network = create_model("frozen_bilm_tiny", vocabulary=300, num_answers=num_answers).eval()
    assert isinstance(network, FrozenBiLM)
    return network


@pytest.fixture(scope="module")
def official() -> FrozenBiLM:
    network = tiny(num_answers=5)
    assert load_official(network, golden("frozen_bilm_tiny").state()) == "official"
    return network


def outputs(network: FrozenBiLM) -> dict[str, Tensor]:
    """Scores of words and of answers at real words, and the loss of the word 77."""
    frames, ids, mask, frame_mask = inputs()
    with torch.no_grad():
        chosen = network(frames, ids, mask, frame_mask)
        network.num_answers = 0
        words = network(frames, ids, mask, frame_mask)
        network.num_answers = 5
        loss = network.loss(words, torch.where(ids == MASK_ID, 77, -100))
    real = mask[:, :, None]
    return {"words": (words * real)[..., ::4], "answers": chosen * real, "loss": loss}


def test_parity_with_the_official_code(official: FrozenBiLM) -> None:
    wanted = golden("frozen_bilm_tiny").outputs
    for name, ours in outputs(official).items():
        assert largest_difference(ours, wanted[name]) < 1e-4, name


def test_parity_of_answers_that_were_set(official: FrozenBiLM) -> None:
    network = tiny(num_answers=5)
    network.load_state_dict(official.state_dict())
    network.set_answers(answers())
    with torch.no_grad():
        frames, ids, mask, frame_mask = inputs()
        ours = network.answer_scores(frames, ids, mask, frame_mask, mask_id=MASK_ID)
    assert largest_difference(ours, golden("frozen_bilm_tiny").outputs["set"]) < 1e-5
    first = network.words.weight[answers()[1, 0]]  # the second answer has one word
    assert torch.equal(network.answer_embeddings.weight[1], first)


def test_parity_is_lost_by_any_change(official: FrozenBiLM) -> None:
    wanted = golden("frozen_bilm_tiny").outputs
    for name in perturbed_groups(official):
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        found = outputs(official)
        with torch.no_grad():
            official.get_parameter(name).copy_(kept)
        assert max(largest_difference(found[key], wanted[key]) for key in found) > 1e-4, name


def test_it_takes_the_official_names() -> None:
    with torch.device("meta"):
        network = create_model("frozen_bilm")
    assert_takes_keys(network, "frozen_bilm")
    state = {
        key: torch.empty(shape, device="meta")
        for key, (_kind, shape) in read_keys("frozen_bilm", "full").items()
    }
    found = LAYOUTS[0].identify(state, {})
    assert found == Identified("frozen_bilm", {"feature_dim": 768, "num_answers": 0})


def test_what_learns_fills_the_114_mb_of_the_published_checkpoints() -> None:
    with torch.device("meta"):
        network = create_model("frozen_bilm")
    learning = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert all(learns(name) for name in learning)
    assert 113 < sum(p.numel() for p in learning.values()) * 4 / 2**20 < 114
    kinds = {name.split(".")[-2] for name in learning}
    assert kinds == {"linear_video", "down", "up", "LayerNorm"}


def test_two_files_make_up_the_network(tmp_path: Path) -> None:
    whole = tiny()
    state = whole.state_dict()
    language = {key: value for key, value in state.items() if "adapter" not in key}
    del language["deberta.embeddings.linear_video.weight"]
    del language["deberta.embeddings.linear_video.bias"]
    # of DeBERTa's own file: a table of indices, the decoder of words, a head of another task
    language["deberta.embeddings.position_ids"] = torch.arange(512)[None]
    language["lm_predictions.lm_head.decoder.weight"] = torch.zeros(300, 64)
    language["mask_predictions.dense.weight"] = torch.zeros(64, 64)
    trained = {key: value for key, value in state.items() if learns(key)}
    torch.save(language, tmp_path / "deberta.bin")
    torch.save({"model": trained}, tmp_path / "trained.pth")
    network = tiny()
    load_in_parts(network, tmp_path / "deberta.bin", tmp_path / "trained.pth")
    assert all(torch.equal(network.state_dict()[key], value) for key, value in state.items())
    del trained["deberta.embeddings.linear_video.bias"]
    torch.save({"model": trained}, tmp_path / "damaged.pth")
    with pytest.raises(NetworkError, match="1 tensors are in neither"):
        load_in_parts(tiny(), tmp_path / "deberta.bin", tmp_path / "damaged.pth")


def test_padding_and_hidden_frames_have_no_part(official: FrozenBiLM) -> None:
    frames, ids, mask, frame_mask = inputs()
    other = frames.clone()
    other[1, 6:] = 9.0
    changed = ids.clone()
    changed[1, 14:] = 7
    with torch.no_grad():
        first = official.answer_scores(frames, ids, mask, frame_mask, mask_id=MASK_ID)
        second = official.answer_scores(other, changed, mask, frame_mask, mask_id=MASK_ID)
        seen = official.answer_scores(other, changed, mask, mask_id=MASK_ID)
    assert torch.allclose(first, second, atol=1e-6)
    assert not torch.allclose(first[1], seen[1], atol=1e-2)


def test_every_row_has_one_mask() -> None:
    frames, ids, mask, frame_mask = inputs()
    for wrong in (ids.where(ids != MASK_ID, 5), torch.full_like(ids, MASK_ID)):
        with pytest.raises(ValueError, match="exactly one"):
            tiny().answer_scores(frames, wrong, mask, frame_mask, mask_id=MASK_ID)


def test_choices_are_ranked_by_how_probable_yes_is() -> None:
    network = tiny(num_answers=2)
    network.set_answers(torch.tensor([[11], [12]]))
    frames, ids, mask, _ = inputs()
    choices = torch.stack([ids, ids.where(ids != 9, 10)], dim=1)
    choices[:, 1, 2] = 33
    with torch.no_grad():
        scores = network.choice_scores(frames, choices, mask[:, None].expand(-1, 2, -1), mask_id=4)
        alone = network.answer_scores(frames, choices[:, 1], mask, mask_id=4)
    assert scores.shape == (2, 2)
    assert torch.equal(scores[:, 1], alone[:, 0])
    with pytest.raises(ValueError, match="num_answers=2"):
        tiny().choice_scores(frames, choices, mask_id=4)
    with pytest.raises(ValueError, match="a place for 2 answers, got 3"):
        network.set_answers(torch.ones(3, 1, dtype=torch.int64))


def test_adapters_start_near_the_identity() -> None:
    adapter = Adapter(64, 8, 0.0)
    hidden = seeded_input("hidden", (1, 5, 64))
    with torch.no_grad():
        assert float((adapter(hidden) - hidden).abs().max()) < 0.01
        assert max(float(p.abs().max()) for p in adapter.parameters()) <= 2e-3 + 1e-9
    with pytest.raises(ValueError, match="cannot be divided"):
        Adapter(10, 4, 0.0)


@pytest.mark.parametrize(
    ("frames", "words", "message"),
    [((2, 11, 768), 20, "up to 10 frames"), ((2, 10, 512), 20, "768"), ((2, 9, 768), 504, "512")],
)
def test_what_does_not_fit_is_refused(frames: tuple[int, ...], words: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny()(torch.zeros(frames), torch.ones(2, words, dtype=torch.int64))


def test_prompts_are_the_published_ones() -> None:
    assert question_prompt(" what IS cut") == "Question: what is cut? Answer: [MASK]."
    asked = question_prompt("Who runs?", subtitles="run!", mask="<m>")
    assert asked == "Question: Who runs? Answer: <m>. Subtitles: run!"
    assert blank_prompt("SOMEONE opens the _____.") == "Someone opens the [MASK]."
    assert choice_prompt("who runs", "a Dog", subtitles="go") == (
        "Question: Who runs? Is it 'A dog'? [MASK]. Subtitles: go"
    )


def test_frames_are_spread_or_filled_up() -> None:
    frames = torch.arange(25.0)[:, None]
    chosen, real = spread_frames(frames, 10)
    assert chosen[:, 0].tolist() == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]
    assert bool(real.all())
    chosen, real = spread_frames(frames[:3] + 1, 5)
    assert chosen[:, 0].tolist() == [1, 2, 3, 0, 0]
    assert real.tolist() == [True, True, True, False, False]


def test_words_are_hidden_for_training() -> None:
    torch.manual_seed(0)
    ids = torch.randint(10, 1000, (50, 100))
    fixed = torch.zeros_like(ids, dtype=torch.bool)
    fixed[:, 0] = True
    hidden, labels = hide_words(ids, mask_id=4, vocabulary=1000, fixed=fixed)
    chosen = labels != -100
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(hidden[~chosen], ids[~chosen])
    assert not chosen[:, 0].any()
    assert 0.13 < float(chosen[:, 1:].float().mean()) < 0.17
    assert 0.75 < float((hidden[chosen] == 4).float().mean()) < 0.85
    assert 0.07 < float((hidden[chosen] == ids[chosen]).float().mean()) < 0.14


def test_every_parameter_learns() -> None:
    frames, ids, _, _ = inputs()
    assert_gradients_flow(tiny(), frames, ids)


def test_gradients_of_its_layers_are_right() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.LayerNorm = nn.Linear(6, 4), nn.LayerNorm(4)
            self.dropout = nn.Identity()

    torch.manual_seed(0)
    layer = AdaptedOutput(Own(), Adapter(4, 2, 0.0))
    for parameter in layer.adapter.parameters():
        nn.init.normal_(parameter)
    assert_gradients_are_right(
        layer, seeded_input("hidden", (1, 3, 6)), seeded_input("residual", (1, 3, 4))
    )


def test_it_exports_and_runs_in_bfloat16(official: FrozenBiLM) -> None:
    frames, ids, _, _ = inputs()
    short = tiny(num_answers=5)  # two of three layers: exporting takes its time for each
    short.load_state_dict(official.state_dict())
    short.deberta.encoder.layer = short.deberta.encoder.layer[1:]
    assert_exports(short, seeded_input("few", (2, 4, 768)), seeded_ids("short", (2, 8), 300))
    assert_runs_in_bfloat16(official, frames[:1], ids[:1])
