"""Say what a customer's clip is about, and which reply of an FAQ answers it.

What is said (subtitles, or speech where the library reads it) is compared with sentences by the
encoder's text side: those of the emotions, of the intents, and the questions of the FAQ. A label is
as near as its nearest line. What the face shows is asked of the picture.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from make_media import generated

from scenewise import Library, ScenewiseError
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Encoder, FloatArray
from scenewise.errors import UsageError

HERE = Path(__file__).parent / "customer"
LEAST = 0.2  # cosine below which nothing is said: unlike sentences lie around 0.1


def lines_of(library: Library, clip: Path) -> list[str]:
    """What is read or spoken in a clip, line by line."""
    with tempfile.TemporaryDirectory() as notes:
        library.annotate(clip, output=notes, motion=False)
        (sidecar,) = Path(notes).rglob("*.scenewise.json")
        texts = json.loads(sidecar.read_text("utf-8"))["texts"]
    return [line["text"] for line in texts]


def table(path: Path, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The columns of a CSV file, one or more rows. Raises UsageError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as opened:
            rows = [tuple(row[name] or "" for name in columns) for row in csv.DictReader(opened)]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a table.") from None
    except KeyError as error:
        raise UsageError(f"{path} has no column {error}; wanted are {columns}.") from None
    if not all(all(row) for row in rows) or not rows:
        raise UsageError(f"{path} has no rows, or a row with an empty field; fill them in.")
    return rows


def vectors(encoder: Encoder, sentences: Sequence[str]) -> FloatArray:
    """Sentences to unit vectors (N, D)."""
    return np.stack([encoder.encode_query(sentence).vector for sentence in sentences])


def nearest(
    encoder: Encoder, lines: FloatArray, rows: Sequence[tuple[str, ...]], column: int
) -> tuple[tuple[str, ...] | None, float]:
    """The row whose sentence comes nearest to a line, and its cosine; None below ``LEAST``."""
    likeness = (vectors(encoder, [row[column] for row in rows]) @ lines.T).max(axis=1)
    best = int(likeness.argmax())
    return (rows[best] if likeness[best] >= LEAST else None), float(likeness[best])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", nargs="?", type=Path, help="a video (default: a generated one)")
    parser.add_argument("--faq", type=Path, default=HERE / "faq.csv", help="question,reply")
    parser.add_argument("--emotions", type=Path, default=HERE / "emotions.csv")
    parser.add_argument("--intents", type=Path, default=HERE / "intents.csv")
    parser.add_argument("--faces", default="an angry face,a happy face,a sad face", help="labels")
    parser.add_argument("--library", help="where the clip may be indexed, with its speech")
    parser.add_argument("--encoder", help="what looks and reads, where there is no library")
    wanted = parser.parse_args()
    clip = wanted.clip or generated("customer") / "call.mp4"
    with Library.open(wanted.library, encoder=wanted.encoder) as library:
        lines = lines_of(library, clip)
        face = library.classify(clip, labels=wanted.faces)
    seen = face.labels[0].name if face.found else "cannot tell"
    print(f"face: {seen}")
    if not lines:
        print("nothing is read or spoken; add subtitles, or index it with --text speech")
        return 0
    encoder = load_encoder(face.encoder)
    said = vectors(encoder, lines)
    for name, path in (("emotion", wanted.emotions), ("intent", wanted.intents)):
        row, cosine = nearest(encoder, said, table(path, ("label", "description")), 1)
        print(f"{name}: {row[0] if row else 'cannot tell'} [{cosine:.2f}]")
    reply, cosine = nearest(encoder, said, table(wanted.faq, ("question", "reply")), 0)
    print(f"reply: {reply[1] if reply else 'none fits: a person should answer'} [{cosine:.2f}]")
    encoder.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScenewiseError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
