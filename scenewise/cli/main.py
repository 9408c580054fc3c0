"""The command ``scenewise``: collects the groups of verbs and turns errors into exit codes.

It knows which commands there are and what an error looks like from outside. Importing it loads
typer and nothing heavy: a command loads what it needs when it runs.

Exit codes: 0 done (also when nothing is found), 1 error or nothing could be indexed, 2 usage,
3 some files failed, 130 interrupted.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, TextIO

import typer

import scenewise
from scenewise.cli import (
    annotating,
    answering,
    demo,
    detecting,
    doctor,
    evaluating,
    events,
    indexing,
    labelling,
    learning,
    locating,
    managing,
    models,
    pairing,
    people,
    recommending,
    searching,
    summarizing,
    synthesizing,
    training,
    watching,
)
from scenewise.cli.output import logger, printable, warn
from scenewise.device import QUIET_MATRICES
from scenewise.errors import ScenewiseError

INTERRUPTED = 130

app = typer.Typer(
    name="scenewise",
    help="Search your videos in plain words and get the exact moment.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: quick, and the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"scenewise {scenewise.__version__}")
        raise typer.Exit


@app.callback(
    epilog="First: scenewise index ~/Videos. Then: scenewise search 'a dog on a skateboard'."
)
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Search your videos in plain words and get the exact moment."""


app.command("index")(indexing.index)
app.command("search")(searching.search)
app.command("similar")(searching.similar)
app.command("locate")(locating.locate)
app.command("classify")(labelling.classify)
app.command("detect")(detecting.detect)
app.command("watch")(watching.watch)
app.command("events")(events.events)
app.command("ask")(answering.ask)
app.command("caption")(answering.caption)
app.command("annotate")(annotating.annotate)
app.command("train-classifier")(training.train_classifier)
app.command("teach")(training.teach)
app.add_typer(training.app, name="classifiers")
app.command("summarize")(summarizing.summarize)
app.command("recommend")(recommending.recommend)
app.command("duplicates")(recommending.duplicates)
app.command("list")(managing.list_videos)
app.command("stats")(managing.stats)
app.command("remove")(managing.remove)
app.command("reindex")(indexing.reindex)
app.command("backup")(managing.backup)
app.command("cut")(managing.cut)
app.command("doctor")(doctor.doctor)
app.command("train")(learning.train)
app.command("synthesize")(synthesizing.synthesize)
app.command("pairs")(pairing.pairs)
app.command("evaluate")(evaluating.evaluate)
app.add_typer(people.app, name="people")
app.add_typer(models.app, name="models")
app.command("demo")(demo.demo)


class _CurrentStderr(logging.Handler):
    """Log messages as lines on whatever stderr is when they come."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(self.format(record))


def run() -> None:
    """Run the command line and exit."""
    for name, value in QUIET_MATRICES.items():
        os.environ.setdefault(name, value)
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. Every error ends here, as one sentence."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not logger.handlers:
        logger.addHandler(_CurrentStderr())
        logger.propagate = False
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has seen enough; the interpreter's own flush at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _nowhere() -> TextIO:
    """In place of a stream that was closed at the start (``>&-``), where Python has None."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _invoke(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="scenewise", standalone_mode=False)
    except BrokenPipeError:
        raise
    except SystemExit as ended:
        # so typer ends when the reader of stdout is gone
        if isinstance(ended.__context__, BrokenPipeError):
            raise ended.__context__ from None
        raise
    except ScenewiseError as error:
        warn(
            "\n".join(["scenewise: " + printable(error.lines[0]), *map(printable, error.lines[1:])])
        )
        return error.exit_code
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        warn(_usage_message(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # the world outside: a full disk, a folder without permission
        place = f"{printable(os.fsdecode(error.filename))}: " if error.filename else ""
        warn(
            f"scenewise: {place}{error.strerror or error}; "
            "check the path, its permissions and the space on the disk, then repeat the command."
        )
        _trace()
        return 1
    except Exception as error:  # noqa: BLE001 # the last boundary: a person reads what comes
        if _came_of_an_interrupt(error):
            return INTERRUPTED
        name = type(error).__name__
        hint = "" if _verbose() else "; run with -v for the traceback"
        warn(f"scenewise: this is a bug in scenewise: {name}: {printable(str(error))}{hint}")
        _trace()
        return 1
    return code if isinstance(code, int) else 0


def _came_of_an_interrupt(error: BaseException) -> bool:
    """Ctrl-C while a compiled module is imported comes as an ImportError that it caused."""
    before: BaseException | None = error
    while before is not None:
        if isinstance(before, KeyboardInterrupt):
            return True
        before = before.__cause__ or before.__context__
    return False


def _verbose() -> bool:
    return logger.isEnabledFor(logging.INFO)


def _trace() -> None:
    if _verbose():
        traceback.print_exc()


def _usage_message(error: typer.TyperException) -> str:
    """The parser's message on one line, and where to read on."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "scenewise"
    message = " ".join(error.format_message().split())
    message = message.replace("Value error, ", "").replace("?.", "?")
    if context is not None and message == " ".join(context.get_help().split()):
        return str(context.get_help())  # a group without a command: its help is the message
    end = "" if message.endswith(("?", ".")) else "."
    return f"scenewise: {message}{end} See `{command} --help`."
