"""Named classifiers: they survive the library, and refuse what is not theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import EncoderMismatchError, LibraryDamagedError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.kept import Kept
from scenewise.tasks.classifiers import (
    Classifier,
    check_name,
    find_classifier,
    load_classifier,
    save_classifier,
)

SPEC = ColourEncoder("colours").spec
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(3, 8)).astype(np.float32)
VECTORS = RANDOM.normal(size=(20, 8)).astype(np.float32)
FEATURES = WindowFeatures(VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True))
LINEAR = Classifier(
    "weather",
    "logistic",
    ("sun", "rain", "snow"),
    {"weight": WEIGHT, "bias": np.zeros(3, np.float32)},
    SPEC.name,
    SPEC.digest(),
    recipe={"verb": "train-classifier", "source": "clips"},
)
NEAREST = replace(
    LINEAR,
    name="near",
    head="knn",
    arrays={"examples": FEATURES.vectors[:6], "members": np.array([0, 0, 1, 1, 2, 2])},
    neighbours=3,
)
TAUGHT = replace(
    LINEAR,
    name="door",
    labels=("not door", "door"),
    arrays={"weight": WEIGHT[:2], "bias": np.zeros(2, np.float32)},
    positive=1,
    recipe={"verb": "teach"},
)
NUMBER = replace(
    LINEAR,
    name="speed",
    head="ridge",
    labels=("km/h",),
    arrays={"weight": WEIGHT[:1], "bias": np.ones(1, np.float32)},
)


@pytest.mark.parametrize("classifier", [LINEAR, NEAREST, TAUGHT], ids=lambda c: c.name)
def test_rows_are_probabilities(classifier: Classifier) -> None:
    rows = classifier.probabilities(FEATURES)
    assert rows.shape == (20, len(classifier.labels))
    assert np.all(rows >= 0)
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-6)


def test_an_example_of_its_own_wins_among_the_nearest() -> None:
    rows = replace(NEAREST, neighbours=1).probabilities(WindowFeatures(FEATURES.vectors[:6]))
    assert rows.argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("classifier", [LINEAR, NEAREST, TAUGHT, NUMBER], ids=lambda c: c.name)
def test_the_library_gives_back_what_was_kept(classifier: Classifier, tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "library", write=True, create=True) as writer:
        save_classifier(writer, classifier)
    with Catalog.open(tmp_path / "library") as reader:
        found = load_classifier(reader, classifier.name, SPEC)
    assert found.to_kept().spec == classifier.to_kept().spec
    for name, array in classifier.arrays.items():
        assert np.array_equal(found.arrays[name], array)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "library", write=True, create=True) as writer:
        with pytest.raises(UsageError, match="there is none yet"):
            load_classifier(writer, "weather", SPEC)
        save_classifier(writer, LINEAR)
        with pytest.raises(UsageError, match=r"'door'.*there are weather"):
            load_classifier(writer, "door", SPEC)
    with pytest.raises(UsageError, match="there is none yet"):
        find_classifier(None, "weather")


@pytest.mark.parametrize(
    ("classifier", "words"),
    [(LINEAR, "train-classifier"), (TAUGHT, 'teach "door" --remake')],
    ids=["trained", "taught"],
)
def test_another_encoder_is_refused(classifier: Classifier, words: str, tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "library", write=True, create=True) as writer:
        save_classifier(writer, classifier)
        with pytest.raises(EncoderMismatchError, match=words):
            load_classifier(writer, classifier.name, replace(SPEC, revision="2"))
        assert find_classifier(writer, classifier.name).encoder_digest == SPEC.digest()


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(EncoderMismatchError, match="8 numbers"):
        LINEAR.probabilities(WindowFeatures(np.ones((2, 5), np.float32)))


def test_labels_and_numbers_are_told_apart() -> None:
    assert NUMBER.values(FEATURES).shape == (20,)
    with pytest.raises(UsageError, match="a number"):
        NUMBER.probabilities(FEATURES)
    with pytest.raises(UsageError, match="labels, not a number"):
        LINEAR.values(FEATURES)


def test_a_label_is_a_column() -> None:
    assert LINEAR.column("snow") == 2
    assert TAUGHT.column() == 1
    with pytest.raises(UsageError, match=r"several labels.*sun, rain, snow"):
        LINEAR.column()
    with pytest.raises(UsageError, match="no label 'hail'"):
        LINEAR.column("hail")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "-x", "a\nb", "x" * 65, "a,b", "a:b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name for a classifier"):
        check_name(name)


def test_names_may_be_words_of_any_language() -> None:
    assert check_name(" Tür offen-2.b ") == "Tür offen-2.b"


@pytest.mark.parametrize(
    "kept",
    [
        Kept("classifier", "x", LINEAR.to_kept().spec, b"no arrays"),
        Kept("classifier", "x", LINEAR.to_kept().spec, NEAREST.to_kept().data),
        Kept("classifier", "x", LINEAR.to_kept().spec, TAUGHT.to_kept().data),
        Kept("classifier", "x", {}, LINEAR.to_kept().data),
        Kept("classifier", "x", LINEAR.to_kept().spec | {"version": 99}, LINEAR.to_kept().data),
    ],
    ids=["bytes", "another head", "too few rows", "no spec", "newer"],
)
def test_what_is_no_classifier_is_said_to_be_damaged(kept: Kept) -> None:
    with pytest.raises(LibraryDamagedError, match="'x' cannot be read"):
        Classifier.from_kept(kept)
