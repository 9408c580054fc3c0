"""What a source does not usually show: distance to a learnt normal.

The normal is a bounded sample of windows that the source has shown; novelty is the mean cosine
distance to the three nearest of them (nearest neighbours as a one-class description; Ramaswamy,
Rastogi, Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", 2000). How large
novelty usually becomes is learnt from the highest of each ten seconds of the last hour: such
maxima follow an extreme value distribution, here Gumbel's, fitted by its moments. ``match`` is
the probability that an ordinary hour of this source stays below the novelty that is seen.

It knows vectors and times; it knows no words. The sample is kept in the library by source, so
that a restart goes on; it changes slowly, so what happens once stays new.
"""

from __future__ import annotations

import io
import logging
import math
from zlib import crc32

import numpy as np

from scenewise.encoders.spec import EncoderSpec, FloatArray
from scenewise.errors import LibraryError
from scenewise.index.catalog import Catalog
from scenewise.index.kept import Kept
from scenewise.tasks.watch.judge import weaker
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.occurrences import GAP_SECONDS, EventMaker, Gate
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.standing import BLOCKS, Smoother, UsualScores
from scenewise.types import Event, Why

logger = logging.getLogger(__name__)

ANOMALY_THRESHOLD = 0.9  # an ordinary hour goes beyond it once in ten
SAMPLE_WINDOWS = 1024
FIRST_WINDOWS = 64  # before there are so many, novelty means nothing
WARM_BLOCKS = 24  # four minutes of ten-second maxima, after the first windows
LEAST_DEVIATION = 0.005  # of ten-second maxima, in cosine distance
SAVE_SECONDS = 600.0
_NEAREST = 3
_INTERVALS = ((128, 1.0), (SAMPLE_WINDOWS, 10.0))  # while there are fewer, one in so many seconds
_SETTLED_INTERVAL = 30.0  # then one takes the place of another
_VERSION = 1
_EULER = 0.5772156649


class Normal:
    """What one source usually shows: a sample of unit vectors, and how far things usually go."""

    def __init__(self, dimension: int, seed: int = 0) -> None:
        self._vectors = np.zeros((SAMPLE_WINDOWS, dimension), np.float32)
        self._count = 0
        self._taken: float | None = None  # when the last window was taken in
        self._random = np.random.default_rng(seed)
        self.usual = UsualScores()

    @property
    def ready(self) -> bool:
        """Whether it has seen enough to call something unusual."""
        return self._count >= FIRST_WINDOWS and len(self.usual) >= WARM_BLOCKS

    def __len__(self) -> int:
        return self._count

    def novelty(self, vector: FloatArray) -> float:
        """Mean cosine distance of a unit vector (D,) to the nearest of the sample."""
        if self._count < FIRST_WINDOWS:
            return 0.0
        near = self._vectors[: self._count] @ vector
        best = np.partition(near, self._count - _NEAREST)[self._count - _NEAREST :]
        return 1.0 - float(best.mean())

    def learn(self, time: float, vector: FloatArray, novelty: float) -> None:
        """The next window, and its smoothed novelty."""
        if self._count >= FIRST_WINDOWS:
            self.usual.add(time, novelty)
        interval = next((s for count, s in _INTERVALS if self._count < count), _SETTLED_INTERVAL)
        if self._taken is not None and 0 <= time - self._taken < interval:
            return
        self._taken = time
        if self._count < SAMPLE_WINDOWS:
            place, self._count = self._count, self._count + 1
        else:
            place = int(self._random.integers(SAMPLE_WINDOWS))
        self._vectors[place] = vector

    def match(self, novelty: float) -> float:
        """The probability that an hour of the usual stays below this novelty; 0 when not ready."""
        if not self.ready:
            return 0.0
        maxima = self.usual.robust(LEAST_DEVIATION)
        deviation = max(float(maxima.std()), LEAST_DEVIATION)
        scale = deviation * math.sqrt(6) / math.pi
        location = float(maxima.mean()) - _EULER * scale
        beyond = BLOCKS * math.exp(min(50.0, -(novelty - location) / scale))
        return math.exp(-beyond)

    def to_bytes(self) -> bytes:
        """Everything that was learnt."""
        file = io.BytesIO()
        np.savez(
            file,
            vectors=self._vectors[: self._count].astype(np.float16),
            maxima=self.usual.blocks(),
        )
        return file.getvalue()

    def read(self, data: bytes) -> None:
        """Go on from what ``to_bytes`` wrote. Raises ValueError where it is not that."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                vectors, maxima = file["vectors"], file["maxima"]
        except (OSError, KeyError, ValueError) as error:
            raise ValueError("what was kept is damaged") from error
        if vectors.ndim != 2 or vectors.shape[1] != self._vectors.shape[1]:
            raise ValueError("what was kept is of another encoder")
        self._count = min(len(vectors), SAMPLE_WINDOWS)
        self._vectors[: self._count] = vectors[: self._count].astype(np.float32)
        self.usual.resume(np.asarray(maxima, np.float64))


class AnomalyMachine:
    """Raises where a source shows what it does not usually show; learns all the time."""

    def __init__(self, rule: Rule, spec: EncoderSpec, catalog: Catalog | None, source: str) -> None:
        self.name = rule.name
        self.source = source
        self._spec = spec
        self._catalog = catalog
        self._threshold = rule.threshold or ANOMALY_THRESHOLD
        self._gate = Gate(rule)
        self._events = EventMaker(rule, source)
        self._smoother = Smoother()
        self._last: float | None = None
        self._saved: float | None = None
        self.normal = Normal(spec.dimension, crc32(source.encode("utf-8", "surrogatepass")))
        self._resume()

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        if self._last is not None and seen.time - self._last > GAP_SECONDS:
            self._smoother.restart()
        self._last = seen.time
        vector = seen.features.vectors[0]
        novelty = self._smoother.add(self.normal.novelty(vector))
        if novelty is None:
            return ()
        match = self.normal.match(novelty)
        self.normal.learn(seen.time, vector, novelty)
        limit = weaker(self._threshold) if self._gate.holding else self._threshold
        since = self._gate.update(seen, match >= limit)
        if self._saved is None:
            self._saved = seen.time
        elif seen.time - self._saved >= SAVE_SECONDS:
            self._saved = seen.time
            self.save()
        if since is None:
            return ()
        usual = float(np.median(self.normal.usual.blocks()))
        detail = f"unlike what this source shows: distance {novelty:.3f}, usually {usual:.3f}"
        return (self._events.make(seen, match, [Why("similarity", detail, since, seen.time)]),)

    def save(self) -> None:
        """Keep what was learnt in the library; while another process writes there, later."""
        if self._catalog is None or not len(self.normal):
            return
        spec = {"version": _VERSION, "encoder": self._spec.digest()}
        thing = Kept("normal", self.source, spec, self.normal.to_bytes())
        try:
            with Catalog.open(self._catalog.directory, write=True) as writer:
                writer.keep(thing)
        except LibraryError as error:
            logger.warning("what %s usually shows was not kept: %s", self.source, error)

    def _resume(self) -> None:
        kept = None if self._catalog is None else self._catalog.kept("normal", self.source)
        if kept is None:
            return
        if kept.spec != {"version": _VERSION, "encoder": self._spec.digest()}:
            logger.warning("what %s usually shows was learnt by another encoder: anew", self.source)
            return
        try:
            self.normal.read(kept.data)
        except ValueError as error:
            logger.warning("what %s usually shows is learnt anew: %s", self.source, error)
