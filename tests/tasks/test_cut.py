"""Hits as people write them, and clips made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.errors import UsageError
from scenewise.library import Library
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target
from scenewise.tasks.cut import Hit, parse_hit, parse_time


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "a@b.mp4", [("red", 2.0), ("blue", 2.0)])
    write_colours(folder / "other" / "a@b.mp4", [("green", 3.0)])
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as opened:
        opened.index(films, workers=1)
        yield opened


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("135.5", 135.5),
        ("02:15.5", 135.5),
        ("2:15", 135),
        ("00:02:15.5", 135.5),
        ("1:00:00", 3600),
        (".5", 0.5),
        (" 90 ", 90),
        ("90:00", 5400),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "1:60", "1:75:00", "1:2:3:4", "1e3", "nan", "1:", "1,5"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("clip.mp4@02:15-02:18.5", Hit("clip.mp4", 135, 138.5)),
        ("/films/me@home.mp4@1-2", Hit("/films/me@home.mp4", 1, 2)),
        ("0123abcd@0-1:00:00", Hit("0123abcd", 0, 3600)),
    ],
)
def test_hits(text: str, hit: Hit) -> None:
    assert parse_hit(text) == hit


@pytest.mark.parametrize("text", ["", "clip.mp4", "clip.mp4@5", "@1-2", "a@2-1", "a@1-1", "a@x-y"])
def test_what_is_no_hit(text: str) -> None:
    with pytest.raises(UsageError):
        parse_hit(text)


def colours(path: Path) -> list[tuple[int, ...]]:
    """The middle pixel of a frame each half second, as 0 or 1 for red, green, blue."""
    with VideoReader(path) as reader:
        times = np.arange(0.25, reader.duration, 0.5).tolist()
        return [
            tuple(int(value > 127) for value in frame.image[16, 16])
            for frame in reader.read(times, Target(32, 32))
        ]


def test_a_clip_holds_the_span_and_nothing_else(
    library: Library, films: Path, tmp_path: Path
) -> None:
    [clip] = library.cut([f"{films / 'a@b.mp4'}@1-3"], tmp_path / "clips")
    assert clip.parent == tmp_path / "clips"
    assert clip.suffix == ".mp4"
    assert colours(clip) == [(1, 0, 0)] * 2 + [(0, 0, 1)] * 2
    with VideoReader(clip) as reader:
        assert reader.duration == pytest.approx(2.0, abs=0.11)


def test_hits_of_a_search_become_clips_and_a_reel(library: Library, tmp_path: Path) -> None:
    hits = library.search("blue", top_k=1).hits + library.search("green", top_k=1).hits
    *clips, reel = library.cut(hits, tmp_path, reel=tmp_path / "reel.mp4")
    assert len(clips) == 2
    assert reel == tmp_path / "reel.mp4"
    assert set(colours(clips[0])) == {(0, 0, 1)}
    assert set(colours(clips[1])) == {(0, 1, 0)}
    assert set(colours(reel)) == {(0, 0, 1), (0, 1, 0)}


def test_padding_stays_inside_the_video(library: Library, films: Path, tmp_path: Path) -> None:
    [clip] = library.cut([f"{films / 'a@b.mp4'}@0.5-3.5"], tmp_path, padding=5.0)
    with VideoReader(clip) as reader:
        assert reader.duration == pytest.approx(4.0, abs=0.11)


def test_films_of_one_name_make_clips_of_two(library: Library, films: Path, tmp_path: Path) -> None:
    paths = [films / "a@b.mp4", films / "other" / "a@b.mp4"]
    clips = library.cut([f"{path}@0-1" for path in paths], tmp_path)
    assert len({clip.name for clip in clips}) == 2
    assert [colours(clip)[0] for clip in clips] == [(1, 0, 0), (0, 1, 0)]


@pytest.mark.parametrize(
    ("hit", "words"), [("nowhere.mp4@1-2", "nowhere"), ("{film}@9-12", "behind the end")]
)
def test_what_cannot_be_cut_is_refused(
    library: Library, films: Path, tmp_path: Path, hit: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        library.cut([hit.format(film=films / "a@b.mp4")], tmp_path)


def test_nothing_and_negative_padding_are_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to cut"):
        library.cut([], tmp_path)
    with pytest.raises(UsageError, match="padding = -1"):
        library.cut(["a@1-2"], tmp_path, padding=-1)
