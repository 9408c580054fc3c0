"""Count vehicles in and out per span of time, from the events of a line rule (JSON lines).

The events come from ``scenewise watch … --rules examples/road.toml --events crossings.jsonl``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from scenewise import Event, Why
from scenewise.tasks.watch.crossings import read_counts

Table = dict[tuple[str, int], Counter[str]]  # by source and number of the span


def count(lines: Iterable[str], rule: str, per: float) -> Table:
    """How many crossed ``in`` and ``out`` in each span of ``per`` seconds of each source."""
    table: Table = {}
    before: dict[str, tuple[int, int]] = {}
    for line in lines:
        shape = json.loads(line)
        event = Event(**{**shape, "why": tuple(Why.from_dict(why) for why in shape["why"])})
        totals = read_counts(event)
        if event.rule != rule or totals is None:
            continue
        last = before.get(event.source, (0, 0))
        # the counts of a stream begin anew when the watch was started again
        last = last if sum(totals) > sum(last) else (0, 0)
        before[event.source] = totals
        row = table.setdefault((event.source, int(event.time // per)), Counter())
        row.update({"in": totals[0] - last[0], "out": totals[1] - last[1]})
    return table


def write(table: Table, per: float, target: TextIO) -> None:
    """The counts as CSV, a row for each span in which something crossed."""
    rows = csv.writer(target)
    rows.writerow(["source", "start", "end", "in", "out"])
    for (source, number), row in sorted(table.items()):
        rows.writerow([source, number * per, (number + 1) * per, row["in"], row["out"]])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path, help="the file that watch --events wrote")
    parser.add_argument("--rule", default="vehicles", help="which rule is counted (vehicles)")
    parser.add_argument("--per", type=float, default=60.0, help="seconds of a row (60)")
    parser.add_argument("--output", type=Path, help="a CSV file (default: the terminal)")
    wanted = parser.parse_args()
    if not wanted.per > 0:
        parser.error(f"--per {wanted.per:g} is not allowed; give seconds, more than 0.")
    try:
        lines = wanted.events.read_text("utf-8").splitlines()
    except OSError as error:
        parser.error(f"{wanted.events} cannot be read ({error.strerror}); name a file of events.")
    try:
        table = count(lines, wanted.rule, wanted.per)
    except (KeyError, TypeError, ValueError):
        parser.error(f"{wanted.events} holds no events; name what watch --events wrote.")
    if wanted.output is None:
        write(table, wanted.per, sys.stdout)
    else:
        with wanted.output.open("w", newline="", encoding="utf-8") as opened:
            write(table, wanted.per, opened)
    return 0


if __name__ == "__main__":
    sys.exit(main())
