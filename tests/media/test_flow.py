"""Flow between pictures whose motion is known to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from moving_films import HEIGHT, WIDTH, Picture, Square, draw, look, texture

from scenewise.media.flow import (
    STILL_CAMERA,
    CameraMotion,
    Tracks,
    camera_flow,
    camera_motion,
    dense_flow,
    direction_histogram,
    flow_picture,
    follow_camera,
    grey,
    magnitude,
    residual_flow,
    sparse_flow,
    widths_per_second,
)

INSIDE = (slice(20, -20), slice(40, -40))  # away from edges that come into view


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0, -3.5, 9.0])
@pytest.mark.parametrize("y", [0.0, -0.5, 4.0])
def test_a_shift_is_found_to_a_fraction_of_a_pixel(x: float, y: float) -> None:
    before, after = look(), look(-x, -y)  # what the camera leaves behind moves the other way
    tracks = sparse_flow(before, after)
    assert len(tracks) > 0.9 * tracks.tried > 100
    assert np.abs(np.median(tracks.after - tracks.before, axis=0) - (x, y)).max() < 0.05
    flow = dense_flow(before, after)
    assert flow.shape == (HEIGHT, WIDTH, 2)
    assert np.abs(np.median(flow[INSIDE], axis=(0, 1)) - (x, y)).max() < 0.05
    camera = camera_motion(tracks, WIDTH, HEIGHT)
    assert camera is not None
    assert camera.shift == pytest.approx((x, y), abs=0.05)
    assert camera.scale == pytest.approx(1, abs=0.001)
    assert camera.turn == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("x", [40.0, -70.0])
def test_a_leap_beyond_the_pyramid_is_found_from_the_whole_pictures(x: float) -> None:
    camera = camera_motion(sparse_flow(look(), look(-x)), WIDTH, HEIGHT)
    assert camera is not None
    assert camera.shift == pytest.approx((x, 0), abs=0.1)


@pytest.mark.parametrize(("scale", "turn"), [(1.02, 0.0), (0.95, 0.0), (1.0, 2.0), (1.05, -3.0)])
def test_zoom_and_turn_are_those_of_the_camera(scale: float, turn: float) -> None:
    camera = camera_motion(sparse_flow(look(), look(scale=scale, turn=turn)), WIDTH, HEIGHT)
    assert camera is not None
    assert camera.scale == pytest.approx(scale, abs=0.002)
    assert camera.turn == pytest.approx(turn, abs=0.1)
    assert camera.shift == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize(
    "after", [look(x=5.5), look(scale=1.04), look(turn=2.5), look(y=30.0)], ids="xsty"
)
def test_nothing_is_left_of_a_still_scene_when_the_camera_is_undone(after: Picture) -> None:
    before = look()
    camera = camera_motion(sparse_flow(before, after), WIDTH, HEIGHT)
    assert magnitude(dense_flow(before, after))[INSIDE].mean() > 1
    assert magnitude(residual_flow(before, after, camera)).mean() < 0.1


@pytest.mark.parametrize("pan", [0.0, 2.0, 8.0])
def test_a_thing_is_left_that_moves_over_a_moving_scene(pan: float) -> None:
    square = Square(lambda time: (100 + 6 * time, 70), side=40)
    before = draw(look(), [square], 0)
    after = draw(look(pan), [square], 1)
    camera = camera_motion(sparse_flow(before, after), WIDTH, HEIGHT)
    flow = residual_flow(before, after, camera)
    # against the scene, which moves to the left by `pan`
    assert np.median(flow[75:105, 111:141], axis=(0, 1)) == pytest.approx((6 + pan, 0), abs=0.4)
    beside = np.ones((HEIGHT, WIDTH), bool)
    beside[50:130, 80:170] = False
    assert magnitude(flow)[beside].mean() < 0.1


def test_a_thing_before_a_plain_wall_is_no_camera() -> None:
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    square = Square(lambda time: (100 + 5 * time, 70), side=48)
    tracks = sparse_flow(draw(wall, [square], 0), draw(wall, [square], 1))
    assert len(tracks) >= 10
    assert camera_motion(tracks, WIDTH, HEIGHT) is None


def test_pictures_that_have_nothing_in_common_have_no_camera() -> None:
    assert camera_motion(sparse_flow(look(), look(500, 300)), WIDTH, HEIGHT) is None


def test_a_plain_picture_has_no_corners() -> None:
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    tracks = sparse_flow(wall, wall)
    assert (len(tracks), tracks.tried) == (0, 0)
    assert camera_motion(tracks, WIDTH, HEIGHT) is None


def test_of_two_motions_the_camera_is_that_of_most_points() -> None:
    random = np.random.default_rng(0)
    before = (random.random((200, 2)) * (WIDTH, HEIGHT)).astype(np.float32)
    after = before + np.where(np.arange(200)[:, None] < 140, (3, 1), (-9, 4)).astype(np.float32)
    camera = camera_motion(Tracks(before, after, 200), WIDTH, HEIGHT)
    assert camera is not None
    assert camera.shift == pytest.approx((3, 1), abs=1e-3)
    assert camera.agreement == pytest.approx(0.7)


@pytest.mark.parametrize("camera", [STILL_CAMERA, CameraMotion((4.0, -2.5), 1.1, -7.0)])
def test_a_camera_is_its_matrix(camera: CameraMotion) -> None:
    again = CameraMotion.of_matrix(camera.matrix(WIDTH, HEIGHT), WIDTH, HEIGHT)
    assert again.shift == pytest.approx(camera.shift)
    assert (again.scale, again.turn) == pytest.approx((camera.scale, camera.turn))
    flow = camera_flow(camera, WIDTH, HEIGHT)
    centre = flow[HEIGHT // 2 - 1 : HEIGHT // 2 + 1, WIDTH // 2 - 1 : WIDTH // 2 + 1]
    assert centre.mean(axis=(0, 1)) == pytest.approx(camera.shift, abs=1e-4)
    assert camera.largest_pixels(WIDTH, HEIGHT) == pytest.approx(magnitude(flow).max(), rel=1e-5)


def test_a_picture_follows_the_camera() -> None:
    moved, known = follow_camera(grey(look()), CameraMotion((20.0, 0.0), 1.0, 0.0))
    assert not known[:, :20].any()
    assert known[:, 20:].all()
    assert (moved[:, 20:] == grey(look())[:, :-20]).all()


def test_speed_does_not_depend_on_size_and_frame_rate() -> None:
    """A quarter of the width in a second, however it is filmed."""
    for width, seconds in ((320, 0.1), (640, 0.1), (640, 0.02)):
        flow = np.full((2, 2, 2), (0.25 * width * seconds, 0), np.float32)
        assert widths_per_second(flow, width, seconds)[0, 0] == pytest.approx((0.25, 0))
    with pytest.raises(ValueError, match="got 0 seconds"):
        widths_per_second(np.zeros((2, 2, 2), np.float32), 320, 0)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((1, 0), 0), ((1, -1), 1), ((0, -1), 2), ((-1, -1), 3), ((-1, 0), 4), ((-1, 1), 5),
     ((0, 1), 6), ((1, 1), 7), ((1, 0.3), 0)],
)  # fmt: skip
def test_directions_are_counted_as_they_are_seen(
    direction: tuple[float, float], expected: int
) -> None:
    flow = np.full((4, 5, 2), direction, np.float32)
    assert direction_histogram(flow).tolist() == [float(bin == expected) for bin in range(8)]


def test_longer_vectors_count_more_and_short_ones_can_be_left_out() -> None:
    flow = np.array([[(3, 0), (0, -1), (0, 0.2)]], np.float32)
    assert direction_histogram(flow, least=0.5)[[0, 2, 6]].tolist() == [0.75, 0.25, 0]
    assert direction_histogram(flow, least=9).tolist() == [0] * 8


def test_the_colours_are_those_of_the_wheel() -> None:
    """Baker et al. 2011: 55 hues, of which red is to the right; white is still."""
    flow = np.array([[(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (0.5, 0)]], np.float32)
    still, right, down, left, up, half = flow_picture(flow)[0].tolist()
    assert still == [255, 255, 255]
    assert right == [255, 0, 0]
    assert half == [255, 128, 128]
    assert down[0] > 200
    assert down[1] > 200
    assert down[2] == 0
    assert left[0] == 0
    assert min(left[1:]) > 150
    assert up[2] == 255
    assert up[1] < up[0] < 150
    assert flow_picture(flow, largest=0.5)[0, 1].tolist() == [191, 0, 0]  # beyond the wheel
    assert flow_picture(np.zeros((3, 4, 2), np.float32)).min() == 255


def test_hues_go_round_with_the_one_step_of_the_published_wheel() -> None:
    """From its last hue (255, 0, 43) to red, exactly to the right."""
    angles = np.linspace(-np.pi, np.pi, 2000)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[None].astype(np.float32)
    colours = flow_picture(ring, largest=1.0001)[0].astype(int)
    steps = np.sort(np.abs(np.diff(colours, axis=0)).max(axis=1))
    assert steps[-2] <= 4
    assert steps[-1] == pytest.approx(255 / 6, abs=1)


def test_pictures_must_be_pictures_of_one_size() -> None:
    with pytest.raises(ValueError, match="one size"):
        dense_flow(look(), look()[:100])
    with pytest.raises(ValueError, match=r"got float64 \(4, 4, 3\)"):
        grey(np.zeros((4, 4, 3)))  # type: ignore[arg-type] # the mistake that is tested
    with pytest.raises(ValueError, match=r"\(4, 4, 4\)"):
        grey(np.zeros((4, 4, 4), np.uint8))


def test_grey_is_made_smaller_and_never_larger() -> None:
    assert grey(texture(0, 640, 360), 320).shape == (180, 320)
    assert grey(texture(0, 100, 50), 320).shape == (50, 100)
