"""What is no word is taken out of subtitles, titles and file names."""

from __future__ import annotations

import pytest

from scenewise.data.speech_text import clean_cues, readable_name, tidy_text, word_count
from scenewise.media.subtitles import Cue


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("My_dog-runs.home [dQw4w9WgXcQ].mp4", "My dog runs home"),
        ("Making pasta-dQw4w9WgXcQ.webm", "Making pasta"),
        ("Holiday in-Switzerland.mp4", "Holiday in Switzerland"),
        ("Trip (Switzerland).mov", "Trip (Switzerland)"),
        ("猫が走る.mp4", "猫が走る"),
        ("version 2.0 of it", "version 2 0 of it"),
        ("IMG_1234.MOV", ""),
        ("VID-20200101-WA0001.mp4", ""),
        ("PXL_20230101_101010.mp4", ""),
        ("GX010023.MP4", ""),
        ("video.mp4", ""),
        ("20200101_101010.mp4", ""),
        ("Video games for children.mp4", "Video games for children"),
        ("Image of a cat.mp4", "Image of a cat"),
    ],
)
def test_a_file_name_becomes_words(name: str, text: str) -> None:
    assert readable_name(name) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog runs", 3),
        ("", 0),
        ("10 000 !", 0),
        ("don't stop", 2),
        ("猫が走る", 4),
        ("été là", 2),
    ],
)
def test_words_are_counted(text: str, words: int) -> None:
    assert word_count(text) == words


def test_links_go() -> None:
    assert tidy_text(" See  https://x.y/z?a=b and\nwww.z.org now ") == "See and now"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("♪ la la ♪", "la la"),
        ("♪♪", ""),
        ("[Music]", ""),
        ("[applause] Thank you", "Thank you"),
        ("(laughs)", ""),
        ("(in French) Bonjour", "Bonjour"),
        ("(this is a whole sentence in brackets)", "(this is a whole sentence in brackets)"),
        (">> JOHN: Hello", "Hello"),
        ("- Hello.\n- Bye.", "Hello. Bye."),
        ("DR. SMITH: Sit down", "Sit down"),
        ("Speaker 1: So", "So"),
        ("He said: go", "He said: go"),
        ("I: me", "I: me"),
        ("twenty-one - or more", "twenty-one - or more"),
        ("Part #1 of 2", "Part #1 of 2"),
    ],
)
def test_marks_go_and_words_stay(said: str, kept: str) -> None:
    assert " ".join(cue.text for cue in clean_cues([Cue(0, 1, said)])) == kept


def test_rolling_captions_are_said_once() -> None:
    """As YouTube writes what it hears: each line is shown twice, with a blink between."""
    cues = [
        Cue(0, 2, "hello there"),
        Cue(2, 2.01, "hello there"),
        Cue(2.01, 4, "hello there\nhow are you"),
        Cue(4, 4.01, "how are you"),
        Cue(4.01, 6, "how are you\nvery well"),
    ]
    assert clean_cues(cues) == [
        Cue(0, 2.01, "hello there"),
        Cue(2.01, 4.01, "how are you"),
        Cue(4.01, 6, "very well"),
    ]


def test_captions_that_grow_are_kept_in_their_last_form() -> None:
    cues = [Cue(0, 1, "I"), Cue(1, 2, "I like"), Cue(2, 3, "I like trains"), Cue(3, 4, "In May")]
    assert clean_cues(cues) == [Cue(0, 3, "I like trains"), Cue(3, 4, "In May")]


def test_what_is_said_again_later_is_said_twice() -> None:
    cues = [Cue(0, 1, "No!"), Cue(5, 6, "No!")]
    assert clean_cues(cues) == cues


def test_order_is_that_of_time() -> None:
    assert [c.text for c in clean_cues([Cue(5, 6, "two"), Cue(0, 1, "one")])] == ["one", "two"]
