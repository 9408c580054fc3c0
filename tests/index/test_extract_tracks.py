"""Indexing text: what is read when, what is read again, and what a failure costs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_encoder import ColourEncoder, load_colours
from colour_films import write_colours

from benchmarks.text_films import Shown, write_text_film
from scenewise.errors import EncoderError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.extract_tracks import TrackExtractor
from scenewise.index.track_plan import TrackPlan
from scenewise.library import Library
from scenewise.media import ocr, speech, subtitles
from scenewise.types import IndexReport

SRT = "1\n00:00:00,200 --> 00:00:00,900\n{}\n"


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stock")
    write_text_film(folder / "news.mp4", [Shown(0.0, 0.5, "Breaking news")], 1.0)
    write_colours(folder / "red.mp4", [("red", 1.0)])
    return folder


@pytest.fixture
def films(stock: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stock, tmp_path / "films"))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as opened:
        yield opened


def texts(library: Library, name: str) -> list[tuple[str, str]]:
    with Catalog.open(library.directory) as catalog:
        generation = catalog.active()
        assert generation is not None
        chunk = catalog.chunk_of(generation.id, catalog.resolve(name))
        assert chunk is not None
        return [(line.kind, line.text) for line in catalog.texts(chunk)]


def did(report: IndexReport) -> tuple[int, int, int, dict[str, int]]:
    return report.indexed, report.unchanged, report.tracked, report.tracks


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows whenever the encoder is run."""
    seen: list[int] = []
    original = ColourEncoder.encode_windows

    def counted(self: ColourEncoder, frames: Any) -> Any:
        seen.append(len(frames))
        return original(self, frames)

    monkeypatch.setattr(ColourEncoder, "encode_windows", counted)
    return seen


def test_text_is_read_when_asked_for_and_from_then_on(
    library: Library, films: Path, stock: Path, batches: list[int]
) -> None:
    assert did(library.index(films, workers=1)) == (2, 0, 0, {"sound": 2, "subtitle": 2})
    assert texts(library, "news.mp4") == []

    batches.clear()
    later = library.index(films, workers=1, text="ocr")
    assert did(later) == (0, 2, 2, {"ocr": 2})
    assert batches == []  # not decoded for the encoder again
    assert texts(library, "news.mp4") == [("ocr", "Breaking news")]
    assert texts(library, "red.mp4") == []

    assert did(library.index(films, workers=1)) == (0, 2, 0, {})
    shutil.copy(stock / "red.mp4", films / "red2.mp4")  # the same content is known
    write_colours(films / "blue.mp4", [("blue", 1.0)])
    plain = library.index(films, workers=1)
    assert did(plain) == (1, 2, 0, {"ocr": 1, "sound": 1, "subtitle": 1})

    library.index(films, workers=1, text="none")
    write_colours(films / "green.mp4", [("green", 1.0)])
    assert did(library.index(films, workers=1))[3] == {"sound": 1, "subtitle": 1}
    assert texts(library, "news.mp4") == [("ocr", "Breaking news")]  # what was read stays


def test_a_dry_run_counts_and_keeps_no_setting(library: Library, films: Path) -> None:
    library.index(films, workers=1)
    assert library.index(films, text="ocr", dry_run=True).tracked == 2
    assert library.index(films, workers=1).tracked == 0


def test_an_edited_subtitle_file_alone_is_noticed(
    library: Library, films: Path, batches: list[int]
) -> None:
    sidecar = films / "red.srt"
    sidecar.write_text(SRT.format("first words"), "utf-8")
    library.index(films, workers=1)
    batches.clear()
    assert texts(library, "red.mp4") == [("subtitle", "first words")]

    sidecar.write_text(SRT.format("other words"), "utf-8")
    assert did(library.index(films, workers=1)) == (0, 2, 1, {"subtitle": 1})
    assert texts(library, "red.mp4") == [("subtitle", "other words")]

    (films / "news.en.srt").write_text(SRT.format("added"), "utf-8")
    assert library.index(films, workers=1).tracked == 1
    assert texts(library, "news.mp4") == [("subtitle", "added")]

    sidecar.unlink()
    assert library.index(films, workers=1).tracked == 1
    assert texts(library, "red.mp4") == []
    assert batches == []
    assert library.index(films, workers=1).tracked == 0


def test_a_content_in_two_places_has_the_text_beside_both(library: Library, films: Path) -> None:
    (films / "copy").mkdir()
    shutil.copy(films / "red.mp4", films / "copy" / "red.mp4")
    (films / "red.srt").write_text(SRT.format("here"), "utf-8")
    (films / "copy" / "red.srt").write_text(SRT.format("there!"), "utf-8")
    for _ in range(2):
        library.index(films, workers=1)
    assert sorted(texts(library, "red.mp4")) == [("subtitle", "here"), ("subtitle", "there!")]
    assert library.index(films, workers=1).tracked == 0


def test_moving_a_video_with_its_subtitles_reads_nothing_again(
    library: Library, films: Path
) -> None:
    (films / "red.srt").write_text(SRT.format("words"), "utf-8")
    library.index(films, workers=1)
    (films / "deep").mkdir()
    for name in ("red.mp4", "red.srt"):
        (films / name).rename(films / "deep" / name)
    for _ in range(2):
        assert library.index(films, workers=1).tracked == 0
    assert texts(library, "red.mp4") == [("subtitle", "words")]


def test_reindex_keeps_what_was_read(
    library: Library, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(films, workers=1, text="ocr")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(ocr.TextReader, "read", never)
    library.reindex(fps=1, workers=1)
    assert texts(library, "news.mp4") == [("ocr", "Breaking news")]
    assert library.index(films, workers=1).tracked == 0  # nor afterwards


def test_a_track_that_fails_costs_itself_and_a_warning(
    library: Library, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a tensor has no shape")

    with monkeypatch.context() as patch:
        patch.setattr(ocr.TextReader, "read", broken)
        report = library.index(films, workers=1, text="ocr")
    assert report.indexed == 2
    assert not report.failed
    assert report.tracks == {"sound": 2, "subtitle": 2}
    assert "its on-screen text cannot be read" in report.damaged[0].reason
    assert library.index(films, workers=1).tracked == 0  # not tried at every run
    again = library.index(films, workers=1, retry_failed=True)
    assert did(again) == (0, 2, 2, {"ocr": 2})
    assert texts(library, "news.mp4") == [("ocr", "Breaking news")]


def test_broken_subtitles_cost_only_themselves(
    library: Library, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtitles, "_MAX_FILE_BYTES", 10)
    (films / "red.srt").write_text(SRT.format("far too long"), "utf-8")
    report = library.index(films, workers=1)
    assert report.indexed == 2
    assert "its subtitles cannot be read" in report.damaged[0].reason


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_cannot_be_loaded_ends_the_run_before_anything_is_decoded(
    library: Library,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batches: list[int],
    workers: int,
) -> None:
    for name in ("config.json", "tokenizer.json", "model.bin"):
        (tmp_path / "whisper").mkdir(exist_ok=True)
        (tmp_path / "whisper" / name).write_text("{}")
    with pytest.raises(EncoderError, match="cannot be loaded") as error:
        library.index(films, workers=workers, text="speech", speech_model=tmp_path / "whisper")
    assert "\n" not in str(error.value)
    assert batches == []
    assert library.videos() == []
    # a wish that cannot be met is not kept either
    assert library.index(films, workers=1).tracks == {"sound": 2, "subtitle": 2}


def test_bad_wishes_are_refused_before_a_library_is_made(library: Library, films: Path) -> None:
    with pytest.raises(UsageError, match="none comes with scenewise"):
        library.index(films, text="speech")
    with pytest.raises(UsageError, match=r"config\.json is missing"):
        library.index(films, text="speech", speech_model=films)
    assert not library.directory.exists()


def test_speech_goes_into_the_library(
    library: Library, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard:
        def __init__(self, model: str, language: str | None, threads: int) -> None:
            assert (model, language) == ("org/model", "en")

        def read(self, path: Path) -> list[tuple[float, float, str]]:
            raise AssertionError("these films have no sound")

    monkeypatch.setattr(speech, "SpeechReader", Heard)
    report = library.index(
        films, workers=1, text="speech", speech_model="org/model", speech_language="en"
    )
    assert report.tracks == {"sound": 2, "speech": 2, "subtitle": 2}
    assert report.damaged == ()


def test_workers_read_what_this_process_reads(library: Library, films: Path) -> None:
    library.index(films, workers=2)
    report = library.index(films, workers=2, text="ocr")
    assert did(report) == (0, 2, 2, {"ocr": 2})
    assert texts(library, "news.mp4") == [("ocr", "Breaking news")]


def test_stats_count_the_videos_with_text(library: Library, films: Path) -> None:
    (films / "red.srt").write_text(SRT.format("words"), "utf-8")
    library.index(films, workers=1, text="ocr")
    assert library.stats().tracks == {"ocr": 1, "subtitle": 1}


def test_an_extractor_makes_all_tracks_of_its_plan(films: Path) -> None:
    from scenewise.media.probe import probe

    path = films / "news.mp4"
    tracks = TrackExtractor(TrackPlan(ocr_fps=2.0)).extract(path, probe(path))
    assert [track.kind for track in tracks] == ["subtitle", "sound", "ocr"]
    assert [line.text for line in tracks[2].texts] == ["Breaking news"]
    only = TrackExtractor(TrackPlan(ocr_fps=2.0)).extract(path, probe(path), ["ocr"])
    assert only == tracks[2:]


# ---- a run that is ended

_SLOW_RUN = """
import sys, time
from pathlib import Path
from colour_encoder import load_colours
from scenewise.library import Library
from scenewise.media import ocr

read = ocr.TextReader.read
def slowly(self, path, *, fps):
    lines = read(self, path, fps=fps)
    Path(sys.argv[3]).joinpath(Path(path).name).touch()
    time.sleep(0.4)
    return lines
ocr.TextReader.read = slowly
with Library.open(sys.argv[1], encoder="colours", load=load_colours) as library:
    report = library.index(sys.argv[2], workers=1, text="ocr")
    print(report.interrupted, report.tracked)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_goes_on_where_it_was(
    library: Library, films: Path, tmp_path: Path, how: signal.Signals
) -> None:
    for number in range(4):
        text = [Shown(0.0, 0.5, f"Page {number}", (20, 60))]
        write_text_film(films / f"page{number}.mp4", text, 0.5, size=(320, 180))
    library.index(films, workers=1)
    marks = tmp_path / "marks"
    marks.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", _SLOW_RUN, str(library.directory), str(films), str(marks)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(list(marks.iterdir())) < 3 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(how)
    said, _ = child.communicate(timeout=60)
    stats = library.stats()
    before = _read_by(library)
    assert 2 <= len(before) < 6  # each video's tracks are one transaction
    if how == signal.SIGINT:
        assert said.split() == ["True", str(len(before))]
    report = library.index(films, workers=1)  # the setting was kept
    assert report.tracked == 6 - len(before)
    assert len(_read_by(library)) == 6
    assert [texts(library, f"page{n}.mp4") for n in range(4)] == [
        [("ocr", f"Page {n}")] for n in range(4)
    ]
    assert stats.videos == library.stats().videos == 6


def _read_by(library: Library) -> list[str]:
    with Catalog.open(library.directory) as catalog:
        found = catalog.all_track_specs().values()
    return [video_id for video_id, specs in found if "ocr" in specs]


def test_the_report_is_json(library: Library, films: Path) -> None:
    shape = json.loads(json.dumps(library.index(films, workers=1).to_dict()))
    assert shape["tracks"] == {"sound": 2, "subtitle": 2}
    assert shape["tracked"] == 0
