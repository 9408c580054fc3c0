"""``scenewise annotate``: writes down what is known of each video of a folder.

It reads options and prints; the library annotates.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.answering import (
    ModelOption,
    ModelUrlOption,
    MotionOption,
    check_model_url,
)
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
from scenewise.cli.output import Output, plural, printable, warn
from scenewise.cli.progress import shown_progress
from scenewise.cli.reading import path_that_is_named

if TYPE_CHECKING:
    from scenewise.tasks.annotate import AnnotateReport

SOME_FAILED, INTERRUPTED = 3, 130


def annotate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            parser=path_that_is_named,
            metavar="DIR",
            help="Folders or videos.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="Also say which of these labels fit.", show_default=False
        ),
    ] = None,
    label_set: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The labels of kinetics400, ucf101 or hmdb51, or of a file.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write into this folder, not beside the videos.",
            show_default=False,
        ),
    ] = None,
    motion: MotionOption = True,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="Look into folders of folders.")
    ] = True,
    model: ModelOption = None,
    model_url: ModelUrlOption = None,
    encoder: EncoderOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write captions, labels and text of videos as JSON and CSV.

    A JSON file beside each video and one table of all. What is up to date is left as it is, so an
    interrupted run goes on where it ended; --yes makes all of it anew.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    check_model_url(model, model_url)
    settings = settings_of(library=library, device=device, threads=threads, model_url=model_url)
    with open_for_video(settings, encoder) as opened, shown_progress(out) as progress:
        report = opened.annotate(
            paths,
            output=output,
            labels=labels,
            label_set=label_set,
            motion=motion,
            model=model,
            recursive=recursive,
            overwrite=yes,
            progress=progress,
        )
    _print_report(out, report)
    raise typer.Exit(_exit_code(report))


def _print_report(out: Output, report: AnnotateReport) -> None:
    if out.json:
        out.document(report.to_dict())
    else:
        parts = [f"annotated {plural(report.written, 'video')}"]
        if report.unchanged:
            parts.append(f"{report.unchanged} up to date")
        if report.failed:
            parts.append(f"{len(report.failed)} failed")
        out.result(f"{', '.join(parts)}; table: {printable(report.table)}")
    for failure in report.failed:
        warn(f"failed: {printable(failure.path)}: {printable(failure.reason)}")
    if report.interrupted:
        warn("interrupted; what is written is kept. Give the same command again to go on.")


def _exit_code(report: AnnotateReport) -> int:
    """As of indexing: 0, 1 where nothing could be done, 3 where some files failed, 130."""
    if report.interrupted:
        return INTERRUPTED
    if report.failed:
        return SOME_FAILED if report.written + report.unchanged else 1
    return 0
