"""``scenewise index`` and ``scenewise reindex``: the commands that decode videos.

They read options, show progress and sum up; the library does the work.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from scenewise.cli.options import (
    DeviceOption,
    DryRunOption,
    EncoderOption,
    FpsOption,
    FramesOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    WorkersOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import Output, plural, printable, rough_duration, warn
from scenewise.cli.progress import shown_progress
from scenewise.cli.reading import path_that_is_named
from scenewise.errors import UsageError

if TYPE_CHECKING:
    from scenewise.library import Library
    from scenewise.types import Failure, IndexReport

SOME_FAILED, INTERRUPTED = 3, 130
FAILURES_SHOWN = 20


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            parser=path_that_is_named,
            metavar="PATH",
            help="Folders and video files.",
            show_default=False,
        ),
    ],
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    fps: FpsOption = None,
    frames: FramesOption = None,
    workers: WorkersOption = None,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="Look into folders below.")
    ] = True,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try files again that failed before.")
    ] = False,
    ann: Annotated[
        Literal["auto", "exact", "ivfpq", "rabitq"] | None,
        typer.Option(
            "--ann",
            help="Vector index from now on: exact scan, or approximate for big libraries.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            metavar="KINDS",
            help="Read from now on: ocr (on-screen text), speech, both with a comma, or none.",
            show_default=False,
        ),
    ] = None,
    speech_model: Annotated[
        str | None,
        typer.Option(
            "--speech-model",
            metavar="NAME",
            help="Whisper model for --text speech: a faster-whisper folder or a hub name.",
            show_default=False,
        ),
    ] = None,
    speech_language: Annotated[
        str | None,
        typer.Option(
            "--speech-language",
            metavar="CODE",
            help="Language that is spoken, such as en. Default: the model tells.",
            show_default=False,
        ),
    ] = None,
    audio_encoder: Annotated[
        str | None,
        typer.Option(
            "--audio-encoder",
            metavar="NAME",
            help="CLAP checkpoint for sound in words: a folder, a hub name, or none.",
            show_default=False,
        ),
    ] = None,
    watch_folder: Annotated[
        bool, typer.Option("--watch-folder", help="Stay, and index what changes, until Ctrl-C.")
    ] = False,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Index videos, so that they can be searched.

    Runs again in no time: only new and changed files are decoded. Exit code 3 if some files
    failed, 1 if nothing could be indexed.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if fps is not None and frames is not None:
        raise UsageError("--fps and --frames exclude each other; give one of them.")
    said = (ann, text, speech_model, speech_language, audio_encoder)
    if watch_folder and (dry_run or retry_failed or any(value is not None for value in said)):
        raise UsageError(
            "--watch-folder goes without --dry-run, --retry-failed, --ann, --text, --speech-… and "
            "--audio-encoder; run once with those first: what they say is kept."
        )
    settings = settings_of(library=library, device=device, threads=threads, workers=workers)
    with open_library(settings, encoder=encoder, create=True) as opened:
        if watch_folder:
            _watch(out, opened, paths, fps=fps, frames=frames, recursive=recursive)
        with shown_progress(out) as progress:
            report = opened.index(
                paths,
                fps=fps,
                frames=frames,
                recursive=recursive,
                workers=workers,
                retry_failed=retry_failed,
                ann=ann,
                text=text,
                speech_model=speech_model,
                speech_language=speech_language,
                audio_encoder=audio_encoder,
                dry_run=dry_run,
                progress=progress,
            )
    _print_report(out, report, dry_run=dry_run)
    raise typer.Exit(exit_code(report))


def reindex(
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    fps: FpsOption = None,
    frames: FramesOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Decode all videos again for another encoder.

    Or for another sampling. The library answers from what it has until the new filling is
    complete, then switches.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if fps is not None and frames is not None:
        raise UsageError("--fps and --frames exclude each other; give one of them.")
    settings = settings_of(library=library, device=device, threads=threads, workers=workers)
    with open_library(settings) as opened:
        if dry_run:
            _plan_reindex(out, opened, encoder)
            return
        with shown_progress(out) as progress:
            report = opened.reindex(
                encoder=encoder, fps=fps, frames=frames, workers=workers, progress=progress
            )
    _print_report(out, report)
    raise typer.Exit(exit_code(report))


def _plan_reindex(out: Output, library: Library, encoder: str | None) -> None:
    videos = [video for video in library.videos() if video.state == "ready"]
    seconds = sum(video.duration or 0.0 for video in videos)
    if out.json:
        out.document({"encoder": encoder, "videos": len(videos), "video_seconds": seconds})
        return
    name = f" for {encoder}" if encoder else ""
    out.result(f"would decode {plural(len(videos), 'video')}, {rough_duration(seconds)}{name}")


def _watch(
    out: Output,
    library: Library,
    paths: list[Path],
    *,
    fps: float | None,
    frames: int | None,
    recursive: bool,
) -> NoReturn:
    """Index now and whenever something changes; the way out is Ctrl-C, so its code is 130."""
    out.note("watching; Ctrl-C ends it.")
    stop = threading.Event()
    runs = library.watch_folder(paths, stop=stop, fps=fps, frames=frames, recursive=recursive)
    try:
        for report in runs:
            _print_report(out, report, stream=True)
    except KeyboardInterrupt:
        out.note("stopped watching; what is indexed is kept.")
    finally:
        stop.set()
    raise typer.Exit(INTERRUPTED)


def exit_code(report: IndexReport) -> int:
    """0, or 1 if nothing could be indexed, 3 if some files failed, 130 if interrupted."""
    if report.interrupted:
        return INTERRUPTED
    usable = report.indexed + report.recognised + report.unchanged
    if not usable and (report.failed or report.skipped_failed):
        return 1
    return SOME_FAILED if report.failed else 0


def _print_report(
    out: Output, report: IndexReport, *, dry_run: bool = False, stream: bool = False
) -> None:
    """The summary: counts on stdout, failures and what to do about them on stderr."""
    if out.json:
        (out.record if stream else out.document)(report.to_dict())
    else:
        out.result(summary(report, dry_run=dry_run))
    _print_files(out, "damaged", report.damaged)
    _print_files(out, "failed", report.failed)
    if report.skipped_failed:
        out.note(
            f"{plural(report.skipped_failed, 'file')} failed before and did not change; "
            "--retry-failed tries again."
        )
    if report.interrupted:
        warn("interrupted; what is indexed is kept. Give the same command again to go on.")


def _print_files(out: Output, what: str, files: Sequence[Failure]) -> None:
    """A line for each file that there is something to say of, on stderr."""
    shown = len(files) if out.verbose else FAILURES_SHOWN
    for file in files[:shown]:
        warn(f"{what}: {printable(file.path)}: {printable(file.reason)}")
    if len(files) > shown:
        warn(f"… and {len(files) - shown} more {what}; `scenewise list` names them all.")


def summary(report: IndexReport, *, dry_run: bool = False) -> str:
    """One line: what was done, and how fast."""
    parts = [f"{'would index' if dry_run else 'indexed'} {plural(report.indexed, 'video')}"]
    if report.video_seconds > 0:
        took = f"{rough_duration(report.video_seconds)} of video"
        if not dry_run:
            took += f" in {rough_duration(report.wall_seconds)}"
        parts[0] += f" ({took})"
    if report.damaged:
        which = "read" if report.tracked else "of them damaged and indexed"
        parts.append(f"{len(report.damaged)} {which} in part")
    if report.tracked:
        would = "would be read again" if dry_run else "read again"
        parts.append(f"{report.tracked} known {would} for text or sound")
    for count, words in (
        (report.unchanged, "unchanged"),
        (report.recognised, "known under another path"),
        (report.missing, "missing"),
        (len(report.failed), "failed"),
    ):
        if count:
            parts.append(f"{count} {words}")
    return ", ".join(parts)
