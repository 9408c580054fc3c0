"""``scenewise ask`` and ``caption``: the commands that answer in words.

They read options and print; the library answers.
"""

from __future__ import annotations

from collections.abc import Callable
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
    open_library,
    settings_of,
)
from scenewise.cli.output import BOLD, Output, print_result, printable, styled
from scenewise.cli.reading import check_free
from scenewise.errors import UsageError

if TYPE_CHECKING:
    from scenewise.types import Answer, SearchResult

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A language model at an OpenAI-compatible endpoint writes the words.",
        show_default=False,
    ),
]
ModelUrlOption = Annotated[
    str | None,
    typer.Option(
        "--model-url",
        metavar="URL",
        help="The model's endpoint, such as http://127.0.0.1:11434/v1.",
        show_default=False,
    ),
]

MotionOption = Annotated[
    bool,
    typer.Option("--motion/--no-motion", help="Look into the file once more, for how things move."),
]


def check_model_url(model: str | None, url: str | None) -> None:
    """An address alone asks no model, and would pass unnoticed. Raises UsageError."""
    if url is not None and model is None:
        raise UsageError("--model-url says where a model is, and --model which; give both.")


def ask(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[VIDEO] QUESTION", help="A question, after a file or video to ask it of."
        ),
    ],
    choices: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="Choose one of these answers instead.", show_default=False
        ),
    ] = None,
    model: ModelOption = None,
    model_url: ModelUrlOption = None,
    encoder: EncoderOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Answer a question about a video, or the whole library.

    The answer stands on moments that are shown with it. Where they do not suffice, it is "cannot
    tell", and the exit code is 0 as well.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if len(words) > 2:
        raise UsageError(
            f"{len(words)} words were given where [VIDEO] QUESTION belong; put quotes around the "
            'question, such as scenewise ask park.mp4 "Is there a dog?".'
        )
    check_model_url(model, model_url)
    video, question = (words[0], words[1]) if len(words) == 2 else (None, words[0])
    settings = settings_of(library=library, device=device, threads=threads, model_url=model_url)
    if video is None:
        opened = open_library(settings, encoder=encoder)
    else:
        opened = open_for_video(settings, encoder)
    with opened:
        answer = opened.ask(
            question,
            video,
            choices=None if choices is None else choices.split(","),
            model=model,
        )
    shown = _as_search(answer, encoder or settings.encoder)
    remember(settings.library, shown)
    if out.json:
        out.document(answer.to_dict())
        return
    _print_answer(out, answer)
    if shown.hits:
        print_result(out, shown)


def caption(
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A file, or a video of the library by name or id."),
    ],
    dense: Annotated[
        bool, typer.Option("--dense", help="A caption for each shot, with its times.")
    ] = False,
    motion: MotionOption = True,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the captions as .srt, .vtt or .json.",
            show_default=False,
        ),
    ] = None,
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
    """Describe a video, or each of its shots, in plain words.

    What is seen, how it moves, what is read and heard, each as sure as it is. The video need not
    be in the library.
    """
    from scenewise.tasks.caption_files import check_caption_file, write_captions
    from scenewise.types import clock

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if output is not None:
        check_caption_file(output)
        check_free(output, yes)
    check_model_url(model, model_url)
    settings = settings_of(library=library, device=device, threads=threads, model_url=model_url)
    with open_for_video(settings, encoder) as opened:
        found = opened.caption(
            video, dense=dense, motion=motion, model=model, progress=_counted(out)
        )
    if output is not None:
        write_captions(output, found)
        out.note(f"wrote {printable(output)}")
        _warn_of_subtitles(out, found.path, output)
    for note in found.notes:
        out.note(printable(note))
    if out.json:
        out.document(found.to_dict())
        return
    for caption in found.captions:
        span = f"{clock(caption.start)}-{clock(caption.end)}"
        out.result(f"{styled(span, BOLD)} {printable(caption.text)}")


def _warn_of_subtitles(out: Output, video: str, written: Path) -> None:
    """Our own words must not come back as what the video says, unnoticed."""
    from scenewise.media.sidecars import find_sidecars

    if written.resolve() in [path.resolve() for path in find_sidecars(video)]:
        out.note(
            "it is named as the video is, so from now on it is read as its subtitles; name it "
            "otherwise where its words are not to be searched."
        )


def _counted(out: Output) -> Callable[[int, int], None]:
    """Says how far a long run is, some times."""

    def count(done: int, total: int) -> None:
        step = max(10, total // 10)
        if done % step == 0 and done < total:
            out.note(f"{done}/{total} captions")

    return count


def _print_answer(out: Output, answer: Answer) -> None:
    if answer.text is None:
        out.result(styled("cannot tell", BOLD))
    else:
        out.result(f"{styled(printable(answer.text), BOLD)} [{answer.confidence:.2f}]")
    for choice in answer.choices:
        out.result(f"    {choice.probability:.2f} {printable(choice.name)}")
    for note in answer.notes:
        out.note(printable(note.removeprefix("cannot tell: ")))


def _as_search(answer: Answer, encoder: str) -> SearchResult:
    """The evidence as hits, which can be printed and cut like those of a search."""
    from scenewise.types import SearchResult

    return SearchResult(answer.question, encoder, found=True, hits=answer.evidence)
