"""The concept space on a small world whose truth is known: words are axes of the space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scenewise.encoders.concept_space import RIDGE, TOP_CONCEPTS, ConceptSpace
from scenewise.encoders.spec import Concepts, FloatArray, Query, WindowFeatures
from scenewise.encoders.vocabulary import Concept
from scenewise.errors import EncoderError

ANIMALS = ("cat", "dog", "horse", "pig", "bee")
THINGS = ("guitar", "drum", "flute", "cup", "plate")
WORDS = ("animal", "thing", "home", "stage", "playing", "sleeping", *ANIMALS, *THINGS)
FEATURES = 24


def embed(texts: Sequence[str]) -> FloatArray:
    """A bag of words: each word of WORDS is one axis; a little of everything besides."""
    rows = [[0.05 + text.replace(",", " ").split().count(word) for word in WORDS] for text in texts]
    return np.array(rows, dtype=np.float32)


VOCABULARY = [
    Concept(number, name, "animal", "home", "sleeping")
    if name in ANIMALS
    else Concept(number, name, "thing", "stage", "playing")
    for number, name in enumerate((*ANIMALS, *THINGS))
]
NAMES = [concept.label for concept in VOCABULARY]


def classifier() -> tuple[FloatArray, FloatArray]:
    """Weight rows in which animals share a direction, and things another."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(len(NAMES), FEATURES)).astype(np.float32)
    weight[: len(ANIMALS), 0] += 4
    weight[len(ANIMALS) :, 1] += 4
    return weight, rng.normal(size=len(NAMES)).astype(np.float32)


@pytest.fixture(scope="module")
def space() -> ConceptSpace:
    return ConceptSpace.build(embed, *classifier(), vocabulary=VOCABULARY)


def logits_of(*seen: str, sure: float = 8.0) -> FloatArray:
    """One row of logits that is sure of the named concepts."""
    return np.array([[sure if name in seen else 0.0 for name in NAMES]], dtype=np.float32)


def ask(space: ConceptSpace, text: str) -> Query:
    return space.query(text, embed([text])[0])


def stored(features: WindowFeatures) -> WindowFeatures:
    """Features after the trip through an index, which keeps 16-bit floats."""
    return WindowFeatures(features.vectors.astype(np.float16).astype(np.float32), features.concepts)


def test_shapes_and_lengths(space: ConceptSpace) -> None:
    features = space.window_features(np.concatenate([logits_of("cat"), logits_of("drum", "cup")]))
    assert features.vectors.shape == (2, space.dimension)
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-5)
    assert features.concepts is not None
    assert features.concepts.indices.shape == (2, min(TOP_CONCEPTS, len(NAMES)))
    assert features.concepts.indices.dtype == np.uint16
    assert features.concepts.values.dtype == np.float16
    assert (np.diff(features.concepts.values.astype(float), axis=1) <= 0).all()
    query = ask(space, "cat")
    assert query.vector.shape == (space.dimension,)
    assert np.linalg.norm(query.vector) == pytest.approx(1, abs=1e-5)


def test_concepts_are_the_softmax(space: ConceptSpace) -> None:
    logits = np.random.default_rng(1).normal(size=(4, len(NAMES))).astype(np.float32)
    features = space.window_features(logits)
    assert features.concepts is not None
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = np.zeros_like(expected)
    np.put_along_axis(found, features.concepts.indices.astype(int), features.concepts.values, 1)
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_finds_its_own_frame(space: ConceptSpace, name: str) -> None:
    frames = np.concatenate([logits_of(other) for other in NAMES])
    features = stored(space.window_features(frames))
    assert NAMES[int(space.score(ask(space, name), features).argmax())] == name
    assert NAMES[int((features.vectors @ ask(space, name).vector).argmax())] == name


def test_broader_words_find_all_of_a_kind(space: ConceptSpace) -> None:
    features = stored(space.window_features(np.concatenate([logits_of(name) for name in NAMES])))
    for text, wanted in (("animal sleeping", ANIMALS), ("playing stage", THINGS)):
        order = np.argsort(-space.score(ask(space, text), features))
        assert {NAMES[number] for number in order[: len(wanted)]} == set(wanted)


# twenty beetles, and things that are one of a kind
KINDS = (*(f"beetle{number}" for number in range(20)), *THINGS)


@pytest.fixture(scope="module")
def beetles() -> ConceptSpace:
    """Half a world of beetles: a kind of 20 concepts, beside five single things."""
    words = ("beetle", "thing", *KINDS)

    def axes(texts: Sequence[str]) -> FloatArray:
        rows = [
            [0.02 + text.replace(",", " ").split().count(word) for word in words] for text in texts
        ]
        return np.array(rows, dtype=np.float32)

    vocabulary = [
        Concept(
            number, name, "beetle" if name.startswith("beetle") else f"{name} thing", name, name
        )
        for number, name in enumerate(KINDS)
    ]
    weight = np.random.default_rng(5).normal(size=(len(KINDS), 40)).astype(np.float32)
    return ConceptSpace.build(axes, weight, np.zeros(len(KINDS), np.float32), vocabulary=vocabulary)


def beetle_query(text: str) -> FloatArray:
    words = ("beetle", "thing", *KINDS)
    return np.array([0.02 + text.split().count(word) for word in words], dtype=np.float32)


def test_a_kind_is_shown_by_what_surely_is_one_of_it(beetles: ConceptSpace) -> None:
    sure = np.full((1, len(KINDS)), 0.0, np.float32)
    sure[0, 3] = 8.0  # one beetle, for certain
    little_of_each = np.full((1, len(KINDS)), 0.0, np.float32)
    little_of_each[0, 20:] = 1.0  # rather the things, and some of every beetle
    features = stored(beetles.window_features(np.concatenate([sure, little_of_each])))
    query = beetles.query("beetle", beetle_query("beetle"))
    assert query.kind_weights is not None
    assert (query.kind_weights[:20] > 0.99).all()
    assert (query.kind_weights[20:] < 0.01).all()
    scores = beetles.score(query, features)
    assert scores[0] > scores[1]
    # by roots alone it was the other way round: twenty little ones outweigh one sure one
    late = beetles._late(query, features).sum(axis=1)
    assert late[1] > late[0]


def test_one_thing_is_no_kind(beetles: ConceptSpace) -> None:
    assert beetles.query("guitar", beetle_query("guitar")).kind_weights is None
    assert beetles.query("beetle3", beetle_query("beetle3")).kind_weights is None


def test_one_concept_counts_beside_another(space: ConceptSpace) -> None:
    features = space.window_features(
        np.concatenate([logits_of("cat", "cup"), logits_of("dog", "cup"), logits_of("pig")])
    )
    assert space.score(ask(space, "cat"), features).argmax() == 0


def test_storage_in_sixteen_bits_changes_scores_little(space: ConceptSpace) -> None:
    logits = np.random.default_rng(2).normal(scale=3, size=(50, len(NAMES))).astype(np.float32)
    features = space.window_features(logits)
    query = ask(space, "guitar playing")
    exact, kept = space.score(query, features), space.score(query, stored(features))
    np.testing.assert_allclose(kept, exact, atol=0.01 * float(np.ptp(exact)))


def test_visual_coordinates_are_the_features_own(space: ConceptSpace) -> None:
    """Inner products in the coordinates read from logits are those of the features themselves,
    within the span of the centred weight rows."""
    weight, bias = classifier()
    rows = weight.astype(np.float64) - weight.astype(np.float64).mean(axis=0)
    features = np.random.default_rng(5).normal(size=(6, FEATURES))
    logits = features @ weight.T + bias
    coordinates = (logits - bias) @ space.visual
    span = np.linalg.pinv(rows, rcond=1e-6) @ rows  # projects onto the span
    np.testing.assert_allclose(
        coordinates @ coordinates.T, features @ span @ features.T, rtol=1e-3, atol=1e-3
    )


def test_text_map_is_ridge_regression(space: ConceptSpace) -> None:
    """Its gradient is zero: residuals against embeddings balance the penalty."""
    weight, _ = classifier()
    rows = weight.astype(np.float64) - weight.astype(np.float64).mean(axis=0)
    targets = rows @ weight.T @ space.visual  # the rows' own coordinates
    embeddings = space.convex.astype(np.float64)
    solved = space.text_map.astype(np.float64)
    penalty = RIDGE * (embeddings**2).sum() / embeddings.shape[1]
    gradient = embeddings.T @ (embeddings @ solved - targets) + penalty * solved
    np.testing.assert_allclose(gradient, 0, atol=2e-3 * float(np.abs(targets).max()))


def test_explanation_names_what_was_seen(space: ConceptSpace) -> None:
    features = space.window_features(np.concatenate([logits_of("cup", "drum"), logits_of("cat")]))
    reasons = space.explain(ask(space, "drum"), features)
    assert [reason.kind for reason in reasons] == ["concept"] * len(reasons)
    name, probability = reasons[0].detail.rsplit(" ", 1)
    assert name == "drum"
    assert float(probability) == pytest.approx(0.5, abs=0.01)


def test_what_is_hardly_seen_is_named_only_where_nothing_else_matches(space: ConceptSpace) -> None:
    features = space.window_features(logits_of("cat", sure=12.0))
    details = [reason.detail for reason in space.explain(ask(space, "cat"), features)]
    assert details == ["cat 1.00"]
    faint = WindowFeatures(
        features.vectors,
        Concepts(
            np.array([[NAMES.index("flute"), NAMES.index("drum")]], np.uint16),
            np.array([[0.002, 0.001]], np.float16),
        ),
    )
    details = [reason.detail for reason in space.explain(ask(space, "flute"), faint)]
    assert details == ["flute under 0.01"]


def test_background_holds_one_frame_of_each_concept(space: ConceptSpace) -> None:
    background = space.background()
    assert background.concepts is not None
    assert background.concepts.indices[:, 0].tolist() == list(range(len(NAMES)))
    for number, name in enumerate(NAMES):
        assert int(space.score(ask(space, name), background).argmax()) == number


def test_picture_as_query_finds_its_like(space: ConceptSpace) -> None:
    features = space.window_features(np.concatenate([logits_of(name) for name in NAMES]))
    for number, name in enumerate(NAMES):
        query = space.image_query(logits_of(name, sure=6.0)[0])
        assert space.score(query, features).argmax() == number


def test_saved_and_loaded_is_the_same(space: ConceptSpace, tmp_path: Path) -> None:
    space.save(tmp_path / "space.npz")
    again = ConceptSpace.load(tmp_path / "space.npz")
    assert again.digest == space.digest
    assert again.labels == space.labels
    logits = logits_of("bee", "plate")
    np.testing.assert_array_equal(
        again.window_features(logits).vectors, space.window_features(logits).vectors
    )


def test_digest_follows_the_words(space: ConceptSpace) -> None:
    other = [*VOCABULARY[:-1], Concept(9, "plate", "animal", "home", "sleeping")]
    assert ConceptSpace.build(embed, *classifier(), vocabulary=other).digest != space.digest


def test_damaged_file_is_one_sentence(space: ConceptSpace, tmp_path: Path) -> None:
    path = tmp_path / "space.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(EncoderError, match="is not a concept space"):
        ConceptSpace.load(path)


def test_vocabulary_must_fit_the_classifier() -> None:
    with pytest.raises(EncoderError, match="9 concepts and the classifier 10"):
        ConceptSpace.build(embed, *classifier(), vocabulary=VOCABULARY[:-1])


def test_windows_without_concepts_are_refused(space: ConceptSpace) -> None:
    features = space.window_features(logits_of("cat"))
    with pytest.raises(EncoderError, match="got none"):
        space.score(ask(space, "cat"), WindowFeatures(features.vectors))


def test_no_windows_no_reasons(space: ConceptSpace) -> None:
    empty = WindowFeatures(
        np.zeros((0, space.dimension), np.float32),
        Concepts(np.zeros((0, 10), np.uint16), np.zeros((0, 10), np.float16)),
    )
    assert space.explain(ask(space, "cat"), empty) == ()
    assert space.score(ask(space, "cat"), empty).shape == (0,)
