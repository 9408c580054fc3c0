"""``scenewise summarize``: a video in short.

It reads options and prints; the library summarizes. Nothing here imports torch or transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from scenewise.cli.output import BOLD, Output, printable, short_path, styled
from scenewise.cli.reading import check_free, check_words, number, whole_number
from scenewise.types import clock

if TYPE_CHECKING:
    from scenewise.tasks.summarize import Summary


def summarize(
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A file, or a video of the library.")
    ],
    chapters: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, 60),
            metavar="N",
            help="So many chapters. Default: as many as the content has.",
            show_default=False,
        ),
    ] = None,
    storyboard: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a picture of the chapters (png, jpg).", show_default=False
        ),
    ] = None,
    per: Annotated[
        Literal["chapter", "shot"], typer.Option(help="What has a frame in the storyboard.")
    ] = "chapter",
    reel: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Cut the highlights into this mp4.", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            parser=number(1, 86_400),
            metavar="SECONDS",
            help="Length of the highlights at most. Default: 30.",
            show_default=False,
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS", help="What the highlights are to be about.", show_default=False
        ),
    ] = None,
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Put a video in short: chapters, storyboard, highlights.

    Highlights cover the content of the video without repeating it.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    for target in (storyboard, reel):
        check_free(target, yes)
    if query is not None:
        check_words("--query", [query])
    settings = settings_of(library=library, device=device, threads=threads)
    with open_for_video(settings, encoder) as opened:
        summary = opened.summarize(
            video,
            chapters=chapters,
            seconds=seconds,
            query=query,
            reel=reel,
            storyboard=storyboard,
            per=per,
        )
    if out.json:
        out.document(summary.to_dict())
    else:
        _print(out, summary)


def _print(out: Output, summary: Summary) -> None:
    for note in summary.notes:
        out.note(note)
    out.result(styled(f"{short_path(summary.path)}  {clock(summary.duration)}", BOLD))
    for chapter in summary.chapters:
        out.result(f"  {clock(chapter.start)}-{clock(chapter.end)}  {printable(chapter.title)}")
    if summary.highlights is not None:
        highlights = summary.highlights
        out.result(
            f"highlights: {highlights.seconds:.1f} s that stand for "
            f"{highlights.coverage:.0%} of the content"
        )
        for span in highlights.spans:
            out.result(f"  {clock(span.start)}-{clock(span.end)}")
    for path in (summary.storyboard, summary.reel):
        if path is not None:
            out.note(f"wrote {printable(path)}")
