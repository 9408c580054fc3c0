"""Facts about MMT: the official code's numbers, its keys, what experts may lack, its loss."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_ids, seeded_input
from torch import Tensor, nn

from benchmarks.reference.mmt import call_ours, experts_of, small, small_inputs
from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained
from scenewise.models.video_text.expert_features import ExpertFeatures, ExpertStream
from scenewise.models.video_text.interface import Features
from scenewise.models.video_text.mmt import MMT, ContextGating, GatedEmbeddingUnit, ReduceDim

ALIKE = 1e-4
TINY = {"rgb": 48, "s3d": 32, "vggish": 16}


class FromTensors(nn.Module):
    """MMT as a function of tensors alone: vectors and seconds of each expert, then ids."""

    def __init__(self, network: MMT) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, a: Tensor, at: Tensor, b: Tensor, bt: Tensor, c: Tensor, ct: Tensor, ids: Tensor
    ) -> Tensor:
        network, inputs = self.network, (a, at, b, bt, c, ct)
        streams = {
            name: ExpertStream(inputs[2 * number], inputs[2 * number + 1])
            for number, name in enumerate(network.experts)
        }
        video = network.encode_video(ExpertFeatures(streams))
        text = network.encode_text(ids)
        # pairs rather than a matrix: one example's score must not depend on the batch
        return (text.pooled * video.pooled).sum(-1)


def tiny() -> MMT:
    network = create_model("mmt_tiny")
    assert isinstance(network, MMT)
    return network.eval()


def tensors(batch: int, vectors: Sequence[int] = (4, 3, 2)) -> tuple[Tensor, ...]:
    made = []
    for (name, width), number in zip(TINY.items(), vectors, strict=True):
        made.append(seeded_input(name, (batch, number, width)))
        made.append(torch.arange(number).float().expand(batch, -1).contiguous())
    return (*made, seeded_ids("ids", (batch, 6), 1000))


def streams(batch: int = 2) -> ExpertFeatures:
    given = tensors(batch)
    return ExpertFeatures(
        {name: ExpertStream(*given[2 * n : 2 * n + 2]) for n, name in enumerate(TINY)}
    )


@pytest.fixture(scope="module")
def official() -> nn.Module:
    network = small().eval()
    assert load_official(network, golden("mmt").state()) == "official"
    return network


@pytest.mark.parametrize("name", ["mmt", "mmt_seen"])
def test_parity_with_the_official_code(name: str) -> None:
    network = small(keep_missing=name == "mmt").eval()
    load_official(network, golden(name).state())
    with torch.no_grad():
        ours = call_ours(network, small_inputs())
    for key, theirs in golden(name).outputs.items():
        assert largest_difference(ours[key], theirs) < ALIKE, key


def test_parity_is_lost_by_any_change(official: nn.Module) -> None:
    wanted = golden("mmt").outputs
    for name in perturbed_groups(official):
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        if name.startswith("moe_fc_txt") and name.endswith("bias"):
            official.get_parameter(name).data += 0.1  # one number, which may lie near 0
        with torch.no_grad():
            ours = call_ours(official, small_inputs())
            differences = [largest_difference(ours[key], wanted[key]) for key in wanted]
            official.get_parameter(name).copy_(kept)
        if name.endswith("attention.self.key.bias"):
            continue  # adds the same to every score of a query: softmax takes it out
        assert max(differences) > ALIKE, name


def test_missing_experts_count_or_do_not() -> None:
    """The two ways differ for the video that lacks an expert, and for no other."""
    both = [golden(name).outputs["similarity"] for name in ("mmt", "mmt_seen")]
    assert (both[0][:, :2] == both[1][:, :2]).all()
    assert (abs(both[0][:, 2] - both[1][:, 2]) > ALIKE).all()


def test_it_takes_the_names_of_the_official_checkpoint() -> None:
    with torch.device("meta"):
        network = create_model("mmt_msrvtt")
    assert_takes_keys(network, "mmt_msrvtt")


def test_a_checkpoint_says_which_experts_it_has(tmp_path: object) -> None:
    from scenewise.models.video_text.mmt import LAYOUTS

    with torch.device("meta"):
        state = create_model("mmt_msrvtt", experts={"s3d": 1024, "vggish": 128}).state_dict()
    identified = LAYOUTS[0].identify(state, {})
    assert identified is not None
    assert identified.name == "mmt_msrvtt"
    assert identified.options["experts"] == {"s3d": 1024, "vggish": 128}
    assert identified.options["num_positions"] == 32


def test_another_networks_checkpoint_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("weights") / "other.pt"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(NetworkError, match="does not belong to mmt_tiny"):
        load_pretrained(path, "mmt_tiny")


def test_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes no pixels, got \(1, 8, 3, 64, 64\)"):
        tiny().encode_video(torch.zeros(1, 8, 3, 64, 64))


def test_streams_that_do_not_fit_are_refused() -> None:
    network = tiny()
    with pytest.raises(ValueError, match="no expert 'face'; it has rgb, s3d, vggish"):
        network.encode_video(ExpertFeatures({"face": ExpertStream(torch.zeros(1, 2, 512))}))
    with pytest.raises(ValueError, match="vectors of rgb have 48 numbers"):
        network.encode_video(ExpertFeatures({"rgb": ExpertStream(torch.zeros(1, 2, 47))}))
    with pytest.raises(ValueError, match="put it into the ExpertStream"):
        network.encode_video(streams(), torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"times must be \(1, 2\)"):
        ExpertStream(torch.zeros(1, 2, 48), times=torch.zeros(1, 3))
    with pytest.raises(ValueError, match="different numbers of videos"):
        ExpertFeatures(
            {"a": ExpertStream(torch.zeros(1, 2, 3)), "b": ExpertStream(torch.zeros(2, 2, 3))}
        )
    with pytest.raises(ValueError, match="there are no streams"):
        ExpertFeatures({})
    with pytest.raises(UsageError, match="no expert 'smell'; allowed are one or more of s3d"):
        create_model("mmt_tiny", experts={"smell": 3})


def test_an_absent_stream_is_one_without_real_vectors() -> None:
    network = tiny()
    whole = streams().streams
    empty = ExpertStream(torch.ones(2, 3, 16), mask=torch.zeros(2, 3, dtype=torch.bool))
    without = network.encode_video(ExpertFeatures({k: whole[k] for k in ("rgb", "s3d")}))
    masked = network.encode_video(ExpertFeatures({**whole, "vggish": empty}))
    assert without.mask is not None
    assert without.mask.tolist() == [[True, True, False]] * 2
    torch.testing.assert_close(without.pooled, masked.pooled, atol=1e-6, rtol=0)


def test_padding_changes_nothing_and_the_maximum_may_be_of_more() -> None:
    network = tiny()
    whole = dict(streams().streams)
    rgb = whole["rgb"]
    assert rgb.times is not None
    padded = ExpertStream(
        torch.cat([rgb.features, torch.full((2, 2, 48), 9.0)], dim=1),
        torch.cat([rgb.times, torch.zeros(2, 2)], dim=1),
        torch.tensor([[True] * 4 + [False] * 2] * 2),
    )
    plain = network.encode_video(ExpertFeatures(whole)).pooled
    torch.testing.assert_close(
        network.encode_video(ExpertFeatures({**whole, "rgb": padded})).pooled, plain
    )
    larger = ExpertStream(rgb.features, rgb.times, pooled=rgb.features.amax(1) + 1.0)
    different = network.encode_video(ExpertFeatures({**whole, "rgb": larger})).pooled
    assert largest_difference(different, plain) > ALIKE


def test_seconds_become_rows_of_the_table() -> None:
    network = tiny()
    nan = float("nan")
    stream = ExpertStream(torch.zeros(1, 6, 48), torch.tensor([[0.5, 1.5, 28.9, 29.0, 400.0, nan]]))
    assert network._positions(stream, stream.real()).tolist() == [[2, 3, 30, 31, 31, 1]]
    untimed = ExpertStream(torch.zeros(1, 2, 48))
    assert network._positions(untimed, untimed.real()).tolist() == [[1, 1]]


def test_texts_weigh_the_experts_and_their_vectors_rank_videos_as_the_model_does() -> None:
    network = tiny()
    text = network.encode_text(seeded_ids("ids", (3, 6), 1000))
    video = network.encode_video(streams())
    assert text.tokens is not None
    torch.testing.assert_close(text.tokens.norm(dim=-1).sum(-1), torch.ones(3))
    assert text.pooled.shape == (3, network.embed_dim)
    cosines = (
        nn.functional.normalize(text.pooled, dim=-1)
        @ nn.functional.normalize(video.pooled, dim=-1).T
    )
    similarity = network.similarity(text, video)
    assert network.pooled_ranks
    assert cosines.argsort(dim=1).equal(similarity.argsort(dim=1))
    assert not create_model("mmt_tiny", keep_missing=False).pooled_ranks


def test_the_similarity_by_hand() -> None:
    """Two experts; the second saw nothing in the second video."""
    tokens = torch.tensor([[[0.75, 0.0], [0.0, 0.25]]])
    text = Features(tokens.flatten(1), tokens)
    seen = torch.tensor([[True, True], [True, False]])
    given = torch.tensor([[[1.0, 0.0], [0.0, -1.0]], [[0.6, 0.8], [0.0, 1.0]]])
    video = Features(given.flatten(1), given, seen)
    kept = create_model("mmt_tiny", experts={"rgb": 2, "s3d": 2})
    left = create_model("mmt_tiny", experts={"rgb": 2, "s3d": 2}, keep_missing=False)
    assert isinstance(kept, MMT)
    assert isinstance(left, MMT)
    torch.testing.assert_close(kept.similarity(text, video), torch.tensor([[0.5, 0.7]]))
    torch.testing.assert_close(left.similarity(text, video), torch.tensor([[0.5, 0.6]]))


def test_the_loss_by_hand() -> None:
    """Hinges of 0.05 over rows and columns: 0.03 and 0 of texts, 0 and 0.01 of videos."""
    similarity = torch.tensor([[0.50, 0.48], [0.30, 0.52]])
    torch.testing.assert_close(tiny().loss(similarity), torch.tensor((0.03 + 0.01) / 4))


def test_a_text_mask_hides_words() -> None:
    network = tiny()
    ids = seeded_ids("ids", (1, 6), 1000)
    shorter = network.encode_text(ids[:, :4]).pooled
    mask = torch.tensor([[True] * 4 + [False] * 2])
    torch.testing.assert_close(network.encode_text(ids, mask).pooled, shorter)
    padded = torch.cat([ids[:, :4], torch.zeros(1, 2, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network.encode_text(padded).pooled, shorter)


def test_every_parameter_learns() -> None:
    torch.manual_seed(1)
    network = tiny()
    # a shift of all scores, or of what batch norm centres, leaves the result as it is
    silent = [
        name
        for name, _ in FromTensors(network).named_parameters()
        if name.endswith(("self.key.bias", "cg.fc.bias"))
    ]
    assert_gradients_flow(FromTensors(network), *tensors(4), except_for=silent)


def test_gradients_of_its_layers_are_right() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4)
    for layer in (ReduceDim(4, 3), ContextGating(4), GatedEmbeddingUnit(4, 3)):
        assert_gradients_are_right(layer.eval(), x)


def test_it_exports_and_runs_in_bfloat16() -> None:
    assert_exports(FromTensors(tiny()), *tensors(2))
    assert_runs_in_bfloat16(FromTensors(tiny()), *tensors(1, (1, 5, 3)))


def test_the_case_and_the_network_name_the_same_experts(official: nn.Module) -> None:
    assert list(experts_of(official, small_inputs()).streams) == ["face", "rgb", "s3d", "vggish"]
