"""The verb that looks at streams: watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.config import expand_user
from scenewise.encoders.spec import Encoder
from scenewise.errors import UsageError
from scenewise.library.core import LibraryCore
from scenewise.media.live_sources import LiveOptions, LiveSource, parse_source
from scenewise.tasks.watch.options import SaveOptions

if TYPE_CHECKING:  # a library is opened for questions too, and those need no decoder
    from scenewise.media.motion import MotionTracker
    from scenewise.media.sounds import SoundDetector
    from scenewise.tasks.watch.counters import WatchFigures
    from scenewise.tasks.watch.detectors import Detectors
    from scenewise.tasks.watch.nouns import Sink
    from scenewise.tasks.watch.rule import Rule
    from scenewise.tasks.watch.trial import Trial
    from scenewise.types import Event

_MOST_FPS = 60.0


class Watching(LibraryCore):
    """Verbs of ``Library`` that go on for as long as a stream does."""

    def watch(
        self,
        sources: Sequence[str | Path] | str | Path,
        *,
        rules: Sequence[Rule | str] | Rule | str = (),
        rules_file: str | Path | None = None,
        packs: Sequence[str] = (),
        detector: str | None = None,
        fps: float | None = None,
        live: LiveOptions | None = None,
        save: SaveOptions | str | Path | None = None,
        sinks: Sequence[Sink] = (),
        stop: threading.Event | None = None,
        report: Callable[[WatchFigures], None] | None = None,
        report_seconds: float = 10.0,
        connected: Callable[[str], None] | None = None,
    ) -> Generator[Event, None, None]:
        """Watch streams, and yield the events of the rules as they come.

        A source is a file, a device (``/dev/video0``, ``lavfi:testsrc``) or a URL (rtsp, http,
        udp), or ``NAME=`` and one of these; a rule is a sentence or a ``Rule``. ``detector`` is
        that of rules that detect something and name none: a folder or a Hugging Face name. Without
        one they see things that move, labelled by the library's encoder. ``fps`` instants
        a second of each stream are analysed (default: that of the settings). ``live`` says how
        streams are read: ``LiveOptions(fast=True)`` reads files as fast as they can be analysed.
        Into the folder ``save`` a picture and a clip of each event are written. ``sinks`` are
        handed every event. ``report`` is told the figures now and then, and at the end;
        ``connected`` the name of a stream whenever it was opened, from another thread.

        The watch ends when all streams have ended, when ``stop`` is set, or when the iterator is
        closed. A network stream that breaks off is connected again; that is no end. A library
        is not needed: where there is one, its encoder and its classifiers are used.

        Raises UsageError, EncoderError, and MediaError where a stream cannot be opened.

        >>> for event in library.watch("rtsp://camera/live", rules=["a dog at the door"]):
        ...     print(event.wall, event.rule, event.match)              # doctest: +SKIP
        """
        from scenewise.tasks.watch.intake import Senses
        from scenewise.tasks.watch.machines import arm, disarm
        from scenewise.tasks.watch.pipeline import Pipeline, WatchedSource, WatchOptions

        options = live or LiveOptions()
        streams = _parsed(sources, options)
        made, detectors = self._with_detectors(_all_rules(rules, rules_file, packs), detector)
        rate = _checked_rate(self._settings.fps if fps is None else fps)
        encoder = self._watch_encoder()
        calibrator = self._calibrator(encoder)
        catalog = self._opened()
        watched = [
            WatchedSource(
                stream,
                [arm(rule, encoder, calibrator, catalog, stream.name, detectors) for rule in made],
            )
            for stream in streams
        ]
        senses = Senses(
            follower=_follower if any(rule.needs_motion for rule in made) else None,
            listener=_listener if any(rule.needs_sound for rule in made) else None,
        )
        folder = SaveOptions(expand_user(save)) if isinstance(save, str | Path) else save
        pipeline = Pipeline(
            watched,
            encoder,
            WatchOptions(rate, options, senses, folder, report_seconds),
            sinks=sinks,
            stop=stop,
            report=report,
            connected=connected,
            disarm=disarm,
            detectors=detectors,
        )
        return pipeline.events()

    def watch_test(
        self,
        recordings: Sequence[str | Path] | str | Path,
        *,
        rules: Sequence[Rule | str] | Rule | str = (),
        rules_file: str | Path | None = None,
        packs: Sequence[str] = (),
        detector: str | None = None,
        fps: float | None = None,
        expected: str | Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Trial:
        """Try rules on recordings before arming them: what they raise, and how often in an hour.

        ``recordings`` are files, and folders of them; each is watched as a stream of its own, as
        fast as it goes. ``expected`` is a CSV file (video, start, end, rule) of what should raise.
        Schedules and ``sources`` of rules do not count. Recordings that cannot be read are in
        ``failed``. ``detector`` as in ``watch``. ``progress`` is told each path before it is read.

        Raises UsageError, EncoderError.

        >>> trial = library.watch_test("recordings", rules=["a dog at the door"])  # doctest: +SKIP
        >>> trial.rules[0].alarms_per_hour, trial.rules[0].alarms_interval         # doctest: +SKIP
        (0.4, (0.01, 2.2))
        """
        from scenewise.index.discover import discover
        from scenewise.tasks.watch.intake import Senses
        from scenewise.tasks.watch.trial import read_expected, run_trial, without_limits

        wanted = without_limits(_all_rules(rules, rules_file, packs))
        made, detectors = self._with_detectors(wanted, detector)
        known = None if expected is None else read_expected(expand_user(expected))
        named = [recordings] if isinstance(recordings, str | Path) else list(recordings)
        folders = [expand_user(path) for path in named]
        for path in folders:
            if not path.exists():
                raise UsageError(f"{path}: there is no such file or folder; name recordings.")
        found = discover(folders) if folders else None
        encoder = self._watch_encoder()
        return run_trial(
            [] if found is None else [file.path for file in found.files],
            made,
            encoder,
            self._calibrator(encoder),
            self._opened(),
            fps=_checked_rate(self._settings.fps if fps is None else fps),
            senses=Senses(
                follower=_follower if any(rule.needs_motion for rule in made) else None,
                listener=_listener if any(rule.needs_sound for rule in made) else None,
            ),
            expected=known,
            detectors=detectors,
            progress=progress,
        )

    def _with_detectors(
        self, rules: Sequence[Rule], detector: str | None
    ) -> tuple[tuple[Rule, ...], Detectors | None]:
        """The rules, each with its detector, and the detectors; None where there is none."""
        from scenewise.encoders.detectors import load_detector
        from scenewise.tasks.watch.detectors import Detectors, with_default

        made = with_default(rules, detector)
        settings = self._settings
        loaded = Detectors(
            made,
            lambda name: load_detector(name, device=settings.device, threads=settings.threads),
        )
        return made, loaded if len(loaded) else None

    def _watch_encoder(self) -> Encoder:
        """The library's encoder, or where nothing was indexed that of the settings."""
        catalog = self._opened()
        generation = catalog.active() if catalog is not None else None
        if generation is not None:
            return self._source.of(generation)
        return self._source.get(self._encoder_label(), self._settings.runtime)


def _checked_rate(rate: float) -> float:
    if not 0 < rate <= _MOST_FPS:
        raise UsageError(
            f"fps is the number of instants that are analysed each second of a stream: above 0 "
            f"and at most {_MOST_FPS:g}, got {rate}."
        )
    return rate


def _parsed(sources: Sequence[str | Path] | str | Path, options: LiveOptions) -> list[LiveSource]:
    names = [sources] if isinstance(sources, str | Path) else list(sources)
    if not names:
        raise UsageError("a watch needs a source: a file, a device or a URL.")
    parsed = [parse_source(str(name), options) for name in names]
    seen: set[str] = set()
    for stream in parsed:
        if stream.name in seen:
            raise UsageError(
                f"two sources are called {stream.name}; give each a name of its own: NAME=ADDRESS."
            )
        seen.add(stream.name)
    return parsed


def _all_rules(
    rules: Sequence[Rule | str] | Rule | str, file: str | Path | None, packs: Sequence[str]
) -> tuple[Rule, ...]:
    """Rules as they are given, and those of sentences, of a file and of packs."""
    from scenewise.tasks.watch.rule import Rule
    from scenewise.tasks.watch.rules import load_rules

    given = [rules] if isinstance(rules, Rule | str) else list(rules)
    ready = tuple(rule for rule in given if isinstance(rule, Rule))
    sentences = [rule for rule in given if isinstance(rule, str)]
    if ready and not sentences and file is None and not packs:
        made = ready
    else:
        made = ready + load_rules(file, sentences, packs)
    names = [rule.name for rule in made]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two rules are called {name!r}; rename one of them.")
    return made


def _follower() -> MotionTracker:
    from scenewise.media.motion import MotionTracker

    return MotionTracker()


def _listener() -> SoundDetector:
    from scenewise.media.sounds import SoundDetector

    return SoundDetector()
