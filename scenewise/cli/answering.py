"""``scenewise ask``, ``caption`` and ``annotate``: the commands that answer in words.

They read options and print; the library answers.
"""

from __future__ import annotations

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
    open_for_video,
    open_library,
    settings_of,
)
from scenewise.cli.output import BOLD, Output, print_result, printable, styled
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
