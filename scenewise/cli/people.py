"""``scenewise people``: enrol, match, list and forget people who agreed to be found.

It reads options and prints; the library does the work. It is off until two networks are named.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.asking import confirm
from scenewise.cli.options import (
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    YesOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import BOLD, Output, plural, printable, short_path, styled
from scenewise.cli.reading import number
from scenewise.errors import UsageError
from scenewise.types import clock

if TYPE_CHECKING:
    from scenewise.tasks.people import PeopleFound

app = typer.Typer(
    help="Find people whom you enrolled. Off by default.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DetectorOption = Annotated[
    Path | None,
    typer.Option(
        "--face-detector",
        metavar="FILE",
        help="An ONNX file in YuNet's layout. Default: the setting face_detector.",
        show_default=False,
    ),
]
EmbedderOption = Annotated[
    Path | None,
    typer.Option(
        "--face-embedder",
        metavar="FILE",
        help="An ONNX file in SFace's layout. Default: the setting face_embedder.",
        show_default=False,
    ),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the person is called.")]


@app.command("enrol")
def enrol(
    name: NameArgument,
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE", help="Photographs that show one face each."),
    ],
    face_detector: DetectorOption = None,
    face_embedder: EmbedderOption = None,
    library: LibraryOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Keep a person's face as vectors, under a name.

    Only with the person's consent: asking for it is your duty. The pictures are not kept.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(
        library=library, threads=threads, face_detector=face_detector, face_embedder=face_embedder
    )
    with open_library(settings, create=True) as opened:
        if not yes and any(person.name == name for person in opened.people()):
            raise UsageError(
                f"{printable(name)} is enrolled already; choose another name, or --yes to replace."
            )
        person = opened.enrol_person(name, pictures)
    if out.json:
        out.document(person.to_dict())
    else:
        out.result(
            f"enrolled {printable(person.name)} from {plural(len(person.vectors), 'picture')}"
        )


@app.command("match")
def match(
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A file, or a video of the library by name or id."),
    ],
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Only this person; can be given several times.",
            show_default=False,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            parser=number(0.001, 120),
            metavar="RATE",
            help="Pictures looked at per second. Default: 2.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            parser=number(-1, 1),
            metavar="COSINE",
            help="From which similarity two faces are one person's. Default: 0.363.",
            show_default=False,
        ),
    ] = None,
    face_detector: DetectorOption = None,
    face_embedder: EmbedderOption = None,
    library: LibraryOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say when enrolled people are seen in a video.

    The figure is the similarity of two faces, a cosine, and no probability.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(
        library=library, threads=threads, face_detector=face_detector, face_embedder=face_embedder
    )
    with open_library(settings, create=True) as opened:
        found = opened.match_people(video, names or (), fps=fps, threshold=threshold)
    _print(out, found)


@app.command("list")
def list_people(
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List who is enrolled in the library."""
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        people = [person.to_dict() for person in opened.people()]
    if out.json:
        out.document({"people": people})
        return
    out.table(
        ("name", "pictures", "enrolled"),
        [(printable(one["name"]), str(one["pictures"]), one["enrolled"]) for one in people],
    )
    if not people:
        out.note("nobody is enrolled")


@app.command("forget")
def forget(
    name: NameArgument,
    library: LibraryOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Delete a person from the library, for good.

    What was kept is overwritten on the disk. Backups of the library are not reached.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        if any(person.name == name for person in opened.people()):
            shown = printable(name)
            confirm(out, yes, shown, f"Forget {shown} for good?", verb="forgotten")
        opened.forget_person(name)  # says so where nobody of this name is enrolled
    if out.json:
        out.document({"forgotten": name})
    else:
        out.result(f"forgot {printable(name)}")


def _print(out: Output, found: PeopleFound) -> None:
    for note in found.notes:
        out.note(note)
    if out.json:
        out.document(found.to_dict())
        return
    for one in found.appearances:
        span = f"{clock(one.start)}-{clock(one.end)}"
        name = styled(printable(one.name), BOLD)
        out.result(f"{name} [{one.similarity:.2f}] {short_path(found.path)} {span}")
    if not found.appearances:
        out.result("nobody who is enrolled was seen")
    if found.unknown_faces:
        out.note(f"{plural(found.unknown_faces, 'other face')} seen; nothing of them is kept")
