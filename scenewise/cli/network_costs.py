"""``scenewise models flops``: what a network costs, and what attention over time and space does.

It reads options and prints; counting and measuring is done by ``scenewise.models``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption
from scenewise.cli.output import Output, byte_size, printable
from scenewise.cli.reading import whole_number

if TYPE_CHECKING:
    from scenewise.models.attention_flops import Comparison
    from scenewise.models.flops import NetworkCost
    from scenewise.models.peak_memory import PeakMemory

FRAMES, SIZE = 16, 224  # what the comparison of attentions looks at

NetworkArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="A network, such as c3d. Without it, ways to attend are compared.",
        show_default=False,
    ),
]
FramesOption = Annotated[
    int | None,
    typer.Option(
        "--frames",
        parser=whole_number(1),
        metavar="N",
        help=f"Frames of the clip. Default: those of its card; {FRAMES} to compare.",
        show_default=False,
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        parser=whole_number(1),
        metavar="N",
        help=f"Pixels of a side of the clip. Default: those of its card; {SIZE} to compare.",
        show_default=False,
    ),
]
DepthOption = Annotated[
    int,
    typer.Option(
        "--depth", parser=whole_number(0), metavar="N", help="Levels of modules that are listed."
    ),
]
MemoryOption = Annotated[
    bool,
    typer.Option("--memory", help="Also run it once on the processor, to measure its memory."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``scenewise models``."""
    app.command("flops")(flops)


def flops(
    name: NetworkArgument = None,
    frames: FramesOption = None,
    size: SizeOption = None,
    depth: DepthOption = 1,
    memory: MemoryOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Count what a network costs.

    Counted are multiply-adds of convolutions and matrix products, of one clip. Without NAME it
    compares joint, divided, space-only and windowed attention of a vision transformer: what each
    saves of the attention products alone, of a whole block, and of the whole network.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if name is None:
        _compare(out, frames or FRAMES, size or SIZE, memory)
        return
    from scenewise.models.flops import network_cost

    cost = network_cost(name, frames=frames, size=size)
    measured = None
    if memory:
        from scenewise.models.peak_memory import peak_memory

        measured = peak_memory(name, frames=frames, size=size)
    if out.json:
        shape = cost.to_dict()
        shape["memory"] = measured.to_dict() if measured else None
        out.document(shape)
        return
    _print_cost(out, cost, measured, depth)


def _print_cost(out: Output, cost: NetworkCost, measured: PeakMemory | None, depth: int) -> None:
    out.result(f"{printable(cost.name)}, {cost.frames} frames of {cost.size} pixels")
    out.result(f"parameters: {cost.parameters:,}")
    out.result(f"multiply-adds: {cost.multiply_adds:,}")
    if measured is not None:
        out.result(
            f"memory: {byte_size(measured.weights_bytes)} of weights, "
            f"{byte_size(measured.forward_bytes)} more in a pass ({measured.how})"
        )
    rows = [
        (
            module.name,
            module.kind,
            f"{module.parameters:,}",
            f"{module.multiply_adds:,}",
            f"{_share(module.multiply_adds, cost.multiply_adds):.1%}",
        )
        for module in cost.modules
        if module.name and len(module.name.split(".")) <= depth
    ]
    if rows:
        out.table(("module", "kind", "parameters", "multiply-adds", "share"), rows, figures=True)


def _compare(out: Output, frames: int, size: int, memory: bool) -> None:
    from scenewise.errors import UsageError
    from scenewise.models.attention_flops import Clip, comparison

    if memory:
        raise UsageError("--memory measures one network; give its NAME.")
    compared = comparison(Clip(frames=frames, size=size))
    if out.json:
        out.document(compared.to_dict())
        return
    _print_comparison(out, compared)


def _print_comparison(out: Output, compared: Comparison) -> None:
    clip = compared.clip
    out.result(
        f"{clip.frames} frames of {clip.size} pixels, {compared.patches} patches each; "
        f"width {clip.width}, {clip.depth} blocks"
    )
    headings = ("attention", "products", "saved", "block", "saved", "network", "saved")
    rows = [
        (
            one.scheme,
            f"{one.counted.products:,}",
            f"{one.saved_products:.1%}",
            f"{one.counted.block:,}",
            f"{one.saved_block:.1%}",
            f"{one.counted.network:,}",
            f"{one.saved_network:.1%}",
        )
        for one in compared.schemes
    ]
    out.table(headings, rows, figures=True)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
