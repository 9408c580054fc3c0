"""Facts about CLIP4Clip: the official code's numbers for each head, names, masks, gradients."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
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
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.flops import parameters
from scenewise.models.video_text.clip4clip import CLIP4Clip, CrossEncoder, Head, added_mask
from scenewise.models.video_text.clip_towers import CLIP, TINY, VIT_B_32
from scenewise.models.weights.load import convert_state

HEADS = get_args(Head)
CASES = [*((head, "2d") for head in HEADS), ("mean_pool", "3d")]


@functools.cache
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """As the golden numbers had them: the first clip ends early, texts end at 15, 14 and 13."""
    clips = seeded_input("clips", (3, 6, 3, 64, 64))
    ids = seeded_ids("ids", (3, 16), TINY.vocab_size - 2)
    for number in range(3):
        ids[number, 15 - number] = TINY.vocab_size - 1
        ids[number, 16 - number :] = 0
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0, 4:] = False
    return clips, ids, mask


def tiny(head: str, linear_patch: str = "2d") -> CLIP4Clip:
    network = create_model("clip4clip_tiny", head=head, linear_patch=linear_patch).eval()
    assert isinstance(network, CLIP4Clip)
    return network


def official(head: str, linear_patch: str) -> tuple[CLIP4Clip, str]:
    name = f"clip4clip_{head}" + ("_3d" if linear_patch == "3d" else "")
    network = tiny(head, linear_patch)
    assert load_official(network, golden(name).state()) == "official"
    return network, name


@torch.no_grad()
def differences(network: CLIP4Clip, name: str) -> dict[str, float]:
    clips, ids, mask = inputs()
    text, video = network.encode_text(ids), network.encode_video(clips, mask)
    similarity = network.similarity(text, video)
    assert text.tokens is not None
    found = {
        "sentence": text.tokens,
        "frames": network.frames(clips),
        "similarity": similarity,
        "loss": network.loss(similarity),
    }
    wanted = golden(name).outputs
    return {key: largest_difference(value, wanted[key]) for key, value in found.items()}


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_parity_with_the_official_code(head: str, linear_patch: str) -> None:
    network, name = official(head, linear_patch)
    found = differences(network, name)
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_parity_is_lost_by_any_change(head: str, linear_patch: str) -> None:
    network, name = official(head, linear_patch)
    unused = {"frame_position_embeddings.weight"} if head == "seq_lstm" else set()
    unused |= {"clip.logit_scale"} if head == "tight_transformer" else set()
    unused |= {"clip.visual.conv1.weight"} if linear_patch == "3d" else set()
    for group in perturbed_groups(network):
        if group in unused:
            continue
        kept = network.get_parameter(group).detach().clone()
        perturb(network, group, by=0.3)
        assert max(differences(network, name).values()) > 1e-4, group
        with torch.no_grad():
            network.get_parameter(group).copy_(kept)


def test_it_takes_the_official_names_of_the_published_size() -> None:
    for head in ("seq_transformer", "tight_transformer"):
        with torch.device("meta"):
            network = create_model(f"clip4clip_{head}")
        assert_takes_keys(network, f"clip4clip_{head}_b32")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("visual", "more"), [("ViT-B/32", 0), ("ViT-B/16", -1_656_576)])
def test_sizes(head: str, visual: str, more: int) -> None:
    """What B/16 has less: filters of 16 x 16, and more positions."""
    name = f"clip4clip_{head}"
    with torch.device("meta"):
        network = create_model(name, visual=visual)
    assert parameters(network) == model_card(name).parameters + more


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_a_checkpoint_says_which_network_it_is(
    head: str, linear_patch: str, tmp_path: Path
) -> None:
    network = tiny(head, linear_patch)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "weights.pth")
    loaded = load_pretrained(tmp_path / "weights.pth")
    assert isinstance(loaded, CLIP4Clip)
    assert loaded.head == head
    clips, ids, mask = inputs()
    with torch.no_grad():
        assert torch.equal(loaded(clips, ids, mask), network(clips, ids, mask))


@pytest.mark.parametrize("head", HEADS)
def test_official_names_say_the_published_network(head: str) -> None:
    from scenewise.models.video_text.clip4clip_layouts import LAYOUTS

    with torch.device("meta"):
        state = create_model(f"clip4clip_{head}", visual="ViT-B/16").state_dict()
    found = LAYOUTS[0].identify(state, {})
    assert LAYOUTS[0].fits(state)
    assert found is not None
    assert found.name == f"clip4clip_{head}"
    assert found.options == {"visual": "ViT-B/16", "linear_patch": "2d"}


def test_plain_clip_weights_are_where_training_begins() -> None:
    """OpenAI's names on the device meta; blocks of the head are the first of the text tower."""
    with torch.device("meta"):
        clip = CLIP(VIT_B_32).state_dict()
        networks = {head: create_model(f"clip4clip_{head}") for head in HEADS[:3]}
    for head, network in networks.items():
        converted = convert_state(model_card(f"clip4clip_{head}"), clip)
        assert converted is not None
        layout, state = converted
        assert layout == "openai"
        absent = network.state_dict().keys() - state.keys()
        assert {key.split(".")[0] for key in absent} <= {"lstm_visual"}
        assert state.keys() <= network.state_dict().keys()
    assert (
        state["transformerClip.resblocks.3.ln_2.bias"]
        is (clip["transformer.resblocks.3.ln_2.bias"])
    )
    assert "transformerClip.resblocks.4.ln_2.bias" not in state


def test_transformers_clip_is_a_mean_pool() -> None:
    from transformers import CLIPConfig, CLIPModel

    with torch.device("meta"):
        state = CLIPModel(CLIPConfig()).state_dict()
        network = create_model("clip4clip_mean_pool")
    converted = convert_state(model_card("clip4clip_mean_pool"), state)
    assert converted is not None
    assert converted[0] == "huggingface"
    assert {key: value.shape for key, value in converted[1].items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_a_fresh_head_has_clips_own_weights(head: str, linear_patch: str) -> None:
    network = tiny(head, linear_patch)
    own, clip = network.state_dict(), network.clip.state_dict()
    prefix = {"seq_transformer": "transformerClip.", "tight_transformer": "cross.transformer."}
    if head in prefix:
        for key in clip:
            if key.startswith("transformer."):
                assert torch.equal(own[prefix[head] + key.removeprefix("transformer.")], clip[key])
    if head == "tight_transformer":
        places = own["cross.embeddings.position_embeddings.weight"]
        assert torch.equal(places, clip["positional_embedding"])
    elif head != "mean_pool":
        assert torch.equal(own["frame_position_embeddings.weight"], clip["positional_embedding"])
    if linear_patch == "3d":  # a filter whose middle is CLIP's gives CLIP's own frames
        flat = create_model("clip4clip_tiny").eval()
        assert isinstance(flat, CLIP4Clip)
        flat.load_state_dict({k: v for k, v in own.items() if "conv2" not in k})
        clips = inputs()[0]
        with torch.no_grad():
            assert torch.allclose(network.frames(clips), flat.frames(clips), atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_frames_that_are_none_have_no_part(head: str) -> None:
    network = tiny(head)
    clips, ids, mask = inputs()
    other = clips.clone()
    other[0, 4:] = 5.0
    with torch.no_grad():
        similarity = network(clips, ids, mask)
        assert torch.allclose(similarity, network(other, ids, mask), atol=1e-5)
        short = network(clips[:1, :4], ids)
        assert torch.allclose(similarity[:, :1], short, atol=1e-5)
        no_frame = network(clips, ids, torch.zeros_like(mask))
    assert bool(no_frame.isfinite().all())


def test_pooled_vectors_rank_as_the_model_but_for_the_tight_head() -> None:
    clips, ids, mask = inputs()
    for head in HEADS:
        network = tiny(head)
        with torch.no_grad():
            text, video = network.encode_text(ids), network.encode_video(clips, mask)
            scaled = network.clip.logit_scale.exp() * text.pooled @ video.pooled.T
            same = torch.allclose(network.similarity(text, video), scaled, atol=1e-5)
        assert same == network.pooled_ranks == (head != "tight_transformer")
        assert bool(network.index_note) != network.pooled_ranks
        assert torch.allclose(video.pooled.norm(dim=-1), torch.ones(3))


def test_mmaction2_averages_frames_at_their_own_lengths() -> None:
    network = tiny("mean_pool")
    frames = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
    assert torch.allclose(network.mean_of(frames, None), torch.tensor([[0.5, 0.5]]) * 2**0.5)
    network.normalise_frames = False
    assert torch.allclose(network.mean_of(frames, None), F.normalize(torch.tensor([[3.0, 1.0]])))


def test_the_loss_is_halved_over_both_directions() -> None:
    loss = tiny("mean_pool").loss(torch.tensor([[2.0, 0.0], [1.0, 3.0]]))
    rows = (torch.log1p(torch.tensor(-2.0).exp()) + torch.log1p(torch.tensor(-2.0).exp())) / 2
    columns = (torch.log1p(torch.tensor(-1.0).exp()) + torch.log1p(torch.tensor(-3.0).exp())) / 2
    assert float(loss) == pytest.approx(float(rows + columns) / 2)


def test_what_it_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="visual is 'RN50'; allowed: ViT-B/32, ViT-B/16"):
        create_model("clip4clip_mean_pool", visual="RN50")
    with pytest.raises(UsageError, match="head is 'max'"):
        create_model("clip4clip_tiny", head="max")
    with pytest.raises(ValueError, match="up to 31 frames of 3 x 64 x 64"):
        tiny("tight_transformer").encode_video(torch.zeros(1, 32, 3, 64, 64))
    state = seeded_state({key: shape for key, (_, shape) in read_keys("c3d").items()})
    small = {key: value[:1].clone() for key, value in state.items()}
    torch.save(small, tmp_path / "c3d.pth")
    with pytest.raises(NetworkError, match="does not belong to clip4clip_tiny"):
        load_weights(tiny("mean_pool"), tmp_path / "c3d.pth")


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_every_parameter_learns(head: str, linear_patch: str) -> None:
    torch.manual_seed(0)
    unread = ["frame_position_embeddings.weight"] if head == "seq_lstm" else []
    unread += ["clip.visual.conv1.weight"] if linear_patch == "3d" else []
    if head == "tight_transformer":
        # its score is on a scale of its own; a shift of all scores is none, to a softmax and here
        unread += ["clip.logit_scale", "similarity_dense.bias"]
    assert_gradients_flow(tiny(head, linear_patch), *inputs(), except_for=unread)


@pytest.mark.parametrize(("head", "linear_patch"), CASES)
def test_it_runs_in_bfloat16_with_one_example(head: str, linear_patch: str) -> None:
    clips, ids, mask = inputs()
    assert_runs_in_bfloat16(tiny(head, linear_patch), clips[:1], ids[:1], mask[:1])


@pytest.mark.parametrize("head", ["seq_lstm", "tight_transformer"])
def test_it_exports(head: str) -> None:
    torch.manual_seed(0)
    assert_exports(tiny(head), *inputs())


class Cross(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cross = CrossEncoder(4, 64, 1).eval()

    def forward(self, tokens: Tensor) -> Tensor:
        mask = torch.tensor([[True, True, False]])
        return self.cross(tokens, mask)[:, :3]  # type: ignore[no-any-return]


def test_gradients_are_right() -> None:
    torch.manual_seed(0)
    assert_gradients_are_right(Cross(), seeded_input("tokens", (1, 3, 64)))


def test_half_precision_has_no_infinite_mask() -> None:
    mask = added_mask(torch.tensor([[True, False]]), torch.zeros(1, 2, 4, dtype=torch.float16))
    assert mask is not None
    assert mask.flatten().tolist() == [0.0, torch.finfo(torch.float16).min]
