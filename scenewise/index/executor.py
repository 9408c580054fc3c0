"""Where the work of encoding videos runs: in this process, or in local worker processes.

It knows files to encode and outcomes; it knows no catalogue. A worker loads its encoder once,
does not hear the keyboard, and ends with its parent. A worker that dies costs the video that it
was at, and is replaced.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Protocol

from scenewise.device import QUIET_MATRICES
from scenewise.encoders.spec import Encoder
from scenewise.errors import EncoderError
from scenewise.index.encode_video import Failed, Job, Outcome, Wanted, attempt, stamp_of_job
from scenewise.index.extract_tracks import TrackExtractor, TrackJob
from scenewise.index.track_plan import TrackPlan
from scenewise.index.windows import Sampling
from scenewise.index.worker import Contract, EncoderFactory, unpack

Stop = Callable[[], bool]
WORKERS_SUPPORTED = os.name == "posix"  # elsewhere a pipe cannot be handed to a new program
_LONGEST_GOODBYE_SECONDS = 5.0


class Executor(Protocol):
    """Runs ``attempt`` over jobs. Outcomes come as they are finished, in any order."""

    def run(self, jobs: Sequence[Job], wanted: Wanted, stop: Stop) -> Iterator[Outcome]:
        """One outcome per job; none is begun once ``stop()`` is true, what runs is finished.

        ``wanted`` is called in this process. Raises EncoderError where the encoder does not run.
        """
        ...

    def close(self) -> None:
        """End at once; the work of unfinished videos is lost, and nothing else."""
        ...


class InProcess:
    """One video after the other, here."""

    def __init__(
        self,
        encoder: Encoder | None,
        sampling: Sampling,
        tracks: TrackPlan | None = None,
        threads: int = 1,
    ) -> None:
        """``encoder`` None: only tracks are read. Loads the models of ``tracks``, and raises so."""
        self._encoder = encoder
        self._sampling = sampling
        self._extractor = TrackExtractor(tracks, threads)
        self._extractor.load()

    def run(self, jobs: Sequence[Job], wanted: Wanted, stop: Stop) -> Iterator[Outcome]:
        """See ``Executor``."""
        for job in jobs:
            if stop():
                return
            yield attempt(job, self._encoder, self._sampling, wanted, self._extractor)

    def close(self) -> None:
        """Nothing to end: the encoder belongs to the caller."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    job: Job | None = None  # what it works on
    ready: bool = False  # its encoder is loaded


@dataclass(slots=True)
class LocalProcesses:
    """``count`` worker processes of this machine, one video each."""

    contract: Contract
    count: int
    _workers: list[_Worker] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        factory: EncoderFactory | None,
        sampling: Sampling,
        count: int,
        tracks: TrackPlan | None = None,
        threads: int = 1,
    ) -> LocalProcesses:
        """Workers that make their encoder by calling ``factory``, which has to be picklable.

        None: they read tracks alone.
        """
        return cls(Contract(factory, sampling, tracks or TrackPlan(), threads), count)

    @property
    def hired(self) -> int:
        """Workers that are alive."""
        return len(self._workers)

    def run(self, jobs: Sequence[Job], wanted: Wanted, stop: Stop) -> Iterator[Outcome]:
        """See ``Executor``."""
        # the largest file first, so that none is left over for one worker at the end
        waiting = deque(sorted(jobs, key=lambda job: -stamp_of_job(job).size))
        while True:
            if stop():
                waiting.clear()
            self._employ(waiting)
            busy = [worker for worker in self._workers if worker.job is not None]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy])
            for worker in busy:
                if worker.pipe in ready:
                    outcome = self._listen(worker, wanted)
                    if outcome is not None:
                        yield outcome

    def _employ(self, waiting: deque[Job]) -> None:
        """Give every idle worker a file, and hire as many as there is work for."""
        idle = [worker for worker in self._workers if worker.job is None]
        while waiting and (idle or len(self._workers) < self.count):
            worker = idle.pop() if idle else self._hire()
            worker.job = waiting.popleft()
            with contextlib.suppress(OSError):  # it is dead: noticed when it is listened to
                worker.pipe.send(worker.job)

    def _hire(self) -> _Worker:
        ours, theirs = Pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "scenewise.index.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,  # closes when this process dies
            stdout=subprocess.DEVNULL,  # results of commands go there
            process_group=0,  # the keyboard interrupts this process only
            env={
                **QUIET_MATRICES,
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
        theirs.close()  # so that the end of the worker closes the pipe
        worker = _Worker(process, ours)
        self._workers.append(worker)
        with contextlib.suppress(OSError):
            ours.send(self.contract)
        return worker

    def _listen(self, worker: _Worker, wanted: Wanted) -> Outcome | None:
        """Take one message of a worker; a closed pipe means that it died."""
        try:
            kind, content = worker.pipe.recv()
            if kind == "wanted":
                worker.pipe.send(wanted(content))
                return None
        except (EOFError, OSError):
            return self._bury(worker)
        if kind == "ready":
            worker.ready = True
            return None
        if kind == "unable":
            raise EncoderError(content)
        worker.job = None
        return unpack(content)

    def _bury(self, worker: _Worker) -> Outcome:
        job, ready = worker.job, worker.ready
        code = _part(worker)
        self._workers.remove(worker)
        if not ready or job is None:
            raise EncoderError(
                f"a worker process died while it loaded its networks ({_cause(code)}); "
                "try again with one worker, or with more memory."
            )
        reason = f"the worker process died while reading this file ({_cause(code)})."
        return job.given_up(reason) if isinstance(job, TrackJob) else Failed(job, reason)

    def close(self) -> None:
        """See ``Executor``. Idle workers are told to go, busy ones are ended."""
        for worker in self._workers:
            if worker.job is None:
                with contextlib.suppress(OSError):
                    worker.pipe.send(None)
            else:
                worker.process.terminate()
        for worker in self._workers:
            _part(worker)
        self._workers.clear()


def _part(worker: _Worker) -> int:
    """Wait for the end of a worker, or make it, and release what was held for it."""
    try:
        code = worker.process.wait(_LONGEST_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        code = worker.process.wait()
    worker.pipe.close()
    if worker.process.stdin is not None:
        worker.process.stdin.close()
    return code


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
