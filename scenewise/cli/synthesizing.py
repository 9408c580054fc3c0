"""``scenewise synthesize``: films of a generated world, with annotations that are true.

It reads options and prints; ``scenewise.data.synthetic`` makes the world, and is loaded when the
command runs.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption, WorkersOption
from scenewise.cli.output import Output, plural, printable
from scenewise.cli.progress import shown_progress
from scenewise.cli.reading import number, path_that_is_named, whole_number

_FEWEST = 5  # films: of each split one at least


def _frame_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 120:
        raise typer.BadParameter(f"{text!r} is not a frame rate of at most 120, such as 25 or 25/2")
    return rate


def synthesize(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            parser=path_that_is_named,
            help="Where the world goes: a new folder, or one to go on with.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        Literal["actions", "stories", "sounds"],
        typer.Option(help="One event a film, several events, or motions with sounds."),
    ] = "actions",
    films: Annotated[
        int,
        typer.Option(
            parser=whole_number(_FEWEST),
            metavar="N",
            help="Films in all: three fifths train, a fifth val, a fifth test.",
        ),
    ] = 1000,
    seed: Annotated[
        int, typer.Option(parser=whole_number(0), metavar="N", help="Another one, another world.")
    ] = 0,
    size: Annotated[
        int, typer.Option(parser=whole_number(16, 1024), metavar="PIXELS", help="Of each side.")
    ] = 64,
    fps: Annotated[
        Fraction | None,
        typer.Option(
            parser=_frame_rate,
            metavar="RATE",
            help="Frames per second. Default: 8, with --layout that of the layout.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            parser=number(0.75, 600),
            metavar="SECONDS",
            help="Of each film. Default: 1, of stories 6, or 1 for each of --events.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, 16),
            metavar="N",
            help="Of each story, all different. Default: 1 to 4.",
            show_default=False,
        ),
    ] = None,
    compositional: Annotated[
        bool,
        typer.Option(
            "--compositional", help="Test has colours, shapes and actions in new combinations."
        ),
    ] = False,
    sound: Annotated[bool, typer.Option(help="Write the sound of stories and sounds.")] = True,
    subtitles: Annotated[
        Literal["none", "beside", "inside"] | None,
        typer.Option(
            help="What happens, as text. Default: beside stories, else none.", show_default=False
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write the world as this dataset lays out its files, such as msrvtt or ucf101.",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make films of a generated world whose truth is known.

    The same options give the same films. A run that was broken off goes on where it was.
    """
    import os

    from scenewise.data.rows import Split
    from scenewise.data.synthetic.files import FileSettings, write_world
    from scenewise.data.synthetic.settings import world_settings
    from scenewise.errors import UsageError

    output = Output.start(json=json, quiet=quiet, verbose=verbose)
    if layout is not None:
        if kind != "actions" or events or compositional or not sound or subtitles:
            raise UsageError(
                f"--layout {layout} says what a film shows: leave out --kind, --events, "
                "--compositional, --no-sound and --subtitles."
            )
        _write_layout(output, folder, layout, films, seed, size, fps, seconds, workers)
        return
    if kind == "sounds" and not sound:
        raise UsageError("--no-sound: films of --kind sounds are told apart by it.")
    settings = world_settings(
        kind=kind,
        seed=seed,
        size=size,
        frame_rate=fps or Fraction(8),
        seconds=seconds,
        events=events,
        compositional=compositional,
    )
    fifth = films // _FEWEST
    counts: dict[Split, int] = {"train": films - 2 * fifth, "val": fifth, "test": fifth}
    beside: Literal["none", "beside"] = "beside" if kind == "stories" else "none"
    with shown_progress(output) as progress:
        report = write_world(
            folder,
            settings,
            counts,
            files=FileSettings(sound=sound, subtitles=subtitles or beside),
            workers=workers or os.cpu_count() or 1,
            progress=progress,
        )
    if json:
        output.document(report.to_dict())
        return
    made = sum(report.films.values())
    output.result(f"{plural(made, 'film')}, {report.made} of them new: {printable(folder)}")
    rows = ", ".join(f"{count} {task}" for task, count in report.rows.items())
    output.result(f"annotations: {rows}")


def _write_layout(
    output: Output,
    folder: Path,
    layout: str,
    films: int,
    seed: int,
    size: int,
    fps: Fraction | None,
    seconds: float | None,
    workers: int | None,
) -> None:
    import os

    from scenewise.data.synthetic.layouts import write_layout

    with shown_progress(output) as progress:
        report = write_layout(
            folder,
            layout,
            films,
            seed=seed,
            size=size,
            frame_rate=fps,
            seconds=seconds,
            workers=workers or os.cpu_count() or 1,
            progress=progress,
        )
    if output.json:
        output.document(report.to_dict())
        return
    made = sum(report.films.values())
    output.result(f"{plural(made, 'film')} as {layout} has them: {printable(folder)}")
    output.result(f"annotations: {', '.join(report.files)}")
