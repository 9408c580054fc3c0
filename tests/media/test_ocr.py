"""Text that is drawn into films at known times is read at those times."""

from __future__ import annotations

from difflib import SequenceMatcher
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from benchmarks.text_films import Shown, draw, write_text_film
from scenewise.errors import MissingExtraError, UnreadableMediaError
from scenewise.media.film import noise_picture
from scenewise.media.ocr import TextReader, ocr_spec

FPS = 2.0
STEP = 1 / FPS
Line = tuple[float, float, str]


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def assert_read(lines: list[Line], texts: list[Shown]) -> None:
    """Each text is one line, at its times up to one sampling step, and nothing else is there."""
    assert sorted(text for _, _, text in lines) == sorted(shown.text for shown in texts)
    for shown in texts:
        [(start, end)] = [(start, end) for start, end, text in lines if text == shown.text]
        assert shown.start <= start <= shown.start + STEP
        assert shown.end <= end <= shown.end + STEP


@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
def test_text_is_one_line_from_its_first_picture_to_the_first_without(
    reader: TextReader, tmp_path: Path, moving: bool
) -> None:
    texts = [
        Shown(1.0, 3.2, "A dog on a skateboard"),
        Shown(2.3, 5.0, "Score 12:45", (40, 40), 20),
        Shown(4.0, 5.5, "The quick brown fox", (60, 280), 16),
    ]
    film = write_text_film(tmp_path / "film.mp4", texts, 6.0, moving=moving, seed=3)
    assert_read(reader.read(film, fps=FPS), texts)


def test_lines_of_one_picture_end_each_at_its_time(reader: TextReader, tmp_path: Path) -> None:
    texts = [
        Shown(0.0, end, f"until {word}", (60, 60 * row), 26)
        for row, (end, word) in enumerate([(1.5, "later"), (0.5, "early"), (2.0, "the end")], 1)
    ]
    film = write_text_film(tmp_path / "film.mp4", texts, 2.0)
    assert_read(reader.read(film, fps=FPS), texts)


def test_chinese_is_read(reader: TextReader, tmp_path: Path) -> None:
    texts = [Shown(0.5, 2.0, "中日王田", (60, 60), 48), Shown(1.0, 3.0, "News", (60, 250), 30)]
    film = write_text_film(tmp_path / "film.mp4", texts, 3.0)
    lines = reader.read(film, fps=FPS)
    assert [(s, e) for s, e, text in lines if text == "中日王田"] == [(0.5, 2.0)]
    assert [(s, e) for s, e, text in lines if text == "News"] == [(1.0, 3.0)]


def test_a_change_of_one_figure_ends_a_line(reader: TextReader, tmp_path: Path) -> None:
    texts = [Shown(0.0, 1.0, "Goals 2 to 1"), Shown(1.0, 2.0, "Goals 2 to 3")]
    film = write_text_film(tmp_path / "film.mp4", texts, 2.0)
    assert reader.read(film, fps=FPS) == [(0.0, 1.0, "Goals 2 to 1"), (1.0, 2.0, "Goals 2 to 3")]


def test_text_that_moves_stays_one_line(reader: TextReader, tmp_path: Path) -> None:
    texts = [
        Shown(n / 10, (n + 1) / 10, "Directed by Ada Lovelace", (60, 320 - 8 * n))
        for n in range(30)
    ]
    film = write_text_film(tmp_path / "credits.mp4", texts, 3.0)
    assert reader.read(film, fps=FPS) == [(0.0, 3.0, "Directed by Ada Lovelace")]


def test_what_does_not_change_is_not_read_again(tmp_path: Path) -> None:
    counting = TextReader()
    texts = [Shown(0.0, 6.0, "Chapter one"), Shown(3.0, 6.0, "a page", (60, 60), 24)]
    film = write_text_film(tmp_path / "slides.mp4", texts, 6.0)
    assert_read(counting.read(film, fps=FPS), texts)
    assert counting.detected == 2  # of 12 pictures
    assert counting.recognised == 2  # and the first line once


def test_a_film_without_text_has_no_line(reader: TextReader, tmp_path: Path) -> None:
    film = write_text_film(tmp_path / "plain.mp4", [], 1.0, moving=True)
    assert reader.read(film, fps=FPS) == []


def test_large_pictures_are_made_smaller_and_upright_films_are_read(
    reader: TextReader, tmp_path: Path
) -> None:
    texts = [Shown(0.0, 0.5, "Tall picture", (40, 900), 60)]
    film = write_text_film(tmp_path / "tall.mp4", texts, 0.5, size=(1080, 1920))
    assert [text for _, _, text in reader.read(film, fps=FPS)] == ["Tall picture"]


@pytest.mark.parametrize(("size", "alike"), [(12, 0.85), (18, 0.85), (24, 1.0)])
def test_a_small_line_alone_in_a_large_picture_is_read(
    reader: TextReader, size: int, alike: float
) -> None:
    for number, place in enumerate([(20, 20), (900, 20), (20, 680), (900, 680), (500, 350)]):
        picture = noise_picture(number, 1280, 720) // 3
        picture = draw(picture, Shown(0, 1, "museum garden", place, size))
        boxes = sorted(reader.boxes(picture), key=lambda box: box.bounds)
        # words this small may stand in boxes of their own, and letters be mistaken for others
        text = " ".join(box.text for box in boxes)
        assert SequenceMatcher(None, text, "museum garden").ratio() >= alike


def test_small_lines_close_together_stay_apart(reader: TextReader) -> None:
    picture = np.full((720, 1280, 3), 250, np.uint8)
    lines = [f"the {word} of the village concert" for word in ("captain", "doctor", "player")]
    for row, line in enumerate(lines):
        picture = draw(picture, Shown(0, 1, line, (40, 300 + 17 * row), 12, ink=10))
    assert [box.text for box in reader.boxes(picture)] == lines


def test_boxes_of_one_picture_come_from_the_top(reader: TextReader) -> None:
    picture = np.full((360, 640, 3), 30, np.uint8)
    for shown in (Shown(0, 1, "below", (60, 250)), Shown(0, 1, "above", (60, 60))):
        picture = draw(picture, shown)
    boxes = reader.boxes(picture)
    assert [box.text for box in boxes] == ["above", "below"]
    left, upper, right, lower = boxes[0].bounds
    assert 40 <= left <= 62
    assert 40 <= upper < lower <= 110
    assert right < 300


def test_a_file_that_is_no_film_is_one_of_our_errors(reader: TextReader, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(UnreadableMediaError):
        reader.read(tmp_path / "film.mp4", fps=FPS)


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(MissingExtraError, match=r'pip install "scenewise\[ocr\]"'):
        ocr_spec()


def test_reading_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    TextReader().boxes(np.zeros((120, 160, 3), np.uint8))
    assert capfd.readouterr() == ("", "")
