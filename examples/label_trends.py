"""How often the films of a folder show each of some labels, per week or month, by file date.

Every video is classified among the labels; a span of time has the mean of its videos' shares,
longer videos weigh more. The answer is a CSV table and a bar chart; the shares of a span sum to 1.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TextIO

from make_media import generated
from PIL import Image, ImageDraw, ImageFont

from scenewise import Failure, Library, ScenewiseError
from scenewise.index.discover import discover

Shares = dict[str, list[float]]  # by span of time: the share of each label
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
BAR, GAP, TALL, ROW = 60, 30, 220, 20  # pixels


def span_of(when: date, per: str) -> str:
    """The month or ISO week of a day, as text that sorts by time."""
    if per == "month":
        return f"{when:%Y-%m}"
    year, week, _ = when.isocalendar()
    return f"{year}-W{week:02d}"


def trends(library: Library, folder: Path, labels: Sequence[str], per: str) -> Shares:
    """Shares of the labels by span of time, of the videos below the folder."""
    inside = {file.path for file in discover([folder]).files}  # the library may hold others too
    known = library.videos(include_missing=False)
    videos = [video for video in known if video.video_id and video.path in inside]
    sums: Shares = {}
    paths = [video.path for video in videos]
    answers = library.classify_many(paths, labels=labels, top_k=len(labels))
    for video, answer in zip(videos, answers, strict=True):
        if isinstance(answer, Failure):
            print(f"not counted: {answer.path}: {answer.reason}", file=sys.stderr)
            continue
        share = {label.name: label.probability for label in answer.labels}
        row = sums.setdefault(
            span_of(datetime.fromtimestamp(video.modified).date(), per), [0.0] * len(labels)
        )
        for number, label in enumerate(labels):
            row[number] += share[label] * (video.duration or 0.0)
    return {span: [one / sum(row) for one in row] for span, row in sorted(sums.items()) if sum(row)}


def write(shares: Shares, labels: Sequence[str], target: TextIO) -> None:
    """The table."""
    rows = csv.writer(target)
    rows.writerow(["span", *labels])
    for span, row in shares.items():
        rows.writerow([span, *(f"{share:.4f}" for share in row)])


def draw(shares: Shares, labels: Sequence[str], path: Path) -> None:
    """Stacked bars, one a span of time, with the labels below."""
    width = max(320, GAP + (BAR + GAP) * len(shares))
    picture = Image.new("RGB", (width, TALL + 2 * GAP + ROW * (len(labels) + 1)), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for place, (span, row) in enumerate(shares.items()):
        left, low = GAP + place * (BAR + GAP), GAP / 2 + TALL
        for number, share in enumerate(row):
            high = low - share * TALL
            pen.rectangle((left, high, left + BAR, low), COLOURS[number % len(COLOURS)])
            low = high
        pen.text((left, GAP / 2 + TALL + 4), span, "black", font)
    for number, label in enumerate(labels):
        top = TALL + 2 * GAP + ROW * number
        pen.rectangle((GAP, top, GAP + 12, top + 12), COLOURS[number % len(COLOURS)])
        pen.text((GAP + 20, top - 2), label, "black", font)
    picture.save(path)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="videos (default: generated ones)")
    parser.add_argument("--labels", default="a cat,a rocket", help="with commas between them")
    parser.add_argument("--per", choices=("week", "month"), default="month", help="(month)")
    parser.add_argument("--csv", type=Path, default=Path("trends.csv"), help="the table")
    parser.add_argument("--png", type=Path, default=Path("trends.png"), help="the chart")
    parser.add_argument("--library", help="where the index is kept (default: scenewise's own)")
    parser.add_argument("--encoder", help="what looks at the pictures, for a new library")
    wanted = parser.parse_args()
    labels = [label.strip() for label in wanted.labels.split(",") if label.strip()]
    if len(labels) < 2:
        parser.error(f"--labels {wanted.labels!r} are too few to compare; name two or more.")
    folder = wanted.folder or generated("channel")
    place = wanted.library or (None if wanted.folder else folder.with_name("library"))
    with Library.open(place, encoder=wanted.encoder) as library:
        library.index(folder)
        shares = trends(library, folder, labels, wanted.per)
    write(shares, labels, sys.stdout)
    with wanted.csv.open("w", newline="", encoding="utf-8") as opened:
        write(shares, labels, opened)
    draw(shares, labels, wanted.png)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScenewiseError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)
