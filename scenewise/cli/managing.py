"""``scenewise list``, ``stats``, ``remove``, ``backup``, ``cut``: what is there, and what to do
with it.

They read options, ask where something would be lost, and print; the library does the work.
The functions are long because every option is a parameter of theirs; what they do is short.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenewise.cli.asking import confirm
from scenewise.cli.last_search import recall
from scenewise.cli.options import (
    DryRunOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    VerboseOption,
    YesOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import (
    Output,
    byte_size,
    plural,
    printable,
    rough_duration,
    short_path,
)
from scenewise.cli.reading import check_free, number, whole_number
from scenewise.errors import UsageError
from scenewise.index.naming import named
from scenewise.types import Moment, Video, clock


def list_videos(
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List the videos of the library.

    One line each: state, duration, id, path, and what is wrong with it. In a pipe, columns are
    separated by tabs and nothing is shortened.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        videos = opened.videos()
    if out.json:
        out.document({"videos": [video.to_dict() for video in videos]})
        return
    out.table(("state", "duration", "id", "path", "reason"), [_row(video) for video in videos])
    if not videos:
        out.note("the library is empty; fill it with `scenewise index PATH`.")


def _row(video: Video) -> tuple[str, ...]:
    return (
        video.state,
        "-" if video.duration is None else clock(video.duration),
        (video.video_id or "-")[:12],
        printable(video.path),
        printable(video.reason or "; ".join(video.warnings)),
    )


def stats(
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what the library holds, and its size."""
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        shape = opened.stats().to_dict()
    if out.json:
        out.document(shape)
        return
    for name, value in shape.items():
        words = name.removesuffix("_bytes").replace("video_seconds", "duration").replace("_", " ")
        if name.endswith("_seconds") or name == "duration":
            shown = rough_duration(value)
        elif name.endswith("bytes") or name == "size":
            shown = byte_size(value)
        elif isinstance(value, dict):
            shown = ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
        else:
            shown = printable(str(value))
        out.result(f"{words}: {shown}")


def remove(
    videos: Annotated[
        list[str] | None,
        typer.Argument(metavar="VIDEO", help="Videos by path, name or id.", show_default=False),
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="All videos whose files are gone.")
    ] = False,
    library: LibraryOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Take videos out of the library.

    The files themselves are never touched. A video is named by its id, the beginning of its id,
    its path or its file name.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if bool(videos) == missing:
        raise UsageError("name the videos to remove, or --missing; one of both.")
    with open_library(settings_of(library=library)) as opened:
        known = opened.videos()
        chosen = (
            [video for video in known if video.state == "missing"]
            if missing
            else [video for name in videos or () for video in named(known, name)]
        )
        # a content goes with all its files
        ids = {video.video_id for video in chosen} - {None}
        chosen = [video for video in known if video in chosen or video.video_id in ids]
        if chosen and not dry_run:
            count = plural(len(chosen), "video")
            question = f"Remove {count} from the library?"
            paths = [video.path for video in chosen]
            confirm(out, yes, count, question, verb="removed", those=paths)
            opened.remove(list(dict.fromkeys(video.video_id or video.path for video in chosen)))
    if out.json:
        out.document({"removed": [video.to_dict() for video in chosen], "dry_run": dry_run})
        return
    for video in chosen:
        out.result(f"{'would remove' if dry_run else 'removed'} {short_path(video.path)}")
    if not chosen:
        out.result("nothing to remove")


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A folder that holds no library yet.")
    ],
    library: LibraryOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Copy the library while others use it.

    The copy is whole and consistent, and a library itself.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        written = target if dry_run else opened.backup(target)
    if out.json:
        out.document({"backup": str(written), "dry_run": dry_run})
    else:
        out.result(f"{'would write' if dry_run else 'wrote'} {printable(written)}")


def cut(
    hits: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HIT",
            help="VIDEO@START-END, such as clip.mp4@02:15-02:18.5.",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        list[int] | None,
        typer.Option(
            "--last",
            parser=whole_number(1),
            metavar="N",
            help="The N-th hit of the last search; can be given several times.",
            show_default=False,
        ),
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="DIR", help="Where the clips go.")
    ] = Path(),
    exact: Annotated[
        bool,
        typer.Option(
            "--exact/--copy",
            help="Exact to the frame, or copied from keyframe to keyframe: faster, longer.",
        ),
    ] = True,
    padding: Annotated[
        float,
        typer.Option(
            parser=number(0, 3600), metavar="SECONDS", help="Seconds to add before and after."
        ),
    ] = 0.0,
    reel: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also join all clips into this film.", show_default=False
        ),
    ] = None,
    library: LibraryOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Cut hits out of their videos as mp4 files.

    The videos themselves stay as they are.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if not hits and not last:
        raise UsageError("nothing to cut; give VIDEO@START-END, or --last N.")
    from scenewise.tasks.cut import parse_hit

    for text in hits or ():
        parse_hit(text)
    check_free(reel, yes)
    settings = settings_of(library=library)
    with open_library(settings) as opened:
        chosen = [*(hits or ()), *(recall(settings.library, last) if last else ())]
        if dry_run:
            _plan_cut(out, chosen, output_dir)
            return
        written = opened.cut(chosen, output_dir, exact=exact, padding=padding, reel=reel)
    if out.json:
        out.document({"files": [str(path) for path in written]})
    else:
        for path in written:
            out.result(short_path(path))


def _plan_cut(out: Output, chosen: list[str | Moment], folder: Path) -> None:
    names = [
        hit if isinstance(hit, str) else f"{hit.path}@{clock(hit.start)}-{clock(hit.end)}"
        for hit in chosen
    ]
    if out.json:
        out.document({"hits": names, "folder": str(folder)})
        return
    for name in names:
        out.result(f"would cut {printable(name)} into {printable(folder)}")
