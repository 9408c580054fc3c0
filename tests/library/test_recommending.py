"""What to watch next, and what is there twice, on films of plain colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_encoder import ColourEncoder, load_colours
from colour_films import write_colours
from PIL import Image

from scenewise.cli import main, recommending
from scenewise.config import Settings
from scenewise.errors import MediaError, UsageError
from scenewise.library import Library
from scenewise.tasks.recommend import reason_of
from scenewise.tasks.watch_history import Watched
from scenewise.types import Why

FILMS: dict[str, list[tuple[str, float]]] = {
    "reds.mp4": [("red", 2.0), ("black", 0.5)],
    "more_red.mp4": [("red", 2.5), ("magenta", 0.5)],
    "some_red.mp4": [("red", 1.5), ("yellow", 1.5)],
    "blues.mp4": [("blue", 2.0), ("black", 0.5)],
    "more_blue.mp4": [("blue", 2.5), ("cyan", 0.5)],
    "greens.mp4": [("green", 3.0)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, scenes in FILMS.items():
        write_colours(folder / name, scenes)
    with Library.open(folder / "library", encoder="colours", load=load_colours) as library:
        library.index([folder / name for name in FILMS], workers=1)
    return folder


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> Iterator[Library]:
    settings = Settings(cache=tmp_path / "cache")
    with Library.open(folder / "library", settings=settings, load=load_colours) as opened:
        yield opened


def names(found: Any) -> list[str]:
    return [Path(hit.title).name for hit in found.hits]


def test_what_looks_like_a_video_comes_first_and_the_video_itself_never(library: Library) -> None:
    found = library.recommend("reds.mp4", diversity=0)
    assert names(found)[:2] == ["more_red.mp4", "some_red.mp4"]
    assert "reds.mp4" not in names(found)
    assert (found.watched, found.candidates) == (1, 5)
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5]


def test_a_file_outside_of_the_library_will_do(library: Library, tmp_path: Path) -> None:
    outside = write_colours(tmp_path / "new.mp4", [("blue", 3.0)])
    found = library.recommend(outside, top_k=2, diversity=0)
    assert set(names(found)) == {"blues.mp4", "more_blue.mp4"}
    assert found.hits[0].reason.startswith("like new.mp4")


def test_a_history_is_followed_with_reasons(library: Library) -> None:
    history = [
        Watched("reds.mp4", time=1_772_000_000, rating=5),
        Watched("blues.mp4", time=1_772_000_000 - 90 * 86_400, rating=5),
    ]
    found = library.recommend(history=history, diversity=0)
    assert names(found)[0] == "more_red.mp4"  # the newer taste
    assert {"reds.mp4", "blues.mp4"}.isdisjoint(names(found))
    assert "like reds.mp4, which you watched on 2026-02-2" in found.hits[0].reason
    blue = next(hit for hit in found.hits if Path(hit.title).name == "more_blue.mp4")
    assert blue.like is not None
    assert Path(blue.like).name == "blues.mp4"
    assert "both: " in found.hits[0].reason or found.hits[0].why == ()


def test_a_reason_names_things_without_how_strongly_they_are_seen() -> None:
    shared: list[Why | str] = [
        Why("concept", "tiger cat 0.35"),
        Why("concept", "hare under 0.01"),
        "meadow",
    ]
    assert reason_of("like a.mp4", shared) == "like a.mp4; both: tiger cat, hare, meadow"


def test_what_was_rated_badly_is_pushed_away(library: Library) -> None:
    rows = [{"video": "reds.mp4", "rating": 1}, {"video": "blues.mp4", "rating": 5}]
    found = names(library.recommend(history=rows, diversity=0))
    assert found[0] == "more_blue.mp4"
    assert found[-1] == "more_red.mp4"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a video or a history"),
        ({"video": "reds.mp4", "history": ["reds.mp4"]}, "one of them"),
        ({"video": "gone.mp4"}, r"gone\.mp4"),
        ({"history": []}, "the history is empty"),
        ({"history": ["reds.mp4", "gone.mp4"]}, r"gone\.mp4"),
        ({"history": [{"title": "reds.mp4"}]}, "row 1: names no video"),
        ({"history": [{"video": "reds.mp4", "rating": 7}]}, "from 1 to 5"),
        ({"video": "reds.mp4", "diversity": 2}, "0 to 1"),
        ({"video": "reds.mp4", "top_k": 0}, "1 or more"),
        ({"video": "reds.mp4", "catalogue": "none.csv"}, r"none\.csv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    library: Library, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        library.recommend(**options)


def test_an_empty_library_is_said_to_be_one(tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        for ask in (library.duplicates, lambda: library.recommend(history=["a"])):
            with pytest.raises(UsageError, match="scenewise index"):
                ask()


# ---- a catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), (0, 0, 255)).save(tmp_path / "sea.png")
    path = tmp_path / "shop.csv"
    path.write_text(
        "id,title,text,picture\n"
        "r1,red,the red film,\n"
        "r2,red roses,a red garden film,\n"
        "b1,the sea,,sea.png\n"
        "g1,green,,\n",
        "utf-8",
    )
    return path


def test_rows_of_a_catalogue_suit_videos_of_the_library(library: Library, catalogue: Path) -> None:
    assert {hit.id for hit in library.recommend("reds.mp4", catalogue=catalogue, top_k=2).hits} == {
        "r1",
        "r2",
    }
    found = library.recommend("blues.mp4", catalogue=catalogue, top_k=1)
    assert (found.hits[0].id, found.hits[0].title) == ("b1", "the sea")


def test_a_history_may_name_rows_of_the_catalogue(library: Library, catalogue: Path) -> None:
    found = library.recommend(history=["r1"], catalogue=catalogue, top_k=3)
    assert found.hits[0].id == "r2"
    assert "r1" not in [hit.id for hit in found.hits]
    assert found.candidates == 3
    assert found.hits[0].reason == "like red, which you watched; both: film"


def test_vectors_of_a_catalogue_are_made_once(
    library: Library, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    once = ColourEncoder.encode_query

    def count(self: ColourEncoder, text: str) -> Any:
        asked.append(text)
        return once(self, text)

    monkeypatch.setattr(ColourEncoder, "encode_query", count)
    first = library.recommend(history=["r1"], catalogue=catalogue)
    assert len(asked) == 4
    text = catalogue.read_text("utf-8").replace("g1,green,,", "g1,green,grass,")
    catalogue.write_text(text, "utf-8")
    again = library.recommend(history=["r1"], catalogue=catalogue)
    assert asked[4:] == ["green. grass"]
    assert first.hits[0] == again.hits[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column id and title"),
        ("id,name\n1,a\n", "no column title; it has id, name"),
        ("id,title\n", "holds no rows"),
        ("id,title\n1,a\n1,b\n", "row 3: the id '1' is there twice"),
        ("id,title,picture\n1,a,none.png\n", r"row 2: the picture .*none\.png is not there"),
        ("id,title\n,a\n", "row 2: needs an id"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_refused(
    library: Library, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        library.recommend("reds.mp4", catalogue=path)


def test_a_picture_that_is_none_is_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"no picture")
    path = tmp_path / "c.csv"
    path.write_text("id,title,picture\n1,a,p.png\n", "utf-8")
    with pytest.raises((UsageError, MediaError), match=r"p\.png"):
        library.recommend("reds.mp4", catalogue=path)


# ---- duplicates, and the commands


@pytest.fixture
def commands(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Runs a command on the library of films: exit code, stdout, stderr."""

    def opened(settings: Settings, *, create: bool = False) -> Library:
        return Library.open(settings.library, create=create, settings=settings, load=load_colours)

    monkeypatch.setattr(recommending, "open_library", opened)
    monkeypatch.setenv("SCENEWISE_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.main([*arguments, "--library", str(folder / "library")])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_command_recommends(commands: Any) -> None:
    code, out, _ = commands("recommend", "reds.mp4", "-k", "1")
    assert code == 0
    assert "more_red.mp4" in out.splitlines()[0]
    assert out.splitlines()[1].strip().startswith("like reds.mp4")
    code, out, _ = commands("recommend", "reds.mp4", "--json")
    shape = json.loads(out)
    assert code == 0
    assert set(shape) == {"watched", "candidates", "hits"}
    assert set(shape["hits"][0]) == {
        *("rank", "id", "title", "relevance", "score", "reason", "like", "why")
    }


def test_the_command_follows_a_history_and_a_catalogue(
    commands: Any, tmp_path: Path, catalogue: Path
) -> None:
    history = tmp_path / "h.csv"
    history.write_text("video,time,rating\nblues.mp4,2026-03-01,10\n", "utf-8")
    code, out, err = commands("recommend", "--history", str(history))
    assert (code, out) == (2, "")
    assert "rating = 10" in err
    options = ("--history", str(history), "--rating-scale", "0:10")
    code, out, _ = commands("recommend", *options)
    assert code == 0
    assert "more_blue.mp4" in out.splitlines()[0]
    code, out, _ = commands("recommend", *options, "--catalogue", str(catalogue))
    assert code == 0
    assert "the sea (b1)" in out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recommend",), "VIDEO or --history"),
        (("recommend", "a", "--history", "b"), "one of them"),
        (("recommend", "reds.mp4", "--rating-scale", "5"), "WORST:BEST"),
        (("recommend", "reds.mp4", "--diversity", "3"), "from 0 to 1"),
        (("duplicates", "gone.mp4"), "gone.mp4"),
        (("duplicates", "--min-score", "2"), "from 0 to 1"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    commands: Any, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = commands(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_the_command_says_that_there_are_no_duplicates(commands: Any) -> None:
    code, out, _ = commands("duplicates", "--min-score", "1")
    assert (code, out.strip()) == (0, "no duplicates among 6 videos")


def test_a_copy_is_found_and_its_seconds_said(tmp_path: Path) -> None:
    whole = [(colour, 1.5) for colour in ("red", "green", "blue", "cyan", "magenta", "yellow")]
    films = tmp_path / "films"
    write_colours(films / "whole.mp4", whole)
    write_colours(films / "small.mp4", whole, size=(32, 24))
    write_colours(films / "other.mp4", [("white", 2.0), ("black", 2.0)])
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library:
        library.index(films, workers=1)
        report = library.duplicates()
    (pair,) = report.pairs
    assert (Path(pair.path).name, Path(pair.other_path).name) == ("small.mp4", "whole.mp4")
    assert pair.kind == "duplicate"
    assert (pair.shared[0].a.start, pair.shared[0].a.end) == pytest.approx((0, 9), abs=0.5)
    assert report.to_dict()["pairs"][0]["shared"][0]["other_start"] == pytest.approx(0, abs=0.5)
