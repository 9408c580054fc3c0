"""Which of several answers fits a video best: multiple choice by ranking the answers' text.

The zero-shot protocol of Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text
Understanding", 2021, section 5: every candidate becomes a text, and the one most similar to the
video is the answer. Two things are added. Texts differ in what they score anywhere, so each score
is standardised against the encoder's background, and the standings become probabilities, as
``classify`` does it with labels.

It knows windows and sentences; it knows no question.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenewise.encoders.spec import Encoder, WindowFeatures
from scenewise.encoders.vectors import softmax
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.tasks.classify import PLAIN_TEMPLATE, ZeroShot
from scenewise.tasks.labels import LabelList
from scenewise.tasks.ranking import rank_video
from scenewise.types import Label

MOST_CHOICES = 100


def check_choices(choices: Sequence[str]) -> tuple[str, ...]:
    """The choices without blanks around them. Raises UsageError for fewer than two, or a twin."""
    clean = tuple(" ".join(choice.split()) for choice in choices)
    if not all(clean):
        raise UsageError("one of the choices is empty; separate them by single commas.")
    if len(clean) < 2:
        given = f" ({clean[0]!r})" if clean else ""
        raise UsageError(f"one choice{given} is no choice; give at least two, such as a,b.")
    if len(clean) > MOST_CHOICES:
        raise UsageError(f"{len(clean)} choices are too many; at most {MOST_CHOICES} are allowed.")
    seen: set[str] = set()
    for choice in clean:
        if choice.casefold() in seen:
            raise UsageError(f"the choice {choice!r} is given twice; give each once.")
        seen.add(choice.casefold())
    return clean


def rank_choices(
    features: WindowFeatures,
    encoder: Encoder,
    calibrator: Calibrator,
    statements: Sequence[str],
    names: Sequence[str],
) -> tuple[Label, ...]:
    """The names with probabilities that sum to 1, best first, by what their statements score.

    ``features`` are the windows of the video, or of the stretch that is asked about.
    """
    sentences = LabelList(tuple(names), tuple(statements), "choices")
    logits = ZeroShot(sentences, encoder, calibrator, PLAIN_TEMPLATE).logits(features)
    standing = np.array([rank_video(column, float(column.mean())) for column in logits.T])
    shares = softmax(standing[None])[0]
    order = np.argsort(-shares, kind="stable")
    return tuple(Label(names[place], float(shares[place])) for place in order)
