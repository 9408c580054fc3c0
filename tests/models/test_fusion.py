"""Facts about fusion: hand-made numbers, absent streams, gradients, masks, errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.cross_attention_fusion import CrossAttentionFusion, CrossBlock
from scenewise.models.fusion import (
    BilinearFusion,
    Concatenation,
    GatedFusion,
    LateFusion,
    WeightedAverage,
)

DIMS = {"picture": 6, "sound": 4, "text": 5}
EARLY: dict[str, Callable[[], nn.Module]] = {
    "average": lambda: WeightedAverage(DIMS, width=8),
    "fixed": lambda: WeightedAverage(DIMS, width=8, weights={"picture": 2, "sound": 1, "text": 1}),
    "concatenation": lambda: Concatenation(DIMS, width=8),
    "gated": lambda: GatedFusion(DIMS, width=8),
    "bilinear": lambda: BilinearFusion(DIMS, width=8, rank=2),
    "attention": lambda: CrossAttentionFusion(DIMS, query="picture", width=8, heads=2, depth=2),
}
ALL = pytest.mark.parametrize("kind", EARLY)


def streams(batch: int = 3) -> dict[str, Tensor]:
    """A row of tokens, and two vectors."""
    return {
        "picture": seeded_input("picture", (batch, 7, 6)),
        "sound": seeded_input("sound", (batch, 4)),
        "text": seeded_input("text", (batch, 5)),
    }


def made(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return EARLY[kind]().eval()


class Three(nn.Module):
    """A fusion with tensors for arguments, as exporters want it."""

    def __init__(self, fusion: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, picture: Tensor, sound: Tensor, text: Tensor) -> Tensor:
        fused: Tensor = self.fusion({"picture": picture, "sound": sound, "text": text})
        return fused


class SideBySide(nn.Module):
    """Every kind at once: an export takes seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(Three(made(kind)) for kind in EARLY)

    def forward(self, picture: Tensor, sound: Tensor, text: Tensor) -> Tensor:
        return torch.cat([kind(picture, sound, text) for kind in self.kinds], dim=1)


def test_average_by_hand() -> None:
    fusion = WeightedAverage({"a": 2, "b": 2}, weights={"a": 3, "b": 1})
    a, b = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 8.0]])
    assert fusion({"a": a, "b": b}).tolist() == [[3.0, 2.0]]
    assert fusion({"b": b}).tolist() == [[0.0, 8.0]]


def test_learned_weights_begin_even_and_are_a_softmax() -> None:
    fusion = WeightedAverage({"a": 1, "b": 1})
    one, two = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    assert fusion({"a": one, "b": two}).item() == 1.5
    with torch.no_grad():
        fusion.weighting.logits.copy_(torch.tensor([math.log(3.0), 0.0]))
    assert fusion({"a": one, "b": two}).item() == pytest.approx(1.25)


def test_only_streams_of_no_weight_share_evenly() -> None:
    fusion = WeightedAverage({"a": 1, "b": 1, "c": 1}, weights={"a": 1, "b": 0, "c": 0})
    fused = fusion({"b": torch.tensor([[2.0]]), "c": torch.tensor([[4.0]])})
    assert fused.item() == 3.0


def test_concatenation_by_hand() -> None:
    fusion = Concatenation({"a": 1, "b": 3})
    a, b = torch.tensor([[2.0]]), torch.tensor([[1.0, 2.0, 3.0]])
    assert fusion({"a": a, "b": b}).tolist() == [[2.0, 1.0, 2.0, 3.0]]
    assert fusion({"a": a}).tolist() == [[8.0, 0.0, 0.0, 0.0]]


def test_tied_gates_are_the_published_unit() -> None:
    fusion = GatedFusion({"v": 6, "t": 4}, width=5)
    v, t = seeded_input("v", (3, 6)), seeded_input("t", (3, 4))
    weights = dict(fusion.named_parameters())
    h_v, h_t = (v @ weights["values.0.weight"].T).tanh(), (t @ weights["values.1.weight"].T).tanh()
    z = (torch.cat([v, t], dim=1) @ weights["gate.weight"].T).sigmoid()
    assert torch.allclose(fusion({"v": v, "t": t}), z * h_v + (1 - z) * h_t, atol=1e-6)
    assert torch.allclose(fusion({"t": t}), h_t, atol=1e-6)


def test_free_gates_by_formula() -> None:
    fusion = GatedFusion(DIMS, width=5)
    given = {name: seeded_input(name, (2, dim)) for name, dim in DIMS.items()}
    weights = dict(fusion.named_parameters())
    gates = (torch.cat([*given.values()], dim=1) @ weights["gate.weight"].T).sigmoid().chunk(3, 1)
    expected = sum(
        gate * (value @ weights[f"values.{number}.weight"].T).tanh()
        for number, (gate, value) in enumerate(zip(gates, given.values(), strict=True))
    )
    assert isinstance(expected, Tensor)
    assert torch.allclose(fusion(given), expected, atol=1e-6)


def test_bilinear_is_the_outer_product_with_a_one() -> None:
    """Against the whole tensor of (x, 1) x (y, 1), built from the factors."""
    fusion = BilinearFusion({"x": 3, "y": 2}, width=4, rank=5)
    x, y = seeded_input("x", (2, 3)), seeded_input("y", (2, 2))
    whole = []
    for layer in fusion.factors:
        assert isinstance(layer, nn.Linear)
        joined = torch.cat([layer.weight, layer.bias[:, None]], dim=1)
        whole.append(joined.view(5, 4, -1))
    tensor = torch.einsum("r,rdi,rdj->dij", fusion.rank_weights, *whole)
    ones = torch.ones(2, 1)
    expected = torch.einsum(
        "dij,bi,bj->bd", tensor, torch.cat([x, ones], 1), torch.cat([y, ones], 1)
    )
    assert torch.allclose(fusion({"x": x, "y": y}), expected + fusion.bias, atol=1e-5)


def test_attention_by_hand() -> None:
    """One block of one head, written out with a softmax."""
    fusion = CrossAttentionFusion({"q": 3, "m": 2}, query="q", width=4, heads=1).eval()
    given = {"q": seeded_input("q", (2, 5, 3)), "m": seeded_input("m", (2, 6, 2))}
    block = fusion.blocks[0]
    assert isinstance(block, CrossBlock)
    x = fusion.query_projection(given["q"])
    memory = block.norm_memory(fusion.projections[0](given["m"]) + fusion.stream_embed[0])
    key, value = block.kv(memory).chunk(2, dim=-1)
    scores = block.q(block.norm1(x)) @ key.transpose(1, 2) / 2.0
    x = x + block.proj(scores.softmax(dim=-1) @ value)
    x = x + block.mlp(block.norm2(x))
    assert torch.allclose(fusion(given), fusion.norm(x).mean(dim=1), atol=1e-5)


@ALL
@pytest.mark.parametrize("absent", ["sound", "text"])
def test_a_masked_stream_is_one_that_is_not_there(kind: str, absent: str) -> None:
    """By the dictionary, by its mask, and whatever its numbers are."""
    fusion, given = made(kind), streams()
    without = {name: value for name, value in given.items() if name != absent}
    wanted = fusion(without)
    gone = torch.zeros(3, dtype=torch.bool)
    for filler in (0.0, 1e6, math.nan):
        given[absent] = torch.full_like(given[absent], filler)
        assert torch.allclose(fusion(given, {absent: gone}), wanted, atol=1e-6)
    assert not torch.allclose(fusion(streams()), wanted, atol=1e-3)


@ALL
def test_absent_from_one_example_alone(kind: str) -> None:
    fusion, given = made(kind), streams()
    mask = torch.tensor([True, False, True])
    fused = fusion(given, {"text": mask})
    assert torch.allclose(fused[mask], fusion(given)[mask], atol=1e-6)
    without = {name: value for name, value in given.items() if name != "text"}
    assert torch.allclose(fused[~mask], fusion(without)[~mask], atol=1e-6)


@ALL
def test_masked_tokens_change_nothing(kind: str) -> None:
    fusion, given = made(kind), streams()
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    wanted = fusion(given, {"picture": mask})
    changed = {**given, "picture": torch.where(mask[..., None], given["picture"], 99.0)}
    assert torch.allclose(fusion(changed, {"picture": mask}), wanted, atol=1e-5)
    one = {name: value[1:2] for name, value in given.items()}
    one["picture"] = one["picture"][:, :4]
    assert torch.allclose(fusion(one), wanted[1:2], atol=1e-5)


def test_attention_does_not_see_masked_tokens_of_others() -> None:
    fusion = CrossAttentionFusion({"q": 3, "m": 2}, query="q", width=4, heads=2).eval()
    given = {"q": seeded_input("q", (2, 5, 3)), "m": seeded_input("m", (2, 6, 2))}
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    wanted = fusion(given, {"m": mask})
    cut = {"q": given["q"][1:], "m": given["m"][1:, :2]}
    assert torch.allclose(fusion(cut), wanted[1:], atol=1e-5)
    assert not torch.allclose(fusion(given)[1:], wanted[1:], atol=1e-4)


@ALL
def test_every_parameter_learns_and_none_gives_nan(kind: str) -> None:
    assert_gradients_flow(Three(made(kind)), *streams().values())
    fusion, given = made(kind), streams()
    given["sound"] = torch.full_like(given["sound"], math.nan)
    fusion(given, {"sound": torch.zeros(3, dtype=torch.bool)}).sum().backward()
    gradients = [item.grad for item in fusion.parameters() if item.grad is not None]
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@ALL
def test_gradients_are_right(kind: str) -> None:
    given = {**streams(2), "picture": seeded_input("few", (2, 2, 6))}
    assert_gradients_are_right(Three(made(kind)), *given.values())


def test_all_export() -> None:
    assert_exports(SideBySide(), *streams().values())


@ALL
def test_it_runs_in_bfloat16(kind: str) -> None:
    assert_runs_in_bfloat16(Three(made(kind)), *streams(1).values())


def test_late_fusion_by_hand() -> None:
    scores = {"a": torch.tensor([[1.0, 4.0]]), "b": torch.tensor([[3.0, 2.0]])}
    assert LateFusion(("a", "b"))(scores).tolist() == [[2.0, 3.0]]
    weighted = LateFusion(("a", "b"), weights={"a": 0.75, "b": 0.25})
    assert weighted(scores).tolist() == [[1.5, 3.5]]
    assert LateFusion(("a", "b"), how="max")(scores).tolist() == [[3.0, 4.0]]
    assert LateFusion(("a", "b"), how="learned")(scores).tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize("how", ["mean", "max", "learned"])
def test_late_fusion_without_a_stream(how: str) -> None:
    fusion = LateFusion(("a", "b", "c"), how=how)  # type: ignore[arg-type]
    scores = {"a": torch.tensor([[-1.0], [-2.0]]), "b": torch.tensor([[math.nan], [-4.0]])}
    masks = {"b": torch.tensor([False, False])}
    assert fusion(scores, masks).tolist() == [[-1.0], [-2.0]]
    nothing = {"a": torch.tensor([False, True]), "b": torch.tensor([False, False])}
    assert fusion(scores, nothing).tolist() == [[0.0], [-2.0]]


@pytest.mark.parametrize("kind", ["average", "gated", "bilinear"])
def test_nothing_there_gives_zeros_or_biases(kind: str) -> None:
    masks = {name: torch.zeros(3, dtype=torch.bool) for name in DIMS}
    assert torch.equal(made(kind)(streams(), masks), torch.zeros(3, 8))


def test_clear_errors() -> None:
    fusion = made("average")
    for given, masks, message in (
        ({"smell": torch.zeros(1, 2)}, None, "no stream is called 'smell'; there are picture"),
        ({}, None, "at least one stream"),
        ({"sound": torch.zeros(1, 5)}, None, r"'sound' is \(B, 4\) or \(B, N, 4\), got \(1, 5\)"),
        ({"sound": torch.zeros(1, 4), "text": torch.zeros(2, 5)}, None, "different batch sizes"),
        ({"sound": torch.zeros(2, 4)}, {"sound": torch.ones(3)}, r"mask of 'sound' is \(2,\)"),
        ({"sound": torch.zeros(2, 4)}, {"text": torch.ones(2)}, "a mask for 'text'"),
    ):
        with pytest.raises(ValueError, match=message):
            fusion(given, masks)
    with pytest.raises(ValueError, match="'picture' looks at the others and must be there"):
        made("attention")({"sound": torch.zeros(1, 4)})
    with pytest.raises(ValueError, match=r"scores are \(B, K\), the same"):
        LateFusion(("a", "b"))({"a": torch.zeros(1, 2), "b": torch.zeros(1, 3)})


def test_options_that_are_refused() -> None:
    for build, message in (
        (lambda: WeightedAverage({}), "at least one stream"),
        (lambda: WeightedAverage({"a": 0}), "width of 0"),
        (lambda: WeightedAverage(DIMS), "give the width"),
        (lambda: WeightedAverage({"a": 1}, weights={"b": 1}), "needed for a"),
        (lambda: WeightedAverage({"a": 1}, weights={"a": -1}), "at least 0"),
        (lambda: GatedFusion(DIMS, width=2, gates="tied"), "tied gates join 2 streams, not 3"),
        (lambda: LateFusion(("a",), how="sum"), "not by 'sum'"),  # type: ignore[arg-type]
        (lambda: LateFusion(("a",), how="max", weights={"a": 1}), "belong to how='mean'"),
        (lambda: CrossAttentionFusion({"a": 1}, query="a", width=2), "one stream of at least two"),
        (lambda: CrossAttentionFusion(DIMS, query="text", width=6, heads=4), "6 cannot be shared"),
    ):
        with pytest.raises(UsageError, match=message):
            build()
