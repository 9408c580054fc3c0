"""Recommendations beside popularity and chance, on generated watch histories whose truth is known.

Videos are vectors in clusters, with a part that all have in common, as encoders give them. Some
clusters are popular with everybody. Each person has two tastes of their own, of which one is older
and fading, dislikes a third cluster, and now and then watches what is popular. What they watch and
like next is held out; the order that each method gives to all videos not watched is judged by it.

    python -m benchmarks.recommend --people 500

It measures the rules of ``tasks.taste`` and ``tasks.watch_history``, not an encoder: how far
clusters of real videos are apart is another question.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.tasks.taste import centred, choose
from scenewise.tasks.watch_history import Watched, weights

DAY_SECONDS = 86_400.0
TOP = 10


@dataclass(frozen=True)
class World:
    """How much is generated."""

    people: int = 200
    clusters: int = 20
    videos_per_cluster: int = 30
    dimension: int = 64
    spread: float = 0.9  # of a cluster, beside centres at distance 1
    common: float = 1.5  # what all vectors share
    watched: int = 14
    held_out: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Person:
    history: tuple[Watched, ...]  # video: the number of a row
    next: tuple[int, ...]  # rows that they watch and like afterwards


@dataclass(frozen=True)
class Score:
    """Means over people."""

    hit_rate: float  # share of people with any of the next among the first ten
    ndcg: float  # at ten


def generate(world: World) -> tuple[FloatArray, list[Person]]:
    """Vectors (N, D) of all videos, and people."""
    random = np.random.default_rng(world.seed)
    centres = random.normal(size=(world.clusters, world.dimension)) / np.sqrt(world.dimension)
    shape = (world.clusters, world.videos_per_cluster, world.dimension)
    noise = random.normal(size=shape) * world.spread / np.sqrt(world.dimension)
    common = random.normal(size=world.dimension) * world.common / np.sqrt(world.dimension)
    raw = (centres[:, None] + noise + common).reshape(-1, world.dimension)
    vectors = np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)
    return vectors, [_person(world, random) for _ in range(world.people)]


def _person(world: World, random: np.random.Generator) -> Person:
    # the first two clusters are what everybody watches sometimes
    new, old, disliked = random.choice(np.arange(2, world.clusters), 3, replace=False)
    each = world.videos_per_cluster
    rows: list[Watched] = []
    seen: set[int] = set()

    def draw(cluster: int) -> int:
        while True:
            # of the popular clusters, the first videos are watched most
            share = random.random() ** (2 if cluster < 2 else 1)
            row = int(cluster * each + each * share)
            if row not in seen:
                seen.add(row)
                return row

    for number in range(world.watched):
        kind = number % 7
        if kind < 3:
            days, cluster, rating = random.uniform(0, 20), int(new), int(random.integers(4, 6))
        elif kind < 5:
            days, cluster, rating = random.uniform(60, 120), int(old), int(random.integers(4, 6))
        elif kind == 5:
            days, cluster, rating = (
                random.uniform(0, 120),
                int(disliked),
                int(random.integers(1, 3)),
            )
        else:
            days, cluster, rating = random.uniform(0, 120), int(random.integers(2)), 3
        has_rating = random.random() < 0.6 or rating < 3
        time = (200 - days) * DAY_SECONDS
        rows.append(Watched(str(draw(cluster)), time, float(rating) if has_rating else None))
    # of what comes next, most is of the newer taste, and some is what everybody watches
    kinds = random.choice(3, world.held_out, p=(0.6, 0.2, 0.2))
    following = [draw(int((new, old, random.integers(2))[kind])) for kind in kinds]
    return Person(tuple(rows), tuple(following))


def judge(order: list[int], wanted: tuple[int, ...]) -> tuple[bool, float]:
    """Whether any wanted row is among the first ten, and nDCG at ten."""
    gains = [1 / np.log2(place + 2) for place, row in enumerate(order[:TOP]) if row in wanted]
    ideal = sum(1 / np.log2(place + 2) for place in range(min(TOP, len(wanted))))
    return bool(gains), float(sum(gains) / ideal)


def run(world: World, *, diversity: float = 0.3) -> dict[str, Score]:
    """Scores of the recommender, of what is most watched, and of chance."""
    vectors, people = generate(world)
    own = centred(vectors)
    popular = np.zeros(len(vectors))
    for person in people:
        for row in person.history:
            popular[int(row.video)] += 1
    random = np.random.default_rng(world.seed + 1)
    found: dict[str, list[tuple[bool, float]]] = {"recommend": [], "popularity": [], "random": []}
    for person in people:
        seen = [int(row.video) for row in person.history]
        allowed = np.ones(len(vectors), bool)
        allowed[seen] = False
        picks = choose(
            own,
            own[seen],
            weights(person.history),
            count=TOP,
            diversity=diversity,
            allowed=allowed,
        )
        orders = {
            "recommend": [pick.place for pick in picks],
            "popularity": _order(popular + 1e-6 * random.random(len(popular)), allowed),
            "random": _order(random.random(len(popular)), allowed),
        }
        for name, order in orders.items():
            found[name].append(judge(order, person.next))
    return {
        name: Score(
            float(np.mean([hit for hit, _ in results])),
            float(np.mean([ndcg for _, ndcg in results])),
        )
        for name, results in found.items()
    }


def _order(scores: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]) -> list[int]:
    ranked = np.argsort(-np.where(allowed, scores, -np.inf), kind="stable")
    return [int(row) for row in ranked[:TOP]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    world = World(people=arguments.people, seed=arguments.seed)
    for diversity in (0.0, 0.3, 0.6):
        scores = run(world, diversity=diversity)
        shape = {name: asdict(score) for name, score in scores.items()}
        print(json.dumps({"diversity": diversity, **shape}))


if __name__ == "__main__":
    main()
