"""Which video a person means: by path, id, beginning of an id, or file name."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.index.naming import named, video_named
from scenewise.types import Video

A = Video("aaaa000000000001", "/films/2025/clip.mp4", 4.0, "ready")
B = Video("aaaa000000000002", "/films/2026/clip.mp4", 4.0, "ready")
ONLY = Video("bbbb000000000003", "/films/2026/it's here.mp4", 4.0, "ready")
COPY = Video("bbbb000000000003", "/copies/it's here.mp4", 4.0, "ready")
HEX = Video("cccc000000000004", "/films/aaaa000000000001", 4.0, "ready")
BAD = Video(None, "/films/bad.mp4", None, "failed", "the file is empty.")
ALL = [A, B, ONLY, COPY, HEX, BAD]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (A.path, [A]),
        ("2025/clip.mp4", [A]),
        ("./2026/clip.mp4", [B]),
        ("aaaa000000000001", [A]),  # an id counts more than a file name
        (" AAAA000000000002 ", [B]),
        ("bbbb", [ONLY, COPY]),
        ("it's here.mp4", [ONLY, COPY]),
        (ONLY.path, [ONLY]),
        ("bad.mp4", [BAD]),
        (BAD.path, [BAD]),
    ],
)
def test_what_is_meant(text: str, meant: list[Video]) -> None:
    assert named(ALL, text) == meant


@pytest.mark.parametrize("text", ["", " ", "bbb", "lip.mp4", "clip", "*.mp4", "~nobody", "a\0b"])
def test_what_means_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="is no video of this library"):
        named(ALL, text)


@pytest.mark.parametrize("text", ["clip.mp4", "aaaa"])
def test_an_ambiguous_name_lists_the_candidates(text: str) -> None:
    with pytest.raises(UsageError, match="could be any of 2 videos") as raised:
        named(ALL, text)
    assert A.path in str(raised.value)
    assert B.path in str(raised.value)


def test_a_file_that_lies_here_is_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named(ALL, "it's here.mp4") == [ONLY, COPY]
    Path("it's here.mp4").touch()
    with pytest.raises(UsageError, match="is not in this library; index it first"):
        named(ALL, "it's here.mp4")


def test_a_folder_is_named_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, where one video is meant"):
        named(ALL, str(tmp_path))


def test_a_link_means_its_file(tmp_path: Path) -> None:
    video = Video("dddd000000000005", str(tmp_path.resolve() / "film.mp4"), 4.0, "ready")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "film.mp4")
    assert named([video], str(tmp_path / "link.mp4")) == [video]


def test_a_failed_file_has_no_moments() -> None:
    with pytest.raises(UsageError, match="could not be indexed"):
        video_named(ALL, "bad.mp4")
