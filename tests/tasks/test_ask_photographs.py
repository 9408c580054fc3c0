"""Questions, choices and captions about films of photographs, by the default encoder."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from scenewise.library import Library
from scenewise.media.film import FilmSettings, pan, write_film

pytest.importorskip("skimage")

RATE = Fraction(5)
SCENES = ("chelsea", "coffee", "rocket", "chelsea")  # a cat, a cup, a rocket, the cat again
SECONDS = 4.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skimage import data

    path = tmp_path_factory.mktemp("photographs") / "film.mp4"
    pans = [
        pan(np.asarray(getattr(data, name)()), SECONDS, frame_rate=RATE, width=320, height=240)
        for name in SCENES
    ]
    write_film(path, chain(*pans), FilmSettings(frame_rate=RATE))
    return path


@pytest.fixture(scope="module")
def library(film: Path) -> Iterator[Library]:
    with Library.open(film.parent / "none") as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "text", "spans"),
    [
        ("Is there a cat?", "yes: ", [(0, 4), (12, 16)]),
        ("Is there a guitar?", "No: ", None),
        ("What animal is it?", "cat.", None),
        ("When is there a cup of coffee?", "At 00:0", [(4, 8)]),
        ("How many times does the cat appear?", "2 times", [(0, 4), (12, 16)]),
        ("What happens after the rocket?", "cat (00:12.0-00:16.0)", None),
        ("Does the cup come before the rocket?", "Yes: ", [(4, 8), (8, 12)]),
    ],
)
def test_the_default_encoder_answers(
    library: Library, film: Path, question: str, text: str, spans: list[tuple[float, float]] | None
) -> None:
    answer = library.ask(question, film)
    assert answer.text is not None
    assert text in answer.text
    if spans is not None:
        found = sorted((moment.start, moment.end) for moment in answer.evidence)
        assert found == [pytest.approx(span, abs=0.5) for span in spans]


@pytest.mark.parametrize(
    "question", ["Is there a person?", "How many cats are there?", "What colour is the cat?"]
)
def test_the_default_encoder_knows_what_it_does_not_know(
    library: Library, film: Path, question: str
) -> None:
    assert library.ask(question, film).text is None


def test_choices_and_captions(library: Library, film: Path) -> None:
    answer = library.ask("What animal is it?", film, choices=["a dog", "a horse", "a cat"])
    assert answer.text == "a cat"
    captions = library.caption(film, dense=True, motion=False).captions
    assert [(caption.start, caption.end) for caption in captions] == [
        pytest.approx((number * SECONDS, (number + 1) * SECONDS), abs=0.5) for number in range(4)
    ]
    assert "cat" in captions[0].text
    assert "cat" in captions[3].text
