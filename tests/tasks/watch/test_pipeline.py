"""From streams to events: what comes out, in time, and what happens to the rest."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import COLOURS, ColourEncoder
from PIL import Image
from square_detector import SquareDetector
from stream_servers import rtsp_server

from scenewise.encoders.detectors import DetectedBox
from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import EncoderError, MediaError
from scenewise.index.calibration import Calibrator
from scenewise.media.film import FilmSettings, Sound, write_film
from scenewise.media.live_sources import LiveOptions, parse_source
from scenewise.media.motion import MovingBox
from scenewise.tasks.watch.counters import WatchFigures
from scenewise.tasks.watch.detectors import Detectors
from scenewise.tasks.watch.intake import Senses
from scenewise.tasks.watch.machines import arm
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.occurrences import iso_utc
from scenewise.tasks.watch.options import SaveOptions
from scenewise.tasks.watch.pipeline import Pipeline, WatchedSource, WatchOptions
from scenewise.tasks.watch.rule import Rule
from scenewise.types import Event
from scenewise.types import Sound as Heard

RATE = 20
FAST = LiveOptions(fast=True)


def write_scenes(
    path: Path, scenes: Sequence[tuple[str, float]], sound: Sound | None = None
) -> Path:
    """One colour after another, each for some seconds; a keyframe each half second."""
    pictures = []
    for colour, seconds in scenes:
        code = COLOURS.index(colour)
        rgb = [255 * (code >> shift & 1) for shift in (2, 1, 0)]
        pictures += [np.full((48, 64, 3), rgb, np.uint8)] * round(seconds * RATE)
    settings = FilmSettings(frame_rate=Fraction(RATE), gop=10, b_frames=0)
    write_film(path, pictures, settings, sound=sound)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blue for a second, red for a second, green for a second."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.mp4"
    return write_scenes(path, [("blue", 1), ("red", 1), ("green", 1)])


class Sees:
    """A rule that raises each time its colour begins to be seen."""

    def __init__(self, colour: str) -> None:
        self.name = colour
        self.seen: list[Observation] = []
        self._before = False
        self._count = 0

    def update(self, seen: Observation) -> tuple[Event, ...]:
        self.seen.append(seen)
        now = int(seen.features.vectors[0].argmax()) == COLOURS.index(self.name)
        begins, self._before = now and not self._before, now
        if not begins:
            return ()
        self._count += 1
        name = f"{seen.source}-{self.name}-{self._count}"
        return (Event(name, self.name, seen.source, seen.time, iso_utc(seen.wall), 1.0),)


class Collects:
    """A sink that keeps what it was handed."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, Path | None, Path | None]] = []
        self.closed = False

    def send(self, event: Event, snapshot: Path | None, clip: Path | None) -> None:
        self.events.append((event, snapshot, clip))

    def close(self, timeout_seconds: float) -> None:
        self.closed = True


class SlowEncoder(ColourEncoder):
    """A network that takes 0.3 s a call."""

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        time.sleep(0.3)
        return super().encode_windows(frames)


def watched(address: str | Path, *machines: Sees, live: LiveOptions = FAST) -> WatchedSource:
    return WatchedSource(parse_source(str(address), live), machines)


def brief(events: Sequence[Event]) -> list[tuple[str, str, float]]:
    return [(event.source, event.rule, round(event.time, 3)) for event in events]


def test_a_recording_raises_at_the_instants_that_show_it(film: Path) -> None:
    encoder = ColourEncoder("colours")
    red, green = Sees("red"), Sees("green")
    pipeline = Pipeline([watched(f"cam={film}", red, green)], encoder, WatchOptions(4, FAST))
    assert brief(list(pipeline.events())) == [("cam", "red", 1.0), ("cam", "green", 2.0)]
    assert [seen.time for seen in red.seen] == pytest.approx([number / 4 for number in range(12)])
    (figures,) = pipeline.figures().sources
    assert (figures.frames_in, figures.analysed, figures.dropped) == (60, 12, 0)
    assert (figures.state, figures.events) == ("ended", 2)
    assert pipeline.figures().delay.count == 2


def test_streams_share_one_encoder_and_keep_their_own_rules(film: Path, tmp_path: Path) -> None:
    other = write_scenes(tmp_path / "other.mp4", [("red", 0.5), ("blue", 1)])
    encoder = ColourEncoder("colours")
    pipeline = Pipeline(
        [watched(f"a={film}", Sees("red")), watched(f"b={other}", Sees("blue"), Sees("red"))],
        encoder,
        WatchOptions(4, FAST),
    )
    events = sorted(brief(list(pipeline.events())))
    assert events == [("a", "red", 1.0), ("b", "blue", 0.5), ("b", "red", 0.0)]
    assert sum(encoder.batches) == 12 + 6
    assert max(encoder.batches) > 1


def test_an_encoder_of_clips_gets_clips(film: Path) -> None:
    """Four frames over two seconds: the first window is complete after four of them."""
    red = Sees("red")
    pipeline = Pipeline(
        [watched(film, red)],
        ColourEncoder("colour-clips", frames_per_window=4),
        WatchOptions(1, FAST),
    )
    list(pipeline.events())
    assert [seen.time for seen in red.seen] == pytest.approx([1.5, 2.0])


def test_with_a_slow_network_instants_are_dropped_and_none_is_stale(tmp_path: Path) -> None:
    scenes = [(colour, 0.5) for colour in ("red", "blue", "red", "green", "red", "blue")]
    film = write_scenes(tmp_path / "quick.mp4", scenes)
    red, delays = Sees("red"), []
    pipeline = Pipeline(
        [watched(film, red, live=LiveOptions())], SlowEncoder("colours"), WatchOptions(10)
    )
    for event in pipeline.events():
        delays.append(time.time() - red.seen[-1].wall)
        assert event.rule == "red"
        assert event.delay_seconds is not None
        assert event.delay_seconds >= 0.3  # the call itself
    (figures,) = pipeline.figures().sources
    assert len(delays) >= 2
    assert max(delays) < 1.0  # waiting for the call before, and the call itself
    assert figures.dropped > 5
    assert figures.analysed + figures.dropped == pytest.approx(30, abs=2)


def test_what_moved_and_sounded_comes_with_the_next_instant(tmp_path: Path) -> None:
    tone = np.zeros((1, 44_100 * 2), np.float32)
    film = write_scenes(tmp_path / "loud.mkv", [("red", 2)], Sound(tone))

    class Follows:
        def add(self, image: npt.NDArray[np.uint8], time: float) -> tuple[MovingBox, ...]:
            assert image.shape[2] == 3
            return (MovingBox(round(time * 100), 0, 0, 1, 1, (0, 0)),)

    class Hears:
        ongoing: tuple[Heard, ...] = ()

        def add(self, samples: npt.NDArray[np.float32], start_time: float) -> tuple[Heard, ...]:
            return (Heard("onset", start_time, start_time + len(samples) / 16_000, 1.0),)

    red = Sees("red")
    options = WatchOptions(1, FAST, Senses(Follows, Hears))
    list(Pipeline([watched(film, red)], ColourEncoder("colours"), options).events())
    first, second = red.seen
    tracks = [box.track for box in (*first.moving, *second.moving)]
    assert tracks == sorted(set(tracks))
    assert 5 <= len(second.moving) <= 7
    heard = sorted((*first.sounds, *second.sounds), key=lambda sound: sound.start)
    assert heard[0].start == pytest.approx(0.0, abs=0.05)
    for one, other in pairwise(heard):
        assert other.start == pytest.approx(one.end)


def test_events_leave_a_picture_and_a_clip(film: Path, tmp_path: Path) -> None:
    sink = Collects()
    save = SaveOptions(tmp_path / "saved", before_seconds=0.6, after_seconds=0.4)
    pipeline = Pipeline(
        [watched(f"front door={film}", Sees("red"))],
        ColourEncoder("colours"),
        WatchOptions(4, FAST, save=save),
        sinks=[sink],
    )
    (event,) = pipeline.events()
    assert sink.closed
    ((sent, snapshot, clip),) = sink.events
    assert sent == event
    assert (event.snapshot, event.clip) == (str(snapshot), str(clip))
    assert event.snapshot is not None
    assert event.clip is not None
    assert "_front-door_red_" in event.clip
    picture = np.asarray(Image.open(event.snapshot))
    assert picture.mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=8)
    with av.open(event.clip) as file:
        colours = [
            int(f.to_ndarray(format="rgb24").mean(axis=(0, 1)).argmax())
            for f in file.decode(video=0)
        ]
    # from the keyframe before 0.4 s to 1.4 s: blue, then red from second 1 on
    assert colours == [2] * 20 + [0] * 8
    assert len(list((tmp_path / "saved").iterdir())) == 2


def test_a_clip_whose_stream_ends_is_shorter(film: Path, tmp_path: Path) -> None:
    save = SaveOptions(tmp_path, before_seconds=0.1, after_seconds=60)
    options = WatchOptions(4, FAST, save=save)
    pipeline = Pipeline([watched(film, Sees("green"))], ColourEncoder("colours"), options)
    (event,) = pipeline.events()
    assert event.clip is not None
    with av.open(event.clip) as file:
        assert sum(1 for _ in file.decode(video=0)) == 30  # from the keyframe at 1.5 s


def test_a_server_that_is_killed_and_comes_back_loses_no_event(
    tmp_path: Path, rtsp_python: str
) -> None:
    """Red for a while in each round of 1.5 s: an event each round, in both lives of the server."""
    film = write_scenes(tmp_path / "round.mp4", [("blue", 1), ("red", 0.5)])
    live = LiveOptions(first_pause_seconds=0.1, longest_pause_seconds=0.2)
    red = Sees("red")
    with rtsp_server(film) as server:
        pipeline = Pipeline(
            [watched(f"cam={server.url()}", red, live=live)],
            ColourEncoder("colours"),
            WatchOptions(8),
        )
        events = pipeline.events()
        before = list(islice(events, 2))
        server.kill()
        server.start()
        after = list(islice(events, 2))
        events.close()
    ids = [event.id for event in (*before, *after)]
    assert len(set(ids)) == 4
    times = [event.time for event in (*before, *after)]
    assert times == sorted(times)
    for first, second in (before, after):
        assert second.time - first.time == pytest.approx(1.5, abs=0.25)
    (figures,) = pipeline.figures().sources
    assert figures.connections == 2


def test_a_stop_ends_the_line_within_two_seconds_also_before_a_frozen_server(
    tmp_path: Path, rtsp_python: str
) -> None:
    film = write_scenes(tmp_path / "round.mp4", [("blue", 0.5), ("red", 0.5)])
    live = LiveOptions(read_timeout_seconds=20)
    with rtsp_server(film) as server:
        pipeline = Pipeline(
            [watched(server.url(), Sees("red"), live=live)],
            ColourEncoder("colours"),
            WatchOptions(8),
        )
        events = pipeline.events()
        next(events)
        server.freeze()
        begin = time.monotonic()
        threading.Timer(0.2, pipeline.stop.set).start()
        list(events)
        assert time.monotonic() - begin < 2.5


def test_what_is_under_way_comes_out_after_a_stop(film: Path) -> None:
    sink = Collects()
    pipeline = Pipeline(
        [watched(film, Sees("red"))], SlowEncoder("colours"), WatchOptions(4, FAST), sinks=[sink]
    )
    events = pipeline.events()
    threading.Timer(0.35, pipeline.stop.set).start()
    out = list(events)
    assert out == [event for event, _, _ in sink.events]
    assert sink.closed


def test_a_rule_that_fails_ends_the_watch_with_its_error(film: Path) -> None:
    class Fails(Sees):
        def update(self, seen: Observation) -> tuple[Event, ...]:
            raise EncoderError("no such concept")

    pipeline = Pipeline(
        [watched(film, Fails("red"))], ColourEncoder("colours"), WatchOptions(20, FAST)
    )
    with pytest.raises(EncoderError, match="no such concept"):
        list(pipeline.events())


def test_a_network_that_does_not_run_ends_the_watch(film: Path) -> None:
    class Broken(ColourEncoder):
        def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
            raise EncoderError("the network does not run")

    pipeline = Pipeline([watched(film, Sees("red"))], Broken("colours"), WatchOptions(20, FAST))
    with pytest.raises(EncoderError, match="the network does not run"):
        list(pipeline.events())


def test_a_stream_that_fails_does_not_end_the_others(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing of a film" * 100)
    pipeline = Pipeline(
        [watched(broken, Sees("red")), watched(f"cam={film}", Sees("red"))],
        ColourEncoder("colours"),
        WatchOptions(4, FAST),
    )
    events = pipeline.events()
    assert brief([next(events)]) == [("cam", "red", 1.0)]
    with pytest.raises(MediaError, match=r"broken\.mp4: not readable as a video"):
        next(events)
    states = [source.state for source in pipeline.figures().sources]
    assert states == ["failed", "ended"]


def test_figures_are_told_now_and_then_and_at_the_end(film: Path) -> None:
    told: list[WatchFigures] = []
    options = WatchOptions(4, LiveOptions(), report_seconds=0.5)
    pipeline = Pipeline(
        [watched(film, Sees("red"), live=LiveOptions())],
        ColourEncoder("colours"),
        options,
        report=told.append,
    )
    list(pipeline.events())
    assert len(told) >= 5
    counts = [figures.sources[0].frames_in for figures in told]
    assert counts == sorted(counts)
    assert counts[-1] == 60
    assert told[-1].to_dict()["sources"][0]["events"] == 1


def resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_stream(tmp_path: Path) -> None:
    """A minute of a camera's day, many times over, with clips kept ready all the time."""

    sizes: list[tuple[float, int]] = []

    class Measures(Sees):
        def update(self, seen: Observation) -> tuple[Event, ...]:
            if seen.time >= 10 * len(sizes):
                sizes.append((seen.time, resident_bytes()))
            return ()

    options = WatchOptions(2, FAST, save=SaveOptions(tmp_path))
    source = watched("lavfi:testsrc=size=160x120:rate=10:duration=900", Measures("red"))
    pipeline = Pipeline([source], ColourEncoder("colours"), options)
    assert list(pipeline.events()) == []
    middle = [size for at, size in sizes if 300 <= at < 600]
    last = [size for at, size in sizes if at >= 600]
    assert len(middle) == len(last) == 30
    assert np.mean(last) - np.mean(middle) < 3 << 20  # a single picture a second would be 17 MB


def test_the_picture_of_an_event_is_written_whole(film: Path, tmp_path: Path) -> None:
    options = WatchOptions(4, FAST, save=SaveOptions(tmp_path, clips=False))
    (event,) = Pipeline([watched(film, Sees("red"))], ColourEncoder("colours"), options).events()
    assert event.clip is None
    assert event.snapshot is not None
    Image.open(io.BytesIO(Path(event.snapshot).read_bytes())).load()


class Lingers(Collects):
    """A sink whose far end takes its time when it is closed; the last ones wait for the first."""

    def __init__(self, meeting: threading.Barrier) -> None:
        super().__init__()
        self._meeting = meeting

    def close(self, timeout_seconds: float) -> None:
        self._meeting.wait(timeout_seconds)
        super().close(timeout_seconds)


def test_sinks_are_closed_side_by_side(film: Path) -> None:
    """Three that end only together: one after another, none of them would end."""
    meeting = threading.Barrier(3)
    sinks = [Lingers(meeting) for _ in range(3)]
    watch = [watched(f"cam={film}", Sees("red"))]
    pipeline = Pipeline(watch, ColourEncoder("colours"), WatchOptions(4, FAST), sinks=sinks)
    assert len(list(pipeline.events())) == 1
    assert [sink.closed for sink in sinks] == [True] * 3


def test_a_sink_that_cannot_be_closed_is_told_and_the_others_are(film: Path) -> None:
    class Breaks(Collects):
        def close(self, timeout_seconds: float) -> None:
            raise MediaError("the far end is broken")

    other = Collects()
    watch = [watched(f"cam={film}", Sees("red"))]
    options = WatchOptions(4, FAST)
    pipeline = Pipeline(watch, ColourEncoder("colours"), options, sinks=[Breaks(), other])
    with pytest.raises(MediaError, match="the far end is broken"):
        list(pipeline.events())
    assert other.closed


class SlowDetector(SquareDetector):
    """A network that takes 0.3 s a picture."""

    def detect(
        self, pictures: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str], least: float
    ) -> list[tuple[DetectedBox, ...]]:
        time.sleep(0.3 * len(pictures))
        return super().detect(pictures, labels, least)


def test_a_slow_detector_sees_the_newest_of_each_stream_and_the_rest_is_dropped() -> None:
    """Ten instants a second of two streams, of which it can take three in all."""
    rule = Rule(name="red", detect=("red",), detector="d")
    detectors = Detectors([rule], lambda _: SlowDetector())
    encoder = ColourEncoder("colours")
    watch = [
        WatchedSource(
            parse_source(f"{name}=lavfi:color=red:size=64x48:rate=10", LiveOptions()),
            [arm(rule, encoder, Calibrator(encoder), None, name, detectors)],
        )
        for name in ("a", "b")
    ]
    stop = threading.Event()
    threading.Timer(4.0, stop.set).start()
    pipeline = Pipeline(watch, encoder, WatchOptions(10.0), stop=stop, detectors=detectors)
    events = list(pipeline.events())
    assert sorted(event.source for event in events) == ["a", "b"]
    assert all(event.boxes[0].label == "red" for event in events)
    figures = pipeline.figures()
    assert all(source.analysed >= 3 for source in figures.sources)
    assert all(source.dropped >= source.analysed for source in figures.sources)
    assert figures.delay.largest is not None
    assert figures.delay.largest < 2.0  # a queue of ten a second would be four seconds behind
