"""``scenewise train-classifier``, ``teach`` and ``classifiers``: labels of one's own.

They read options and print; the library learns. scikit-learn is loaded by training alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scenewise.cli.asking import confirm
from scenewise.cli.last_search import recall
from scenewise.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    YesOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import Output, plural, printable, warn
from scenewise.cli.reading import check_free, whole_number
from scenewise.errors import UsageError
from scenewise.media.whole_file import check_picture
from scenewise.types import Moment, clock

if TYPE_CHECKING:
    from scenewise.tasks.classifiers import Classifier
    from scenewise.tasks.training_report import TrainingReport

SOME_FAILED = 3
_RANKS = re.compile(r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*")
_MOST_RANKS = 1000

app = typer.Typer(
    name="classifiers",
    help="List, show and remove your classifiers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of the classifier.", show_default=False)
]


def train_classifier(
    name: NameArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|CSV",
            help="One subfolder for each label, or a table: video,label[,start,end].",
        ),
    ],
    head: Annotated[
        Literal["logistic", "svm", "knn", "ridge"],
        typer.Option(help="Softmax regression, linear SVM, nearest examples, or a number."),
    ] = "logistic",
    regression: Annotated[
        bool, typer.Option("--regression", help="Labels are numbers; the head is ridge.")
    ] = False,
    folds: Annotated[
        int,
        typer.Option(
            parser=whole_number(2, 100), metavar="N", help="Parts of the cross-validation."
        ),
    ] = 5,
    neighbours: Annotated[
        int,
        typer.Option(parser=whole_number(1, 1000), metavar="N", help="How many vote (knn)."),
    ] = 5,
    seed: Annotated[
        int, typer.Option(parser=whole_number(0), metavar="N", help="Of dealing out the folds.")
    ] = 0,
    confusion: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a picture of what is taken for what (png, jpg).",
            show_default=False,
        ),
    ] = None,
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a classifier on videos of your own.

    It is judged by cross-validation on videos that it was not trained on, and kept in the library
    for classify, search and watch.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    if confusion is not None:
        check_picture(confusion)
        check_free(confusion, yes)
        if regression or head == "ridge":
            raise UsageError("--confusion goes with labels, not with numbers; leave it out.")
    from scenewise.tasks.train_classifier import TrainingOptions

    options = TrainingOptions(head, folds, neighbours, seed)
    settings = settings_of(library=library, device=device, threads=threads)
    with open_library(settings, encoder=encoder, create=True) as opened:
        report = opened.train_classifier(
            name,
            source,
            options=options,
            regression=regression,
            replace=yes,
            progress=None if quiet else _show_progress,
        )
    for failure in report.failed:
        warn(f"scenewise: {printable(failure.path)}: {printable(failure.reason)}")
    if out.json:
        out.document(report.to_dict())
    else:
        _print_report(out, report)
    if confusion is not None:
        from scenewise.tasks.confusion_picture import write_confusion

        write_confusion(report.confusion, report.labels, confusion, title=report.name)
        out.note(f"wrote {printable(confusion)}")
    if report.failed:
        raise typer.Exit(SOME_FAILED)


def _show_progress(done: int, total: int, video: str) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(
            f"\r\x1b[Kexamples {done} of {total} {Path(video).name[:60]}", end=end, file=sys.stderr
        )


def _print_report(out: Output, report: TrainingReport) -> None:
    for note in report.notes:
        out.note(note)
    out.result(
        f"{printable(report.name)}: {report.head} on {plural(report.examples, 'example')} of "
        f"{plural(report.videos, 'video')}, judged in {report.folds} folds"
    )
    _print_figures(out, report.to_dict())


def _print_figures(out: Output, shape: Mapping[str, Any]) -> None:
    for name, value in shape.get("figures", {}).items():
        out.result(f"  {name.replace('_', ' ')}: {value:.3g}")
    if shape.get("classes"):
        rows = [
            (
                printable(one["label"]),
                f"{one['precision']:.2f}",
                f"{one['recall']:.2f}",
                f"{one['f1']:.2f}",
                str(one["support"]),
            )
            for one in shape["classes"]
        ]
        out.table(("label", "precision", "recall", "F1", "support"), rows, figures=True)


def teach(
    name: NameArgument,
    good: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HIT",
            help="What shows it: ranks of the last search (1,3,5-7) or VIDEO@START-END.",
            show_default=False,
        ),
    ] = None,
    bad: Annotated[
        list[str] | None,
        typer.Option(metavar="HIT", help="What does not show it.", show_default=False),
    ] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HIT", help="A moment that was called good or bad.", show_default=False
        ),
    ] = None,
    remake: Annotated[
        bool, typer.Option("--remake", help="Make it again from what it knows, after a reindex.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Teach a yes/no classifier by good and bad hits.

    Other windows of the library are weak counter-examples. Teaching again adds to what it knows.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(library=library)
    with open_library(settings) as opened:
        chosen = {
            key: _hits(settings.library, texts or ())
            for key, texts in (("good", good), ("bad", bad), ("forget", forget))
        }
        classifier = opened.teach(
            name,
            good=chosen["good"],
            bad=chosen["bad"],
            forget=chosen["forget"],
            remake=remake,
        )
    report = classifier.report or {}
    for lost in report.get("lost", ()):
        out.note(f"{printable(lost)} is no longer in the library, and does not count")
    if out.json:
        out.document(classifier.to_dict())
        return
    out.result(
        f"{printable(classifier.name)}: {report['good']} good, {report['bad']} bad, "
        f"{plural(report['background_windows'], 'window')} of the library beside"
    )
    if "auroc" in report:
        out.result(f"  separates left-out windows: AUROC {report['auroc']:.2f}")
    else:
        out.note("teach it a second good moment, and it can be judged, and is more honest")


def _hits(directory: Path, texts: list[str] | tuple[str, ...]) -> list[str | Moment]:
    """Ranks of the last search become its moments; the rest is VIDEO@START-END."""
    from scenewise.tasks.cut import parse_hit

    found: list[str | Moment] = []
    for text in texts:
        if not _RANKS.fullmatch(text):
            if "@" not in text:
                raise UsageError(
                    f"{text!r} is no hit; give ranks of the last search, such as 1,3,5-7, or "
                    "VIDEO@START-END, such as clip.mp4@02:15-02:18.5."
                )
            parse_hit(text)
            found.append(text)
            continue
        ranks: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            low, high = int(first), int(last or first)
            if not 1 <= low <= high <= _MOST_RANKS:
                raise UsageError(
                    f"{text!r} is no list of ranks; write such as 1,3,5-7, from 1 to {_MOST_RANKS}."
                )
            ranks += range(low, high + 1)
        found += recall(directory, ranks)
    return found


@app.command("list")
def list_classifiers(
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List the classifiers of the library.

    One line each: name, head, labels, and for which encoder it was made.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        found = opened.classifiers()
    if out.json:
        out.document({"classifiers": [classifier.to_dict() for classifier in found]})
        return
    rows = [
        (printable(one.name), _kind(one), printable(_some(one.labels)), printable(one.encoder))
        for one in found
    ]
    out.table(("name", "head", "labels", "encoder"), rows)
    if not found:
        out.note("there is none; make one with scenewise train-classifier or scenewise teach.")


def _kind(classifier: Classifier) -> str:
    return "taught" if classifier.recipe.get("verb") == "teach" else classifier.head


def _some(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) if len(labels) <= 6 else f"{', '.join(labels[:5])} … {len(labels)}"


@app.command("show")
def show_classifier(
    name: NameArgument,
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how a classifier was made, and how good it is."""
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        found = opened.classifier(name)
    if out.json:
        out.document(found.to_dict())
        return
    out.result(f"name: {printable(found.name)}")
    out.result(f"head: {_kind(found)}")
    out.result(f"labels: {printable(', '.join(found.labels))}")
    out.result(f"encoder: {printable(found.encoder)} ({found.encoder_digest})")
    for key in ("source", "seed"):
        if key in found.recipe:
            out.result(f"{key}: {printable(found.recipe[key])}")
    for moment in found.recipe.get("moments", ()):
        word = "good" if moment["good"] else "bad"
        times = f"{clock(moment['start'])}-{clock(moment['end'])}"
        out.result(f"{word}: {printable(moment['path'])}@{times}")
    report = found.report or {}
    for key in ("examples", "videos", "folds", "good", "bad", "background_windows", "auroc"):
        if key in report:
            value = report[key]
            shown = f"{value:.3f}" if isinstance(value, float) else value
            out.result(f"{key.replace('_', ' ')}: {shown}")
    _print_figures(out, report)


@app.command("remove")
def remove_classifier(
    name: NameArgument,
    library: LibraryOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Remove a classifier.

    What it was made of stays: videos, folders and tables are not touched.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    with open_library(settings_of(library=library)) as opened:
        opened.classifier(name)
        shown = printable(name)
        confirm(out, yes, shown, f"Remove the classifier {shown}?", verb="removed")
        opened.remove_classifier(name)
    if out.json:
        out.document({"removed": name})
    else:
        out.result(f"removed {printable(name)}")
