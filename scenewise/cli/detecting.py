"""``scenewise detect``: boxes around things in one video, followed over time.

It reads options and prints; the library detects.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    YesOption,
    open_for_video,
    settings_of,
)
from scenewise.cli.output import BOLD, Output, plural, printable, styled
from scenewise.cli.reading import check_free, number
from scenewise.errors import UsageError
from scenewise.media.whole_file import check_picture
from scenewise.types import clock

if TYPE_CHECKING:
    from scenewise.media.box_pictures import Marked
    from scenewise.tasks.detections import DetectedTrack, Detections


def detect(
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A file, or a video of the library by name or id."),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="What to look for, with commas between. Default: all that a model knows, or "
            "whatever moves, unnamed.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|DIR",
            help="A detector: DETR family, OWL-ViT or OWLv2, by folder or Hugging Face name.",
            show_default=False,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            parser=number(0.001, 120),
            metavar="RATE",
            help="Pictures looked at per second. Default: 5, with --model 2.",
            show_default=False,
        ),
    ] = None,
    min_probability: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 1),
            metavar="P",
            help="Leave out what is less probable. Default: 0.25; with --model 0.5, or 0.2 where "
            "the model is asked in words.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a picture of each thing, with its box.", show_default=False
        ),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all things as one picture (png, jpg).", show_default=False
        ),
    ] = None,
    encoder: EncoderOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find things in a video: boxes, followed over time.

    Without --model only what moves is found, and each moving thing is labelled afterwards by the
    library's encoder: still things are not found. With --model, a detector looks at each picture.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if contact_sheet is not None:
        check_picture(contact_sheet, "a sheet")
        check_free(contact_sheet, yes)
    if pictures is not None and pictures.is_dir() and any(pictures.iterdir()) and not yes:
        raise UsageError(
            f"{printable(pictures)} holds files already; choose another folder, or --yes to "
            "overwrite pictures of the same name."
        )
    settings = settings_of(library=library, device=device, threads=threads)
    with open_for_video(settings, encoder) as opened:
        found = opened.detect(
            video,
            () if labels is None else labels,
            model=model,
            fps=fps,
            min_probability=min_probability,
        )
    _print(out, found)
    _write_pictures(out, found, pictures, contact_sheet)


def _print(out: Output, found: Detections) -> None:
    for note in found.notes:
        out.note(note)
    if found.unlabelled:
        out.note(
            f"{plural(found.unlabelled, 'moving thing')} fit none of the labels and were left "
            "out; --min-probability 0 shows them"
        )
    if out.json:
        out.document(found.to_dict())
        return
    out.note(found.method)
    for track in found.tracks:
        first = track.boxes[0]
        where = f"{first.left:.2f},{first.top:.2f} {first.width:.2f}x{first.height:.2f}"
        out.result(
            f"{styled(f'#{track.track}', BOLD)} {_name(track)} {clock(track.start)}-"
            f"{clock(track.end)} from {where} in {plural(len(track.boxes), 'picture')}"
        )
    if not found.tracks:
        out.result("nothing found")


def _name(track: DetectedTrack) -> str:
    """``[0.83] a dog``, or what can be said without a label."""
    if track.label is None:
        return "moving thing"
    known = "" if track.probability is None else f"[{track.probability:.2f}] "
    return f"{known}{printable(track.label)}"


def _write_pictures(
    out: Output, found: Detections, pictures: Path | None, contact_sheet: Path | None
) -> None:
    """What was asked for beside the answer; where it went is said on stderr."""
    if pictures is None and contact_sheet is None:
        return
    if not found.tracks:
        out.note("nothing was found, so no pictures were written")
        return
    from scenewise.media.box_pictures import write_pictures, write_sheet

    things = [_marked(track) for track in found.tracks]
    if pictures is not None:
        written = write_pictures(found.path, things, pictures)
        out.note(f"wrote {plural(len(written), 'picture')} to {printable(pictures)}")
    if contact_sheet is not None:
        write_sheet(found.path, things, contact_sheet)
        out.note(f"wrote {printable(contact_sheet)}")


def _marked(track: DetectedTrack) -> Marked:
    from scenewise.media.box_pictures import Marked

    best = next(box for box in track.boxes if box.time == track.best_time)
    name = track.label or "moving"
    if track.probability is not None:
        name += f" {track.probability:.2f}"
    caption = f"#{track.track}  {clock(track.start)} - {clock(track.end)}  {name}"
    return Marked(track.track, best.time, best.box, f"#{track.track} {name}", caption)
