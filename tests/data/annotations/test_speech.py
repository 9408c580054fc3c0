"""Large sets, read row by row: WebVid, HowTo100M, YT-Temporal."""

from __future__ import annotations

import json
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from scenewise.data.annotations import files
from scenewise.data.annotations.registry import iter_annotations, read_annotations
from scenewise.data.rows import CaptionRow
from scenewise.errors import DataError
from scenewise.types import Segment


def put(folder: Path, name: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, "utf-8")


def test_webvid_names_a_clip_as_its_file(tmp_path: Path) -> None:
    put(
        tmp_path,
        "results_2M_val.csv",
        "videoid,contentUrl,duration,page_dir,name\n"
        '21,https://x/21.mp4,PT00H00M16S,006001_006050,"Close up, of a bee."\n'
        "22,https://x/22.mp4,PT00H00M16S,,A tree\n23,u,P,d, \n",
    )
    found = read_annotations("webvid", tmp_path, "val")
    assert found.rows == (
        CaptionRow("006001_006050/21", ("Close up, of a bee.",), id="21"),
        CaptionRow("22", ("A tree",), id="22"),
    )
    assert found.notes == ("1 of the texts are empty and left out",)
    assert tuple(iter_annotations("webvid", tmp_path, "val")) == found.rows


SAID = {"start": [0.5, 3, 9, 4], "end": [4.25, 5, 8, 6], "text": ["one", "two", "three", " "]}
ROWS = (
    CaptionRow("a", ("one",), Segment(0.5, 4.25)),
    CaptionRow("a", ("two",), Segment(3, 5)),
)


def test_howto100m_is_the_same_from_one_large_object_and_from_a_file_a_video(
    tmp_path: Path,
) -> None:
    put(tmp_path, "howto100m_videos.csv", "video_path\na.mp4\nb.webm\n")
    put(tmp_path, "a.json", SAID)
    apart = read_annotations("howto100m", tmp_path)
    assert apart.rows == ROWS
    assert apart.notes == (
        "1 of the spans have no length or end before they start, and are left out",
        "1 of the texts are empty and left out",
        "1 of the videos have no file of sentences and are left out",
    )
    put(tmp_path, "caption.json", {"c": SAID, "a": SAID})
    assert read_annotations("howto100m", tmp_path).rows == ROWS
    (tmp_path / "howto100m_videos.csv").unlink()
    put(tmp_path, "HowTo100M_v1.csv", "video_id,category_1,rank\na,Food,1\n")
    assert tuple(iter_annotations("howto100m", tmp_path)) == ROWS


def test_howto100m_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"looked for HowTo100M_v1\.csv"):
        read_annotations("howto100m", tmp_path)
    put(tmp_path, "caption.json", {"a": {**SAID, "end": [1]}})
    with pytest.raises(DataError, match="entry a: has 4 starts, 1 ends and 4 texts"):
        read_annotations("howto100m", tmp_path)
    put(tmp_path, "caption.json", {"a": {**SAID, "end": [1, 2, 3, None]}})
    assert len(read_annotations("howto100m", tmp_path)) == 1  # the fourth has no text to place
    put(tmp_path, "caption.json", {"a": {**SAID, "end": [None, 2, 3, 4]}})
    with pytest.raises(DataError, match="entry a: 'end' is None; allowed: a finite number"):
        read_annotations("howto100m", tmp_path)


def test_a_stream_holds_one_video_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held does not grow with the file."""
    monkeypatch.setattr(files, "_CHUNK", 1 << 14)
    peaks = []
    for videos in (200, 1000):
        entry = {"start": list(range(100)), "end": list(range(1, 101)), "text": ["word"] * 100}
        put(tmp_path, "caption.json", {f"v{n}": entry for n in range(videos)})
        tracemalloc.start()
        assert sum(1 for _ in iter_annotations("howto100m", tmp_path)) == videos * 100
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_yttemporal_cuts_speech_into_runs_of_words(tmp_path: Path) -> None:
    words = [{"word": f"w{n}", "time": 0.5 * n} for n in range(40)]
    line = {"info": {"id": "abc"}, "subtitles": words, "denoised": []}
    other = {"video_id": "xyz", **SAID}
    put(tmp_path, "yttemporal_train_000.jsonl", f"{json.dumps(line)}\n\n{json.dumps(other)}\n")
    rows = read_annotations("yttemporal", tmp_path).rows
    assert [row.span for row in rows[:2]] == [Segment(0, 16), Segment(16, 20.5)]
    assert rows[0].captions[0].split() == [f"w{n}" for n in range(32)]
    assert rows[2:] == tuple(CaptionRow("xyz", row.captions, row.span) for row in ROWS)
    with pytest.raises(DataError, match=r"looked for \*val\*\.jsonl"):
        read_annotations("yttemporal", tmp_path, "val")
    put(tmp_path, "train.jsonl", '{"subtitles": []}\n')
    with pytest.raises(DataError, match="line 1: has no 'info'"):
        read_annotations("yttemporal", tmp_path)


def test_what_was_odd_on_the_way_is_logged_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "caption.json", {"a": SAID})
    with caplog.at_level(logging.WARNING):
        rows = iter_annotations("howto100m", tmp_path)
        next(rows)
        assert caplog.messages == []
        list(rows)
    assert "howto100m, train: 1 of the texts are empty and left out" in caplog.messages
