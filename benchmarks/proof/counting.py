"""Popular claims that counting settles, without training.

*3D networks cannot take more than 64 frames, because memory explodes cubically*: parameters, what
a training step has to keep, and the peak of a forward pass, from 8 to 128 frames. *Divided
attention saves 96 % at 16 x 196*: by ``scenewise.models.attention_flops``. Everything is at one
clip. It knows sizes; what a network learns from more frames it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.proof.in_memory import Row, spread

if TYPE_CHECKING:
    from torch import nn

FRAMES = (8, 16, 32, 64, 128)
SIDES = (112, 224)
NETWORKS = {"C3D": "c3d", "I3D": "i3d_rgb", "3D ResNet-18": "resnet3d_18"}
_MEASURED = (("C3D", 112), ("I3D", 112), ("I3D", 224))  # in a minute, with one thread
_GIGABYTE = 1e9


def prepare(work: Path) -> None:
    """Nothing is shared."""


def runs(smoke: bool) -> list[str]:
    measured = [f"forward memory, {name}, {side}" for name, side in _MEASURED]
    return ["counted", "attention", *(measured[:1] if smoke else measured)]


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:  # noqa: ARG001
    frames = FRAMES[:2] if smoke else FRAMES
    if name == "attention":
        return _attention((8, 16) if smoke else (8, 16, 32, 96))
    if name == "counted":
        chosen = ("C3D", "I3D") if smoke else tuple(NETWORKS)
        return {
            f"{network}, {side}, {count}": {
                "parameters": parameter_count(network, count, side),
                "kept_bytes": kept_bytes(network, count, side),
                **({"step_bytes": step_bytes(network, count, side)} if device == "cuda" else {}),
            }
            for network in chosen
            for side in (SIDES[:1] if smoke else SIDES)
            for count in frames
        }
    from scenewise.models.peak_memory import peak_memory

    _, network, side = name.split(", ")
    return {
        str(count): peak_memory(NETWORKS[network], frames=count, size=int(side)).forward_bytes
        for count in frames
    }


def parameter_count(network: str, frames: int, side: int) -> int:
    """Of the network that is built for such clips."""
    import torch

    from scenewise.models.flops import parameters

    with torch.device("meta"):
        return parameters(_build(network, frames, side))


def kept_bytes(network: str, frames: int, side: int) -> int:
    """What one forward pass in training mode keeps for the backward pass, weights aside."""
    import torch

    with torch.device("meta"):
        return kept_of(_build(network, frames, side).train(), torch.zeros(1, frames, 3, side, side))


def kept_of(network: nn.Module, clip: Any) -> int:
    """The same of any network and clip: what is kept twice counts once."""
    import torch

    own = {value.untyped_storage()._cdata for value in network.parameters()}
    # kept alive, so that no two have one address
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        network(clip)
    return sum(storage.nbytes() for storage in kept.values())


def step_bytes(network: str, frames: int, side: int) -> int:
    """Measured on the GPU: the peak of forward and backward pass beyond weights and clip."""
    import torch

    clip = torch.zeros(1, frames, 3, side, side, device="cuda")
    made = _build(network, frames, side).train().cuda()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    torch.autograd.backward(made(clip).square().mean())
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def report(rows: Sequence[Row]) -> str:
    figures = {row["name"]: row["figures"] for row in rows}
    parts = []
    if "counted" in figures:
        parts += [_parameters_table(figures["counted"]), _kept_table(figures["counted"])]
    if any(name.startswith("forward memory") for name in figures):
        parts.append(_forward_table(rows))
    if "attention" in figures:
        parts.append(_attention_table(figures["attention"]))
    return "\n\n".join(parts)


def _build(network: str, frames: int, side: int) -> nn.Module:
    from scenewise.models.flops import builder_at

    return builder_at(NETWORKS[network], frames, side, {})()


def _attention(counts: Sequence[int]) -> dict[str, Any]:
    from scenewise.models.attention_flops import Clip, comparison

    return {str(count): comparison(Clip(frames=count)).to_dict() for count in counts}


def _parameters_table(counted: dict[str, Any]) -> str:
    columns = [(side, count) for side in SIDES for count in (16, 64, 128)]
    head = " | ".join(f"{count} frames, {side} px" for side, count in columns)
    lines = [f"| parameters, 10^6 | {head} |", f"|---|{'---|' * len(columns)}"]
    for network in NETWORKS:
        found = [counted[f"{network}, {side}, {count}"]["parameters"] for side, count in columns]
        lines.append(f"| {network} | {' | '.join(f'{value / 1e6:.1f}' for value in found)} |")
    return "\n".join(lines)


def _kept_table(counted: dict[str, Any]) -> str:
    head = " | ".join(f"{count} frames" for count in FRAMES)
    lines = [
        f"| kept for the backward pass, GB | px | {head} | 128 / 64 | 224 / 112 px |",
        f"|---|---|{'---|' * len(FRAMES)}---|---|",
    ]
    whats = {"kept_bytes": "", "step_bytes": ", measured peak of a step on the GPU"}
    for network in NETWORKS:
        for what, words in whats.items():
            if what not in counted[f"{network}, {SIDES[0]}, {FRAMES[0]}"]:
                continue
            small = counted[f"{network}, {SIDES[0]}, 64"][what]
            for side in SIDES:
                found = [counted[f"{network}, {side}, {count}"][what] for count in FRAMES]
                cells = " | ".join(f"{value / _GIGABYTE:.2f}" for value in found)
                grown = f"{found[3] / small:.2f}" if side != SIDES[0] else ""
                lines.append(
                    f"| {network}{words} | {side} | {cells} | {found[4] / found[3]:.2f} | {grown} |"
                )
    return "\n".join(lines)


def _forward_table(rows: Sequence[Row]) -> str:
    head = " | ".join(f"{count} frames" for count in FRAMES)
    lines = [
        f"| peak of a forward pass on a processor, GB, measured | px | {head} |",
        f"|---|---|{'---|' * len(FRAMES)}",
    ]
    for network, side in _MEASURED:
        name = f"forward memory, {network}, {side}"
        found = [row["figures"] for row in rows if row["name"] == name]
        cells = [
            spread([one[str(count)] / _GIGABYTE for one in found if str(count) in one], 2)
            for count in FRAMES
        ]
        lines.append(f"| {network} | {side} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _attention_table(by_frames: dict[str, Any]) -> str:
    lines = [
        "| frames x patches | attention | products of a block, 10^9 | saved | network, 10^9 "
        "| saved |",
        "|---|---|---|---|---|---|",
    ]
    for frames, found in by_frames.items():
        for one in found["schemes"]:
            if one["scheme"] not in ("joint", "divided"):
                continue
            counted = one["counted"]
            assert counted == one["formula"]
            lines.append(
                f"| {frames} x {found['patches']} | {one['scheme']} "
                f"| {counted['products'] / 1e9:.2f} | {one['saved_products']:.1%} "
                f"| {counted['network'] / 1e9:.1f} | {one['saved_network']:.1%} |"
            )
    return "\n".join(lines)
