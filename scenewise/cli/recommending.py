"""``scenewise recommend`` and ``scenewise duplicates``: the commands that compare whole videos.

They read options and print; the library compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenewise.cli.options import (
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import Output, plural, printable, short_path
from scenewise.cli.reading import number, whole_number
from scenewise.errors import UsageError
from scenewise.types import clock


def recommend(
    video: Annotated[
        str | None,
        typer.Argument(
            metavar="VIDEO",
            help="What the suggestions are to be like: a file, or a video by name or id.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What was watched: .csv or .jsonl with video, time, rating.",
            show_default=False,
        ),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recommend rows of this CSV (id, title, text, picture), not the library's videos.",
            show_default=False,
        ),
    ] = None,
    library: LibraryOption = None,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", parser=whole_number(1, 1000), metavar="N", help="Suggestions at most."
        ),
    ] = 10,
    diversity: Annotated[
        float,
        typer.Option(
            parser=number(0, 1),
            metavar="D",
            help="0: the most relevant. 1: the most different from one another.",
        ),
    ] = 0.3,
    half_life: Annotated[
        float,
        typer.Option(
            parser=number(0.001, 1e6),
            metavar="DAYS",
            help="What was watched so much earlier counts half.",
        ),
    ] = 30.0,
    rating_scale: Annotated[
        str, typer.Option(metavar="WORST:BEST", help="What the ratings of the history mean.")
    ] = "1:5",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what to watch next, by a video or a watch history.

    What was watched is left out, and each suggestion says what it is like.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if (video is None) == (history is None):
        raise UsageError(
            "a recommendation needs a VIDEO or --history FILE; give one of them, such as "
            "scenewise recommend holiday.mp4."
        )
    settings = settings_of(library=library, device=device, threads=threads)
    with open_library(settings, create=catalogue is not None) as opened:
        found = opened.recommend(
            video,
            history=history,
            catalogue=catalogue,
            top_k=top_k,
            diversity=diversity,
            half_life_days=half_life,
            rating_scale=_scale(rating_scale),
        )
    if out.json:
        out.document(found.to_dict())
        return
    if not found.hits:
        out.result("nothing to recommend: there is nothing that was not watched")
    for hit in found.hits:
        title = short_path(hit.title) if catalogue is None else f"{hit.title} ({hit.id})"
        out.result(f"#{hit.rank} [{hit.relevance:.2f}] {printable(title)}")
        out.result(f"    {printable(hit.reason)}")


def duplicates(
    video: Annotated[
        str | None,
        typer.Argument(
            metavar="VIDEO",
            help="Only pairs with this video of the library. Default: all pairs.",
            show_default=False,
        ),
    ] = None,
    library: LibraryOption = None,
    min_score: Annotated[
        float,
        typer.Option(parser=number(0, 1), metavar="S", help="Only stretches at least this sure."),
    ] = 0.35,
    min_seconds: Annotated[
        float,
        typer.Option(
            parser=number(0.001), metavar="SECONDS", help="Only stretches at least this long."
        ),
    ] = 2.0,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find videos that share footage, whole or in part.

    Re-encoded, scaled and cut copies are found as far as the library's encoder sees them as
    alike. Ends with exit code 0 also when there are none.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(library=library, device=device, threads=threads)
    with open_library(settings) as opened:
        report = opened.duplicates(video, min_score=min_score, least_seconds=min_seconds)
    if out.json:
        out.document(report.to_dict())
        return
    if not report.pairs:
        out.result(f"no duplicates among {plural(report.videos, 'video')}")
    for pair in report.pairs:
        out.result(
            f"[{pair.score:.2f}] {pair.kind}: {short_path(pair.path)} and "
            f"{short_path(pair.other_path)}"
        )
        for copy in pair.shared:
            out.result(
                f"    {clock(copy.a.start)}-{clock(copy.a.end)} is "
                f"{clock(copy.b.start)}-{clock(copy.b.end)}"
            )


def _scale(text: str) -> tuple[float, float]:
    worst, colon, best = text.partition(":")
    try:
        scale = (float(worst), float(best))
    except ValueError:
        scale = (0.0, 0.0)
    if not colon or not -1e9 < scale[0] < scale[1] < 1e9:
        raise UsageError(f"--rating-scale {text!r} is no scale; write WORST:BEST, such as 1:5.")
    return scale
