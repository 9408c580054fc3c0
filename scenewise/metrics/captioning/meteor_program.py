"""METEOR 1.5 (Denkowski and Lavie, 2014), by its own Java program inside pycocoevalcap.

One process for all captions, over the program's protocol on standard input and output: a SCORE
line gives the matching statistics of a caption, one EVAL line over all of them gives the score of
each and, last, the score of their sum. It knows how to talk with the program and to stop it, and
nothing of how METEOR matches words.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from scenewise.errors import MetricError
from scenewise.metrics.captioning.java import java_program, program_folder
from scenewise.metrics.captioning.pairs import CaptionPairs, Scored

_JAR = "meteor-1.5.jar"
# numbers with a dot and text in UTF-8, wherever the program runs
_NEUTRAL = ("-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US")
_START_SECONDS = 120.0  # reading its table of paraphrases, on a busy machine
_CAPTION_SECONDS = 0.25  # for one caption and its references; ordinary is 0.005
_WAY_OUT = 'leave METEOR out with without=("meteor",)'


def require_meteor() -> None:
    """Raises MissingExtraError, with what to install, where METEOR cannot run."""
    _command()


def meteor(pairs: CaptionPairs, timeout_seconds: float | None = None) -> Scored:
    """METEOR, from 0 to 1. Raises MissingExtraError without Java or pycocoevalcap, MetricError.

    The corpus number is METEOR of the summed statistics, as papers report it, not the mean.
    ``timeout_seconds`` None allows two minutes and a quarter of a second for each caption.
    """
    command, folder = _command()
    if timeout_seconds is None:
        timeout_seconds = _START_SECONDS + _CAPTION_SECONDS * len(pairs.ids)
    lines = [
        _score_line(prediction, references)
        for prediction, references in zip(pairs.predictions, pairs.references, strict=True)
    ]
    with _program(command, folder, timeout_seconds) as talk:
        statistics = talk(lines, len(lines))
        numbers = talk([" ||| ".join(["EVAL", *statistics])], len(lines) + 1)
    try:
        *single, corpus = map(float, numbers)
    except ValueError as error:
        raise MetricError(f"the METEOR program gave {error} where a score should be.") from None
    return Scored(corpus, dict(zip(pairs.ids, single, strict=True)))


def _command() -> tuple[list[str], Path]:
    folder = program_folder("meteor", _WAY_OUT)
    java = java_program("meteor", _WAY_OUT)
    options = ["-", "-", "-stdio", "-l", "en", "-norm"]
    return [java, *_NEUTRAL, "-Xmx2G", "-jar", _JAR, *options], folder


def _score_line(prediction: Sequence[str], references: Sequence[Sequence[str]]) -> str:
    return " ||| ".join(["SCORE", *map(_text, references), _text(prediction)])


def _text(tokens: Sequence[str]) -> str:
    """One field of a line: no separator inside, no line's end."""
    return re.sub(r"\s+", " ", " ".join(tokens).replace("|||", ""))


class _Talk:
    """Lines in, lines out, of a process that runs."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.process, self.errors = process, errors
        self.out_of_time = False

    def stop(self) -> None:
        """The time is up: whoever reads or writes meets the end of the process."""
        self.out_of_time = True
        self.process.kill()

    def __call__(self, lines: Iterable[str], answers: int) -> list[str]:
        """Write from a thread while reading: neither side waits for a full pipe of the other."""
        writer = threading.Thread(target=self._write, args=(lines,), daemon=True)
        writer.start()
        found: list[str] = []
        output = self.process.stdout
        assert output is not None
        while len(found) < answers:
            line = output.readline()
            if not line:
                raise self._ended(len(found), answers)
            found.append(line.decode("utf-8", "replace").strip())
        writer.join()
        return found

    def _write(self, lines: Iterable[str]) -> None:
        assert self.process.stdin is not None
        try:
            for line in lines:
                self.process.stdin.write(line.encode("utf-8", "replace") + b"\n")
            self.process.stdin.flush()
        except OSError:  # the process has ended: the reading side says so
            return

    def _ended(self, found: int, answers: int) -> MetricError:
        where = f"after {found} of {answers} answers"
        if self.out_of_time:
            return MetricError(f"the METEOR program took too long and was stopped {where}.")
        self.process.wait()
        self.errors.seek(0)
        said = self.errors.read(2000).decode("utf-8", "replace").strip().splitlines()
        return MetricError(
            f"the METEOR program ended {where}: {said[0] if said else 'it did not say why'}"
        )


@contextmanager
def _program(command: list[str], folder: Path, timeout_seconds: float) -> Iterator[_Talk]:
    """The process, for a bounded time, and gone afterwards whatever happens."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        talk = _Talk(process, errors)
        watch = threading.Timer(timeout_seconds, talk.stop)
        watch.daemon = True
        watch.start()
        try:
            yield talk
        finally:
            watch.cancel()
            process.kill()
