"""From streams to events: decoding, encoding, rules and outputs as threads of one line.

    stream ──▶ Intake ─┐
    stream ──▶ Intake ─┼▶ Mailbox ──▶ encoder ──▶ rules ──▶ outputs ──▶ events()
    stream ──▶ Intake ─┘

All queues are bounded. Between decoding and encoding the newest instant of a live stream takes the
place of one that waits: where the processor does not suffice, instants are dropped and counted,
and none is stale. Behind that, nothing is dropped: events wait for whoever takes them.

This module joins the parts; how each works, they know.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from scenewise.encoders.detectors import DetectedBox
from scenewise.encoders.spec import Encoder, WindowFeatures
from scenewise.errors import MediaError
from scenewise.index.arrays import select
from scenewise.media.live import LiveStream
from scenewise.media.live_sources import LiveOptions, LiveSource
from scenewise.tasks.watch.counters import Delays, SourceFigures, WatchFigures
from scenewise.tasks.watch.detectors import Detectors
from scenewise.tasks.watch.intake import Intake, Senses, wanted_of
from scenewise.tasks.watch.mailbox import Instant, Mailbox
from scenewise.tasks.watch.nouns import Observation, RuleMachine, Sink
from scenewise.tasks.watch.options import SaveOptions
from scenewise.tasks.watch.saving import Saver, ring_of
from scenewise.types import Event

logger = logging.getLogger(__name__)

BATCH_WINDOWS = 8  # instants in one call of the encoder
_BETWEEN_RULES = 16  # observations that may wait for the rules
_BETWEEN_OUTPUTS = 64  # events that may wait for the outputs, and again for the reader
GRACE_SECONDS = 1.5  # that a stream has to end by itself
_CLOSE_SECONDS = 5.0  # that outputs and clips have to end
_CLOSE_MARGIN_SECONDS = 1.5  # for hanging up after that; then the watch ends without them
_REPORT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """A stream, and the rules that are armed on it."""

    source: LiveSource
    machines: Sequence[RuleMachine]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How to watch."""

    fps: float = 2.0  # analysed instants per second of each stream
    live: LiveOptions = field(default_factory=LiveOptions)
    senses: Senses = field(default_factory=Senses)
    save: SaveOptions | None = None
    report_seconds: float = _REPORT_SECONDS


@dataclass(frozen=True, slots=True, eq=False)
class _Raised:
    """An event on its way out."""

    event: Event
    source: int
    seen: Observation


class Pipeline:
    """Watches until all streams end, or ``stop`` is set. ``events`` may be called once."""

    def __init__(
        self,
        watched: Sequence[WatchedSource],
        encoder: Encoder,
        options: WatchOptions | None = None,
        *,
        sinks: Sequence[Sink] = (),
        stop: threading.Event | None = None,
        report: Callable[[WatchFigures], None] | None = None,
        connected: Callable[[str], None] | None = None,
        disarm: Callable[[RuleMachine], None] | None = None,
        detectors: Detectors | None = None,
    ) -> None:
        """``report`` is called every ``report_seconds`` and at the end, from another thread.

        ``connected`` is told the name of a source whenever it is opened, from its own thread;
        ``disarm`` is called for each machine when its stream is over. ``detectors`` look at each
        instant that is encoded, in the same thread.
        """
        self._watched = list(watched)
        self._encoder = encoder
        self._options = options or WatchOptions()
        self._sinks = list(sinks)
        self.stop = stop or threading.Event()
        self._report = report
        self._connected = connected
        self._disarm = disarm
        self._detectors = detectors
        self._mailbox = Mailbox(len(self._watched))
        self._observed: queue.Queue[tuple[int, Observation] | None] = queue.Queue(_BETWEEN_RULES)
        self._raised: queue.Queue[_Raised | None] = queue.Queue(_BETWEEN_OUTPUTS)
        self._out: queue.Queue[_Raised | None] = queue.Queue(_BETWEEN_OUTPUTS)
        self._analysed = [0] * len(self._watched)
        self._events = [0] * len(self._watched)
        self._delays = Delays()
        self._begin = time.monotonic()
        self._broken: BaseException | None = None  # a part that failed; it ends the watch
        self._failed: list[MediaError] = []  # streams that ended in an error
        save = self._options.save
        rings = [None if save is None else ring_of(save) for _ in self._watched]
        self._saver = None if save is None else Saver(save, rings)
        self._intakes = [
            Intake(
                number,
                LiveStream(
                    entry.source,
                    wanted_of(encoder.spec, self._options.fps, self._options.senses),
                    self._options.live,
                    stop=self.stop,
                    ring=rings[number],
                ),
                encoder.spec,
                self._options.fps,
                self._options.senses,
                self._mailbox,
            )
            for number, entry in enumerate(self._watched)
        ]

    def events(self) -> Generator[Event, None, None]:
        """Events as they come. Closing the iterator, or setting ``stop``, ends the watch.

        Events that are under way then still come out. Raises what a part of the line raised, and
        at the end the MediaError of the first stream that ended in one.
        """
        works: list[tuple[str, Callable[[], None]]] = [
            (f"stream {place}", partial(self._take_in, place))
            for place in range(len(self._intakes))
        ]
        works += [
            ("encoder", self._encode),
            ("rules", self._judge),
            ("outputs", self._put_out),
            ("stop", self._mind_stop),
        ]
        for name, work in works:
            threading.Thread(target=work, name=f"watch {name}", daemon=True).start()
        ended = False
        try:
            while (raised := self._out.get()) is not None:
                self._delays.add(max(0.0, time.time() - raised.seen.wall))
                yield raised.event
            ended = True
        finally:
            self.stop.set()
            while not ended:
                ended = self._out.get() is None  # outputs must not wait for a reader who has gone
            if self._report is not None:
                self._report(self.figures())
        if self._broken is not None:
            raise self._broken
        if self._failed:
            raise self._failed[0]

    def figures(self) -> WatchFigures:
        """What was done so far."""
        lost = self._saver.lost if self._saver is not None else [0] * len(self._intakes)
        sources = tuple(
            SourceFigures(
                source=intake.stream.source.name,
                state=intake.stream.counts.state,
                time=round(intake.stream.counts.time, 3),
                frames_in=intake.stream.counts.frames_in,
                analysed=self._analysed[place],
                dropped=intake.stream.counts.left_out + intake.replaced,
                connections=intake.stream.counts.connections,
                events=self._events[place],
                clips_lost=lost[place],
                failure=intake.stream.counts.failure,
            )
            for place, intake in enumerate(self._intakes)
        )
        return WatchFigures(time.monotonic() - self._begin, sources, self._delays.figures())

    # the threads
    def _fail(self, error: BaseException) -> None:
        """End the watch; whoever reads the events gets the error."""
        self._broken = self._broken or error
        self.stop.set()

    def _take_in(self, place: int) -> None:
        intake = self._intakes[place]
        saver = self._saver
        told = self._connected
        if told is not None:
            intake.stream.on_connect = lambda: told(intake.stream.source.name)
        if saver is not None:
            intake.stream.on_disconnect = lambda: saver.reached(place, float("inf"))
        try:
            intake.run(lambda at: None if saver is None else saver.reached(place, at))
        except MediaError as error:
            self._failed.append(error)
            if len(self._intakes) > 1:
                logger.error("%s", error)  # the other streams go on
        except BaseException as error:  # noqa: BLE001 # the thread's end: the reader raises it
            self._fail(error)
        finally:
            self._mailbox.close(place)

    def _mind_stop(self) -> None:
        """A stream that waits for its network cannot be interrupted: the line ends without it."""
        self.stop.wait()
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(
            intake.stream.counts.state not in ("ended", "failed") for intake in self._intakes
        ):
            time.sleep(0.02)
        self._mailbox.stop()

    def _encode(self) -> None:
        try:
            # a detector is slow: what it cannot take at once shall not grow old meanwhile
            most = BATCH_WINDOWS if self._detectors is None else self._detectors.batch
            while (instants := self._mailbox.take(most)) is not None:
                windows = np.stack([instant.window for instant in instants])
                features = self._encoder.encode_windows(windows)
                detected = self._detected(instants)
                for row, instant in enumerate(instants):
                    one = select(features, slice(row, row + 1))
                    seen = self._observation(instant, one, detected[row])
                    self._observed.put((instant.source, seen))
        except BaseException as error:  # noqa: BLE001 # the thread's end: the reader raises it
            self._fail(error)
        finally:
            self._observed.put(None)

    def _detected(self, instants: Sequence[Instant]) -> list[dict[str, tuple[DetectedBox, ...]]]:
        """By detector, what it sees in each instant's picture."""
        if self._detectors is None:
            return [{} for _ in instants]
        names = [self._watched[instant.source].source.name for instant in instants]
        pictures = [instant.image for instant in instants]
        return self._detectors.look(list(zip(names, pictures, strict=True)))

    def _observation(
        self,
        instant: Instant,
        features: WindowFeatures,
        detected: dict[str, tuple[DetectedBox, ...]],
    ) -> Observation:
        return Observation(
            source=self._watched[instant.source].source.name,
            time=instant.time,
            wall=instant.wall,
            image=instant.image,
            features=features,
            moving=instant.moving,
            sounds=instant.sounds,
            detected=detected,
        )

    def _judge(self) -> None:
        """Ask every rule of a stream about each of its instants."""
        while (item := self._observed.get()) is not None:
            if self._broken is not None:
                continue  # nobody may wait for room in the queue
            source, seen = item
            self._analysed[source] += 1
            try:
                for machine in self._watched[source].machines:
                    for event in machine.update(seen):
                        self._events[source] += 1
                        self._raised.put(_Raised(event, source, seen))
            except BaseException as error:  # noqa: BLE001 # the reader raises it
                self._fail(error)
        try:
            for entry in self._watched:
                for machine in entry.machines:
                    if self._disarm is not None:
                        self._disarm(machine)
        except BaseException as error:  # noqa: BLE001 # the thread's end: the reader raises it
            self._fail(error)
        finally:
            self._raised.put(None)

    def _put_out(self) -> None:
        """Picture, clip, sinks, and the reader of the events."""
        due = time.monotonic() + self._options.report_seconds
        try:
            while True:
                try:
                    raised = self._raised.get(timeout=max(0.0, due - time.monotonic()))
                except queue.Empty:
                    due += self._options.report_seconds
                    if self._report is not None:
                        self._report(self.figures())
                    continue
                if raised is None:
                    break
                self._deliver(raised)
            self._close()
        except BaseException as error:  # noqa: BLE001 # the thread's end: the reader raises it
            self._fail(error)
            while raised is not None:
                raised = self._raised.get()  # the rules must not wait for room
        finally:
            self._out.put(None)

    def _deliver(self, raised: _Raised) -> None:
        event, snapshot, clip = raised.event, None, None
        if self._saver is not None:
            snapshot = self._saver.snapshot(event, raised.seen.image)
            clip = self._saver.clip(raised.source, event)
            event = replace(
                event,
                snapshot=None if snapshot is None else str(snapshot),
                clip=None if clip is None else str(clip),
            )
        delay = max(0.0, time.time() - raised.seen.wall)
        event = replace(event, delay_seconds=round(delay, 3))
        for sink in self._sinks:
            sink.send(event, snapshot, clip)
        self._out.put(replace(raised, event=event))

    def _close(self) -> None:
        """Clips and outputs side by side, so that many take no longer than one."""
        works: list[Callable[[float], None]] = [sink.close for sink in self._sinks]
        if self._saver is not None:
            works.append(self._saver.close)
        failed: list[BaseException] = []

        def close(work: Callable[[float], None]) -> None:
            try:
                work(_CLOSE_SECONDS)
            except BaseException as error:  # noqa: BLE001 # the thread's end: raised below
                failed.append(error)

        threads = [
            threading.Thread(target=close, args=(work,), name="watch closing", daemon=True)
            for work in works
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _CLOSE_SECONDS + _CLOSE_MARGIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if failed:
            raise failed[0]
