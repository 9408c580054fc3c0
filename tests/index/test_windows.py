"""Which instants make which windows, as tables of durations."""

from __future__ import annotations

import numpy as np
import pytest
from colour_encoder import ColourEncoder
from hypothesis import given
from hypothesis import strategies as st

from scenewise.errors import UsageError
from scenewise.index.windows import Sampling, plan_windows

FRAMES = ColourEncoder("colours").spec
CLIPS = ColourEncoder("colour-clips", frames_per_window=4).spec  # 2 s long, every second


@pytest.mark.parametrize(
    ("duration", "fps", "starts"),
    [
        (1.0, 2.0, [0, 0.5]),
        (1.2, 2.0, [0, 0.5, 1.0]),
        (0.04, 2.0, [0]),
        (0.0, 2.0, [0]),
        (25.0, 0.1, [0, 10, 20]),
    ],
)
def test_a_frame_every_so_often(duration: float, fps: float, starts: list[float]) -> None:
    plan = plan_windows(duration, FRAMES, Sampling(fps=fps))
    assert plan.starts.tolist() == pytest.approx(starts)
    assert plan.frame_times[:, 0].tolist() == pytest.approx(starts)
    assert plan.ends.tolist() == pytest.approx([*starts[1:], duration])


@given(
    duration=st.floats(0, 20_000),
    fps=st.floats(0.01, 30).filter(lambda fps: fps > 0),
)
def test_windows_of_frames_cover_the_video_and_no_more(duration: float, fps: float) -> None:
    plan = plan_windows(duration, FRAMES, Sampling(fps=fps))
    assert len(plan.starts) >= 1
    assert plan.starts[0] == 0
    assert plan.ends[-1] == pytest.approx(duration, abs=2e-6)
    assert np.all(plan.starts[1:] == plan.ends[:-1])
    assert np.all(plan.ends >= plan.starts)


@given(duration=st.floats(0, 5_000))
def test_clips_cover_the_video_and_look_inside_themselves(duration: float) -> None:
    plan = plan_windows(duration, CLIPS, Sampling())
    assert plan.frame_times.shape == (len(plan.starts), 4)
    assert plan.ends.max() == pytest.approx(duration, abs=2e-6)
    assert np.all(plan.frame_times >= plan.starts[:, None])
    assert np.all(plan.frame_times <= plan.ends[:, None])
    assert np.all(np.diff(plan.starts) > 0)


def test_clips_at_a_rate_have_frames_that_far_apart() -> None:
    plan = plan_windows(60.0, CLIPS, Sampling(fps=1.0))
    assert plan.ends[0] == 4.0
    assert np.diff(plan.frame_times[0]).tolist() == pytest.approx([1, 1, 1])
    assert plan.starts[1] == 2.0  # half a clip, as with the encoder's own clips


def test_uniform_frames_make_one_pooled_window() -> None:
    plan = plan_windows(10.0, FRAMES, Sampling(frames=4))
    assert plan.pooled
    assert plan.frame_times.ravel().tolist() == pytest.approx([1.25, 3.75, 6.25, 8.75])
    assert set(zip(plan.starts, plan.ends, strict=True)) == {(0.0, 10.0)}


def test_uniform_frames_of_a_clip_encoder_make_its_only_clip() -> None:
    plan = plan_windows(8.0, CLIPS, Sampling(frames=4))
    assert not plan.pooled
    assert plan.frame_times.tolist() == [[1, 3, 5, 7]]
    with pytest.raises(UsageError, match="clips of 4 frames; use --frames 4"):
        plan_windows(8.0, CLIPS, Sampling(frames=8))


@pytest.mark.parametrize("text", ["fps=2", "fps=0.1", "fps=29.97", "frames=8", "clips"])
def test_sampling_reads_what_it_writes(text: str) -> None:
    assert str(Sampling.parse(text)) == text


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0},
        {"fps": -1},
        {"fps": float("nan")},
        {"fps": 200},
        {"frames": 0},
        {"fps": 2, "frames": 8},
    ],
)
def test_odd_samplings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Sampling(**options)  # type: ignore[arg-type]  # that is what is tested
