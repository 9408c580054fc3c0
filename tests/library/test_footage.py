"""A video as verbs take it: of the library, or any file, by path, name or id."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.library import Library


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "known.mp4", [("red", 2.0), ("blue", 2.0)])
    (folder / "known.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nhello there\n")
    shutil.copytree(folder, folder / "outside")
    with Library.open(folder / "library", encoder="colours", load=load_colours) as library:
        library.index(folder / "known.mp4", workers=1)
    return folder


def test_a_file_is_seen_as_the_library_sees_it(folder: Path) -> None:
    with Library.open(folder / "library", load=load_colours) as library:
        stored = library._footage(folder / "known.mp4").footage
        write_colours(folder / "other.mp4", [("red", 2.0), ("blue", 2.0)])
        by_name = library._footage("known.mp4").footage
        by_id = library._footage(stored.video_id[:6]).footage
        # the same content under a path that the library does not know
        fresh = library._footage(folder / "outside" / "known.mp4").footage
    assert by_name.video_id == by_id.video_id == stored.video_id == fresh.video_id
    for name in ("starts", "ends", "times"):
        assert np.array_equal(getattr(stored, name), getattr(fresh, name))
    assert np.allclose(stored.features.vectors, fresh.features.vectors, atol=2e-3)
    assert stored.shots == fresh.shots
    assert [line.text for line in stored.texts] == ["hello there"]
    assert stored.texts == fresh.texts
    assert stored.duration == fresh.duration


def test_without_a_library_any_file_can_be_looked_at(folder: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        seen = library._footage(folder / "known.mp4")
        again = library._footage(folder / "known.mp4")
    assert len(seen.footage.features) == 8
    assert again.footage is seen.footage
    assert not (tmp_path / "none").exists()


def test_what_is_no_video_is_refused(folder: Path, tmp_path: Path) -> None:
    with (
        Library.open(folder / "library", load=load_colours) as library,
        pytest.raises(UsageError, match=r"nothing\.mp4"),
    ):
        library._footage("nothing.mp4")
    with (
        Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library,
        pytest.raises(UsageError, match="is a folder, where one video"),
    ):
        library._footage(tmp_path)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with (
        Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library,
        pytest.raises(UnreadableMediaError, match=r"empty\.mp4: the file is empty"),
    ):
        library._footage(tmp_path / "empty.mp4")
