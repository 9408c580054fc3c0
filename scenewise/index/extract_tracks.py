"""A video's text and sound as tracks: subtitles, on-screen text, speech, sounds.

It knows who reads what, and what a failure costs: the track and a warning, never the video. It
knows no catalogue and no other video. Models are loaded once, by ``load``, and kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.encoders.audio import AudioEncoder, encode_sound
from scenewise.errors import EncoderError, MissingStreamError, ScenewiseError, first_line
from scenewise.index.records import AudioWindows, FileStamp, TextKind, TextSegment, Track, TrackKind
from scenewise.index.track_plan import TrackPlan
from scenewise.media.sidecars import SidecarFinder

if TYPE_CHECKING:
    from scenewise.media.ocr import TextReader
    from scenewise.media.probe import MediaInfo
    from scenewise.media.speech import SpeechReader

logger = logging.getLogger(__name__)

_NAMES: dict[TrackKind, str] = {
    "subtitle": "subtitles",
    "ocr": "on-screen text",
    "speech": "speech",
    "sound": "sounds",
    "audio": "sound vectors",
}


@dataclass(frozen=True, slots=True)
class TrackJob:
    """Tracks that a video of the library still lacks."""

    stamp: FileStamp  # of one of its files
    video_id: str
    specs: dict[TrackKind, str]  # what is to make each
    sidecars: tuple[str, ...] = ()  # text files beside any of its files

    def given_up(self, reason: str) -> TracksRead:
        """Its tracks, empty: what took a whole process down is not tried at every run."""
        empty = tuple(Track(kind, spec, warnings=(reason,)) for kind, spec in self.specs.items())
        return TracksRead(self.stamp, self.video_id, empty, (reason,))


@dataclass(frozen=True, slots=True)
class TracksRead:
    """The outcome of a TrackJob. Without tracks, nothing is kept and the next run tries again."""

    stamp: FileStamp
    video_id: str
    tracks: tuple[Track, ...]
    warnings: tuple[str, ...] = ()


class TrackExtractor:
    """Makes tracks by one plan."""

    def __init__(self, plan: TrackPlan | None = None, threads: int = 1) -> None:
        """``threads`` of each model."""
        self.plan = plan or TrackPlan()
        self._threads = threads
        self.text_reader: TextReader | None = None
        self._speech_reader: SpeechReader | None = None
        self._audio_encoder: AudioEncoder | None = None

    def load(self) -> None:
        """Load the models that the plan names, so that what is missing is said at once.

        Raises EncoderError (MissingExtraError where a package is missing), UsageError.
        """
        if self.plan.ocr_fps is not None and self.text_reader is None:
            from scenewise.media.ocr import TextReader

            self.text_reader = TextReader(self._threads)
        if self.plan.speech_model is not None and self._speech_reader is None:
            from scenewise.media.speech import SpeechReader

            self._speech_reader = SpeechReader(
                self.plan.speech_model, self.plan.speech_language, threads=self._threads
            )
        if self.plan.audio_encoder is not None and self._audio_encoder is None:
            from scenewise.encoders.load_audio import load_audio_encoder

            self._audio_encoder = load_audio_encoder(
                self.plan.audio_encoder, threads=self._threads, cache_dir=self.plan.cache
            )

    def extract(
        self,
        path: str | Path,
        info: MediaInfo,
        kinds: Collection[TrackKind] | None = None,
        sidecars: Iterable[str | Path] | None = None,
    ) -> tuple[Track, ...]:
        """The tracks of one file; ``kinds`` None: all of the plan.

        ``sidecars`` None: the text files beside it. Raises EncoderError for a model that does not
        run: it will not run on the next file either.
        """
        self.load()
        path = Path(path)
        beside = (
            SidecarFinder().beside(path) if sidecars is None else tuple(Path(s) for s in sidecars)
        )
        specs = self.plan.specs(beside)
        makers: dict[TrackKind, Callable[[str], Track]] = {
            "subtitle": lambda spec: _subtitles(spec, path, info, beside),
            "sound": lambda spec: _sounds(spec, path, info),
            "ocr": lambda spec: self._ocr(spec, path),
            "speech": lambda spec: self._speech(spec, path, info),
            "audio": lambda spec: self._audio(spec, path, info),
        }
        return tuple(
            _made(kind, spec, makers[kind])
            for kind, spec in specs.items()
            if kinds is None or kind in kinds
        )

    def _ocr(self, spec: str, path: Path) -> Track:
        assert self.text_reader is not None  # load() was called
        assert self.plan.ocr_fps is not None
        lines = self.text_reader.read(path, fps=self.plan.ocr_fps)
        return Track("ocr", spec, texts=_segments("ocr", lines))

    def _speech(self, spec: str, path: Path, info: MediaInfo) -> Track:
        assert self._speech_reader is not None  # load() was called
        if not info.audio:
            return Track("speech", spec)
        return Track("speech", spec, texts=_segments("speech", self._speech_reader.read(path)))

    def _audio(self, spec: str, path: Path, info: MediaInfo) -> Track:
        assert self._audio_encoder is not None  # load() was called
        if not info.audio:
            return Track("audio", spec)
        windows = AudioWindows(*encode_sound(path, self._audio_encoder))
        return Track("audio", spec, audio=windows if len(windows.starts) else None)


def _segments(kind: TextKind, lines: Iterable[tuple[float, float, str]]) -> tuple[TextSegment, ...]:
    return tuple(TextSegment(kind, start, end, text) for start, end, text in lines)


def _made(kind: TrackKind, spec: str, make: Callable[[str], Track]) -> Track:
    """A track, or an empty one with a warning that says why."""
    try:
        return make(spec)
    except EncoderError:
        raise
    except MissingStreamError:
        return Track(kind, spec)  # a video without sound has nothing to be heard
    except (ScenewiseError, OSError) as error:
        reason = first_line(error)
    except MemoryError:
        reason = "the memory of this machine does not suffice"
    except Exception as error:  # one odd file must not cost its video, nor the run
        logger.debug("unexpected while reading %s", _NAMES[kind], exc_info=True)
        reason = f"{type(error).__name__}: {first_line(error)}"
    return Track(kind, spec, warnings=(f"its {_NAMES[kind]} cannot be read: {reason}",))


def _subtitles(spec: str, path: Path, info: MediaInfo, sidecars: Sequence[Path]) -> Track:
    """Subtitles beside and inside a video; the same line of two files counts once."""
    from scenewise.media.subtitles import read_embedded, read_file

    # most videos hold no tracks, and need not be opened again to find none
    inside = read_embedded(path) if info.subtitles else ()
    tracks = [*(read_file(file) for file in sidecars), *inside]
    cues = dict.fromkeys((cue.start, cue.end, cue.text) for track in tracks for cue in track.cues)
    return Track("subtitle", spec, texts=_segments("subtitle", cues))


def _sounds(spec: str, path: Path, info: MediaInfo) -> Track:
    """What is heard without words; a video without sound has an empty track."""
    from scenewise.media.sounds import listen

    return Track("sound", spec, sounds=listen(path) if info.audio else ())
