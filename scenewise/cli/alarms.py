"""What ``scenewise watch`` has beside streams: where events go, and trials of rules.

It knows options and how a trial is printed; outputs and trials are the tasks'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.output import Output, plural, printable, short_path
from scenewise.config import Settings, default_spool_dir
from scenewise.types import clock

if TYPE_CHECKING:
    from scenewise.library import Library
    from scenewise.tasks.watch.nouns import Sink
    from scenewise.tasks.watch.rule import Rule
    from scenewise.tasks.watch.trial import RuleFigures, Trial

ALL_FAILED, SOME_FAILED = 1, 3

EventsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append events as JSON lines, too.", show_default=False),
]
WebhookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook", metavar="URL", help="Post events to this address.", show_default=False
    ),
]
MqttOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Publish events at this broker: mqtt://HOST.", show_default=False
    ),
]
MqttNodeOption = Annotated[
    str, typer.Option(metavar="NAME", help="What the broker knows this watcher as.")
]
SpoolOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where events wait that are not delivered yet.", show_default=False
    ),
]
DetectorOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="Draws boxes for rules with 'detect' that name no detector: folder or Hugging Face "
        "name. Without one: what moves.",
        show_default=False,
    ),
]
TestOption = Annotated[
    bool,
    typer.Option("--test", help="Try the rules on recordings: files, or folders of them."),
]
ExpectedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="With --test: what should raise (video, start, end, rule).",
        show_default=False,
    ),
]


def open_outputs(
    settings: Settings,
    *,
    events: Path | None,
    webhooks: Sequence[str],
    mqtt: str | None,
    mqtt_node: str,
    spool: Path | None,
    rules: Sequence[Rule],
    sources: Sequence[str],
) -> list[Sink]:
    """The outputs that were asked for; secrets come from the settings."""
    if events is None and not webhooks and mqtt is None:
        return []
    from scenewise.tasks.watch.sinks import SinkSettings, open_sinks

    def plain(name: str) -> str | None:
        secret = getattr(settings, name)
        return None if secret is None else str(secret.get_secret_value())

    return open_sinks(
        SinkSettings(
            spool=spool or default_spool_dir(),
            jsonl=events,
            webhooks=tuple(dict.fromkeys(webhooks)),
            webhook_secret=plain("webhook_secret"),
            webhook_token=plain("webhook_token"),
            mqtt=mqtt,
            mqtt_username=settings.mqtt_username,
            mqtt_password=plain("mqtt_password"),
            mqtt_node=mqtt_node,
            rules=tuple(rules),
            sources=tuple(sources),
        )
    )


def note_packs(out: Output, packs: Sequence[str]) -> None:
    """What each pack is good for, and what it cannot do."""
    if not packs:
        return
    from scenewise.tasks.watch.rules import pack_about

    for name in dict.fromkeys(packs):
        out.note(f"{name}: {' '.join(pack_about(name).split())}")


def try_rules(
    out: Output,
    library: Library,
    recordings: Sequence[str],
    rules: Sequence[Rule],
    *,
    detector: str | None,
    fps: float | None,
    expected: Path | None,
) -> None:
    """``--test``: print the trial; exit code 3 where recordings could not be read, 1 if none."""
    found = library.watch_test(
        recordings,
        rules=rules,
        detector=detector,
        fps=fps,
        expected=expected,
        progress=lambda path: out.note(f"watching {short_path(path)}"),
    )
    if out.json:
        out.document(found.to_dict())
    else:
        print_trial(out, found)
    for failure in found.failed:
        out.note(f"{short_path(failure.path)}: {failure.reason}")
    if found.failed:
        raise typer.Exit(SOME_FAILED if found.recordings else ALL_FAILED)


def print_trial(out: Output, trial: Trial) -> None:
    """For a person: events, then a line for each rule."""
    for event in trial.events:
        why = ", ".join(printable(reason.detail) for reason in event.why)
        place = f"{short_path(event.source)} {clock(event.time)}"
        out.result(f"{place} {printable(event.rule)} [{event.match:.2f}] {why}")
    hours = trial.hours
    length = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
    out.result(f"{plural(trial.recordings, 'recording')}, {length}")
    headings = ["rule", "events", "alarms", "per hour", "95 %"]
    known = any(figures.expected is not None for figures in trial.rules)
    if known:
        headings.append("found")
    out.table(headings, [_row(figures, known=known) for figures in trial.rules], figures=True)


def _row(figures: RuleFigures, *, known: bool) -> list[str]:
    low, high = figures.alarms_interval
    row = [
        printable(figures.rule),
        str(figures.events),
        str(figures.alarms),
        f"{figures.alarms_per_hour:.2f}",
        f"{low:.2f} to {high:.2f}",
    ]
    if known:
        row.append(f"{figures.found} of {figures.expected}" if figures.expected else "-")
    return row
