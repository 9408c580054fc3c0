"""Time that rises across breaks, instants at a rate, and pauses between attempts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.media.live_clock import StreamClock, Ticks, pauses

WALL = 1_000_000.0


def test_time_starts_at_the_first_picture_and_follows_the_stamps() -> None:
    clock = StreamClock()
    assert clock.arrive(100.0, WALL, shown=100.08)
    assert clock.time_of(100.08) == 0.0
    for step in range(1, 50):
        assert not clock.arrive(100.0 + step * 0.04, WALL + step * 0.04)
        assert clock.time_of(100.08 + step * 0.04) == pytest.approx(step * 0.04)


def test_over_a_break_time_follows_the_wall_clock() -> None:
    clock = StreamClock()
    clock.arrive(50.0, WALL)
    clock.arrive(52.0, WALL + 2)
    clock.disconnect()
    assert clock.arrive(7.0, WALL + 10)  # a server that was restarted counts anew
    assert clock.time_of(7.0) == pytest.approx(10.0)
    assert clock.time_of(8.0) == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("stamp", "gone", "new"),
    [
        pytest.param(60.04, 0.04, False, id="the next frame"),
        pytest.param(60.04, 30.0, False, id="the reader was busy for long"),
        pytest.param(90.0, 30.0, False, id="the line was silent, and says so"),
        pytest.param(0.0, 0.04, True, id="the counter began anew"),
        pytest.param(95_443.7, 0.04, True, id="the counter ran over"),
    ],
)
def test_what_counts_as_a_new_count_of_a_live_stream(stamp: float, gone: float, new: bool) -> None:
    clock = StreamClock()
    clock.arrive(60.0, WALL)
    assert clock.arrive(stamp, WALL + gone) is new
    assert clock.time_of(stamp) == pytest.approx(gone if new else stamp - 60.0, abs=0.01)


def test_a_recording_goes_on_after_a_step_back_and_keeps_its_gaps() -> None:
    clock = StreamClock(live=False)
    clock.arrive(10.0, WALL)
    assert not clock.arrive(400.0, WALL + 0.01)  # read fast, and with a gap that was recorded
    assert clock.time_of(400.0) == pytest.approx(390.0)
    assert clock.arrive(0.0, WALL + 0.02)  # another film was appended
    assert clock.time_of(0.0) == pytest.approx(390.0, abs=0.01)
    assert clock.time_of(5.0) > clock.time_of(0.0)


def test_lag_is_what_we_are_late_and_not_what_the_line_is() -> None:
    clock = StreamClock()
    clock.arrive(0.0, WALL)
    clock.arrive(1.0, WALL + 1.2, waited=0.2)
    assert clock.lag(WALL + 1.2) == pytest.approx(0.2, abs=0.01)  # it jitters
    clock.arrive(1.04, WALL + 4.0, waited=0.0)  # it lay there while we did something else
    assert clock.lag(WALL + 4.0) == pytest.approx(2.96, abs=0.01)
    clock.arrive(1.08, WALL + 9.0, waited=5.0)  # the line was silent for five seconds
    assert clock.lag(WALL + 9.0) == 0.0


def test_a_paced_stream_is_late_by_what_it_does_not_wait_for() -> None:
    clock = StreamClock(live=False, paced=True)
    clock.arrive(0.0, WALL)
    clock.arrive(10.0, WALL + 0.1)  # read ahead: its time is still to come
    assert clock.wall_of(10.0) == pytest.approx(WALL + 10)
    clock.arrive(11.0, WALL + 13, waited=0.5)
    assert clock.lag(WALL + 13) == pytest.approx(1.5)


@given(
    st.lists(
        st.tuples(st.floats(-1e5, 1e5), st.floats(0.001, 100), st.booleans()),
        min_size=1,
        max_size=50,
    )
)
def test_instants_that_are_handed_on_rise_whatever_comes(
    arrivals: list[tuple[float, float, bool]],
) -> None:
    clock, now, given_times = StreamClock(), WALL, []
    for stamp, gone, breaks in arrivals:
        if breaks:
            clock.disconnect()
        now += gone
        clock.arrive(stamp, now)
        time = clock.time_of(stamp)
        if clock.hand_on(time):
            given_times.append(time)
    assert given_times[0] == 0.0
    assert given_times == sorted(set(given_times))


@pytest.mark.parametrize("rate", [24.0, 25.0, 30_000 / 1001])
def test_ticks_take_the_first_frame_at_or_after_each_instant(rate: float) -> None:
    ticks, taken = Ticks(2.0), []
    for number in range(round(rate * 3) + 1):
        time = number / rate
        if ticks.wants(time):
            ticks.take(time)
            taken.append(time)
    assert len(taken) == 7
    for instant, time in zip((0, 0.5, 1, 1.5, 2, 2.5, 3), taken, strict=True):
        assert 0 <= time - instant < 1 / rate + 1e-6


def test_pauses_double_up_to_the_cap_and_half_of_each_is_chance() -> None:
    waits = pauses(0.5, 30.0, random.Random(1))
    for full in (0.5, 1, 2, 4, 8, 16, 30, 30, 30):
        assert full / 2 <= next(waits) <= full
