"""What a picture, or a part of one, has to do with a sentence.

It knows an encoder, its background, and standings; it knows no time and no rule.
"""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, Query, WindowFeatures
from scenewise.encoders.vocabulary import load_vocabulary
from scenewise.index.calibration import OFFSET, SLOPE, Calibrator, standing
from scenewise.types import Why

# Default threshold of ``match``. It aims at one false alarm in a rule-day of a view that changes
# every half minute; benchmarks/watch_alarms.py --choose shows how it was chosen.
SENTENCE_THRESHOLD = 0.95
# A thing that crosses a line was found by its motion already, so it is let through more easily: of
# views of other things, one in thirty passes.
CROP_THRESHOLD = 0.5
HYSTERESIS = 1.0  # by how much the logit may fall below the threshold's while it still holds
_CONTRASTS = 40  # sentences that stand in where an encoder brings no background
_NOTHING = np.zeros(0, np.float32)


class SentenceJudge:
    """How far a window stands out for a sentence from windows that show anything.

    z = (score - mean) / deviation over the encoder's background. An encoder that brings none
    is asked other sentences about the same window, forty names of things: their scores are the
    background, as in zero-shot classification.
    """

    def __init__(self, sentence: str, encoder: Encoder, calibrator: Calibrator) -> None:
        self.encoder = encoder
        self.query = encoder.encode_query(sentence)
        background = calibrator.background_scores(self.query)
        self._line = straight_line(background) if len(background) else None
        self._contrasts = () if self._line else _contrasts(encoder)

    def standing(self, features: WindowFeatures) -> float:
        """z of one window."""
        score = self.encoder.score(self.query, features)
        if self._line is not None:
            at_zero, slope = self._line
            return at_zero + slope * float(score[0])
        others = [self.encoder.score(other, features) for other in self._contrasts]
        return float(standing(score, _NOTHING, np.concatenate(others))[0])

    def why(self, features: WindowFeatures) -> tuple[Why, ...]:
        """What speaks for it."""
        return self.encoder.explain(self.query, features)


def straight_line(
    elsewhere: npt.NDArray[np.floating], videos: int | None = None
) -> tuple[float, float]:
    """Standing as a function of the score: its value at 0, and its slope.

    ``elsewhere`` (S,) are scores of what does not show the thing; ``videos`` as in ``standing``.
    """
    ends = np.array([0.0, 1.0])
    if videos is None:
        at_zero, at_one = standing(ends, _NOTHING, elsewhere).astype(np.float64)
    else:
        at_zero, at_one = standing(ends, elsewhere, None, videos=videos).astype(np.float64)
    return float(at_zero), float(at_one - at_zero)


_known_contrasts: WeakKeyDictionary[Encoder, tuple[Query, ...]] = WeakKeyDictionary()


def _contrasts(encoder: Encoder) -> tuple[Query, ...]:
    known = _known_contrasts.get(encoder)
    if known is None:
        concepts = load_vocabulary()
        some = concepts[:: len(concepts) // _CONTRASTS][:_CONTRASTS]
        known = tuple(encoder.encode_query(f"a {concept.label}") for concept in some)
        _known_contrasts[encoder] = known
    return known


def probability(z: float) -> float:
    """``match`` of a standing, as the calibrator maps it."""
    return 1 / (1 + math.exp(-min(30.0, max(-30.0, SLOPE * z + OFFSET))))


def weaker(threshold: float) -> float:
    """The threshold that an occurrence under way is held to."""
    logit = math.log(threshold / (1 - threshold)) - HYSTERESIS
    return 1 / (1 + math.exp(-logit))


def crop_window(encoder: Encoder, crop: npt.NDArray[np.uint8]) -> WindowFeatures:
    """A part of a picture (H, W, 3) as one window; an encoder of clips is shown a still."""
    from PIL import Image

    from scenewise.media.scale import scale_picture

    picture = scale_picture(Image.fromarray(crop), encoder.spec.target)
    return encoder.encode_windows(
        np.repeat(picture[None, None], encoder.spec.frames_per_window, axis=1)
    )
