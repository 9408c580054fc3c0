"""Which text files belong to which video, and when one of them was edited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scenewise.media.sidecars import SidecarFinder, find_sidecars, language_of, sidecar_stamp

NAMES = ("film.srt", "film.en.srt", "film.pt-BR.vtt", "film.en.forced.SRT", "film.part2.srt",
         "film.part2.de.srt", "film2.srt", "film..srt", "film.txt", "other.vtt")  # fmt: skip


@pytest.mark.parametrize(
    ("video", "found"),
    [
        ("film.mp4", ["film.en.forced.SRT", "film.en.srt", "film.pt-BR.vtt", "film.srt"]),
        ("film.part2.mkv", ["film.part2.de.srt", "film.part2.srt"]),
        ("other.mp4", ["other.vtt"]),
        ("film.en.mp4", ["film.en.forced.SRT", "film.en.srt"]),
        ("fil.mp4", []),
        ("film3.mp4", []),
    ],
)
def test_a_video_has_the_files_of_its_stem(tmp_path: Path, video: str, found: list[str]) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    assert [path.name for path in find_sidecars(tmp_path / video)] == found
    assert [path.name for path in SidecarFinder().beside(str(tmp_path / video))] == found


def test_a_folder_is_listed_once_for_all_its_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[object] = []
    original = os.listdir

    def counted(folder: Path) -> list[str]:
        listed.append(folder)
        return original(folder)

    monkeypatch.setattr(os, "listdir", counted)
    finder = SidecarFinder()
    for number in range(20):
        (tmp_path / f"{number}.srt").touch()
    for number in range(20):
        assert len(finder.beside(tmp_path / f"{number}.mp4")) == 1 or number
    assert listed == [tmp_path]


def test_a_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert find_sidecars(tmp_path / "absent" / "film.mp4") == ()


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("film.srt", None),
        ("film.en.srt", "en"),
        ("film.pt-BR.vtt", "pt-BR"),
        ("a.forced.srt", None),
    ],
)
def test_a_name_tells_the_language(name: str, language: str | None) -> None:
    assert language_of(Path(name)) == language


def test_a_stamp_changes_with_the_content_and_not_with_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text("one")
    before = sidecar_stamp(path)
    elsewhere = tmp_path / "moved" / "film.srt"
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    assert sidecar_stamp(elsewhere) == before
    assert sidecar_stamp(path) is None
    elsewhere.write_text("other words")
    assert sidecar_stamp(elsewhere) != before
