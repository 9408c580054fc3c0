"""Text is cut into words exactly as the full-text index cuts it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.index.schema import STEMS
from scenewise.index.tokenizer import tokenise


@pytest.mark.parametrize(
    ("text", "words", "stems"),
    [
        ("Running dogs", ("running", "dogs"), ("run", "dog")),
        ("Café, ZÜRICH!", ("cafe", "zurich"), ("cafe", "zurich")),
        ("don't", ("don", "t"), ("don", "t")),
        ("天气 預報", ("天气", "預報"), ("天气", "預報")),
        ("", (), ()),
        ("?!", (), ()),
    ],
)
def test_words_and_their_stems(text: str, words: tuple[str, ...], stems: tuple[str, ...]) -> None:
    [tokens] = tokenise([text])
    assert (tokens.words, tokens.stems) == (words, stems)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_every_word_is_found_by_the_index_itself(texts: list[str]) -> None:
    with closing(sqlite3.connect(":memory:")) as rows:
        rows.execute(f"CREATE VIRTUAL TABLE line USING fts5 (text, tokenize='{STEMS}')")
        rows.executemany("INSERT INTO line (rowid, text) VALUES (?, ?)", enumerate(texts))
        for number, tokens in enumerate(tokenise(texts)):
            assert len(tokens.words) == len(tokens.stems)
            for word in tokens.words:
                found = rows.execute("SELECT rowid FROM line WHERE line MATCH ?", (f'"{word}"',))
                assert (number,) in found.fetchall()
