"""Which words fit what is seen, and how sure they are said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import COLOURS, ColourEncoder, WordlessEncoder
from hypothesis import given
from hypothesis import strategies as st

from scenewise.encoders.spec import WindowFeatures
from scenewise.encoders.vocabulary import Concept, load_vocabulary
from scenewise.tasks.broader import KINDS, SCENES, SETTINGS, Ladder, phrases
from scenewise.tasks.wording import (
    LEVELS,
    POSSIBLE,
    PROBABLE,
    Wording,
    hedged,
    told,
    with_article,
)
from scenewise.types import Label

WORDS = load_vocabulary()
PLACE = {concept.label: concept.index for concept in WORDS}


def frames(colour: str, count: int = 2) -> npt.NDArray[Any]:
    code = COLOURS.index(colour)
    rgb = [255 * (code >> shift & 1) for shift in (2, 1, 0)]
    return np.full((count, 1, 32, 32, 3), rgb, np.uint8)


def likely(**shares: float) -> npt.NDArray[Any]:
    """Probabilities over the embedded vocabulary, by label with blanks for underscores."""
    values = np.zeros(len(WORDS))
    for label, share in shares.items():
        values[PLACE[label.replace("_", " ")]] = share
    return values


@pytest.fixture(scope="module")
def words() -> Wording:
    class Wide(ColourEncoder):
        vocabulary = WORDS

    return Wording(Wide("wide"))


@pytest.mark.parametrize(
    ("shares", "names"),
    [
        ({"tabby_cat": 0.9}, ["tabby cat"]),
        ({"tabby_cat": 0.3, "tiger_cat": 0.25, "Egyptian_cat": 0.2}, ["cat"]),
        ({"pug": 0.3, "boxer_dog": 0.3, "tabby_cat": 0.25}, ["dog", "cat"]),
        ({"sports_car": 0.6, "park_bench": 0.3}, ["sports car", "furniture"]),
        ({"tabby_cat": 0.55, "tiger_cat": 0.35}, ["tabby cat"]),  # one animal, two guesses
        ({"sports_car": 0.1, "park_bench": 0.19}, []),
        ({"pug": 0.3, "red_fox": 0.2, "lion": 0.2, "hen": 0.2}, ["animal"]),
        ({"diaper": 0.3}, ["baby"]),  # what is worn has somebody in it
        ({"diaper": 0.2, "suit": 0.2, "sunglasses": 0.3}, ["person"]),
        ({"suit": 0.9}, ["suit"]),
        ({"maze": 0.4}, []),  # one word alone that is not even probable
    ],
)
def test_words_that_share_a_kind_make_it_likely(
    words: Wording, shares: dict[str, float], names: list[str]
) -> None:
    shares = {name: share for name, share in shares.items() if name.replace("_", " ") in PLACE}
    assert shares
    assert [label.name for label in words.choose(likely(**shares))] == names


def test_nothing_is_named_where_all_words_are_alike(words: Wording) -> None:
    """Two in five words name animals: many small shares are no animal."""
    even = np.full(len(WORDS), 1 / len(WORDS))
    even[words.of_kind("animal")] *= 1.6
    assert words.choose(even) == []


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"frying_pan": 0.4, "wok": 0.2, "spatula": 0.2}, ["in a kitchen"]),
        ({"frying_pan": 0.8}, []),  # one thing alone does not tell where it is
        ({"tabby_cat": 0.5, "tiger_cat": 0.4}, []),  # nor one kind of animal
        ({"ski": 0.5, "snowmobile": 0.4}, ["in snow", "during sport"]),
    ],
)
def test_several_things_that_agree_tell_where_it_is(
    words: Wording, shares: dict[str, float], said: list[str]
) -> None:
    assert [label.name for label in words.circumstances(likely(**shares))] == said


def test_a_diffuse_frame_is_nowhere(words: Wording) -> None:
    assert words.circumstances(np.full(len(WORDS), 1 / len(WORDS))) == []


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20), st.integers(0, 980))
def test_a_broader_word_is_never_less_likely_than_said(values: list[float], first: int) -> None:
    """What is told stands for words that have that probability together, or more."""
    shares = np.zeros(len(WORDS))
    shares[first : first + 20] = np.array(values) / max(1.0, sum(values))
    ladder = Ladder(WORDS)
    best = ladder.best(shares, LEVELS)
    if best is not None:
        label, members = best
        assert POSSIBLE <= label.probability <= shares[members].sum() + 1e-9


def test_all_broader_words_are_words_of_the_vocabulary() -> None:
    kinds = {phrase for concept in WORDS for phrase in phrases(concept.kinds)}
    places = {phrase for concept in WORDS for phrase in phrases(concept.places)}
    for table, known in ((KINDS, kinds), (SCENES, kinds), (SETTINGS, places)):
        for word, meant in table.items():
            assert not set(meant) - known, word


@pytest.mark.parametrize(
    ("things", "circumstances", "text"),
    [
        ([("person", 0.9)], [("in snow", 0.6)], "a person, probably in snow"),
        ([("person", 0.6)], [("in snow", 0.9)], "in snow, probably a person"),
        (
            [("dog", 0.6), ("food", 0.3)],
            [("at home", 0.55)],
            "probably a dog at home, perhaps food",
        ),
        ([], [("outdoors", 0.9), ("during sport", 0.9)], "outdoors, during sport"),
        ([("unicycle", 0.9), ("umbrella", 0.8)], [], "a unicycle and an umbrella"),
        ([], [], ""),
    ],
)
def test_what_is_as_sure_stands_together(
    things: list[tuple[str, float]], circumstances: list[tuple[str, float]], text: str
) -> None:
    assert told([Label(*one) for one in things], [Label(*one) for one in circumstances]) == text


def test_a_kind_limits_what_is_named(words: Wording) -> None:
    seen = likely(tabby_cat=0.3, park_bench=0.6)
    assert [label.name for label in words.choose(seen, kind="animals")] == ["cat"]
    assert [label.name for label in words.choose(seen, kind="furniture")] == ["park bench"]
    assert words.choose(seen, kind="vehicle") == []


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_what_is_named_is_likely_enough_and_no_more_than_certain(values: list[float]) -> None:
    total = max(sum(values), 1.0)
    colours = Wording(ColourEncoder("colours"))
    named = colours.choose(np.array(values) / total, limit=8)
    assert all(POSSIBLE <= label.probability <= 1 for label in named)
    assert len({label.name for label in named}) == len(named)


def test_people_are_not_known_and_things_are(words: Wording) -> None:
    assert words.knows("a dog on the grass")
    assert not words.knows("a man with a dog")
    assert not words.knows("a flibbertigibbet")


@pytest.mark.parametrize(
    ("sentence", "unknown"),
    [
        ("a dog on the sofa", []),
        ("the dogs", []),
        ("a red panda", []),
        ("a red car", ["red"]),
        ("a dog jumps over the fence", ["jumps"]),
        ("a man in a boat", ["man"]),
        ("3 cats", []),
    ],
)
def test_words_that_no_picture_of_a_thing_shows_are_told(
    words: Wording, sentence: str, unknown: list[str]
) -> None:
    assert words.unknown(sentence) == unknown
    assert Wording(WordlessEncoder()).unknown(sentence) == []


def test_an_encoder_without_words_borrows_them(tmp_path: Path) -> None:
    vocabulary = [Concept(number, name, "", "", "") for number, name in enumerate(COLOURS)]
    encoder = WordlessEncoder()
    vectors = encoder.encode_windows(frames("blue")).vectors
    for _ in range(2):
        wording = Wording(encoder, cache=tmp_path, vocabulary=vocabulary)
        (best,) = wording.things(WindowFeatures(vectors))
        assert best.name == "blue"
        assert best.probability > PROBABLE
    assert len(encoder.asked) == len(COLOURS)  # once, and then from the cache
    assert "a photo of a blue" in encoder.asked


def test_an_encoder_without_words_names_kinds_and_places_too() -> None:
    kinds = {"red": "dog", "magenta": "dog", "yellow": "dog", "blue": "car"}
    places = {"red": "snow", "magenta": "snow", "yellow": "snow"}
    vocabulary = [
        Concept(number, name, kinds.get(name, "thing"), places.get(name, "nowhere"), "")
        for number, name in enumerate(COLOURS)
    ]
    encoder = WordlessEncoder()
    film = np.concatenate([frames("red"), frames("magenta"), frames("yellow")])
    wording = Wording(encoder, vocabulary=vocabulary)
    all_of_it = WindowFeatures(encoder.encode_windows(film).vectors)
    assert [label.name for label in wording.things(all_of_it)] == ["dog"]
    assert [label.name for label in wording.scenery(all_of_it)] == ["in snow"]
    one = WindowFeatures(encoder.encode_windows(frames("red")).vectors)
    assert [label.name for label in wording.things(one)] == ["red"]
    assert wording.scenery(one) == []  # one word alone tells no place


@pytest.mark.parametrize(
    ("name", "probability", "text"),
    [
        ("tabby cat", 0.9, "a tabby cat"),
        ("espresso", 0.6, "probably an espresso"),
        ("sunglasses", 0.3, "perhaps sunglasses"),
        ("wine glass", 0.9, "a wine glass"),
    ],
)
def test_doubt_is_said(name: str, probability: float, text: str) -> None:
    assert hedged(Label(name, probability)) == text


def test_every_word_takes_an_article() -> None:
    for concept in WORDS:
        assert concept.label in with_article(concept.label)
