"""Captions of films whose colours, words and sounds are known by construction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import Asked, Reply, chat_server, fails, says
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.config import Settings
from scenewise.errors import ModelError, StorageError, UsageError
from scenewise.library import Library
from scenewise.tasks.caption import caption_video, gather, merged, pieces
from scenewise.tasks.caption_files import write_captions
from scenewise.tasks.wording import Wording
from scenewise.types import Caption, Captioned, Segment, Sound

SUBTITLES = "1\n00:00:03,500 --> 00:00:05,000\nIt is\nred.\n"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    (folder / "film.srt").write_text(SUBTITLES)
    return write_colours(folder / "film.mp4", [("green", 3.0), ("red", 3.0), ("blue", 24.0)])


@pytest.fixture(scope="module")
def library(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("none")
    with Library.open(directory, encoder="colours", load=load_colours) as opened:
        yield opened


def test_each_shot_says_what_it_shows_and_reads(library: Library, film: Path) -> None:
    captions = library.caption(film, dense=True).captions
    assert [(c.start, c.end, c.text) for c in captions] == [
        (0.0, 3.0, "A green; still"),
        (3.0, 6.0, "A red; still; text: “It is red.”"),
        (6.0, 30.0, "A blue; still"),  # its pieces say the same, and are one
    ]
    assert {caption.source for caption in captions} == {"concepts"}


def test_a_whole_video_names_its_scenes_in_order(library: Library, film: Path) -> None:
    (caption,) = library.caption(film).captions
    assert caption == Caption(
        0.0, 30.0, "A green, then a red, then a blue; text: “It is red.”", "concepts"
    )


def test_motion_can_be_left_out(library: Library, film: Path) -> None:
    assert library.caption(film, dense=True, motion=False).captions[0].text == "A green"


def test_sounds_are_said_where_they_fill_the_span(library: Library, film: Path) -> None:
    seen = library._footage(film)
    sounds = (Sound("music", 0.0, 2.0, 0.9), Sound("onset", 4.0, 4.1, 0.9))
    footage = replace(seen.footage, sounds=sounds)
    wording = Wording(seen.encoder)
    assert gather(footage, wording, Segment(0.0, 3.0)).rest == ["music"]
    assert gather(footage, wording, Segment(0.0, 30.0)).rest == [
        "text: “It is red.”",
        "a sudden sound",
    ]


def test_a_film_without_shots_is_one_of_pieces(library: Library, film: Path) -> None:
    footage = replace(library._footage(film).footage, shots=())
    assert pieces(footage) == [Segment(0, 10), Segment(10, 20), Segment(20, 30)]
    shots = pieces(library._footage(film).footage)
    assert [(shot.start, shot.end) for shot in shots] == [
        (0, 3), (3, 6), (6, 14), (14, 22), (22, 30)
    ]  # fmt: skip


def test_neighbours_with_the_same_words_become_one() -> None:
    captions = [Caption(i, i + 1, text, "concepts") for i, text in enumerate("aabba")]
    assert [(c.start, c.end, c.text) for c in merged(captions)] == [
        (0, 2, "a"),
        (2, 4, "b"),
        (4, 5, "a"),
    ]


def test_a_film_that_shows_nothing_known_says_so(library: Library, film: Path) -> None:
    seen = library._footage(film)

    class Blank(Wording):
        def things(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]
            return []

    (caption,) = caption_video(replace(seen.footage, texts=()), Blank(seen.encoder))
    assert caption.text == "Nothing that can be named for sure"


# ---- a language model


@pytest.fixture
def seeing(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return library


def test_a_model_writes_the_words_and_shots_give_the_times(
    seeing: Library, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(asked: Asked) -> Reply:
        return says(f"Shot with\n{len(asked.pictures)} pictures, until 99:99.")

    with chat_server(by=tell) as server:
        monkeypatch.setattr(
            seeing, "_settings", Settings(model_url=server.url, cache=seeing.directory)
        )
        captions = seeing.caption(film, dense=True, model="seer").captions
    assert [(caption.start, caption.end) for caption in captions] == [(0, 30)]
    assert captions[0].text == "Shot with 4 pictures, until 99:99."
    assert captions[0].source == "seer"
    assert len(server.asked) == 5
    assert "may be wrong: a green" in server.asked[0].texts[-1]
    times = [text for text in server.asked[1].texts if text.startswith("Frame")]
    assert all("Frame at 00:03" <= time < "Frame at 00:06" for time in times)


def test_a_model_that_fails_leaves_no_caption(
    seeing: Library, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server(fails(400, "no")) as server:
        monkeypatch.setattr(seeing, "_settings", Settings(model_url=server.url))
        with pytest.raises(ModelError, match="“no”"):
            seeing.caption(film, model="seer")


# ---- files


CAPTIONS = Captioned(
    "0123456789abcdef",
    "/f\udcffilm.mp4",
    3.0,
    (Caption(0.0, 1.5, "A cat; text: “<b>”", "concepts"), Caption(1.5, 3.0, "Ein Hund", "x")),
)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("c.srt", "1\n00:00:00,000 --> 00:00:01,500\nA cat; text: “<b>”\n"),
        ("c.VTT", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nA cat; text: “&lt;b&gt;”\n"),
        ("c.json", '"text": "A cat; text: “<b>”"'),
    ],
)
def test_the_suffix_says_the_format(tmp_path: Path, name: str, part: str) -> None:
    path = write_captions(tmp_path / name, CAPTIONS)
    assert part in path.read_text("utf-8", errors="surrogateescape")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_json_holds_all_of_it(tmp_path: Path) -> None:
    path = write_captions(tmp_path / "c.json", CAPTIONS)
    shape = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    assert shape == CAPTIONS.to_dict()
    assert (shape["video_id"], shape["path"]) == ("0123456789abcdef", "/f\udcffilm.mp4")
    assert [Caption(**caption) for caption in shape["captions"]] == list(CAPTIONS.captions)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.srt, \.vtt, \.json, not '\.txt'"):
        write_captions(tmp_path / "c.txt", CAPTIONS)
    (tmp_path / "file").write_text("no folder")
    for name in ("c.srt", "c.json"):
        with pytest.raises(StorageError, match="cannot be written"):
            write_captions(tmp_path / "file" / name, CAPTIONS)
