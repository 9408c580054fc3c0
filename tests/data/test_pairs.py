"""Pairs of video and text from what lies with a video."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.pair_files import write_pairs
from scenewise.data.pairs import PairSettings, candidates, joined, loose_span, video_pairs
from scenewise.data.rows import CaptionRow
from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.media.film import FilmSettings, write_film
from scenewise.media.sidecars import SidecarFinder
from scenewise.media.subtitles import Cue, write_file
from scenewise.types import Segment


def film(path: Path, *, seconds: int = 4, title: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.zeros((32, 32, 3), np.uint8)
    plain = path.with_name(f"plain{path.suffix}") if title else path
    write_film(plain, [picture] * seconds, FilmSettings(frame_rate=Fraction(1)))
    if title:
        with av.open(str(plain)) as old, av.open(str(path), "w") as new:
            new.metadata["title"] = title
            copy = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    new.mux(packet)
        plain.unlink()
    return path


def pairs(path: Path, **settings: object) -> tuple[CaptionRow, ...]:
    chosen = PairSettings(**settings)  # type: ignore[arg-type]
    return video_pairs(path, path.name, chosen, SidecarFinder())


def test_the_name_of_a_file_is_its_text_where_there_is_no_other(tmp_path: Path) -> None:
    assert pairs(film(tmp_path / "a_red_car-drives.mp4")) == (
        CaptionRow("a_red_car-drives.mp4", ("a red car drives",)),
    )
    assert pairs(film(tmp_path / "IMG_0001.mp4")) == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_title_of_the_container_goes_before_the_name(tmp_path: Path, suffix: str) -> None:
    (row,) = pairs(film(tmp_path / f"some other name{suffix}", title="Two dogs at play"))
    assert row.captions == ("Two dogs at play",)


def test_files_beside_a_video_speak_for_it(tmp_path: Path) -> None:
    path = film(tmp_path / "x y z.mp4", title="Not this one")
    about = {"title": "Cooking with fire", "description": "We cook it all.\n\nLinks: https://a.b"}
    (tmp_path / "x y z.info.json").write_text(json.dumps(about), "utf-8")
    (tmp_path / "x y z.txt").write_bytes("﻿A pan on a stove\r\n\r\nToo short\r\n".encode())
    (row,) = pairs(path)
    assert row.captions == ("Cooking with fire", "A pan on a stove", "We cook it all.")
    (row,) = pairs(path, min_words=4)
    assert row.captions == ("A pan on a stove", "We cook it all.")


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_broken_sidecar_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(UnreadableMediaError, match=r"a\.json: is no"):
        pairs(film(tmp_path / "a.mp4"))


def test_subtitles_become_spans(tmp_path: Path) -> None:
    path = film(tmp_path / "0.mp4", seconds=20)
    cues = [
        Cue(0, 2, "[Music]"),
        Cue(1, 4, "first we take"),
        Cue(4, 6, "JOHN: two eggs"),
        Cue(8, 14, "and then some flour"),
        Cue(15, 16, "thanks"),
        Cue(19, 24, "see you next time"),
        Cue(30, 31, "after the very end"),
    ]
    write_file(tmp_path / "0.srt", cues)
    assert pairs(path, span_seconds=7.0) == (
        CaptionRow("0.mp4", ("first we take two eggs",), Segment(1, 6)),
        CaptionRow("0.mp4", ("and then some flour",), Segment(8, 14)),
        CaptionRow("0.mp4", ("see you next time",), Segment(19, 20)),
    )


def test_a_language_is_chosen_beside_and_inside(tmp_path: Path) -> None:
    path = film(tmp_path / "0.mp4", seconds=4)
    write_file(tmp_path / "0.de.srt", [Cue(0, 2, "ein Hund läuft schnell")])
    write_file(tmp_path / "0.en.srt", [Cue(0, 2, "a dog runs fast")])
    assert pairs(path)[0].captions == ("ein Hund läuft schnell",)
    assert pairs(path, language="en-US")[0].captions == ("a dog runs fast",)
    assert pairs(path, language="fr") == ()


@pytest.mark.shared
def test_subtitles_inside_a_video_are_read(shared_dir: Path) -> None:
    folder = shared_dir / "media" / "format"
    rows = pairs(folder / "w3c__web-platform-tests__vp8-vorbis-webvtt.webm", min_words=1)
    assert any(row.span is not None for row in rows)


CUES = st.lists(st.tuples(st.floats(0, 5), st.floats(0.5, 20)), max_size=12).map(
    lambda steps: [
        Cue(start, start + length, f"w{number}")
        for number, (start, length) in enumerate(
            (sum(gap for gap, _ in steps[: n + 1]), length) for n, (_, length) in enumerate(steps)
        )
    ]
)


@given(CUES, st.floats(1, 30), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_spans_hold_every_cue_in_order_and_no_more_time_than_allowed(
    cues: list[Cue], length: float, overlap: float
) -> None:
    spans = joined(cues, length, overlap)
    said = [text.split() for _, text in spans]
    assert {word for words in said for word in words} == {cue.text for cue in cues}
    if overlap == 0:
        assert [word for words in said for word in words] == [cue.text for cue in cues]
    times = {cue.text: cue for cue in cues}
    for (span, _), words in zip(spans, said, strict=True):
        assert span.start == times[words[0]].start
        assert span.end == max(times[word].end for word in words)
        assert span.duration <= length + 1e-9 or len(words) == 1
    starts = [span.start for span, _ in spans]
    assert starts == sorted(starts)


def test_overlapping_spans_share_what_is_said_in_the_shared_part() -> None:
    cues = [Cue(n, n + 1, f"w{n}") for n in range(8)]
    assert joined(cues, 4, 0.5) == [
        (Segment(0, 4), "w0 w1 w2 w3"),
        (Segment(2, 6), "w2 w3 w4 w5"),
        (Segment(4, 8), "w4 w5 w6 w7"),
    ]


@given(st.floats(0, 50), st.floats(0.1, 50), st.integers())
def test_a_loose_span_overlaps_its_text_and_lies_in_the_video(
    start: float, length: float, seed: int
) -> None:
    text = Segment(start, start + length)
    span = loose_span(text, 100.0, Random(seed))
    assert 0 <= span.start < span.end <= 100
    assert span.start <= text.end
    assert span.end >= text.start
    assert span.duration <= 32
    # shorter than three seconds only where the video ends
    assert span.duration >= 3 - 1e-9 or span.start == 0 or span.end == 100


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=12), st.integers(1, 6), st.data())
def test_candidates_are_a_run_around_a_text_that_is_near_in_time(
    gaps: list[float], count: int, data: st.DataObject
) -> None:
    starts = np.cumsum(gaps).tolist()
    spans = [Segment(at, at + 0.05) for at in starts]
    number = data.draw(st.integers(0, len(spans) - 1))
    run = candidates(spans, number, count)
    assert number in run
    assert len(run) == min(count, len(spans))
    if len(run) > 1:  # the outer one of a side was nearer than what was left on the other
        assert candidates(spans, number, len(run) - 1).start >= run.start


def test_candidates_take_the_nearer_side() -> None:
    spans = [Segment(at, at + 1) for at in (0, 10, 12, 14, 30)]
    assert candidates(spans, 2, 1) == range(2, 3)
    assert candidates(spans, 1, 2) == range(1, 3)
    assert candidates(spans, 2, 3) == range(1, 4)
    assert candidates(spans, 0, 3) == range(3)
    assert candidates(spans, 4, 2) == range(3, 5)
    assert candidates(spans, 2, 99) == range(5)


@pytest.mark.parametrize(
    "wrong", [{"min_words": 0}, {"span_seconds": 0}, {"overlap": 1.0}, {"overlap": -0.1}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        PairSettings(**wrong)  # type: ignore[arg-type]


def test_the_file_is_what_the_reader_of_json_lines_reads(tmp_path: Path) -> None:
    videos = [film(tmp_path / "b" / "a cat sleeps now.mp4"), film(tmp_path / "ein süßer Hund.mp4")]
    write_file(tmp_path / "ein süßer Hund.vtt", [Cue(0.1234, 2, "so ein süßer Hund")])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    target = tmp_path / "pairs.jsonl"
    report = write_pairs([*videos, broken], tmp_path, target, PairSettings())
    assert (report.videos, report.pairs, report.silent) == (3, 3, 0)
    assert [Path(failure.path).name for failure in report.failed] == ["broken.mp4"]
    first = target.read_bytes()
    assert read_annotations("jsonl", target).rows == (
        CaptionRow("b/a cat sleeps now.mp4", ("a cat sleeps now",)),
        CaptionRow("ein süßer Hund.mp4", ("ein süßer Hund",)),
        CaptionRow("ein süßer Hund.mp4", ("so ein süßer Hund",), Segment(0.123, 2)),
    )
    write_pairs([*videos, broken], tmp_path, target, PairSettings())
    assert target.read_bytes() == first


def test_where_there_is_no_pair_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "pairs.jsonl"
    report = write_pairs([film(tmp_path / "0.mp4")], tmp_path, target, PairSettings())
    assert (report.pairs, report.silent) == (0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["0.mp4"]
