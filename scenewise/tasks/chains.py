"""A, then B: moments of several questions that follow one another in one video.

It knows moments with their match and times; it knows no words and no sense.

B follows A where it begins after A began, and at most ``within_seconds`` after A ended. The match
of a chain is the product of its moments' matches, the probability that all are right were they
independent. A chain counts as found where each of its moments would, as the same few seconds
holding both by chance is rarer than either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

from scenewise.tasks.hits import Found, Group, best_of
from scenewise.types import Why

WITHIN_SECONDS = 60.0


def follows(first: Found, second: Found, within_seconds: float) -> bool:
    """Whether the second begins after the first, and soon enough."""
    return first.start < second.start <= first.end + within_seconds


def chain(
    questions: Sequence[str],
    moments: Sequence[Sequence[Found]],
    within_seconds: float,
    count: int | None,
    group: Group,
) -> list[Found]:
    """Chains of one moment for each question, best first; each moment is in one chain at most.

    ``moments`` has, for each question, its moments of all videos.
    """
    videos: dict[int, list[list[Found]]] = {}
    for place, own in enumerate(moments):
        for moment in own:
            lists = videos.setdefault(moment.chunk.id, [[] for _ in questions])
            lists[place].append(moment)
    found = [
        _joined(questions, parts)
        for lists in videos.values()
        for parts in _chains(lists, within_seconds)
    ]
    return best_of(found, count, group)


def _chains(lists: list[list[Found]], within_seconds: float) -> list[tuple[Found, ...]]:
    """Of one video: the best chain, the best of what is left, and so on."""
    left = [list(own) for own in lists]
    found = []
    while all(left):
        best = _best(left, within_seconds)
        if best is None:
            break
        found.append(best)
        left = [
            [moment for moment in own if moment is not part]
            for own, part in zip(left, best, strict=True)
        ]
    return found


def _best(lists: list[list[Found]], within_seconds: float) -> tuple[Found, ...] | None:
    """The chain with the highest product, by dynamic programming over its last moment."""
    ends: list[tuple[float, tuple[Found, ...]]] = [(one.match, (one,)) for one in lists[0]]
    for own in lists[1:]:
        longer = []
        for moment in own:
            before = [
                (match, parts)
                for match, parts in ends
                if follows(parts[-1], moment, within_seconds)
            ]
            if before:
                # of equal ones the one that comes last: the nearest in time
                match, parts = max(before, key=lambda one: (one[0], one[1][-1].start))
                longer.append((match * moment.match, (*parts, moment)))
        ends = longer
    if not ends:
        return None
    return max(ends, key=lambda one: (one[0], -one[1][0].start))[1]


def _joined(questions: Sequence[str], parts: tuple[Found, ...]) -> Found:
    match = prod(part.match for part in parts)
    first, last = parts[0], parts[-1]
    shown = first.thumbnail_time < last.end  # a long first moment may outlast the last
    return replace(
        first,
        end=last.end,
        score=match,
        match=match,
        thumbnail_time=first.thumbnail_time if shown else last.thumbnail_time,
        why=partial(_why, questions, parts),
        surety=min(part.sure for part in parts),
    )


def _why(questions: Sequence[str], parts: tuple[Found, ...]) -> tuple[Why, ...]:
    """The reasons of each moment, with the question that it answers and its times."""
    return tuple(
        Why(
            reason.kind,
            f"{question}: {reason.detail}",
            part.start if reason.start is None else reason.start,
            part.end if reason.end is None else reason.end,
        )
        for question, part in zip(questions, parts, strict=True)
        for reason in part.why()
    )
