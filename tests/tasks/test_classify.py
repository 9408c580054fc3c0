"""Labels of a video: shares of the odds, and segments over time, on colours and on numbers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import COLOURS, ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.footage import Footage
from scenewise.tasks.classifiers import Classifier
from scenewise.tasks.classify import (
    ZeroShot,
    best_path,
    classify_trained,
    segments,
)
from scenewise.tasks.labels import LabelList, typed_labels
from scenewise.types import Segment

COLOUR_NAMES = LabelList(COLOURS, COLOURS, "labels")


class Backed(ColourEncoder):
    """Colours with a background: one window of each colour, and some of mixtures."""

    def background(self) -> WindowFeatures:
        rows = np.vstack([np.eye(8), np.eye(8) + np.roll(np.eye(8), 1, axis=1), np.ones((4, 8))])
        return WindowFeatures(
            (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        )


class Scaled(ColourEncoder):
    """Colours as a network of the CLIP family shows itself."""

    logit_scale = 10.0


def footage(
    colours: list[str], *, step: float = 0.5, shots: tuple[float, ...] = (), overlap: bool = False
) -> Footage:
    """One window of a plain colour after another, every ``step`` seconds."""
    starts = np.arange(len(colours), dtype=np.float64) * np.float64(step)
    bounds = [0.0, *shots, len(colours) * step]
    return Footage(
        path="film.mp4",
        video_id="0123",
        duration=len(colours) * step,
        starts=starts,
        ends=starts + step * (2 if overlap else 1),
        times=starts + (step if overlap else 0),
        features=WindowFeatures(
            np.stack([np.eye(8, dtype=np.float32)[COLOURS.index(colour)] for colour in colours])
        ),
        shots=tuple(Segment(start, end) for start, end in itertools.pairwise(bounds)),
    )


def zero_shot(kind: type[ColourEncoder] = Backed, template: str | None = None) -> ZeroShot:
    encoder = kind("colours")
    return ZeroShot(COLOUR_NAMES, encoder, Calibrator(encoder), template)


@pytest.mark.parametrize("kind", [Backed, Scaled, ColourEncoder])
def test_the_right_label_comes_first_and_shares_sum_to_one(kind: type[ColourEncoder]) -> None:
    answer = zero_shot(kind).classify(footage(["red"] * 6), top_k=8)
    assert answer.labels[0].name == "red"
    shares = [label.probability for label in answer.labels]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert answer.found is (True if kind is Backed else None)


def test_a_label_is_held_against_what_it_scores_anywhere() -> None:
    """Yellow scores more than cyan everywhere; on a film of both, cyan stands out more."""

    class Biased(Backed):
        def score(self, query: object, features: WindowFeatures) -> npt.NDArray[np.float32]:
            scores = super().score(query, features)  # type: ignore[arg-type]  # any query
            return scores + 3 if getattr(query, "text", "") == "yellow" else scores

    film = footage(["cyan"] * 8)
    encoder = Biased("colours")
    raw = {
        name: float(encoder.score(encoder.encode_query(name), film.features).mean())
        for name in COLOURS
    }
    assert max(raw, key=lambda name: raw[name]) == "yellow"
    labels = ZeroShot(COLOUR_NAMES, encoder, Calibrator(encoder)).classify(film).labels
    assert labels[0].name == "cyan"


def test_the_template_is_what_is_asked() -> None:
    asked: list[str] = []

    class Listening(Scaled):
        def encode_query(self, text: str):  # type: ignore[no-untyped-def]  # as its base
            asked.append(text)
            return super().encode_query(text)

    for template in (None, "a photo of {}"):
        encoder = Listening("colours")
        ZeroShot(typed_labels("red,blue"), encoder, Calibrator(encoder), template)
    assert asked == ["a video of red", "a video of blue", "a photo of red", "a photo of blue"]
    for odd in ("no place", "{} and {}"):
        with pytest.raises(UsageError, match="once"):
            zero_shot(template=odd)


def test_no_label_stands_out_in_a_film_of_something_else() -> None:
    encoder = Backed("colours")
    ask = ZeroShot(typed_labels("red,blue,green"), encoder, Calibrator(encoder))
    assert ask.classify(footage(["red"] * 6)).found
    assert not ask.classify(footage(["white"] * 6)).found


@pytest.mark.parametrize("step", [0.1, 0.25, 0.5, 1.0])
def test_segments_do_not_depend_on_the_sampling(step: float) -> None:
    colours = [*["red"] * round(4 / step), *["blue"] * round(6 / step)]
    found = zero_shot().classify(footage(colours, step=step), over_time=True).segments
    assert [span.label for span in found] == ["red", "blue"]
    assert [span.start for span in found] == pytest.approx([0.0, 4.0])
    assert [span.end for span in found] == pytest.approx([4.0, 10.0])


def test_one_odd_window_makes_no_segment_unless_it_is_a_shot() -> None:
    flicker = [*["red"] * 8, "blue", *["red"] * 8]
    rows = zero_shot().logits(footage(flicker).features)
    assert rows.argmax(axis=1)[8] == COLOURS.index("blue")

    def labels(film: Footage) -> list[str]:
        probabilities = np.full((17, 8), 0.02)
        probabilities[np.arange(17), [COLOURS.index(colour) for colour in flicker]] = 0.86
        return [span.label for span in segments(film, probabilities, COLOURS)]

    assert labels(footage(flicker)) == ["red"]
    assert labels(footage(flicker, shots=(4.0, 4.5))) == ["red", "blue", "red"]


def test_a_change_falls_on_the_shot_boundary_between_two_windows() -> None:
    film = footage([*["red"] * 6, *["blue"] * 6], shots=(2.8,))
    found = zero_shot().classify(film, over_time=True).segments
    assert [(span.start, span.end) for span in found] == [(0.0, 2.8), (2.8, 6.0)]


def test_segments_of_overlapping_clips_and_gaps() -> None:
    clips = footage([*["red"] * 6, *["blue"] * 6], step=1.0, overlap=True)
    found = zero_shot().classify(clips, over_time=True).segments
    assert [(span.start, span.end) for span in found] == [(0.0, 6.5), (6.5, 13.0)]
    whole = footage(["red"] * 6)
    later = np.array([0.0, 0.0, 0.0, 5.0, 5.0, 5.0])
    gap = replace(whole, starts=whole.starts + later, ends=whole.ends + later)
    spans = zero_shot().classify(gap, over_time=True).segments
    assert [(span.start, span.end) for span in spans] == [(0.0, 1.5), (6.5, 8.0)]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_path_is_the_best_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    evidence, cost = random.normal(size=(6, 3)), random.uniform(0, 2, 5)

    def worth(path: tuple[int, ...]) -> float:
        changes = sum(cost[i] for i in range(5) if path[i] != path[i + 1])
        return float(sum(evidence[i, label] for i, label in enumerate(path)) - changes)

    best = max(itertools.product(range(3), repeat=6), key=worth)
    assert worth(tuple(best_path(evidence, cost).tolist())) == pytest.approx(worth(best))


def test_one_window_has_one_segment() -> None:
    (span,) = zero_shot().classify(footage(["red"]), over_time=True).segments
    assert (span.start, span.end, span.label) == (0.0, 0.5, "red")


def trained(head: str = "logistic") -> Classifier:
    weight = np.zeros((2, 8), np.float32)
    weight[0, COLOURS.index("red")] = weight[1, COLOURS.index("blue")] = 8
    if head == "ridge":
        arrays = {"weight": weight[:1], "bias": np.ones(1, np.float32)}
        return Classifier("heat", "ridge", ("heat",), arrays, "colours", "x")
    arrays = {"weight": weight, "bias": np.zeros(2, np.float32)}
    return Classifier("heat", "logistic", ("hot", "cold"), arrays, "colours", "x")


def test_a_trained_classifier_labels_the_mean_and_the_segments() -> None:
    film = footage([*["red"] * 8, *["blue"] * 4])
    answer = classify_trained(film, trained(), "colours", over_time=True)
    assert answer.labels[0].name == "hot"
    assert [(span.label, span.start, span.end) for span in answer.segments] == [
        ("hot", 0.0, 4.0),
        ("cold", 4.0, 6.0),
    ]
    assert answer.to_dict()["source"] == "classifier heat"


def test_a_regression_gives_a_number_and_its_curve() -> None:
    answer = classify_trained(footage(["red", "blue"]), trained("ridge"), "colours", over_time=True)
    assert answer.value == pytest.approx(1 + 8 / 2**0.5)
    assert answer.values == ((0.0, 0.5, 9.0), (0.5, 1.0, 1.0))
    assert answer.to_dict()["values"][1] == {"start": 0.5, "end": 1.0, "value": 1.0}
    assert answer.labels == ()
