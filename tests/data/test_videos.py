"""Which file a name means, as datasets ship their videos."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from scenewise.data.rows import Annotations, LabelRow
from scenewise.data.videos import Found, find_videos, with_videos
from scenewise.errors import DataError


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param("video7010", "video7010.mp4", id="by id"),
        pytest.param("train/dark/0.mp4", "train/dark/0.mp4", id="by path"),
        pytest.param("s17-d69.avi", "s17-d69.mp4", id="converted"),
        pytest.param("running/v_a.avi", "UCF-101/running/v_a.avi", id="below another folder"),
        pytest.param("Run/v_Run_g08_c01.avi", "all/v_Run_g08_c01.webm", id="all in one folder"),
        pytest.param("006001_006050/21", "006001_006050/21.mp4", id="WebVid"),
        pytest.param("2909445186", "0101/2909445186.mp4", id="VidOR"),
        pytest.param("v_uqiMw7tQ1Cc", "uqiMw7tQ1Cc.mkv", id="ActivityNet without v_"),
        pytest.param("TIEzvhv6xaI", "v_TIEzvhv6xaI.mp4", id="ActivityNet with v_"),
        pytest.param("-b_cd_000007_000017", "running/-b_cd_000007_000017.mp4", id="Kinetics"),
        pytest.param("-b_cd_000007_000017", "-b_cd_7_17.mp4", id="Kinetics, plain times"),
        pytest.param("-b_cd", "-b_cd_000007_000017.mp4", id="Kinetics by id"),
        pytest.param("NUs_210.0_360.0", "NUs_210.0_360.0.mp4", id="QVHighlights"),
        pytest.param("NUs_210.0_360.0", "clips/NUs_210_360.mp4", id="QVHighlights, whole"),
        pytest.param("12@N00_34_ab", "12@N00_34_ab.MOV", id="DiDeMo"),
        pytest.param("-4wsuPCjDBc_5_15", "YouTubeClips/-4wsuPCjDBc_5_15.avi", id="MSVD"),
        pytest.param("a.gif", "a.gif", id="a suffix that we do not know"),
        pytest.param("猫 & ä", "猫 & ä.mp4", id="any language"),
    ],
)
def test_a_name_finds_its_file(tmp_path: Path, name: str, file: str) -> None:
    found = find_videos([name], files(tmp_path, file, "other.mp4", "notes.txt"))
    assert found.paths == {name: tmp_path / file}
    assert str(found) == "1 video"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("dQw4w9WgXcQ", "dqw4w9wgxcq.mp4"),  # another id
        ("a", "ab.mp4"),
        ("a_000007_000017", "a_000008_000018.mp4"),
        ("a_000007_000017", "a.mp4"),  # the whole, of which the clip is a part
        ("a", "a.txt"),
        ("a", ".a.mp4"),
        ("a", "a.mp4.part"),
        ("../a.gif", "b/a.gif"),
    ],
)
def test_another_file_is_not_taken_for_it(tmp_path: Path, name: str, file: str) -> None:
    assert find_videos([name], files(tmp_path, file)).missing == (name,)


def test_an_absolute_path_is_taken_at_its_word(tmp_path: Path) -> None:
    place = files(tmp_path / "elsewhere", "a.mp4") / "a.mp4"
    (tmp_path / "videos").mkdir()
    found = find_videos([str(place), "/no/b.mp4"], tmp_path / "videos")
    assert (found.paths, found.missing) == ({str(place): place}, ("/no/b.mp4",))


def test_a_file_found_by_its_name_alone_stands_for_one_name_only(tmp_path: Path) -> None:
    files(tmp_path, "bright/0.mp4", "bright/1.mp4")
    found = find_videos(["bright/0.mp4", "dark/0.mp4", "red/1.mp4", "blue/1.mp4"], tmp_path)
    assert set(found.paths) == {"bright/0.mp4"}
    assert found.missing == ("dark/0.mp4", "red/1.mp4", "blue/1.mp4")


def test_a_name_in_several_places_takes_the_first_and_says_so(tmp_path: Path) -> None:
    files(tmp_path, "b/x.mp4", "a/x.webm", "y.mkv", "y.mp4", "a/only.mp4")
    found = find_videos(["x", "y", "only"], tmp_path)
    assert found.paths["x"] == tmp_path / "a/x.webm"
    assert found.ambiguous == {
        "x": (tmp_path / "a/x.webm", tmp_path / "b/x.mp4"),
        "y": (tmp_path / "y.mkv", tmp_path / "y.mp4"),
    }
    assert str(found) == "3 videos; 2 in several places: x, y"


def test_a_sentence_names_three_of_many(tmp_path: Path) -> None:
    found = Found(tmp_path, {str(n): tmp_path for n in range(8988)}, tuple("abcdefghijkl"))
    assert str(found) == "9,000 videos, 12 missing: a, b, c and 9 more"


def test_the_folder_is_walked_once_and_loops_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, *(f"{n % 5}/{n}.mp4" for n in range(50)))
    (tmp_path / "0" / "loop").symlink_to(tmp_path)
    (tmp_path / "1" / "gone.mp4").symlink_to(tmp_path / "nothing")
    listed: list[str] = []
    scandir = os.scandir

    def counted(place: str) -> object:
        listed.append(place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", counted)
    found = find_videos([str(n) for n in range(50)], tmp_path)
    assert len(found.paths) == 50
    assert len(listed) == 6


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        find_videos(["a"], tmp_path / "gone")


def labelled(*videos: str) -> Annotations[LabelRow]:
    rows = tuple(LabelRow(video, ("x",)) for video in videos)
    return Annotations("csv", "train", "labels", rows, ("x",), ("a note",))


def test_rows_without_a_video_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = labelled("a", "b", "b", "c")
    found = find_videos(whole.videos, files(tmp_path, "a.mp4", "c.mp4"))
    with caplog.at_level(logging.WARNING):
        kept = with_videos(whole, found)
    assert [row.video for row in kept.rows] == ["a", "c"]
    note = "2 of 4 rows are left out: 3 videos, 1 missing: b"
    assert (kept.notes, kept.classes) == (("a note", note), ("x",))
    assert caplog.messages == [f"csv, train: {note}"]


def test_where_all_is_there_nothing_is_said(tmp_path: Path) -> None:
    whole = labelled("a")
    assert with_videos(whole, find_videos(["a"], files(tmp_path, "a.mp4"))) == whole


def test_where_nothing_is_there_it_is_an_error(tmp_path: Path) -> None:
    whole = labelled("a", "b")
    with pytest.raises(DataError, match="holds no video of csv, train; looked for a, b"):
        with_videos(whole, find_videos(whole.videos, tmp_path))
