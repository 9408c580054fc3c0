"""How spans of several senses become moments, as facts about hand-made evidence."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.tasks.evidence import Evidence
from scenewise.tasks.fusion import LEAST, Joint, Part, join, noisy_or, parts_of
from scenewise.types import Modality, Why

DURATION = 100.0


def seen(start: float, end: float, match: float) -> Part:
    return Part("visual", start, end, match, seen=0)


def read(start: float, end: float, match: float) -> Part:
    return Part("text", start, end, match)


def heard(start: float, end: float, match: float) -> Part:
    return Part("audio", start, end, match)


def line(start: float, end: float, match: float, detail: str = "words") -> Evidence:
    return Evidence(1, start, end, match, Why("speech", detail, start, end))


def spans(joints: list[Joint]) -> list[tuple[float, float]]:
    return [(joint.lead.start, joint.lead.end) for joint in joints]


# ---- the rule


def test_agreement_beats_either_alone() -> None:
    (both,) = join([seen(0, 10, 0.5), read(4, 6, 0.6)])
    assert both.match == pytest.approx(1 - 0.5 * 0.4)
    assert {part.modality for part in (both.lead, *both.others)} == {"visual", "text"}


def test_agreement_at_another_time_is_none() -> None:
    joints = join([seen(0, 10, 0.5), read(10, 12, 0.6)])  # spans are open at their end
    assert [joint.match for joint in joints] == [0.6, 0.5]


def test_all_words_beat_a_weak_picture() -> None:
    words, picture = join([read(4, 6, 0.8), seen(50, 60, 0.1)])
    assert (words.lead.modality, picture.lead.modality) == ("text", "visual")


def test_irrelevant_words_lift_nothing() -> None:
    (alone,) = join([seen(0, 10, 0.1)])
    (beside,) = join([seen(0, 10, 0.1), read(4, 6, LEAST / 2)])
    assert beside.match == alone.match == 0.1
    assert beside.others == ()


def test_silence_of_a_sense_takes_nothing_away() -> None:
    (joint,) = join([read(4, 6, 0.8)], seen_at=lambda part: 0.0)
    assert joint.match == 0.8


def test_the_strongest_leads_and_is_not_blurred_by_a_long_weak_one() -> None:
    (joint,) = join([seen(0, 90, 0.2), read(40, 42, 0.7)])
    assert (joint.lead.start, joint.lead.end) == (40, 42)
    assert joint.match == pytest.approx(1 - 0.8 * 0.3)


def test_one_long_shot_supports_several_sentences() -> None:
    joints = join([seen(0, 90, 0.2), read(40, 42, 0.7), read(60, 62, 0.6)])
    assert spans(joints) == [(40, 42), (60, 62)]
    assert joints[1].match == pytest.approx(1 - 0.8 * 0.4)


def test_three_senses_join() -> None:
    (joint,) = join([seen(0, 10, 0.5), read(4, 6, 0.5), heard(5, 20, 0.4)])
    assert joint.match == pytest.approx(1 - 0.5 * 0.5 * 0.6)


def test_what_is_seen_while_a_sentence_lasts_counts_although_no_moment_lies_there() -> None:
    (joint,) = join([read(4, 6, 0.5)], seen_at=lambda part: 0.3 if part.start == 4 else 0.0)
    assert joint.match == pytest.approx(1 - 0.5 * 0.7)
    assert joint.of("visual") is not None
    assert joint.of("audio") is None


# ---- within one sense


def test_one_sentence_in_two_tracks_is_one_reason() -> None:
    (part,) = parts_of([line(4, 6, 0.7, "spoken"), line(5, 7, 0.6, "written")], DURATION)
    assert (part.start, part.end, part.match) == (4, 7, 0.7)
    assert [one.why.detail for one in part.evidence] == ["spoken", "written"]


def test_a_much_weaker_neighbour_does_not_widen_a_moment() -> None:
    parts = parts_of([line(4, 6, 0.8), line(5, 30, 0.3)], DURATION)
    assert [(part.start, part.end) for part in parts] == [(4, 6), (5, 30)]


def test_lines_that_only_touch_stay_apart() -> None:
    assert len(parts_of([line(4, 6, 0.8), line(6, 8, 0.8)], DURATION)) == 2


def test_a_part_ends_with_its_video() -> None:
    (part,) = parts_of([line(98, 120, 0.8)], DURATION)
    assert (part.start, part.end) == (98, DURATION)
    (late,) = parts_of([line(110, 120, 0.8)], DURATION)
    assert late.start == late.end == DURATION


# ---- whatever comes in

MATCH = st.floats(0, 1)
TIME = st.floats(0, 50)


@st.composite
def part_lists(draw: st.DrawFn) -> list[Part]:
    names: list[Modality] = ["visual", "text", "audio"]
    return [
        Part(draw(st.sampled_from(names)), start, start + draw(TIME), draw(MATCH))
        for start in draw(st.lists(TIME, max_size=8))
    ]


@given(st.lists(MATCH, min_size=1, max_size=5))
def test_a_noisy_or_is_a_probability_not_below_its_best(matches: list[float]) -> None:
    assert max(matches) - 1e-12 <= noisy_or(matches) <= 1
    assert noisy_or(matches[:1]) == matches[0]


@given(part_lists())
def test_no_part_is_lost_and_none_leads_twice(parts: list[Part]) -> None:
    joints = join(parts)
    leads = [id(joint.lead) for joint in joints]
    assert len(leads) == len(set(leads))
    assert bool(joints) == bool(parts)
    for part in parts:
        told = any(
            part is joint.lead or (part.overlaps(joint.lead) and part.match <= joint.lead.match)
            for joint in joints
        )
        assert told
    for joint in joints:
        assert joint.match >= joint.lead.match - 1e-12
        assert len({part.modality for part in (joint.lead, *joint.others)}) == 1 + len(joint.others)
    assert all(a.match >= b.match for a, b in pairwise(joints))


@given(part_lists())
def test_one_sense_alone_is_left_as_it_is(parts: list[Part]) -> None:
    own = [part for part in parts if part.modality == "text"]
    joints = join(own)
    assert sorted(joint.match for joint in joints) == sorted(part.match for part in own)
