"""Speech to text with times, by faster-whisper and a Whisper model that the user names.

It knows sound and a model's folder or hub name; it knows no library. No model comes with the
package, and nothing is said here about how well one hears.

A long film is worked through in windows of five minutes, each cut where it is quietest near its
end, so that memory does not grow with the length and hardly a word is cut. Voice activity
detection (Silero, inside faster-whisper's wheel) leaves out what is no speech, in which Whisper
would otherwise make up sentences.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.errors import EncoderError, MissingExtraError, UsageError, first_line

Samples = npt.NDArray[np.float32]  # (n,) mono at 16 kHz

SAMPLE_RATE = 16_000  # Hz: what Whisper hears, and what ``audio`` gives
WINDOW_SECONDS = 300.0
_SEARCH_SECONDS = 30.0  # at the end of a window: where it may be cut
_QUIET_SECONDS = 0.3  # the stretch whose loudness counts
_NEEDED = ("config.json", "model.bin", "tokenizer.json")


def speech_spec(model: str, language: str | None) -> str:
    """What writes speech down here.

    Raises MissingExtraError where faster-whisper is not installed, UsageError for a folder that
    holds no model of its layout.
    """
    try:
        version = metadata.version("faster-whisper")
    except metadata.PackageNotFoundError:
        raise _missing() from None
    folder = Path(model)
    size = ""
    if folder.is_dir():
        lacking = [name for name in _NEEDED if not (folder / name).is_file()]
        if lacking:
            raise UsageError(
                f"{model} holds no Whisper model for faster-whisper: {lacking[0]} is missing; make "
                "one with ct2-transformers-converter --copy_files tokenizer.json "
                "preprocessor_config.json, or name another folder or a hub name."
            )
        size = f" {(folder / 'model.bin').stat().st_size}"
    elif folder.is_absolute():
        raise UsageError(
            f"there is no folder {model}; name one that holds a Whisper model for faster-whisper "
            "with --speech-model, or turn speech off with --text none."
        )
    return f"speech 1, faster-whisper {version}, {model}{size}, language {language or 'auto'}"


def _missing() -> MissingExtraError:
    return MissingExtraError(
        "speech is written down by faster-whisper, which is not installed; run "
        'pip install "scenewise[asr]", or turn it off with --text none.'
    )


class Transcriber(Protocol):
    """What is used of ``faster_whisper.WhisperModel``."""

    def transcribe(self, audio: Samples, **options: Any) -> tuple[Iterable[Any], Any]:
        """Segments (start, end, text) of mono sound at 16 kHz, and what was found out about it."""
        ...


class SpeechReader:
    """Writes down what is said in videos. Not to be shared by threads."""

    def __init__(
        self,
        model: str,
        language: str | None = None,
        *,
        threads: int = 1,
        transcriber: Transcriber | None = None,
    ) -> None:
        """Load the model: a folder in CTranslate2's layout, or a hub name, which is downloaded.

        ``language`` such as "en"; None: the model tells, once for each video. ``transcriber`` is
        one that is loaded already. Raises MissingExtraError, EncoderError, UsageError.
        """
        self._language = language
        self._model = transcriber or _load(model, threads)
        known = getattr(self._model, "supported_languages", None)
        if language is not None and known is not None and language not in known:
            raise UsageError(
                f"speech_language = {language!r} is not allowed; the model {model} knows "
                f"{', '.join(sorted(known))}."
            )

    def read(self, path: str | Path) -> list[tuple[float, float, str]]:
        """Start, end and text of what is said, by start.

        Raises MediaError; MissingStreamError where the file has no sound.
        """
        from scenewise.media.audio import stream

        blocks = (block.samples for block in stream(path, block_seconds=_SEARCH_SECONDS))
        return list(self._segments(blocks))

    def _segments(self, blocks: Iterable[Samples]) -> Iterator[tuple[float, float, str]]:
        language = self._language
        for start, samples in windows(blocks):
            segments, info = self._model.transcribe(
                samples,
                language=language,
                task="transcribe",
                vad_filter=True,
                word_timestamps=False,
                # what was misheard once would be repeated over and over
                condition_on_previous_text=False,
            )
            length = len(samples) / SAMPLE_RATE
            some = False
            for segment in segments:
                text = " ".join(segment.text.split())
                begin = min(max(0.0, float(segment.start)), length)
                end = min(max(begin, float(segment.end)), length)
                if text and end > begin:
                    some = True
                    yield start + begin, start + end, text
            if language is None and some:
                language = info.language  # one film, one language; silence does not tell it


def windows(
    blocks: Iterable[Samples], seconds: float = WINDOW_SECONDS
) -> Iterator[tuple[float, Samples]]:
    """Start in seconds and sound of windows of at most ``seconds``, cut where it is quiet.

    Nothing is lost and nothing is there twice. The last one is as long as it is.
    """
    longest = round(seconds * SAMPLE_RATE)
    search = min(round(_SEARCH_SECONDS * SAMPLE_RATE), longest // 2)
    held: Samples = np.zeros(0, np.float32)
    start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= longest:
            cut = longest - search + _quietest(held[longest - search : longest])
            yield start / SAMPLE_RATE, held[:cut]
            held, start = held[cut:], start + cut
    if len(held):
        yield start / SAMPLE_RATE, held


def _quietest(samples: Samples) -> int:
    """The middle of the stretch with the least energy; at least 1."""
    size = min(len(samples), round(_QUIET_SECONDS * SAMPLE_RATE))
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    return max(1, int(np.argmin(energy[size:] - energy[:-size])) + size // 2)


def _load(model: str, threads: int) -> Transcriber:
    speech_spec(model, None)
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise EncoderError(
            f"faster-whisper cannot be loaded ({first_line(error)}); run "
            'pip install "scenewise[asr]".'
        ) from error
    logging.getLogger("faster_whisper").setLevel(logging.ERROR)
    try:
        loaded: Transcriber = WhisperModel(
            model, device="cpu", compute_type="int8", cpu_threads=threads
        )
    except Exception as error:  # the hub, the file system and CTranslate2 have an error each
        reason = first_line(error)
        if Path(model).is_dir():
            advice = "is it a Whisper model in CTranslate2's layout?"
        else:
            advice = "a hub name needs a network once; or name a folder that holds the model."
        raise EncoderError(
            f"the speech model {model} cannot be loaded ({reason}); {advice}"
        ) from error
    return loaded
