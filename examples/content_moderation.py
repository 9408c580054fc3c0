"""Say which moments of a folder of videos break which rule of a policy, as a CSV report.

Two witnesses have to agree: among all labels of the policy, allowed ones too, a forbidden one
fits a stretch best (classify), and at that time it is found by itself (locate) with the rule's
threshold.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from make_media import generated

from scenewise import Library, ScenewiseError
from scenewise.errors import UsageError
from scenewise.index.discover import discover


@dataclass(frozen=True)
class Breach:
    """One moment that breaks one rule; ``start`` and ``end`` in seconds."""

    video: str
    start: float
    end: float
    rule: str
    label: str
    match: float
    action: str


def read_policy(path: Path) -> dict[str, Any]:
    """A policy file, checked. Raises UsageError."""
    try:
        policy = tomllib.loads(path.read_text("utf-8"))
        for rule in policy["rule"]:
            if not (rule["name"] and rule["labels"] and 0 <= rule["threshold"] <= 1):
                raise ValueError("a rule needs a name, labels, and a threshold from 0 to 1")
        policy["allowed"] = list(policy["allowed"])
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a policy.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is no policy like examples/policy.toml: {error}.") from None
    return policy


def breaches(library: Library, video: str, policy: dict[str, Any]) -> Iterator[Breach]:
    """What of a video breaks the policy."""
    rules = {label: rule for rule in policy["rule"] for label in rule["labels"]}
    found = library.classify(video, labels=[*policy["allowed"], *rules], over_time=True)
    for label in dict.fromkeys(span.label for span in found.segments if span.label in rules):
        rule = rules[label]
        spans = [span for span in found.segments if span.label == label]
        for hit in library.locate(video, label, min_match=rule["threshold"]).hits:
            for span in spans:
                start, end = max(hit.start, span.start), min(hit.end, span.end)
                if start < end:
                    match = round(hit.match, 3)
                    yield Breach(
                        video, start, end, rule["name"], label, match, rule.get("action", "review")
                    )


def moderate(library: Library, folder: Path, policy: dict[str, Any], report: Path) -> list[Breach]:
    """Index a folder, judge its videos, and write the report."""
    for failure in library.index(folder).failed:
        print(f"not judged: {failure.path}: {failure.reason}", file=sys.stderr)
    inside = {file.path for file in discover([folder]).files}  # the library may hold others too
    videos = [one.path for one in library.videos(include_missing=False) if one.video_id]
    judged = sorted(inside.intersection(videos))
    found = [breach for path in judged for breach in breaches(library, path, policy)]
    with report.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.DictWriter(opened, [field.name for field in fields(Breach)])
        rows.writeheader()
        rows.writerows(asdict(breach) for breach in found)
    names = {breach.video for breach in found}
    print(f"judged: {len(judged)}, break the policy: {len(names)}; report: {report}")
    return found


def main() -> int:
    """The command line; exit code 4 where something breaks the policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="videos (default: generated ones)")
    parser.add_argument("--policy", type=Path, default=Path(__file__).with_name("policy.toml"))
    parser.add_argument("--report", type=Path, default=Path("moderation.csv"))
    parser.add_argument("--library", help="where the index is kept (default: scenewise's own)")
    parser.add_argument("--encoder", help="what looks at the pictures, for a new library")
    wanted = parser.parse_args()
    policy = read_policy(wanted.policy)
    folder = wanted.folder or generated("clips")
    place = wanted.library or (None if wanted.folder else folder.with_name("library"))
    with Library.open(place, encoder=wanted.encoder) as library:
        found = moderate(library, folder, policy, wanted.report)
    for breach in found:
        where = f"{Path(breach.video).name} {breach.start:.1f}-{breach.end:.1f} s"
        print(f"{breach.action}: {where}: {breach.rule} ({breach.label}, {breach.match:.2f})")
    return 4 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScenewiseError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
