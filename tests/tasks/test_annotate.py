"""Sidecars and the table of a folder: whole, resumed, and never over files of others."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server, fails
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.config import Settings
from scenewise.errors import ModelError, StorageError, UsageError
from scenewise.library import Library
from scenewise.tasks.annotate import COLUMNS, Folder, read_sidecar
from scenewise.types import Progress


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_colours(folder / "a.mp4", [("green", 2.0), ("red", 2.0)])
    (folder / "a.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\n=SUM(A1)\n")
    write_colours(folder / "deep" / "b.mp4", [("blue", 2.0)])
    (folder / "bad.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def films(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "films"))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    settings = Settings(cache=tmp_path / "cache")
    with Library.open(
        tmp_path / "library", encoder="colours", load=load_colours, settings=settings
    ) as opened:
        yield opened


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(tuple(row) == COLUMNS for row in rows)
    return {Path(row["path"]).name: row for row in rows}


def sidecars(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.scenewise.json"))


def test_each_video_gets_a_sidecar_and_a_row(library: Library, films: Path) -> None:
    report = library.annotate(films, labels=["red", "blue"], motion=False)
    assert (report.written, report.unchanged) == (2, 0)
    (failure,) = report.failed
    assert Path(failure.path).name == "bad.mp4"
    assert sidecars(films) == ["a.mp4.scenewise.json", "deep/b.mp4.scenewise.json"]
    shape = json.loads((films / "a.mp4.scenewise.json").read_text("utf-8"))
    assert shape["video"]["duration"] == 4.0
    assert [c["text"] for c in shape["captions"]] == ["A green; text: “=SUM(A1)”", "A red"]
    assert shape["shots"] == [{"start": 0.0, "end": 2.0}, {"start": 2.0, "end": 4.0}]
    assert shape["texts"][0]["text"] == "=SUM(A1)"
    assert shape["labels"][0]["name"] == "red"
    rows = table(films / "scenewise.csv")
    assert set(rows) == {"a.mp4", "b.mp4", "bad.mp4"}
    assert rows["a.mp4"]["caption"] == "A green, then a red; text: “=SUM(A1)”"
    assert rows["a.mp4"]["text"] == "'=SUM(A1)"  # no spreadsheet calculates it
    assert rows["b.mp4"]["labels"].startswith("blue ")
    assert rows["bad.mp4"]["failed"]


def test_what_is_up_to_date_is_left_as_it_is(library: Library, films: Path) -> None:
    library.annotate(films, motion=False)
    before = (films / "a.mp4.scenewise.json").stat()
    os.utime(films / "deep" / "b.mp4", (0, 0))  # another date, the same content
    again = library.annotate(films, motion=False)
    assert (again.written, again.unchanged, len(again.failed)) == (0, 2, 1)
    after = (films / "a.mp4.scenewise.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(table(films / "scenewise.csv")) == 3


def test_other_settings_or_content_make_it_anew(library: Library, films: Path) -> None:
    library.annotate(films, motion=False)
    assert library.annotate(films, labels="red,blue", motion=False).written == 2
    assert library.annotate(films, labels="red,blue", motion=True).written == 2
    write_colours(films / "a.mp4", [("yellow", 2.0)])
    report = library.annotate(films, labels="red,blue", motion=True)
    assert (report.written, report.unchanged) == (1, 1)
    shape = json.loads((films / "a.mp4.scenewise.json").read_text("utf-8"))
    assert shape["caption"]["text"].startswith("A yellow")
    assert library.annotate(films, labels="red,blue", overwrite=True).written == 2


def test_a_library_that_is_behind_the_file_is_not_believed(library: Library, films: Path) -> None:
    library.index(films, workers=1)
    write_colours(films / "deep" / "b.mp4", [("yellow", 3.0)])
    library.annotate(films, motion=False)
    shape = json.loads((films / "deep" / "b.mp4.scenewise.json").read_text("utf-8"))
    assert shape["video"]["duration"] == 3.0
    assert shape["caption"]["text"] == "A yellow"


def test_an_output_folder_takes_all_of_it(library: Library, films: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "here"
    report = library.annotate(films, output=output, motion=False)
    assert report.table == str(output / "scenewise.csv")
    assert sidecars(output) == ["a.mp4.scenewise.json", "deep/b.mp4.scenewise.json"]
    assert sidecars(films) == []
    assert not (films / "scenewise.csv").exists()


def test_an_interrupted_run_goes_on_where_it_ended(library: Library, films: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.path.endswith("a.mp4"):
            raise KeyboardInterrupt

    report = library.annotate(films, motion=False, progress=stop)
    assert report.interrupted
    assert report.written == 1
    assert sidecars(films) == ["a.mp4.scenewise.json"]
    assert set(table(films / "scenewise.csv")) == {"a.mp4"}
    report = library.annotate(films, motion=False)
    assert (report.written, report.unchanged) == (1, 1)
    assert not list(films.rglob("*.part"))


def test_progress_within_a_film_is_told(library: Library, films: Path) -> None:
    told: list[Progress] = []
    library.annotate(films, progress=told.append)
    within = [p for p in told if p.current.endswith("a.mp4")]
    assert [p.part_done for p in within] == [0.5, 1.0]  # of two shots
    assert {(p.files_done, p.path) for p in within} == {(0, "")}
    assert [p.files_done for p in told if not p.current] == [1, 2, 3]


def test_files_of_others_are_not_touched(library: Library, films: Path) -> None:
    (films / "a.mp4.scenewise.json").write_text('{"mine": 1}')
    report = library.annotate(films, motion=False)
    assert "no sidecar of ours" in report.failed[0].reason + report.failed[1].reason
    assert (films / "a.mp4.scenewise.json").read_text() == '{"mine": 1}'
    (films / "scenewise.csv").write_text("mine\n")
    with pytest.raises(UsageError, match="no table of ours"):
        library.annotate(films, motion=False)
    assert library.annotate(films, motion=False, overwrite=True).written == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": 1}', '{"format": "scenewise annotation 1"}', "[" * 100_000],
)
def test_a_broken_sidecar_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.scenewise.json").write_text(text)
    assert read_sidecar(tmp_path / "x.scenewise.json") is None


def test_odd_folders_are_refused(library: Library, films: Path, tmp_path: Path) -> None:
    odd: list[tuple[dict[str, Any], str]] = [
        ({"paths": tmp_path / "nowhere"}, "does not exist"),
        ({"paths": []}, "no path"),
        ({"paths": tmp_path / "empty"}, "no video was found"),
        ({"paths": films, "output": films / "a.mp4"}, "is a file"),
        ({"paths": films, "labels": "red"}, "two or more labels"),
        ({"paths": films, "labels": "a,b", "label_set": "ucf101"}, "not both"),
        ({"paths": films, "label_set": "nothing101"}, "nothing101"),
    ]
    (tmp_path / "empty").mkdir()
    for arguments, words in odd:
        with pytest.raises(UsageError, match=words):
            library.annotate(**arguments)
    assert sidecars(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        Folder((str(tmp_path),), tmp_path / "file" / "below").prepare()


def test_an_endpoint_that_fails_is_not_asked_for_ever(
    library: Library, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    (films / "bad.mp4").unlink()
    for name in "cdef":
        shutil.copy(films / "a.mp4", films / f"{name}.mp4")
    with chat_server(fails(400, "no pictures")) as server:
        monkeypatch.setattr(
            library, "_settings", Settings(model_url=server.url, cache=library.directory)
        )
        with pytest.raises(ModelError, match="no pictures"):
            library.annotate(films, motion=False, model="seer")
    assert len(server.asked) == 3
    assert len(table(films / "scenewise.csv")) == 3
