"""The vocabulary: complete, in order, without slips."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scenewise.encoders.vocabulary import FACETS, load_vocabulary

VOCABULARY = load_vocabulary()

# facts of ImageNet-1k: some indices that every list of its classes agrees on
LANDMARKS = {
    0: "tench",
    1: "goldfish",
    130: "flamingo",
    207: "golden retriever",
    281: "tabby cat",
    340: "zebra",
    402: "acoustic guitar",
    504: "coffee mug",
    541: "drum",
    657: "missile",
    759: "reflex camera",
    812: "space shuttle",
    920: "traffic light",
    954: "banana",
    967: "espresso",
    985: "daisy",
    999: "toilet paper",
}


def test_one_row_per_class_in_order() -> None:
    assert [concept.index for concept in VOCABULARY] == list(range(1000))


@pytest.mark.parametrize(("index", "label"), LANDMARKS.items())
def test_landmarks(index: int, label: str) -> None:
    assert VOCABULARY[index].label == label


def test_every_facet_is_filled_with_distinct_clean_phrases() -> None:
    for concept in VOCABULARY:
        for facet, text in zip(FACETS, concept.facets, strict=True):
            phrases = text.split(", ")
            assert all(phrase and phrase == phrase.strip() for phrase in phrases), (concept, facet)
            assert len(set(phrases)) == len(phrases), (concept.index, facet)
            assert re.fullmatch(r"[A-Za-z0-9'., -]+", text), (concept.index, facet, text)


def test_labels_are_distinct() -> None:
    labels = [concept.label for concept in VOCABULARY]
    assert len(set(labels)) == len(labels)


def test_table_stays_small() -> None:
    table = Path(__file__).parents[2] / "scenewise" / "encoders" / "vocabulary.tsv"
    assert table.stat().st_size < 200_000


@pytest.mark.shared
def test_order_agrees_with_published_names(shared_dir: Path) -> None:
    """Nearly every row shares a word stem with the published name of the same index."""

    def stems(text: str) -> set[str]:
        return {word[:4] for word in re.findall(r"[a-z]{3,}", text.lower())}

    published = json.loads((shared_dir / "vocab" / "imagenet_simple_labels.json").read_text())
    strangers = [
        (concept.index, concept.label, name)
        for concept, name in zip(VOCABULARY, published, strict=True)
        if not stems(name) & stems(" ".join(concept.facets))
    ]
    # other words for the same thing: spelled apart, or British
    allowed = {345, 395, 584, 697, 707, 977}
    assert {index for index, _, _ in strangers} <= allowed, strangers
