"""Scene graphs that are made by hand, with synonyms of a table and of WordNet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import pytest

from scenewise.errors import MetricError, UsageError
from scenewise.metrics.captioning import SceneGraphScore, scene_graph_score, wordnet_synonyms

Graph = Sequence[tuple[str, ...]]
PAIRS = ({"couch", "sofa"}, {"kid", "child"})


def synonymous(one: str, other: str) -> bool:
    return one == other or {one, other} in PAIRS


DOG: Graph = [("dog",), ("sofa",), ("dog", "brown"), ("dog", "on", "sofa")]

CASES: list[tuple[str, Graph, Graph, float, float]] = [
    # predicted, reference, precision, recall
    ("the same", DOG, DOG, 1, 1),
    ("a synonym in each place", [("dog",), ("couch",), ("dog", "on", "couch")], DOG, 1, 3 / 4),
    ("an attribute is no object", [("brown",)], DOG, 0, 0),
    ("another attribute", [("dog",), ("dog", "black")], DOG, 1 / 2, 1 / 4),
    ("a relation turned round", [("sofa", "on", "dog")], DOG, 0, 0),
    ("nothing predicted", [], DOG, 0, 0),
    ("nothing to find", DOG, [], 0, 0),
    ("neither", [], [], 0, 0),
    ("said twice counts once", [("sofa",), ("couch",), ("sofa",)], [("sofa",)], 1, 1),
    ("references that say the same", [("child",)], [("kid",), ("child",), ("dog",)], 1, 1 / 2),
    ("letters of any case, blanks", [(" Dog ",)], [("dog",)], 1, 1),
]


@pytest.mark.parametrize(
    ("predicted", "reference", "precision", "recall"), [one[1:] for one in CASES]
)
def test_by_hand(predicted: Graph, reference: Graph, precision: float, recall: float) -> None:
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0
    found = scene_graph_score(predicted, reference, synonymous)
    assert astuple(found) == pytest.approx((precision, recall, f1))


def test_each_tuple_is_matched_once_and_as_many_as_can_be() -> None:
    """Synonymy does not carry over: b means a and c. The greedy pairing would find one."""

    def near(one: str, other: str) -> bool:
        return abs(ord(one) - ord(other)) <= 1

    found = scene_graph_score([("c",), ("e",)], [("d",), ("b",)], near)
    assert found == SceneGraphScore(1, 1, 1)


@pytest.mark.parametrize("wrong", [(), ("a", "b", "c", "d"), ("a", " "), "dog"])
def test_what_is_no_tuple(wrong: Sequence[str]) -> None:
    with pytest.raises(UsageError, match="is no tuple of a scene graph"):
        scene_graph_score([wrong], DOG, synonymous)


@pytest.fixture(scope="module")
def wordnet() -> Path:
    folder = Path("/usr/share/wordnet")
    if not (folder / "data.noun").is_file():
        if os.environ.get("CI"):
            pytest.fail("WordNet is not installed, and in CI it must be: see DEBIAN_PACKAGES")
        pytest.skip("WordNet is not installed: synonyms were not looked up")
    return folder


def test_synonyms_of_wordnet(wordnet: Path) -> None:
    same = wordnet_synonyms(wordnet)
    for one, other in [
        ("couch", "sofa"),
        ("dogs", "domestic dog"),
        ("running", "run"),
        ("auto", "car"),
    ]:
        assert same(one, other), (one, other)
        assert same(other, one), (one, other)
    for one, other in [("dog", "cat"), ("man", "guitar"), ("qqqq", "dog")]:
        assert not same(one, other), (one, other)
    graph = [("child",), ("couch",), ("child", "on", "couch")]
    reference = [("kid",), ("sofa",), ("kid", "on", "sofa"), ("sofa", "red")]
    found = scene_graph_score(graph, reference, same)
    assert astuple(found) == pytest.approx((1, 3 / 4, 6 / 7))


def test_no_wordnet_there(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=r"there is no WordNet in .*apt install wordnet-base"):
        wordnet_synonyms(tmp_path)
