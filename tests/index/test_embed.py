"""Frames in, windows out: repeats, losses, pooling, batches."""

from __future__ import annotations

import numpy as np
import pytest
from colour_encoder import COLOURS, ColourEncoder

from scenewise.encoders.spec import Concepts, WindowFeatures
from scenewise.errors import UnreadableMediaError
from scenewise.index.embed import BATCH_WINDOWS, EncodedWindows, WindowBuilder, pool
from scenewise.index.windows import Sampling, plan_windows
from scenewise.media.decode import Frame


def shown(time: float, requested: float, colour: str = "red", lost: bool = False) -> Frame:
    code = COLOURS.index(colour)
    image = np.full((32, 32, 3), [255 * (code >> shift & 1) for shift in (2, 1, 0)], np.uint8)
    return Frame(image, time, requested, substitute=lost)


def build(
    duration: float, sampling: Sampling, frames: list[Frame], per_window: int = 1
) -> EncodedWindows:
    encoder = ColourEncoder("colours", frames_per_window=per_window)
    builder = WindowBuilder(encoder, plan_windows(duration, encoder.spec, sampling))
    assert builder.wanted_times.tolist() == [frame.requested for frame in frames]
    for frame in frames:
        builder.add(frame)
    return builder.finish()


def test_a_frame_that_stays_makes_one_long_window() -> None:
    # slides change at 0, 1 and 2.2 s
    times = [0, 0, 1, 1, 1, 2.2]
    frames = [shown(time, number / 2) for number, time in enumerate(times)]
    made = build(3.0, Sampling(fps=2), frames)
    assert made.starts.tolist() == [0, 1, 2.5]
    assert made.ends.tolist() == [1, 2.5, 3]
    assert made.times.tolist() == [0, 1, 2.2]


def test_lost_frames_make_no_window() -> None:
    frames = [
        shown(0, 0),
        shown(0.5, 0.5),
        shown(0.5, 1.0, lost=True),
        shown(0.5, 1.5, lost=True),
        shown(2.0, 2.0, "blue"),
    ]
    made = build(2.5, Sampling(fps=2), frames)
    assert made.starts.tolist() == [0, 0.5, 2.0]
    assert made.ends.tolist() == [0.5, 1.0, 2.5]


def test_a_video_without_any_good_frame_is_unreadable() -> None:
    with pytest.raises(UnreadableMediaError, match="no frame"):
        build(0.5, Sampling(fps=2), [shown(0, 0, lost=True)])


def test_pooled_frames_make_one_window_whose_frame_is_nearest_to_the_mean() -> None:
    colours = ["red", "red", "blue", "red"]
    frames = [shown(t + 0.5, t + 0.5, c) for t, c in enumerate(colours)]
    made = build(4.0, Sampling(frames=4), frames)
    assert (made.starts.tolist(), made.ends.tolist()) == ([0], [4])
    red, blue = (made.features.vectors[0, COLOURS.index(c)] for c in ("red", "blue"))
    assert red / blue == pytest.approx(3)
    assert np.linalg.norm(made.features.vectors[0]) == pytest.approx(1)
    assert made.times[0] in (0.5, 1.5, 3.5)
    assert made.features.concepts is not None
    assert made.features.concepts.indices[0, :2].tolist() == [4, 1]
    assert made.features.concepts.values[0, :2].tolist() == [0.75, 0.25]


def test_overlapping_clips_get_their_own_frames() -> None:
    encoder = ColourEncoder("colour-clips", frames_per_window=4)
    plan = plan_windows(3.0, encoder.spec, Sampling())  # [0, 2) and [1, 3)
    builder = WindowBuilder(encoder, plan)
    for time in builder.wanted_times.tolist():
        builder.add(shown(time, time, "red" if time < 2 else "blue"))
    made = builder.finish()
    assert made.starts.tolist() == [0, 1]
    share = made.features.vectors[:, COLOURS.index("blue")]
    assert share[0] == 0
    assert share[1] == pytest.approx(2**-0.5)  # two of four frames


def test_batches_are_bounded_and_keep_the_order() -> None:
    encoder = ColourEncoder("colours")
    builder = WindowBuilder(encoder, plan_windows(50.0, encoder.spec, Sampling(fps=2)))
    for number, time in enumerate(builder.wanted_times.tolist()):
        builder.add(shown(time, time, COLOURS[number % 8]))
    made = builder.finish()
    assert encoder.batches == [BATCH_WINDOWS] * 3 + [4]
    assert made.features.vectors.argmax(axis=1).tolist() == [n % 8 for n in range(100)]


def test_pooling_keeps_as_many_concepts_as_a_window_has() -> None:
    vectors = np.eye(2, dtype=np.float32)
    concepts = Concepts(
        np.array([[7, 2], [2, 9]], np.uint16), np.array([[0.6, 0.4], [0.9, 0.1]], np.float16)
    )
    pooled = pool(WindowFeatures(vectors, concepts))
    assert pooled.concepts is not None
    assert pooled.concepts.indices.tolist() == [[2, 7]]
    assert pooled.concepts.values[0].tolist() == pytest.approx([0.65, 0.3], abs=1e-3)
