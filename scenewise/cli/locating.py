"""``scenewise locate``: the command that finds moments inside one video.

It reads options and prints; the library locates.
"""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.last_search import remember
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
from scenewise.cli.output import Output, plural, print_result, printable
from scenewise.cli.reading import check_free, number, whole_number
from scenewise.errors import UsageError

if TYPE_CHECKING:
    from scenewise.tasks.locate import Located
    from scenewise.types import SearchResult

_HEAT_KINDS = (".json", ".png")


def locate(
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A file, or a video of the library by name or id."),
    ],
    sentence: Annotated[
        list[str], typer.Argument(metavar="SENTENCE", help="What is to be seen, in words.")
    ],
    limit: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", parser=whole_number(1, 1000), metavar="N", help="Moments at most."
        ),
    ] = 5,
    min_match: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 1),
            metavar="P",
            help="Only moments with at least this match.",
            show_default=False,
        ),
    ] = None,
    heat: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write the curve over time as .json or .png; can be given twice.",
            show_default=False,
        ),
    ] = None,
    save_clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Cut the moments into this folder.", show_default=False),
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
    """Find where one video shows what a sentence says.

    The video need not be in the library. Ends with exit code 0 also when nothing is found.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    for target in heat or ():
        _check_heat(target, yes)
    settings = settings_of(library=library, device=device, threads=threads)
    with open_for_video(settings, encoder) as opened:
        located = opened.locate(video, " ".join(sentence), limit=limit, min_match=min_match)
        remember(settings.library, _as_search(located))
        if out.json:
            out.document(located.to_dict())
        else:
            print_result(out, _as_search(located))
        for target in heat or ():
            _write_heat(located, target)
            out.note(f"wrote {printable(target)}")
        if save_clips is not None and not (located.found and located.hits):
            nearest = "; the hits are only the nearest" if located.hits else ""
            out.note(f"nothing was found, so no clips were written{nearest}")
        elif save_clips is not None:
            from scenewise.media import clips

            spans = [clips.Span(Path(hit.path), hit.start, hit.end) for hit in located.hits]
            for span, name in zip(spans, clips.name_clips(spans), strict=True):
                clips.cut(span, save_clips / name, mode="exact")
            out.note(f"wrote {plural(len(spans), 'clip')} to {printable(save_clips)}")


def _as_search(located: Located) -> SearchResult:
    """As search prints and remembers hits, so that ``cut --last`` takes them."""
    from scenewise.types import SearchResult

    return SearchResult(
        located.sentence, located.encoder, located.found, located.hits, located.notes
    )


def _check_heat(target: Path, yes: bool) -> None:
    if target.suffix.lower() not in _HEAT_KINDS:
        raise UsageError(
            f"--heat {printable(target)}: the curve is written as {' or '.join(_HEAT_KINDS)}, "
            f"not {target.suffix!r}."
        )
    check_free(target, yes)


def _write_heat(located: Located, target: Path) -> None:
    if target.suffix.lower() == ".json":
        from scenewise.media.whole_file import write_text

        shape = located.to_dict() | {"heat": located.heat.to_dict()["windows"]}
        write_text(target, json_text.dumps(shape, indent=2) + "\n")
        return
    from scenewise.media.heat_strip import write_heat_strip

    write_heat_strip(
        located.path,
        target,
        duration=located.duration,
        starts=located.heat.starts,
        ends=located.heat.ends,
        levels=located.heat.levels,
        moments=[hit.segment for hit in located.hits],
        title=located.sentence,
    )
