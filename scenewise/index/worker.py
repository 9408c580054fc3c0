"""The life of a worker process: load an encoder, then one video after the other.

It knows one pipe and the unit of work; it knows no catalogue and no other worker. It is run as
``python -m scenewise.index.worker DESCRIPTOR``, so that a script that calls ``Library.index`` is
not imported again by its own workers and needs no ``if __name__ == "__main__"``.

Messages to a worker: first a ``Contract``, then a ``Job`` or None (go home), or an answer to its
question. Messages from it: ("ready", None), ("wanted", hash), ("done", outcome) and
("unable", reason).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from scenewise.encoders.spec import Encoder, WindowFeatures
from scenewise.errors import EncoderError
from scenewise.index.encode_video import Job, Outcome, attempt
from scenewise.index.extract_tracks import TrackExtractor
from scenewise.index.records import EncodedVideo
from scenewise.index.track_plan import TrackPlan
from scenewise.index.windows import Sampling

EncoderFactory = Callable[[], Encoder]  # picklable: it travels to the workers


@dataclass(frozen=True, slots=True)
class Contract:
    """What a worker is to do all its life."""

    factory: EncoderFactory | None  # None: only tracks are read, and no encoder is needed
    sampling: Sampling
    tracks: TrackPlan = field(default_factory=TrackPlan)
    threads: int = 1  # of each model that makes tracks


def serve(pipe: Connection) -> None:
    """Work until told to go, or until the parent is gone."""
    try:
        contract: Contract = pipe.recv()
        extractor = TrackExtractor(contract.tracks, contract.threads)
        extractor.load()
        encoder = None if contract.factory is None else contract.factory()
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to tell the user
        pipe.send(("unable", str(error) or type(error).__name__))
        return

    def wanted(content_hash: str) -> bool:
        pipe.send(("wanted", content_hash))
        return bool(pipe.recv())

    try:
        pipe.send(("ready", None))
        while (job := _next(pipe)) is not None:
            outcome = attempt(job, encoder, contract.sampling, wanted, extractor)
            pipe.send(("done", pack(outcome)))
    except EncoderError as error:
        pipe.send(("unable", str(error)))
    except (EOFError, OSError):
        return  # the parent is gone: nobody wants the outcome
    finally:
        if encoder is not None:
            encoder.close()


def _next(pipe: Connection) -> Job | None:
    job: Job | None = pipe.recv()
    return job


def pack(outcome: Outcome) -> Outcome | dict[str, Any]:
    """An outcome for the pipe, with vectors as they will be stored: half the bytes."""
    if not isinstance(outcome, EncodedVideo):
        return outcome
    packed = {name: getattr(outcome, name) for name in outcome.__slots__ if name != "features"}
    packed["vectors"] = outcome.features.vectors.astype(np.float16)
    packed["concepts"] = outcome.features.concepts
    return packed


def unpack(packed: Outcome | dict[str, Any]) -> Outcome:
    """The inverse of ``pack``, up to the rounding of vectors to half precision."""
    if not isinstance(packed, dict):
        return packed
    fields = dict(packed)
    vectors = fields.pop("vectors").astype(np.float32)
    return EncodedVideo(features=WindowFeatures(vectors, fields.pop("concepts")), **fields)


def _end_with_parent() -> None:
    """Leave when the parent dies, also in the middle of a long video: then stdin closes."""

    def watch() -> None:
        # not sys.stdin: its lock would be held when the interpreter ends
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    serve(Connection(int(sys.argv[1])))
