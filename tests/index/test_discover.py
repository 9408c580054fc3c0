"""Which files of a folder are videos, facts about names, links and permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.index.discover import Discovery, discover, under, vanished
from scenewise.media.video_names import looks_like_video


def touch(path: Path, content: bytes = b"\x00\x01") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(found: Discovery, root: Path) -> list[str]:
    return [str(Path(stamp.path).relative_to(root.resolve())) for stamp in found.files]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip.mp4", True),
        ("CLIP.MOV", True),
        ("a.b.mkv", True),
        ("stream.m2ts", True),
        ("raw.h264", True),
        ("film.3gp", True),
        (".hidden.mp4", False),
        ("clip.mp4.part", False),
        ("clip.mp4.crdownload", False),
        ("clip.mp4~", False),
        ("clip.srt", False),
        ("photo.jpg", False),
        ("song.mp3", False),
        ("mp4", False),
    ],
)
def test_a_video_is_told_by_its_name(name: str, expected: bool) -> None:
    assert looks_like_video(name) is expected


def test_folders_are_searched_sorted_and_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mkv", "sub/c.webm", ".cache/d.mp4", "notes.txt", "e.mp4.part"):
        touch(tmp_path / name)
    assert names(discover([tmp_path]), tmp_path) == ["a.mkv", "b.mp4", "sub/c.webm"]
    assert names(discover([tmp_path], recursive=False), tmp_path) == ["a.mkv", "b.mp4"]


def test_a_file_that_is_named_is_always_taken(tmp_path: Path) -> None:
    odd = touch(tmp_path / ".odd.name")
    assert [stamp.path for stamp in discover([odd]).files] == [str(odd.resolve())]


def test_links_are_followed_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    touch(elsewhere / "far.mp4")
    root = tmp_path / "root"
    touch(root / "near.mp4")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "out").symlink_to(elsewhere, target_is_directory=True)
    (root / "again").symlink_to(elsewhere, target_is_directory=True)
    (root / "alias.mp4").symlink_to(root / "near.mp4")
    (root / "dangling.mp4").symlink_to(root / "nowhere.mp4")
    found = discover([root, root / "near.mp4"])
    assert names(found, tmp_path) == ["elsewhere/far.mp4", "root/near.mp4"]
    assert found.problems == ()


def test_a_stamp_holds_size_and_date(tmp_path: Path) -> None:
    path = touch(tmp_path / "a.mp4", b"12345")
    os.utime(path, ns=(1_000_000_000, 1_500_000_001))
    [stamp] = discover([path]).files
    assert (stamp.size, stamp.modified_ns) == (5, 1_500_000_001)


@pytest.mark.parametrize("name", ["module.ts", "module.mts"])
def test_program_text_is_no_transport_stream(tmp_path: Path, name: str) -> None:
    touch(tmp_path / name, b"export const answer: number = 42;\n" * 20)
    touch(tmp_path / "stream.ts", b"\x47\x40\x00\x10\x00" + bytes(183))
    assert names(discover([tmp_path]), tmp_path) == ["stream.ts"]
    assert len(discover([tmp_path / name]).files) == 1  # named, so tried


def test_what_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "open/a.mp4")
    touch(tmp_path / "closed/b.mp4")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = discover([tmp_path])
    assert names(found, tmp_path) == ["open/a.mp4"]
    [problem] = found.problems
    assert problem.path.endswith("closed")
    assert "permission denied" in problem.reason


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert discover([tmp_path]).files == ()
    [problem] = discover([tmp_path / "pipe.mp4"]).problems
    assert "neither" in problem.reason


def test_no_path_is_refused() -> None:
    with pytest.raises(UsageError, match="no path"):
        discover([])


def test_only_what_lay_under_the_given_folders_can_vanish(tmp_path: Path) -> None:
    root = str(tmp_path / "films")
    known = [f"{root}/gone.mp4", f"{root}/sub/gone.mp4", f"{root}-other/gone.mp4"]
    there = str(touch(tmp_path / "films/there.mp4"))
    assert vanished([*known, there], [root]) == known[:2]
    assert vanished([there], [there]) == []
    assert under(f"{root}/a", [root])
    assert not under(f"{root}-other/a", [root])
    assert under("/a", ["/"])
