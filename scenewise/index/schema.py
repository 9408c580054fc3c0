"""The tables of a library, version by version.

It knows SQL and nothing else: how to open the file is ``database``'s, what the rows mean is
``catalog``'s. A migration, once released, is never edited; a new one is appended.
"""

from __future__ import annotations

import sqlite3

from scenewise.errors import LibraryError

APPLICATION_ID = 0x53434E57  # "SCNW", written into the file's header

# how the full-text index cuts lines: into words, and into the stems that it keeps of them
WORDS = "unicode61 remove_diacritics 2"
STEMS = f"porter {WORDS}"
# Letters of scripts that put no blanks between words (Chinese, Japanese, Thai, Lao, Khmer,
# Burmese) or glue particles to them (Korean), as ranges of a regular expression and of GLOB
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)

_TABLES = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE generation (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  spec TEXT NOT NULL,
  sampling TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('filling', 'active', 'retired'))
);
CREATE UNIQUE INDEX one_active ON generation (state) WHERE state = 'active';
CREATE UNIQUE INDEX one_filling ON generation (state) WHERE state = 'filling';

CREATE TABLE video (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  content_hash TEXT NOT NULL UNIQUE,
  video_id TEXT NOT NULL UNIQUE,
  duration REAL NOT NULL
);

CREATE TABLE location (
  path BLOB PRIMARY KEY,
  video INTEGER REFERENCES video (id) ON DELETE CASCADE,
  size INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  missing INTEGER NOT NULL DEFAULT 0 CHECK (missing IN (0, 1)),
  reason TEXT,
  CHECK (video IS NOT NULL OR reason IS NOT NULL)
);
CREATE INDEX location_video ON location (video);

CREATE TABLE chunk (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  video INTEGER NOT NULL REFERENCES video (id) ON DELETE CASCADE,
  windows INTEGER NOT NULL CHECK (windows > 0),
  checksum INTEGER NOT NULL,
  starts BLOB NOT NULL,
  ends BLOB NOT NULL,
  times BLOB NOT NULL,
  shots BLOB NOT NULL,
  video_vector BLOB NOT NULL,
  warnings TEXT NOT NULL,
  UNIQUE (generation, video)
);
CREATE INDEX chunk_video ON chunk (video);
CREATE INDEX chunk_order ON chunk (generation, id, windows, checksum);

CREATE TABLE feature (
  chunk INTEGER PRIMARY KEY REFERENCES chunk (id) ON DELETE CASCADE,
  vectors BLOB NOT NULL,
  concept_indices BLOB,
  concept_values BLOB
);

CREATE TABLE segment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  chunk INTEGER NOT NULL REFERENCES chunk (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  start REAL NOT NULL,
  "end" REAL NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX segment_chunk ON segment (chunk);

CREATE VIRTUAL TABLE segment_words USING fts5 (text, content='segment', content_rowid='id');
CREATE TRIGGER segment_added AFTER INSERT ON segment BEGIN
  INSERT INTO segment_words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER segment_removed AFTER DELETE ON segment BEGIN
  INSERT INTO segment_words (segment_words, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""

# What is read and heard belongs to the content, whichever encoder looks at its pictures.
_TRACKS = f"""
CREATE TABLE track (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  video INTEGER NOT NULL REFERENCES video (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  spec TEXT NOT NULL,
  warnings TEXT NOT NULL,
  UNIQUE (video, kind)
);
INSERT INTO track (video, kind, spec, warnings)
  SELECT DISTINCT c.video, s.kind, '', '[]' FROM segment s JOIN chunk c ON c.id = s.chunk
  JOIN generation g ON g.id = c.generation WHERE g.state = 'active';

CREATE TABLE text_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  track INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
  start REAL NOT NULL,
  "end" REAL NOT NULL,
  text TEXT NOT NULL,
  unspaced INTEGER NOT NULL DEFAULT 0 CHECK (unspaced IN (0, 1))
);
CREATE INDEX text_line_track ON text_line (track);
CREATE INDEX text_line_unspaced ON text_line (track) WHERE unspaced = 1;
INSERT INTO text_line (track, start, "end", text, unspaced)
  SELECT t.id, s.start, s."end", s.text, s.text GLOB '*[{UNSPACED}]*' FROM segment s
  JOIN chunk c ON c.id = s.chunk
  JOIN generation g ON g.id = c.generation
  JOIN track t ON t.video = c.video AND t.kind = s.kind WHERE g.state = 'active' ORDER BY s.id;
DROP TRIGGER segment_added;
DROP TRIGGER segment_removed;
DROP TABLE segment_words;
DROP TABLE segment;

CREATE VIRTUAL TABLE text_words USING fts5 (
  text, content='text_line', content_rowid='id', prefix='2 3',
  tokenize='{STEMS}'
);
CREATE VIRTUAL TABLE text_trigrams USING fts5 (
  text, content='text_line', content_rowid='id', tokenize='trigram'
);
INSERT INTO text_words (text_words) VALUES ('rebuild');
INSERT INTO text_trigrams (rowid, text) SELECT id, text FROM text_line WHERE unspaced = 1;
CREATE TRIGGER text_line_added AFTER INSERT ON text_line BEGIN
  INSERT INTO text_words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER text_line_removed AFTER DELETE ON text_line BEGIN
  INSERT INTO text_words (text_words, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER unspaced_added AFTER INSERT ON text_line WHEN new.unspaced BEGIN
  INSERT INTO text_trigrams (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER unspaced_removed AFTER DELETE ON text_line WHEN old.unspaced BEGIN
  INSERT INTO text_trigrams (text_trigrams, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE TABLE sound (
  track INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  start REAL NOT NULL,
  "end" REAL NOT NULL,
  strength REAL NOT NULL
);
CREATE INDEX sound_track ON sound (track);
CREATE INDEX sound_kind ON sound (kind, strength DESC);

CREATE TABLE audio (
  track INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE,
  starts BLOB NOT NULL,
  ends BLOB NOT NULL,
  vectors BLOB NOT NULL
);

CREATE TABLE kept (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  spec TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (kind, name)
);
"""

MIGRATIONS: tuple[str, ...] = (_TABLES, _TRACKS)  # entry i brings version i to version i + 1
TABLES = frozenset(
    {
        "meta",
        "generation",
        "video",
        "location",
        "chunk",
        "feature",
        "track",
        "text_line",
        "sound",
        "audio",
        "kept",
    }
)


def version(connection: sqlite3.Connection) -> int:
    """The schema version written in the file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest version, in one transaction.

    Raises LibraryError where the file was written by a newer scenewise.
    """
    found = version(connection)
    refuse_newer(found)
    if found == len(MIGRATIONS):
        return
    steps = "".join(MIGRATIONS[found:])
    # executescript commits nothing by itself once a transaction is open
    connection.executescript(
        f"BEGIN IMMEDIATE;{steps}PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {len(MIGRATIONS)};COMMIT;"
    )


def refuse_newer(found: int) -> None:
    """Raise LibraryError where a schema version is newer than this program."""
    if found > len(MIGRATIONS):
        raise LibraryError(
            f"The library has format {found} and this scenewise knows up to {len(MIGRATIONS)}: "
            "a newer scenewise wrote it; upgrade with pip install -U scenewise."
        )
