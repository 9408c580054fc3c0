"""The options that several commands share, and the one place where they open a library.

It knows names and help texts. What a library is, it learns when one is opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scenewise.cli.reading import number, path_that_is_named, whole_number

if TYPE_CHECKING:
    from scenewise.config import Settings
    from scenewise.library import Library

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        parser=path_that_is_named,
        metavar="DIR",
        help="Folder of the library. Default: SCENEWISE_LIBRARY, else the user data folder.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes, only results and errors.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more; on a bug, show the traceback.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; overwrite what is there.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done and write nothing.")
]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    typer.Option("--device", help="Where networks run. Default: auto.", show_default=False),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        parser=whole_number(1),
        metavar="N",
        help="Threads per network. Default: one per worker.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        parser=whole_number(1),
        metavar="N",
        help="Worker processes. Default: one per processor core.",
        show_default=False,
    ),
]
FpsOption = Annotated[
    float | None,
    typer.Option(
        "--fps",
        parser=number(0.001, 120),
        metavar="RATE",
        help="Frames sampled per second of video. Default: 2.",
        show_default=False,
    ),
]
FramesOption = Annotated[
    int | None,
    typer.Option(
        "--frames",
        parser=whole_number(1),
        metavar="N",
        help="Instead of --fps: one vector per video, from N frames spread evenly.",
        show_default=False,
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="What embeds: concept (the default), a folder, or a Hugging Face name.",
        show_default=False,
    ),
]


def settings_of(**flags: Any) -> Settings:
    """Flags over environment over files over defaults; flags that are None do not count."""
    from scenewise.config import load_settings

    return load_settings(**flags)


def open_library(
    settings: Settings, *, encoder: str | None = None, create: bool = False
) -> Library:
    """Open the library of these settings; ``encoder`` only where the user names one."""
    from scenewise.library import Library

    return Library.open(settings.library, encoder=encoder, create=create, settings=settings)


def open_for_video(settings: Settings, encoder: str | None = None) -> Library:
    """The library for a verb about videos or streams, which need not lie in it.

    Where ``encoder`` names another one than the library belongs to, they are looked at without
    the library: its vectors say nothing to that encoder.
    """
    from scenewise.errors import EncoderMismatchError
    from scenewise.library import Library

    try:
        return open_library(settings, encoder=encoder, create=True)
    except EncoderMismatchError:
        apart = settings.library / f".without-{os.getpid()}"  # never made: nothing is indexed
        return Library.open(apart, encoder=encoder, settings=settings)
