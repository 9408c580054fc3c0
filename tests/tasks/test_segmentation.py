"""Kernel temporal segmentation: changes that are known, and the best of all ways to cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scenewise.tasks.segmentation import change_points


def runs(*parts: tuple[int, int], noise: float = 0.1, seed: int = 0) -> np.ndarray:
    """Noisy unit vectors: for each (axis, length) so many near that axis."""
    random = np.random.default_rng(seed)
    axes = np.concatenate([np.full(length, axis) for axis, length in parts])
    rows = np.eye(16)[axes] + noise * random.normal(size=(len(axes), 16))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def ones(vectors: np.ndarray) -> np.ndarray:
    return np.ones(len(vectors))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "parts", [[(0, 10)], [(0, 8), (1, 8)], [(0, 6), (1, 12), (2, 7)], [(0, 5), (1, 5), (0, 5)]]
)
def test_changes_that_are_there_are_found_and_no_others(
    parts: list[tuple[int, int]], seed: int
) -> None:
    vectors = runs(*parts, seed=seed)
    expected = np.cumsum([length for _, length in parts])[:-1]
    assert change_points(vectors, ones(vectors)).tolist() == expected.tolist()


def test_the_best_cut_of_all_is_found() -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(9, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seconds = random.uniform(0.5, 2, 9)

    def cost(points: tuple[int, ...]) -> float:
        total = 0.0
        for start, end in itertools.pairwise([0, *points, 9]):
            part, weight = vectors[start:end], seconds[start:end]
            mean = (part * weight[:, None]).sum(axis=0) / weight.sum()
            total += float((weight * ((part - mean) ** 2).sum(axis=1)).sum())
        return total

    for count in (2, 3, 4):
        best = min(itertools.combinations(range(1, 9), count - 1), key=cost)
        found = change_points(vectors, seconds, parts=count)
        assert cost(tuple(found.tolist())) == pytest.approx(cost(best))


def test_no_part_is_shorter_than_is_allowed() -> None:
    vectors = runs((0, 6), (1, 1), (0, 6), (2, 7))
    assert change_points(vectors, ones(vectors), least_seconds=4).tolist() == [13]
    short = runs((0, 2), (1, 1))
    assert change_points(short, ones(short), least_seconds=4).tolist() == []


def test_a_higher_price_gives_no_more_parts() -> None:
    vectors = runs((0, 5), (1, 5), (2, 5), (1, 5), noise=0.3)
    counts = [len(change_points(vectors, ones(vectors), v_max=v)) for v in (0.01, 0.1, 0.5, 5.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


def test_a_wanted_number_is_kept_as_far_as_can_be() -> None:
    vectors = runs((0, 5), (1, 5))
    assert [len(change_points(vectors, ones(vectors), parts=n)) for n in (1, 2, 5, 99)] == [
        0,
        1,
        4,
        9,
    ]
    assert change_points(vectors[:1], np.ones(1)).tolist() == []


def test_long_atoms_weigh_more() -> None:
    """One atom that stands for a minute is worth a part, a blink is not."""
    vectors = runs((0, 6), (1, 1), (2, 6), noise=0.01)
    vectors[6] = (vectors[5] + vectors[7] + 0.5 * vectors[6]) / 2.3
    blink, minute = ones(vectors), ones(vectors)
    blink[6], minute[6] = 0.01, 60.0
    few = change_points(vectors, blink, v_max=0.9)
    many = change_points(vectors, minute, v_max=0.9)
    assert len(few) == 1
    assert len(many) <= 2
