"""``scenewise classify``: labels for videos.

It reads options and prints; the library labels. Nothing here imports torch or transformers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

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
from scenewise.cli.output import BOLD, DIM, Output, printable, short_path, styled, warn
from scenewise.cli.reading import whole_number
from scenewise.errors import UsageError
from scenewise.types import Failure, clock

if TYPE_CHECKING:
    from scenewise.library.labelling import Labels
    from scenewise.tasks.classify import Classification

SOME_FAILED = 3
JsonLinesOption = Annotated[bool, typer.Option("--jsonl", help="Print one line of JSON per video.")]


def classify(
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO", help="Files, or videos of the library by name or id."),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="The labels, with commas between them.", show_default=False
        ),
    ] = None,
    label_set: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="kinetics400, ucf101, hmdb51, or a file with one label per line.",
            show_default=False,
        ),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A classifier that was trained or taught.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A network with a classifier: a folder, or a Hugging Face name.",
            show_default=False,
        ),
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, 4096),
            metavar="N",
            help="With --model: clips that are looked at. Default: 5.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="What the encoder is asked, with {} for the label.",
            show_default=False,
        ),
    ] = None,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", parser=whole_number(1, 10_000), metavar="N", help="Labels at most."
        ),
    ] = 5,
    over_time: Annotated[
        bool, typer.Option("--over-time", help="Also say which label holds from when to when.")
    ] = False,
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    jsonl: JsonLinesOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say which of some labels fit a video.

    Labels are asked of the encoder without any training, or of a trained classifier, or of a
    network with classes of its own. The figure is the probability of a label among those that
    were given.
    """
    out = Output.start(json=json or jsonl, quiet=quiet, verbose=verbose)
    if [labels, label_set, classifier, model].count(None) != 3:
        raise UsageError("give --labels, --label-set, --classifier or --model; one of the four.")
    if model is not None and encoder is not None:
        raise UsageError("--model needs no encoder; leave --encoder out.")
    wanted: Labels = {
        "labels": labels,
        "label_set": label_set,
        "classifier": classifier,
        "template": template,
        "model": model,
        "clips": clips,
        "top_k": top_k,
        "over_time": over_time,
    }
    settings = settings_of(library=library, device=device, threads=threads)
    answers: list[Classification] = []
    failed: list[Failure] = []
    if classifier is None:  # of --model, the library only says which video a name means
        opened = open_for_video(settings, encoder)
    else:  # it is the library's, and so is its encoder
        opened = open_library(settings, encoder=encoder, create=True)
    with opened:
        found: Iterator[Classification | Failure]
        if len(videos) == 1:  # its error is the command's
            found = iter([opened.classify(videos[0], **wanted)])
        else:
            found = opened.classify_many(videos, **wanted)
        for answer in found:
            if isinstance(answer, Failure):
                failed.append(answer)
                warn(f"scenewise: {printable(answer.path)}: {printable(answer.reason)}")
                continue
            answers.append(answer)
            if jsonl:
                out.record(answer.to_dict())
            elif not out.json:
                _print(out, answer)
    if json and not jsonl:
        if len(videos) == 1:
            out.document(answers[0].to_dict())
        else:
            out.document(
                {
                    "videos": [answer.to_dict() for answer in answers],
                    "failed": [failure.to_dict() for failure in failed],
                }
            )
    if failed:
        raise typer.Exit(SOME_FAILED if answers else 1)


def _print(out: Output, answer: Classification) -> None:
    for note in answer.notes:
        out.note(note)
    out.result(styled(short_path(answer.path), BOLD))
    if answer.value is not None:
        out.result(f"  {answer.value:.4g}")
    for place, label in enumerate(answer.labels):
        out.result(f"  {label.probability:.2f}  {printable(label.name)}")
        if place == 0 and answer.why:
            reasons = ", ".join(printable(why.detail) for why in answer.why)
            out.result(styled(f"        {answer.why[0].kind}: {reasons}", DIM))
    if answer.found is False:
        out.note("no label stands out: perhaps none of them fits")
    for span in answer.segments:
        times = f"{clock(span.start)}-{clock(span.end)}"
        out.result(f"  {times}  {span.probability:.2f}  {printable(span.label)}")
    for start, end, value in answer.values:
        out.result(f"  {clock(start)}-{clock(end)}  {value:.4g}")
