"""``scenewise models``, of the toolkit's networks: their cards, exporting and converting.

It reads options and prints; what a network is, its card says, and what is done with it,
``encoders.network_files`` does.
"""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scenewise.cli.options import (
    JsonOption,
    QuietOption,
    VerboseOption,
    YesOption,
)
from scenewise.cli.output import Output, plural, printable
from scenewise.cli.reading import check_free, path_that_is_named, whole_number
from scenewise.errors import UnknownNetworkError, UsageError

if TYPE_CHECKING:
    from scenewise.models.cards.card import Card

HEADINGS = ("name", "kind", "year", "parameters", "multiply-adds", "licence")
_SHOWN = 5  # tensors that a line names


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="A file, a folder, a Hugging Face name; or a network's name."
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            parser=path_that_is_named, metavar="OUT.onnx", help="The file that is written."
        ),
    ],
    side: Annotated[
        Literal["video", "text"] | None,
        typer.Option("--side", help="Of a video-text model: which side.", show_default=False),
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="A network's name, with fresh weights.")
    ] = False,
    frames: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, 4096),
            metavar="N",
            help="Frames of a clip. Default: the network's own.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, 4096),
            metavar="N",
            help="Side of a picture in pixels. Default: the network's own.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write a network as ONNX, compared with PyTorch.

    Clips go in as the toolkit has them: (batch, frames, channels, height, width), normalised as the
    network's card says.
    """
    from scenewise.encoders.network_files import export_network

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    check_free(target, yes)
    made = export_network(source, target, side=side, random=random, frames=frames, size=size)
    if out.json:
        out.document(made.to_dict())
        return
    out.result(f"{printable(made.path)}: {made.network}, {made.side} side")
    for kind, ports in (("input", made.inputs), ("output", made.outputs)):
        for port in ports:
            shape = ", ".join(str(axis) for axis in port.shape)
            out.result(f"{kind}: {port.name} ({shape}) {port.type}")
    out.result(f"difference to torch: {made.difference:.2g}")


def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="CHECKPOINT", help="A file, a folder, or a Hugging Face name."),
    ],
    folder: Annotated[
        Path,
        typer.Argument(parser=path_that_is_named, metavar="FOLDER", help="What is written."),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="NAME",
            help="Which network it is of, where that cannot be told.",
            show_default=False,
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="KEY=VALUE",
            help="An option of the network; may be given again.",
            show_default=False,
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            parser=path_that_is_named,
            metavar="FILE",
            help="The text side's tokenizer.json. Default: the one beside the weights.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            parser=path_that_is_named,
            metavar="FILE",
            help="Names of the classes, one per line. Default: those of config.json.",
            show_default=False,
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what fits; the rest stays as it was made.")
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a published checkpoint one that can be indexed with.

    What is written is a folder in scenewise's own format, for index --encoder and classify --model.
    """
    from scenewise.encoders.network_files import convert_checkpoint

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    _check_folder(folder, yes)
    made = convert_checkpoint(
        source,
        folder,
        network=network,
        options=dict(read_option(option) for option in options or ()),
        tokenizer=tokenizer,
        labels=None if labels is None else read_labels(labels),
        partial=partial,
    )
    if out.json:
        out.document(made.to_dict())
        return
    chosen = ", ".join(f"{key}={value}" for key, value in made.options.items())
    out.result(f"{printable(made.folder)}: {made.network}{f' ({chosen})' if chosen else ''}")
    out.result(f"layout: {made.layout}")
    out.result(f"tensors loaded: {made.loaded}")
    for what, names in (
        ("missing", made.missing),
        ("unexpected", made.unexpected),
        ("of another shape", made.mismatched),
    ):
        if names:
            more = ", …" if len(names) > _SHOWN else ""
            shown = ", ".join(printable(name) for name in names[:_SHOWN])
            out.result(f"{what}: {len(names)} ({shown}{more})")
    if made.labels is not None:
        out.result(f"labels: {made.labels}")
    out.result(f"tokenizer: {'yes' if made.tokenizer else 'no'}")


def find_networks(pattern: str, kind: str | None) -> list[Card]:
    """Cards of the networks whose names fit a pattern, as in file names."""
    from fnmatch import fnmatchcase

    from scenewise.models.registry import list_model_cards

    return [
        card
        for card in list_model_cards()
        if fnmatchcase(card.name, pattern) and kind in (None, card.kind)
    ]


def row_of(card: Card) -> tuple[str, ...]:
    """A line of ``models list``, under ``HEADINGS``."""
    cost = "" if card.multiply_adds is None else f"{card.multiply_adds:,}"
    return (card.name, card.kind, str(card.year), f"{card.parameters:,}", cost, card.licence)


def find_network(name: str) -> Card | None:
    """The card of a network; None where no network is called so."""
    from scenewise.models.registry import model_card

    try:
        return model_card(name)
    except UnknownNetworkError:
        return None


def nearest_network(name: str) -> str:
    """What the registry says of a name that it does not know."""
    from scenewise.models.registry import model_card

    try:
        return model_card(name).name
    except UnknownNetworkError as error:
        return str(error)


def show_network(card: Card, out: Output) -> None:
    """The card of a network with its options and layouts."""
    from scenewise.models.registry import options_of, resolve

    options = options_of(card.name)
    layouts = [] if card.layouts is None else [layout.name for layout in resolve(card.layouts)]
    if out.json:
        shape = {"options": options, "layouts": layouts}
        out.document({"name": card.name, "network": card.to_dict(), **shape})
        return
    lines: list[tuple[str, Any]] = [
        ("name", card.name),
        ("what it is", f"{card.summary} ({card.kind}, {card.family})"),
        ("paper", f"{card.paper}, {card.year}, {card.url}"),
    ]
    if card.code:
        lines.append(("code", card.code))
    lines += [("licence of the weights", card.licence), ("compared with", card.proof)]
    lines.append(("parameters", f"{card.parameters:,}"))
    if card.multiply_adds is not None:
        lines.append(("multiply-adds", f"{card.multiply_adds:,}"))
    lines += _input_lines(card)
    lines += [("option", f"{key} = {json_text.dumps(value)}") for key, value in options.items()]
    lines.append(("layouts", ", ".join(layouts) or "none but our own"))
    lines += [
        (
            "published result",
            f"{one.dataset}, {one.metric} {one.value:g}, {one.setting} ({one.source})",
        )
        for one in card.results
    ]
    lines += [("note", note) for note in card.notes]
    for key, value in lines:
        out.result(f"{key}: {printable(str(value))}")


def _input_lines(card: Card) -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    if card.input is not None:
        wanted = card.input
        span = "" if wanted.seconds is None else f" over {wanted.seconds:.3g} s"
        size = f"{wanted.size} x {wanted.size} pixels"
        lines.append(
            ("input", f"{plural(wanted.frames, 'frame')}{span}, {size}, {wanted.channels}")
        )
    if card.text_length is not None:
        lines.append(("text", f"{card.text_length} tokens at most"))
    return lines


def read_option(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``, the value as JSON or else as a word."""
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise UsageError(
            f"--option {text!r} is not allowed; write KEY=VALUE, such as num_frames=8."
        )
    try:
        return key.strip(), json_text.loads(value)
    except ValueError:
        return key.strip(), value.strip()


def read_labels(path: Path) -> tuple[str, ...]:
    """The lines of a text file, but empty ones: a class each."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"--labels: {path} cannot be read: {reason}; name a text file.") from None
    return tuple(line.strip() for line in lines if line.strip())


def _check_folder(folder: Path, yes: bool) -> None:
    if folder.is_file():
        raise UsageError(f"{printable(folder)} is a file, where a folder is meant; name another.")
    if folder.is_dir() and any(folder.iterdir()):
        check_free(folder, yes)
