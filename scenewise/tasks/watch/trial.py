"""Rules tried on recordings before they are armed: how often they raise, and what they find.

The recordings go through the same line as a live stream (decoding, encoder, machines), as fast as
it goes and without leaving anything out, each as a stream of its own. Schedules and patterns of
sources do not count here: the question is what the rule sees. It knows files, counts and
intervals; a normal that a source has learnt is neither used nor kept.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenewise.encoders.spec import Encoder
from scenewise.errors import MediaError, UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Catalog
from scenewise.media.decode import VideoReader
from scenewise.media.live_sources import LiveOptions, parse_source
from scenewise.metrics.counts import poisson_interval, wilson_interval
from scenewise.tasks.watch.detectors import Detectors
from scenewise.tasks.watch.intake import Senses
from scenewise.tasks.watch.machines import arm
from scenewise.tasks.watch.pipeline import Pipeline, WatchedSource, WatchOptions
from scenewise.tasks.watch.rule import Rule
from scenewise.types import Event, Failure

logger = logging.getLogger(__name__)

SLACK_SECONDS = 2.0  # an event may come so much after what it is about: it is smoothed
_COLUMNS = ("video", "start", "end", "rule")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a rule should raise for, in [start, end) seconds of a recording."""

    video: str  # path or file name
    start: float
    end: float
    rule: str


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One rule over all recordings.

    Where it is known what should raise: ``found`` of ``expected`` occurrences were, and alarms are
    the events outside of them. Otherwise all events are counted as alarms.
    """

    rule: str
    events: int
    hours: float  # that it watched
    alarms: int
    alarms_per_hour: float
    alarms_interval: tuple[float, float]  # 95 %, for events that come independently (Poisson)
    expected: int | None = None
    found: int | None = None
    found_interval: tuple[float, float] | None = None  # of the share, 95 % (Wilson)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; what was expected only where it is known."""
        shape: dict[str, Any] = {
            "rule": self.rule,
            "events": self.events,
            "hours": self.hours,
            "alarms": self.alarms,
            "alarms_per_hour": self.alarms_per_hour,
            "alarms_interval": list(self.alarms_interval),
        }
        if self.expected is not None:
            interval = self.found_interval
            shape |= {
                "expected": self.expected,
                "found": self.found,
                "found_interval": None if interval is None else list(interval),
            }
        return shape


@dataclass(frozen=True, slots=True)
class Trial:
    """What the rules did on the recordings."""

    recordings: int
    hours: float
    rules: tuple[RuleFigures, ...]
    events: tuple[Event, ...]
    failed: tuple[Failure, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "recordings": self.recordings,
            "hours": self.hours,
            "rules": [rule.to_dict() for rule in self.rules],
            "events": [event.to_dict() for event in self.events],
            "failed": [failure.to_dict() for failure in self.failed],
        }


def run_trial(
    files: Sequence[str | Path],
    rules: Sequence[Rule],
    encoder: Encoder,
    calibrator: Calibrator,
    catalog: Catalog | None,
    *,
    fps: float = 2.0,
    senses: Senses | None = None,
    expected: Sequence[Expected] | None = None,
    detectors: Detectors | None = None,
    progress: Callable[[str], None] | None = None,
) -> Trial:
    """Watch the files one after another, with the detectors of ``without_limits(rules)``.

    ``progress`` is told each path before it is read.

    Raises UsageError where ``expected`` names a rule or recording that is not there, EncoderError.
    """
    paths = [str(file) for file in files]
    if not paths:
        raise UsageError(
            "there is no recording to try the rules on; name files or folders of them."
        )
    tried = without_limits(rules)
    if expected is not None:
        _check_expected(expected, paths, tried)
    events: list[Event] = []
    failed: list[Failure] = []
    seconds: dict[str, float] = {}
    for path in paths:
        if progress is not None:
            progress(path)
        try:
            with VideoReader(path) as reader:
                duration = reader.duration
            found = _watch(
                path, tried, encoder, calibrator, catalog, fps, senses or Senses(), detectors
            )
        except MediaError as error:
            failed.append(Failure(path, str(error).removeprefix(f"{path}: ")))
            continue
        events += found
        seconds[path] = duration
    hours = sum(seconds.values()) / 3600
    known = (
        None if expected is None else [e for e in expected if _path_of(e.video, paths) in seconds]
    )
    figures = tuple(_figures(rule, events, hours, known, paths) for rule in tried)
    return Trial(len(seconds), hours, figures, tuple(events), tuple(failed))


def without_limits(rules: Sequence[Rule]) -> list[Rule]:
    """The rules as they are tried: at all times, and on every recording."""
    return [rule.model_copy(update={"schedule": (), "sources": ("*",)}) for rule in rules]


def _watch(
    path: str,
    rules: Sequence[Rule],
    encoder: Encoder,
    calibrator: Calibrator,
    catalog: Catalog | None,
    fps: float,
    senses: Senses,
    detectors: Detectors | None,
) -> list[Event]:
    live = LiveOptions(fast=True)
    # what a source usually shows is neither taken from the library nor kept there
    machines = [
        arm(rule, encoder, calibrator, None if rule.kind == "anomaly" else catalog, path, detectors)
        for rule in rules
    ]
    watched = WatchedSource(parse_source(path, live), machines)
    options = WatchOptions(fps=fps, live=live, senses=senses)
    pipeline = Pipeline([watched], encoder, options, detectors=detectors)
    return list(pipeline.events())


def _figures(
    rule: Rule,
    events: Sequence[Event],
    hours: float,
    expected: Sequence[Expected] | None,
    paths: Sequence[str],
) -> RuleFigures:
    own = [event for event in events if event.rule == rule.name]
    wanted = None
    alarms, hit = len(own), 0
    if expected is not None:
        wanted = [one for one in expected if one.rule == rule.name]
        slack = SLACK_SECONDS + rule.dwell
        spans = [(_path_of(one.video, paths), one.start, one.end + slack) for one in wanted]
        hits = [{n for n, span in enumerate(spans) if _within(event, span)} for event in own]
        alarms = sum(not some for some in hits)
        hit = len(set().union(*hits)) if hits else 0
    low, high = poisson_interval(alarms)
    return RuleFigures(
        rule=rule.name,
        events=len(own),
        hours=hours,
        alarms=alarms,
        alarms_per_hour=alarms / hours if hours else 0.0,
        alarms_interval=(low / hours, high / hours) if hours else (0.0, 0.0),
        expected=None if wanted is None else len(wanted),
        found=None if wanted is None else hit,
        found_interval=wilson_interval(hit, len(wanted)) if wanted else None,
    )


def _within(event: Event, span: tuple[str | None, float, float]) -> bool:
    path, start, end = span
    return event.source == path and start <= event.time < end


def read_expected(path: str | Path) -> list[Expected]:
    """A CSV file with the columns video, start, end, rule; times in seconds.

    Raises UsageError that names the line.
    """
    file = Path(path)
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            names = [name.strip().lower() for name in rows.fieldnames or ()]
            if set(_COLUMNS) - set(names):
                raise UsageError(
                    f"{path} needs the columns {', '.join(_COLUMNS)} in its first line, and has "
                    f"{', '.join(names) or 'none'}."
                )
            rows.fieldnames = names
            return [_expected(row, f"{path}, line {rows.line_num}") for row in rows]
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is no CSV in UTF-8; save it as that.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); name a CSV file."
        ) from None


def _expected(row: dict[str, str], where: str) -> Expected:
    video, rule = ((row[name] or "").strip() for name in ("video", "rule"))
    try:
        start, end = (float(row[name]) for name in ("start", "end"))
    except (TypeError, ValueError):
        start, end = math.nan, math.nan
    if not (video and rule and 0 <= start <= end < math.inf):
        raise UsageError(
            f"{where}: wanted are a video, 0 <= start <= end in seconds, and a rule's name."
        )
    return Expected(video, start, end, rule)


def _path_of(video: str, paths: Sequence[str]) -> str | None:
    """The recording that is meant: by its path, or by the name of its file."""
    whole = str(Path(video).absolute())
    for path in paths:
        if video == path or whole == str(Path(path).absolute()):
            return path
    named = [path for path in paths if Path(path).name == video]
    return named[0] if len(named) == 1 else None


def _check_expected(
    expected: Sequence[Expected], paths: Sequence[str], rules: Sequence[Rule]
) -> None:
    names = {rule.name for rule in rules}
    for one in expected:
        if one.rule not in names:
            raise UsageError(
                f"expected are events of the rule {one.rule!r}, and there is none of this name; "
                f"there are {', '.join(sorted(names))}."
            )
        if _path_of(one.video, paths) is None:
            raise UsageError(
                f"expected are events in {one.video}, which is not one of the recordings, or more "
                "than one of them; give its path."
            )
