"""The measure of reading: its truth is as it was drawn, and perfect answers count as perfect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.read_text import measure
from benchmarks.text_conditions import LINES, Condition, script
from benchmarks.text_films import STROKES

ENGLISH = Condition("English", [f"word{letter}" for letter in "abcdefghijklmnopqrst"])


def test_a_script_shows_each_word_once_within_the_clip() -> None:
    for seed in range(10):
        lines = script(ENGLISH, np.random.default_rng(seed))
        words = [word for line in lines for word in line.text.split()]
        assert len(set(words)) == len(words)
        assert 1 <= len(lines) <= LINES
        assert len({line.place[1] for line in lines}) == len(lines)
        assert all(0 <= line.start < line.end <= ENGLISH.seconds for line in lines)


def test_chinese_that_is_drawn_by_strokes_can_be_drawn() -> None:
    lines = script(Condition("strokes", list(STROKES)), np.random.default_rng(0))
    assert all(letter in STROKES for line in lines for letter in line.text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "vtt"])
def test_every_word_of_subtitles_is_read_at_its_time_and_found(
    tmp_path: Path, encoding: str
) -> None:
    condition = replace(ENGLISH, words=[*ENGLISH.words, "Grüße"], subtitles=encoding)
    figures = measure(condition, 1, 3, tmp_path)
    [counts] = figures.clips
    assert counts.shown == counts.read == counts.found == counts.given == counts.right > 5


def test_every_word_on_the_screen_is_read_at_its_time_and_found(tmp_path: Path) -> None:
    [counts] = measure(ENGLISH, 1, 1, tmp_path).clips
    assert counts.shown == counts.read == counts.found == counts.given == counts.right > 5
