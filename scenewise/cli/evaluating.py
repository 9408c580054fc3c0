"""``scenewise evaluate``: figures of a file of predictions, as the field reports them.

It reads options, joins a language model as the judge, and prints; the files are read and judged by
``scenewise.metrics.evaluation``, which is loaded when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption, settings_of
from scenewise.cli.output import Output, plural, printable
from scenewise.cli.reading import path_that_is_named
from scenewise.errors import UsageError

if TYPE_CHECKING:
    from scenewise.metrics.evaluation.result import Evaluation
    from scenewise.metrics.judge import Judge
    from scenewise.tasks.language.model import VideoLanguageModel

TaskName = Literal[
    "retrieval", "moments", "highlights", "captions", "questions", "choices", "labels"
]
_SHOWN = 5  # ids in a note


def evaluate(
    predictions: Annotated[
        Path,
        typer.Argument(
            parser=path_that_is_named,
            metavar="PREDICTIONS",
            help="A file of predictions: .json, .jsonl, .csv, .txt; a matrix as .npy or .npz.",
            show_default=False,
        ),
    ],
    task: Annotated[TaskName, typer.Option(help="What was predicted.", show_default=False)],
    references: Annotated[
        list[Path] | None,
        typer.Option(
            "--references",
            "-r",
            parser=path_that_is_named,
            metavar="FILE",
            help="The file of what is right; for questions the option may be given twice.",
            show_default=False,
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="What has no prediction counts as wrong."),
    ] = False,
    dual_softmax: Annotated[
        bool,
        typer.Option("--dual-softmax", help="retrieval: also with the whole set's prior."),
    ] = False,
    average_views: Annotated[
        bool,
        typer.Option("--average-views", help="labels: rows of one id are views of one video."),
    ] = False,
    meteor: Annotated[
        bool,
        typer.Option(
            "--meteor/--no-meteor", help="captions: with METEOR (the default), which needs Java."
        ),
    ] = True,
    wups: Annotated[
        bool, typer.Option("--wups", help="questions: also WUPS, which needs WordNet.")
    ] = False,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="questions: also BLEU and ROUGE-L.")
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="questions: a language model gives each answer 0 to 5.",
            show_default=False,
        ),
    ] = None,
    model_url: Annotated[
        str | None,
        typer.Option(
            "--model-url",
            metavar="URL",
            help="The judge's endpoint, which speaks OpenAI's chat completions.",
            show_default=False,
        ),
    ] = None,
    aspects: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="What the judge looks at: correctness, detail, context, temporal, consistency.",
            show_default=False,
        ),
    ] = None,
    show_prompts: Annotated[
        bool,
        typer.Option("--show-prompts", help="Print what the judge is asked, and ask nothing."),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say how good predictions are, as the field reports it."""
    from scenewise.metrics.evaluation.questions import QuestionOptions, judge_prompts
    from scenewise.metrics.evaluation.tasks import Options
    from scenewise.metrics.evaluation.tasks import evaluate as run

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    given = {
        "--dual-softmax": (dual_softmax, "retrieval"),
        "--average-views": (average_views, "labels"),
        "--no-meteor": (not meteor, "captions"),
        "--wups": (wups, "questions"),
        "--sentences": (sentences, "questions"),
        "--judge": (judge is not None, "questions"),
        "--aspects": (aspects is not None, "questions"),
        "--show-prompts": (show_prompts, "questions"),
    }
    _refuse_foreign(task, given)
    looked_at = _aspects(aspects)
    if (aspects is not None or model_url is not None) and judge is None and not show_prompts:
        raise UsageError("--aspects and --model-url are about a judge: name one with --judge.")
    files = tuple(references or ())
    if show_prompts:
        if not files:
            raise UsageError("--show-prompts needs --references, the files of the questions.")
        _print_prompts(out, judge_prompts(predictions, files, looked_at))
        return
    model = _open_judge(judge, model_url)
    try:
        questions = QuestionOptions(wups, sentences, _asker(model), looked_at)
        options = Options(allow_missing, dual_softmax, average_views, meteor, questions)
        evaluation = run(task, predictions, files, options)
    finally:
        if model is not None:
            model.close()
    _print(out, evaluation)


def _refuse_foreign(task: str, given: dict[str, tuple[bool, str]]) -> None:
    """Raise UsageError for an option that another task has: it would be ignored."""
    for option, (is_given, wanted) in given.items():
        if is_given and task != wanted:
            raise UsageError(f"{option} belongs to --task {wanted}, not to {task}.")


def _aspects(text: str | None) -> tuple[str, ...]:
    from scenewise.metrics.judge import ASPECTS

    names = tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text else ()
    for name in names:
        if name not in ASPECTS:
            raise UsageError(f"--aspects: {name!r} is none; allowed: {', '.join(ASPECTS)}.")
    return names


def _open_judge(name: str | None, url: str | None) -> VideoLanguageModel | None:
    if name is None:
        return None
    from scenewise.tasks.language.load import open_language_model

    return open_language_model(name, settings_of(model_url=url))


def _asker(model: VideoLanguageModel | None) -> Judge | None:
    """The judge as a function from text to text: it is shown no frame."""
    if model is None:
        return None
    return lambda prompt: model.reply(prompt, ())


def _print_prompts(out: Output, prompts: list[str]) -> None:
    if out.json:
        out.document({"prompts": prompts})
    else:
        out.result("\n\n".join(prompts))


def _print(out: Output, evaluation: Evaluation) -> None:
    met = evaluation.met
    for note in evaluation.notes:
        out.note(note)
    if met.missing:
        out.note(f"{_some(met.missing, 'reference')} without prediction, counted as wrong")
    if met.superfluous:
        out.note(f"{_some(met.superfluous, 'prediction')} without reference, not counted")
    if out.json:
        out.document(evaluation.to_dict())
        return
    rows = [("count", str(evaluation.count)), *evaluation.rows()]
    out.table(("figure", "value"), [(printable(name), value) for name, value in rows])


def _some(names: tuple[str, ...], noun: str) -> str:
    """``2 references (a, b)``, of more the first ones."""
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    more = ", …" if len(names) > _SHOWN else ""
    return f"{plural(len(names), noun)} ({shown}{more})"
