"""The generated libraries say what they claim to, and a search over all senses answers them."""

from __future__ import annotations

import pytest

from benchmarks.fusion_quality import ASKED, SCENES, imagine, measure, wilson

pytest.importorskip("skimage")  # its photographs


@pytest.mark.parametrize("seed", range(20))
def test_each_question_has_one_right_scene(seed: int) -> None:
    world = imagine(seed)
    films = world.films
    for question in world.questions:
        assert 0 <= question.scene < SCENES
    by_kind = {question.kind: question for question in world.questions}
    assert len(by_kind) == len(world.questions) == 6

    asked = {name: text for name, (text, _) in ASKED.items()}
    (shown,) = [name for name, text in asked.items() if by_kind["pictures"].text.startswith(text)]
    places = [
        (n, s) for n, film in enumerate(films) for s, p in enumerate(film.pictures) if p == shown
    ]
    assert places == [(by_kind["pictures"].film, by_kind["pictures"].scene)]

    said = [(n, line.text) for n, film in enumerate(films) for line in film.lines]
    assert [n for n, text in said if text == by_kind["words"].text] == [by_kind["words"].film]
    silent = [n for n, film in enumerate(films) for one in film.sounds if one.kind == "silence"]
    assert silent == [by_kind["sound"].film]

    both = by_kind["pictures and words"]
    name = both.text.split()[-1]
    (picture,) = [one for one, text in asked.items() if both.text.startswith(text)]
    showing = {n for n, film in enumerate(films) if picture in film.pictures}
    saying = {n for n, text in said if name in text}
    assert len(showing) == len(saying) == 3
    assert both.film in showing & saying


def test_all_senses_together_are_no_worse_than_any_one() -> None:
    right = measure(libraries=2, first_seed=100)
    for kind, by_sense in right.items():
        everything = sum(by_sense["all"])
        assert everything >= max(sum(found) for found in by_sense.values()), kind
    answered = [found for by_sense in right.values() for found in by_sense["all"]]
    assert sum(answered) >= len(answered) - 1


def test_intervals_hold_the_share() -> None:
    assert wilson([True] * 10)[1] == 1.0
    assert wilson([False] * 10)[0] == 0.0
    low, high = wilson([True] * 5 + [False] * 5)
    assert low < 0.5 < high
