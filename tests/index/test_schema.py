"""A library of the first format becomes one of the newest, with everything it held."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from scenewise.errors import LibraryError
from scenewise.index import schema
from scenewise.index.catalog import Catalog
from scenewise.index.database import DATABASE_FILE
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import TextSegment
from scenewise.index.rows import checksum
from scenewise.tasks.words import find_words

LINES = [(0.0, 2.0, "The dog on a skateboard"), (3.0, 4.0, "今天的天气预报"), (4.0, 5.0, "bye")]


def write_first_format(folder: Path) -> None:
    """Two videos, the first with three lines, in the tables as version 1 made them."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as rows:
        rows.executescript(
            f"BEGIN;{schema.MIGRATIONS[0]}PRAGMA application_id = {schema.APPLICATION_ID};"
            "PRAGMA user_version = 1;COMMIT;"
        )
        rows.execute("INSERT INTO meta VALUES ('library', 'abc')")
        spec = json.dumps(synthetic_spec(8).to_dict(), sort_keys=True)
        rows.execute("INSERT INTO generation VALUES (1, ?, 'fps=2', 'active')", (spec,))
        rows.execute("INSERT INTO generation VALUES (2, ?, 'fps=1', 'filling')", (spec,))
        for number in (1, 2):
            video = encoded_video(number, windows=2, dimension=8)
            vectors = video.features.vectors.astype(np.float16).tobytes()
            rows.execute(
                "INSERT INTO video VALUES (?, ?, ?, ?)",
                (number, video.content_hash, video.content_hash[:16], video.duration),
            )
            rows.execute(
                "INSERT INTO location (path, video, size, modified_ns) VALUES (?, ?, 1, 1)",
                (video.stamp.path.encode(), number),
            )
            for generation in (1, 2):
                chunk = rows.execute(
                    "INSERT INTO chunk (generation, video, windows, checksum, starts, ends, times, "
                    "shots, video_vector, warnings) VALUES (?, ?, 2, ?, ?, ?, ?, ?, ?, '[]')",
                    (
                        generation, number, checksum(vectors), video.starts.tobytes(),
                        video.ends.tobytes(), video.times.tobytes(), b"",
                        video.video_vector.astype(np.float32).tobytes(),
                    ),
                ).lastrowid  # fmt: skip
                rows.execute("INSERT INTO feature VALUES (?, ?, NULL, NULL)", (chunk, vectors))
                for line in LINES if number == 1 else ():
                    rows.execute(
                        'INSERT INTO segment (chunk, kind, start, "end", text) '
                        "VALUES (?, 'subtitle', ?, ?, ?)",
                        (chunk, *line),
                    )


@pytest.fixture
def first_format(tmp_path: Path) -> Path:
    write_first_format(tmp_path / "library")
    return tmp_path / "library"


def test_the_next_writer_brings_the_first_format_up_to_date(first_format: Path) -> None:
    with pytest.raises(LibraryError, match="older format 1; run scenewise index"):
        Catalog.open(first_format)
    Catalog.open(first_format, write=True).close()
    with Catalog.open(first_format) as catalog:
        generation = catalog.active()
        assert generation is not None
        with_lines, without = catalog.chunk_ids(generation.id).tolist()
        assert catalog.texts(with_lines) == tuple(TextSegment("subtitle", *line) for line in LINES)
        assert catalog.texts(without) == ()
        # whoever reads subtitles next knows that these were read by another program
        video_id = encoded_video(1).content_hash[:16]
        assert catalog.track_specs(video_id) == {"subtitle": ""}
        assert catalog.problems() == []
        assert np.isfinite(catalog.features(with_lines).vectors).all()


@pytest.mark.parametrize(("words", "start"), [("skateboards", 0), ("天气预报", 3), ("天气", 3)])
def test_words_of_the_first_format_are_found(first_format: Path, words: str, start: float) -> None:
    with Catalog.open(first_format, write=True) as catalog:
        generation = catalog.active()
        assert generation is not None
        found = find_words(IndexReader(catalog, generation, FeatureCache()), words, None)
        assert [one.start for one in found] == [start]
        catalog.remove([encoded_video(1).content_hash[:16]])
        assert find_words(IndexReader(catalog, generation, FeatureCache()), words, None) == []
    with closing(sqlite3.connect(first_format / DATABASE_FILE)) as rows:
        for table in ("text_words", "text_trigrams"):
            rows.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")


def test_sounds_of_a_kind_are_found_without_reading_all(tmp_path: Path) -> None:
    Catalog.open(tmp_path, write=True, create=True).close()
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as rows:
        plan = rows.execute(
            "EXPLAIN QUERY PLAN SELECT start FROM sound WHERE kind = 'onset' "
            "ORDER BY strength DESC LIMIT 5"
        ).fetchall()
    assert [step[-1] for step in plan] == ["SEARCH sound USING INDEX sound_kind (kind=?)"]
