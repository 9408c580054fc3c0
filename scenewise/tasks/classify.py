"""Which of some labels fits a video: zero-shot by the encoder, or by a trained classifier.

Scores of different labels cannot be compared: words of everyday things score high everywhere,
rare ones low even where they are right. So each label is held against the encoder's background
(frames of all kinds of things; see ``index.calibration``): with their mean m and deviation d,
a video's pooled score s becomes z = (s - m) / d. The calibrated odds that a thing of this z is
there are exp(SLOPE z + OFFSET); given that exactly one label is right, the probability of a label
is its share of the odds, which is softmax(SLOPE z). No number is fitted for labels.

Encoders of the CLIP family bring no background, but scores that were trained to be compared
between texts: softmax(logit_scale * cosine), after a template ("a video of …", as Radford et al.
2021 found to help).

Over time, the windows' own probabilities are decoded into segments by the path of labels with the
most evidence (Viterbi 1967), where a change costs ``SWITCH_COST``, and at a shot boundary less.

It knows footage, labels, encoders and classifiers; it knows no library and no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray, Query, WindowFeatures
from scenewise.encoders.vectors import softmax, unit
from scenewise.errors import UsageError
from scenewise.index.calibration import FOUND_FROM, SLOPE, Calibrator, HasBackground
from scenewise.index.footage import Footage
from scenewise.tasks.classifiers import Classifier
from scenewise.tasks.labels import LabelList
from scenewise.tasks.ranking import rank_video
from scenewise.types import Label, Why

CLIP_TEMPLATE = "a video of {}"
PLAIN_TEMPLATE = "{}"
COSINE_SCALE = 100.0  # of unit vectors, where the encoder names none: CLIP's own
SWITCH_COST = 2.0  # nats times seconds that a change of label inside a shot must be worth
SHOT_SWITCH_COST = 0.5  # and where a new shot begins
_FLOOR = 1e-6  # no window rules a label out for good
_SAME_TIME = 1e-6  # seconds

Array = npt.NDArray[np.float64]


@runtime_checkable
class HasLogitScale(Protocol):
    """An encoder whose cosines, times this, are logits that can be compared between texts."""

    logit_scale: float


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """``[start, end)`` seconds of one label; ``probability`` is its mean over the windows."""

    start: float
    end: float
    label: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Classification:
    """What labels fit one video.

    ``found`` says whether the best label stands out from what the encoder scores anywhere; None
    where that is not known (no background, or a trained classifier). Probabilities are shares
    among the labels that were given, and sum to 1 over all of them.
    """

    video_id: str
    path: str
    source: str  # "labels", a set, a file, "classifier NAME" or "network NAME"
    encoder: str
    labels: tuple[Label, ...]  # best first
    found: bool | None = None
    why: tuple[Why, ...] = ()  # for the best label
    segments: tuple[LabelledSpan, ...] = ()  # of all the video, in order of time, where asked for
    value: float | None = None  # of a regression
    values: tuple[tuple[float, float, float], ...] = ()  # start, end, value, where asked for
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: what does not apply is left out."""
        shape: dict[str, Any] = {
            "video_id": self.video_id,
            "path": self.path,
            "source": self.source,
            "encoder": self.encoder,
            "labels": [label.to_dict() for label in self.labels],
        }
        if self.found is not None:
            shape["found"] = self.found
        if self.why:
            shape["why"] = [why.to_dict() for why in self.why]
        if self.segments:
            shape["segments"] = [segment.to_dict() for segment in self.segments]
        if self.value is not None:
            shape["value"] = self.value
        if self.values:
            shape["values"] = [
                {"start": start, "end": end, "value": value} for start, end, value in self.values
            ]
        if self.notes:
            shape["notes"] = list(self.notes)
        return shape


class ZeroShot:
    """Labels made ready for one encoder: encode them once, ask many videos."""

    def __init__(
        self,
        labels: LabelList,
        encoder: Encoder,
        calibrator: Calibrator,
        template: str | None = None,
    ) -> None:
        """``template`` has one ``{}`` for the label; None is the one that suits the encoder."""
        self.labels = labels
        self._encoder = encoder
        self._calibrator = calibrator
        candidate: object = encoder  # any class may bring these, whatever its declared type
        self._has_background = isinstance(candidate, HasBackground)
        self._scale = COSINE_SCALE
        if isinstance(candidate, HasLogitScale):
            self._scale = float(candidate.logit_scale)
        if template is None:
            template = PLAIN_TEMPLATE if self._has_background else CLIP_TEMPLATE
        check_template(template)
        self._queries = [
            encoder.encode_query(template.replace("{}", words)) for words in labels.descriptions
        ]
        self._background = [self._standard(query) for query in self._queries]

    def _standard(self, query: Query) -> tuple[float, float]:
        """Mean and deviation of a label's scores on the background; (0, 1) without one."""
        scores = self._calibrator.background_scores(query)
        if len(scores) == 0:
            return 0.0, 1.0
        return float(scores.mean()), max(float(scores.std()), 1e-6)

    def logits(self, features: WindowFeatures) -> Array:
        """(N, labels) of windows; their softmax over labels is the windows' probability."""
        columns = []
        for query, (mean, deviation) in zip(self._queries, self._background, strict=True):
            if self._has_background:
                z = (self._encoder.score(query, features) - mean) / deviation
                columns.append(SLOPE * z.astype(np.float64))
            else:
                cosines = np.asarray(features.vectors @ query.vector, np.float64)
                columns.append(self._scale * cosines)
        return np.stack(columns, axis=1)

    def classify(
        self, footage: Footage, *, top_k: int = 5, over_time: bool = False
    ) -> Classification:
        """The labels of one video."""
        logits = self.logits(footage.features)
        # pooling is linear but for which windows are the best ones: it may follow standardising
        pooled = np.array([rank_video(row, float(row.mean())) for row in logits.T])
        probabilities = softmax(pooled[None])[0]
        best = int(np.argmax(pooled))
        query = self._queries[best]
        return Classification(
            video_id=footage.video_id,
            path=footage.path,
            source=self.labels.source,
            encoder=self._encoder.spec.name,
            labels=best_labels(self.labels.names, probabilities, top_k),
            found=self._found(best, float(pooled[best])),
            why=self._encoder.explain(query, footage.features),
            segments=segments(footage, softmax(logits), self.labels.names) if over_time else (),
            notes=(*footage.warnings, *query.notes),
        )

    def _found(self, best: int, logit: float) -> bool | None:
        """Whether the best of these labels stands out further than the best of wrong ones does."""
        if not self._has_background:
            return None
        mean, deviation = self._background[best]
        score = np.array([mean + deviation * logit / SLOPE], np.float32)
        match = self._calibrator.match(
            self._queries[best], score, np.zeros(0, np.float32), videos=len(self._queries)
        )
        return float(match[0]) >= FOUND_FROM


def classify_trained(
    footage: Footage,
    classifier: Classifier,
    encoder: str,
    *,
    top_k: int = 5,
    over_time: bool = False,
) -> Classification:
    """One video by a trained classifier: on the mean of its windows, as it was trained."""
    whole = WindowFeatures(unit(footage.features.vectors.mean(axis=0))[None])
    answer = Classification(
        video_id=footage.video_id,
        path=footage.path,
        source=f"classifier {classifier.name}",
        encoder=encoder,
        labels=(),
        notes=footage.warnings,
    )
    if classifier.is_regression:
        answer = replace(
            answer,
            value=float(classifier.values(whole)[0]),
            notes=(*footage.warnings, f"the value is {classifier.labels[0]}"),
        )
        if not over_time:
            return answer
        curve = classifier.values(footage.features)
        spans = zip(footage.starts.tolist(), footage.ends.tolist(), curve.tolist(), strict=True)
        return replace(answer, values=tuple(spans))
    shares = classifier.probabilities(whole)[0]
    answer = replace(answer, labels=best_labels(classifier.labels, shares, top_k))
    if not over_time:
        return answer
    rows = classifier.probabilities(footage.features)
    return replace(answer, segments=segments(footage, rows, classifier.labels))


def check_template(template: str) -> None:
    """Raise UsageError for a template without exactly one place for the label."""
    if template.count("{}") != 1:
        raise UsageError(
            f"the template {template!r} is not allowed; write {{}} once, where the label goes, "
            "such as 'a photo of {}'."
        )


def segments(
    footage: Footage, probabilities: FloatArray | Array, labels: Sequence[str]
) -> tuple[LabelledSpan, ...]:
    """Runs of one label over the windows of a video; they touch, but where windows are missing.

    ``probabilities`` (N, labels). Evidence counts by the seconds that a window stands for, so
    that the answer does not depend on how densely a video was sampled. A change between two
    windows falls on the shot boundary between them where there is one.
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    starts, ends, times = footage.starts, footage.ends, footage.times
    boundaries = np.array([shot.start for shot in footage.shots[1:]])
    # where the change between window i - 1 and i would lie, and whether a shot begins there
    between, at_shot = _boundaries(starts, ends, times, boundaries)
    seconds = np.diff(np.concatenate([[starts[0]], between, [ends[-1]]])).clip(min=0.0)
    cost = np.where(at_shot, SHOT_SWITCH_COST, SWITCH_COST)
    path = best_path(np.log(np.maximum(rows, _FLOOR)) * seconds[:, None], cost)
    found = []
    first = 0
    for place in range(1, len(path) + 1):
        gap = place < len(path) and starts[place] > ends[place - 1] + _SAME_TIME
        if place < len(path) and path[place] == path[first] and not gap:
            continue
        start = starts[first] if first == 0 else between[first - 1]
        if first and starts[first] > ends[first - 1] + _SAME_TIME:
            start = starts[first]
        end = ends[-1] if place == len(path) else ends[place - 1] if gap else between[place - 1]
        label = int(path[first])
        found.append(
            LabelledSpan(
                float(start), float(end), labels[label], float(rows[first:place, label].mean())
            )
        )
        first = place
    return tuple(found)


def _boundaries(
    starts: Array, ends: Array, times: Array, shots: Array
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """(N - 1,) seconds between neighbouring windows, and whether a shot begins there."""
    # clips overlap: the border lies half way between the frames that stand for them
    plain = np.where(starts[1:] < ends[:-1] - _SAME_TIME, (times[1:] + times[:-1]) / 2, starts[1:])
    at_shot = np.zeros(len(plain), dtype=bool)
    for boundary in shots:
        place = int(np.searchsorted(times, boundary + _SAME_TIME)) - 1
        # the first window whose frame is shown at the boundary or after it
        if times[place] < boundary - _SAME_TIME:
            place += 1
        if 0 < place < len(times):
            plain[place - 1] = boundary
            at_shot[place - 1] = True
    return plain, at_shot


def best_path(evidence: Array, change_cost: Array) -> npt.NDArray[np.int64]:
    """The labels (N,) with the largest sum of ``evidence`` (N, L) less the costs of changes.

    ``change_cost`` (N - 1,) is what a change between window i and i + 1 costs. Viterbi (1967);
    linear in N and L, because every change costs the same whichever labels it joins.
    """
    count, labels = evidence.shape
    total = evidence[0].copy()
    before = np.zeros((count, labels), dtype=np.int64)
    stay = np.arange(labels)
    for place in range(1, count):
        best = int(total.argmax())
        changed = total[best] - change_cost[place - 1]
        before[place] = np.where(total >= changed, stay, best)
        total = np.maximum(total, changed) + evidence[place]
    path = np.zeros(count, dtype=np.int64)
    path[-1] = int(total.argmax())
    for place in range(count - 1, 0, -1):
        path[place - 1] = before[place, path[place]]
    return path


def best_labels(
    names: Sequence[str], probabilities: FloatArray | Array, top_k: int
) -> tuple[Label, ...]:
    """The ``top_k`` names with the largest probabilities (L,), best first."""
    order = np.argsort(-np.asarray(probabilities, np.float64), kind="stable")[:top_k]
    return tuple(Label(names[number], float(probabilities[number])) for number in order)
