"""``scenewise people``: faces of known colours, enrolled, found, and deleted for good."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from face_networks import (
    draw_face,
    face_box,
    write_colour_embedder,
    write_mark_detector,
    write_random_embedder,
)
from PIL import Image

from scenewise.cli.main import main
from scenewise.config import load_settings
from scenewise.errors import UsageError
from scenewise.library import Library
from scenewise.media.film import FilmSettings, write_film
from scenewise.tasks.people import Person, enrolled

GREEN, BLUE, WHITE = (0, 255, 0), (0, 0, 255), (255, 255, 255)
Picture = npt.NDArray[np.uint8]


def shown(*faces: tuple[int, tuple[int, int, int]]) -> Picture:
    """Faces in row 6 at these columns, in these colours."""
    picture = np.full((96, 192, 3), 30, np.uint8)
    for column, colour in faces:
        draw_face(picture, column, 6, colour)
    return picture


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures, a film and both networks in the current folder; the settings name the networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    write_mark_detector(tmp_path / "detector.onnx")
    write_colour_embedder(tmp_path / "embedder.onnx")
    monkeypatch.setenv("SCENEWISE_FACE_DETECTOR", "detector.onnx")
    monkeypatch.setenv("SCENEWISE_FACE_EMBEDDER", "embedder.onnx")
    for name, picture in {
        "green.png": shown((5, GREEN)),
        "green2.png": shown((9, GREEN)),
        "blue.png": shown((5, BLUE)),
        "two.png": shown((5, GREEN), (15, BLUE)),
        "none.png": shown(),
    }.items():
        Image.fromarray(picture).save(name)
    (tmp_path / "text.png").write_text("no picture")


def write_people(path: Path) -> None:
    """Nobody for 2 s, green 3 s, green and blue 2 s, white 2 s, nobody 4 s, blue 1 s."""
    parts = [
        (2, shown()), (3, shown((5, GREEN))), (2, shown((5, GREEN), (16, BLUE))),
        (2, shown((5, WHITE))), (4, shown()), (1, shown((16, BLUE))),
    ]  # fmt: skip
    pictures = [picture for seconds, picture in parts for _ in range(seconds * 4)]
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(4), quality=4))


def enrol_both() -> None:
    assert main(["people", "enrol", "Ada", "green.png", "green2.png", "-q"]) == 0
    assert main(["people", "enrol", "Bob", "blue.png", "-q"]) == 0


def test_people_are_found_when_they_are_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "film.mp4")
    enrol_both()
    capsys.readouterr()
    assert main(["people", "match", "film.mp4", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    spans = [(one["name"], one["start"], one["end"]) for one in shape["appearances"]]
    assert spans == [("Ada", 2.0, 7.0), ("Bob", 5.0, 7.0), ("Bob", 13.0, 14.0)]
    assert shape["unknown_faces"] == 4  # white, twice a second
    assert shape["asked"] == ["Ada", "Bob"]
    assert (shape["fps"], shape["threshold"]) == (2.0, 0.363)
    for one in shape["appearances"]:
        assert 0.9 < one["similarity"] <= 1
        expected = face_box(5 if one["name"] == "Ada" else 16, 6)
        for face in one["faces"]:
            box = [face["left"] * 192, face["top"] * 96, face["width"] * 192, face["height"] * 96]
            assert box == pytest.approx(expected, abs=0.1)


def test_only_a_named_person_and_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "film.mp4")
    enrol_both()
    capsys.readouterr()
    assert main(["people", "match", "film.mp4", "--name", "Bob"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Bob [")
    assert lines[0].endswith("film.mp4 00:05.0-00:07.0")
    assert "other faces seen; nothing of them is kept" in said.err
    assert main(["people", "match", "film.mp4", "--threshold", "1"]) == 0
    assert main(["people", "match", "film.mp4", "--name", "Eve"]) == 2
    assert "nobody called 'Eve' is enrolled; enrolled: Ada, Bob" in capsys.readouterr().err


def test_list_and_forget(capsys: pytest.CaptureFixture[str]) -> None:
    enrol_both()
    capsys.readouterr()
    assert main(["people", "list", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["pictures"]) for one in shape["people"]] == [("Ada", 2), ("Bob", 1)]
    assert set(shape["people"][0]) == {"name", "pictures", "enrolled"}
    assert main(["people", "forget", "Ada"]) == 2
    assert "Ada would be forgotten and nobody can be asked; add --yes" in capsys.readouterr().err
    assert main(["people", "forget", "Ada", "--yes"]) == 0
    assert capsys.readouterr().out == "forgot Ada\n"
    assert main(["people", "forget", "Ada"]) == 2
    assert "nobody called 'Ada' is enrolled; enrolled: Bob" in capsys.readouterr().err


def traces(folder: Path, secret: bytes) -> list[str]:
    return [
        path.name for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()
    ]


@pytest.mark.parametrize("way", ["forgotten", "replaced"])
def test_what_is_deleted_is_gone_from_the_disk(tmp_path: Path, way: str) -> None:
    """Also from free pages of the database and from its log, with the library open meanwhile."""
    folder = tmp_path / "library"
    with Library.open() as library:
        name = "Adalberta Quixworth"
        person = library.enrol_person(name, ["green.png"] * 40)
        vectors = person.vectors.tobytes()
        assert traces(folder, vectors) != []
        if way == "forgotten":
            library.forget_person(name)
            assert traces(folder, name.encode()) == []
            assert library.people() == []
        else:
            library.enrol_person(name, ["blue.png"])
            library.forget_person(name)
        assert traces(folder, vectors) == []
        assert traces(folder, vectors[:64]) == []


def test_no_picture_is_kept(tmp_path: Path) -> None:
    enrol_both()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "library").iterdir())
    for picture in ("green.png", "blue.png"):
        assert Path(picture).read_bytes()[:64] not in stored
        assert picture.encode() not in stored


def test_enrolling_again_replaces_and_asks_first(capsys: pytest.CaptureFixture[str]) -> None:
    enrol_both()
    capsys.readouterr()
    assert main(["people", "enrol", "Ada", "blue.png"]) == 2
    assert "Ada is enrolled already" in capsys.readouterr().err
    assert main(["people", "enrol", "Ada", "blue.png", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 1


def test_vectors_of_another_network_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "film.mp4")
    enrol_both()
    write_random_embedder(tmp_path / "other.onnx")
    assert main(["people", "match", "film.mp4", "--face-embedder", "other.onnx"]) == 2
    assert "Ada was enrolled with another face embedder" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["detector", "embedder"])
@pytest.mark.parametrize("command", [["enrol", "Ada", "green.png"], ["match", "film.mp4"]])
def test_without_networks_one_sentence_says_what_is_needed(
    missing: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(f"SCENEWISE_FACE_{missing.upper()}")
    assert main(["people", *command]) == 2
    said = capsys.readouterr().err
    assert "--face-detector FILE (YuNet's layout) and --face-embedder FILE" in said
    assert "docs/people.md" in said
    assert len(said.strip().splitlines()) == 1
    assert not Path("library").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["enrol", "Ada", "two.png"], 2, "two.png: shows 2 faces; give a picture of exactly one"),
        (["enrol", "Ada", "none.png"], 2, "none.png: shows no face"),
        (["enrol", "Ada", "gone.png"], 2, "gone.png: No such file"),
        (["enrol", "Ada", "text.png"], 2, "text.png: it is no picture that can be read"),
        (["enrol", " ", "green.png"], 2, "the name '' is not allowed"),
        (["match", "film.mp4"], 2, "nobody is enrolled"),
        (["forget", "Ada"], 1, "there is no library"),
        (["match", "film.mp4", "--threshold", "7"], 2, "--threshold"),
        (["match", "film.mp4", "--fps", "0"], 2, "--fps"),
        (["enrol", "Ada", "green.png", "--face-detector", "gone.onnx"], 2, "no such file"),
        (["enrol", "Ada", "green.png", "--face-detector", "text.png"], 1, "cannot be used as a"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_film(tmp_path / "film.mp4", [shown()] * 4)
    assert main(["people", *arguments]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def test_settings_name_the_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENEWISE_FACE_DETECTOR")
    monkeypatch.delenv("SCENEWISE_FACE_EMBEDDER")
    (tmp_path / "scenewise.toml").write_text('face_detector = "a.onnx"\nface_embedder = "b.onnx"\n')
    settings = load_settings()
    assert (settings.face_detector, settings.face_embedder) == (Path("a.onnx"), Path("b.onnx"))


def test_a_face_is_one_person_s_and_a_person_has_one_face(tmp_path: Path) -> None:
    """Two green faces at once: the second is nobody's."""
    write_film(
        tmp_path / "twins.mp4",
        [shown((5, GREEN), (16, GREEN))] * 4,
        FilmSettings(frame_rate=Fraction(4), quality=4),
    )
    with Library.open() as library:
        library.enrol_person("Ada", ["green.png"])
        found = library.match_people("twins.mp4")
        assert [one.name for one in found.appearances] == ["Ada"]
        assert [len(one.faces) for one in found.appearances] == [2]
        assert found.unknown_faces == 2
        with pytest.raises(UsageError, match="fps = 0 is not allowed"):
            library.match_people("twins.mp4", fps=0)


def test_nobody_is_enrolled_where_there_is_no_library() -> None:
    assert enrolled(None) == []
    person = Person("Ada", np.eye(3, dtype=np.float32), "hash", "2026-01-01")
    assert person.to_dict() == {"name": "Ada", "pictures": 3, "enrolled": "2026-01-01"}
