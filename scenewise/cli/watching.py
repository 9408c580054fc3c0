"""``scenewise watch``: the command that stays and reports events.

It reads options, prints events as they come and says now and then how it goes; the library
watches. The function is long because every option is a parameter of it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from scenewise.cli.alarms import (
    DetectorOption,
    EventsOption,
    ExpectedOption,
    MqttNodeOption,
    MqttOption,
    SpoolOption,
    TestOption,
    WebhookOption,
    note_packs,
    open_outputs,
    try_rules,
)
from scenewise.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    open_for_video,
    settings_of,
)
from scenewise.cli.output import Output, printable, to_json
from scenewise.cli.reading import number
from scenewise.errors import StorageError, UsageError

if TYPE_CHECKING:
    from scenewise.tasks.watch.counters import SourceFigures, WatchFigures

INTERRUPTED = 130
_STATS_SECONDS = 10.0
_NOTES_EVERY = 6  # of those: once a minute


def watch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, devices and URLs, each also as NAME=SOURCE.",
            show_default=False,
        ),
    ],
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", metavar="TEXT", help="Raise where this is seen.", show_default=False
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="Rules in TOML.", show_default=False),
    ] = None,
    pack: Annotated[
        list[str] | None,
        typer.Option("--pack", metavar="NAME", help="Ready rules, by name.", show_default=False),
    ] = None,
    detector: DetectorOption = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a picture and a clip of each event.", show_default=False
        ),
    ] = None,
    clips: Annotated[
        bool, typer.Option("--clips/--no-clips", help="With --save: clips, or pictures alone.")
    ] = True,
    clip_before: Annotated[
        float,
        typer.Option(
            parser=number(0, 300), metavar="SECONDS", help="What a clip shows before its event."
        ),
    ] = 5.0,
    clip_after: Annotated[
        float,
        typer.Option(parser=number(0, 300), metavar="SECONDS", help="And after it."),
    ] = 5.0,
    fps: Annotated[
        float | None,
        typer.Option(
            parser=number(0.01, 60),
            metavar="RATE",
            help="Instants analysed per second of each stream. Default: 2.",
            show_default=False,
        ),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Files as fast as they go; nothing is dropped.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Files grow: go on at their end.")
    ] = False,
    idle_seconds: Annotated[
        float | None,
        typer.Option(
            parser=number(0.1),
            metavar="SECONDS",
            help="With --follow: end after so long without growth. Default: never.",
            show_default=False,
        ),
    ] = None,
    rtsp_transport: Annotated[
        Literal["tcp", "udp"], typer.Option(help="How RTSP sends its packets.")
    ] = "tcp",
    read_timeout: Annotated[
        float,
        typer.Option(
            parser=number(0.1, 3600),
            metavar="SECONDS",
            help="Silence after which a network stream counts as gone.",
        ),
    ] = 5.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Also wait for sources that are not there at first.")
    ] = False,
    give_up_after: Annotated[
        float | None,
        typer.Option(
            parser=number(0.1),
            metavar="SECONDS",
            help="Stop connecting again after so long. Default: never.",
            show_default=False,
        ),
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write figures as JSON lines, every 10 s.", show_default=False
        ),
    ] = None,
    events: EventsOption = None,
    webhook: WebhookOption = None,
    mqtt: MqttOption = None,
    mqtt_node: MqttNodeOption = "scenewise",
    spool: SpoolOption = None,
    test: TestOption = False,
    expected: ExpectedOption = None,
    library: LibraryOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Watch streams and report events as they happen.

    One line of JSON per event, on stdout. A stream that breaks off is connected again. Ends when
    all streams have ended, or on Ctrl-C with exit code 130.
    """
    from scenewise.media.live_sources import LiveOptions, parse_source
    from scenewise.tasks.watch.options import SaveOptions
    from scenewise.tasks.watch.rules import load_rules

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    live = LiveOptions(
        fast=fast,
        follow=follow,
        idle_seconds=idle_seconds,
        rtsp_transport=rtsp_transport,
        read_timeout_seconds=read_timeout,
        give_up_after_seconds=give_up_after,
        wait_for_start=wait,
    )
    saving = None if save is None else SaveOptions(save, clips, clip_before, clip_after)
    settings = settings_of(library=library, device=device, threads=threads)
    made = load_rules(rules, rule or [], pack or [])
    note_packs(out, pack or [])
    if test:
        with open_for_video(settings, encoder) as opened:
            try_rules(out, opened, sources, made, detector=detector, fps=fps, expected=expected)
        return
    if expected is not None:
        raise UsageError("--expected goes with --test: it says what recordings should raise.")
    stop = threading.Event()
    with (
        open_for_video(settings, encoder) as opened,
        _figures_file(stats) as file,
        _stopped_by_signals(stop) as signals,
    ):
        reporter = _Reporter(out, file)
        names = [parse_source(source, live).name for source in sources]
        sinks = open_outputs(
            settings,
            events=events,
            webhooks=webhook or [],
            mqtt=mqtt,
            mqtt_node=mqtt_node,
            spool=spool,
            rules=made,
            sources=names,
        )
        try:
            raised = opened.watch(
                sources,
                rules=made,
                detector=detector,
                fps=fps,
                live=live,
                save=saving,
                sinks=sinks,
                stop=stop,
                report=reporter,
                report_seconds=_STATS_SECONDS,
                connected=reporter.connected,
            )
        except BaseException:
            for sink in sinks:
                sink.close(0)
            raise
        try:
            with closing(raised):  # also where the reader of stdout is gone
                for event in raised:
                    out.record(event.to_dict())
        finally:
            reporter.say()
        if json and reporter.last is not None:
            out.record({"figures": reporter.last.to_dict()})
    if signal.SIGINT in signals:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[list[int]]:
    """Ctrl-C and a service's end set ``stop``, so that what is under way comes out; twice: now."""
    came: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        stop.set()

    names = (signal.SIGINT, signal.SIGTERM)
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {name: signal.signal(name, handle) for name in names}
    try:
        yield came
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def _figures_file(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"--stats: {path} cannot be written ({error.strerror}); name a file in a folder that "
            "is there."
        ) from None
    with file:
        yield file


class _Reporter:
    """Figures to a file each time, and to a person once a minute and at the end."""

    def __init__(self, out: Output, file: TextIO | None) -> None:
        self.last: WatchFigures | None = None
        self._out = out
        self._file = file
        self._count = 0
        self._watches = threading.Lock()  # taken with the first stream, and kept

    def connected(self, _source: str) -> None:
        """Say once, when the first stream is there, that the watch has begun."""
        if self._watches.acquire(blocking=False):
            self._out.note("watching; Ctrl-C ends it.")

    def __call__(self, figures: WatchFigures) -> None:
        self._count += 1
        self.last = figures
        if self._file is not None:
            self._file.write(to_json(figures.to_dict()) + "\n")
            self._file.flush()
        if self._count % _NOTES_EVERY == 0:
            self.say()

    def say(self) -> None:
        """The last figures, to a person."""
        for line in describe(self.last) if self.last is not None else ():
            self._out.note(line)


def describe(figures: WatchFigures) -> list[str]:
    """A line for each stream, and the delays of events."""
    lines = [_stream_line(source) for source in figures.sources]
    delay = figures.delay
    if delay.p50 is not None:
        lines.append(f"events came out {delay.p50:.2f} s after their frame (p95 {delay.p95:.2f} s)")
    return lines


def _stream_line(source: SourceFigures) -> str:
    parts = [
        f"{source.frames_in} frames in",
        f"{source.analysed} analysed",
        f"{source.dropped} dropped",
        f"{source.events} event{'' if source.events == 1 else 's'}",
    ]
    if source.connections > 1:
        parts.append(f"connected {source.connections} times")
    if source.clips_lost:
        parts.append(f"{source.clips_lost} clips lost")
    return f"{printable(source.source)} ({source.state}): {', '.join(parts)}"
