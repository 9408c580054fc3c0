"""``scenewise pairs``: the texts that lie with one's own videos, as pairs to train on.

It reads options and prints; ``scenewise.data`` makes the pairs, loaded when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption, YesOption
from scenewise.cli.output import Output, plural, printable, warn
from scenewise.cli.progress import shown_progress
from scenewise.cli.reading import check_free, number, path_that_is_named, whole_number

if TYPE_CHECKING:
    from scenewise.data.pair_files import PairsReport

SOME_FAILED = 3
FILE = "pairs.jsonl"


def pairs(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=path_that_is_named,
            metavar="DIR",
            help="A folder of videos; also folders in it.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_that_is_named,
            metavar="FILE",
            help=f"Where the pairs go. Default: {FILE} in DIR.",
            show_default=False,
        ),
    ] = None,
    span_seconds: Annotated[
        float,
        typer.Option(
            parser=number(0.1),
            metavar="SECONDS",
            help="Neighbouring subtitles are joined up to this length.",
        ),
    ] = 10.0,
    overlap: Annotated[
        float,
        typer.Option(
            parser=number(0, 0.9),
            metavar="PART",
            help="Part of a span that the next one has too, 0 to 0.9.",
        ),
    ] = 0.0,
    min_words: Annotated[
        int,
        typer.Option(
            parser=whole_number(1), metavar="N", help="A text with fewer words is left out."
        ),
    ] = 3,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Of subtitles, such as en. Default: the first track.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write texts and videos that belong together, to train on.

    From titles, files beside the videos and subtitles: one JSON object a line, as the dataset
    "jsonl" of a training config reads it.
    """
    from scenewise.data.pair_files import write_pairs
    from scenewise.data.pairs import PairSettings
    from scenewise.errors import UsageError
    from scenewise.index.discover import discover

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UsageError(f"{printable(folder)} is no folder; name the one that holds the videos.")
    target = (output or folder / FILE).expanduser()
    check_free(target, yes)
    settings = PairSettings(min_words, span_seconds, overlap, language)
    found = discover([folder])
    with shown_progress(out) as progress:
        report = write_pairs(
            [Path(stamp.path) for stamp in found.files],
            folder.resolve(),
            target,
            settings,
            failed=found.problems,
            progress=progress,
        )
    _print_report(out, report)
    raise typer.Exit(_exit_code(report))


def _print_report(out: Output, report: PairsReport) -> None:
    if out.json:
        out.document(report.to_dict())
    else:
        parts = [f"{plural(report.pairs, 'pair')} from {plural(report.videos, 'video')}"]
        if report.silent:
            parts.append(f"{report.silent} without a text")
        if report.failed:
            parts.append(f"{len(report.failed)} failed")
        where = printable(report.output) if report.pairs else "nothing written"
        out.result(f"{', '.join(parts)}: {where}")
    for failure in report.failed:
        warn(f"failed: {printable(failure.path)}: {printable(failure.reason)}")


def _exit_code(report: PairsReport) -> int:
    """0; 1 where nothing could be written; 3 where some files failed."""
    if report.failed:
        return SOME_FAILED if report.pairs else 1
    return 0 if report.pairs else 1
