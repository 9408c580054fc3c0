"""What is heard without words: silence, speech, music and loud onsets, with times.

It joins the detectors of ``loudness``, ``voice`` and ``tonality`` into spans on the clock of the
pictures, block by block, in memory that does not grow with the length. It knows samples and
times; it knows neither words nor a network of sounds, and what nobody taught it (a dog, a siren,
applause) it does not name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.errors import MissingStreamError
from scenewise.media import audio, loudness, tonality, voice
from scenewise.types import Sound, SoundKind

Samples = npt.NDArray[np.float32]  # (n,) mono at 16 kHz
FloatArray = npt.NDArray[np.float64]

# What made a track of sounds: another version or another voice detector hears otherwise.
SOUND_SPEC = f"sounds 1, voice {voice.available()}"

_GAP_SECONDS = 0.05  # a larger step of the clock ends what was heard
_SILENCE_HOP = loudness.HOP / audio.SAMPLE_RATE
_VOICE_HOP = voice.BLOCK / audio.SAMPLE_RATE
_MUSIC_HOP = tonality.STEP * tonality.HOP / audio.SAMPLE_RATE
assert voice.BLOCK == tonality.HOP  # judgements of both are counted together
# from the first sample of a judgement to its middle
_MUSIC_MIDDLE = ((tonality.FRAMES - 1) * tonality.HOP + tonality.FRAME) / 2 / audio.SAMPLE_RATE


def listen(
    path: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    track: int | None = None,
    voice_detector: voice.VoiceName | None = None,
) -> tuple[Sound, ...]:
    """Everything heard in [start, end) seconds of a file, by start; empty where it has no sound.

    Times are seconds from the first shown frame. Sounds of different kinds overlap. Silences and
    onsets are exact to some 30 ms, speech to 0.3 s, music to a second. ``voice_detector`` None
    takes the one that ``SOUND_SPEC`` names.

    Raises UsageError, UnreadableMediaError, and MissingStreamError for a track that is not there.
    """
    detector = SoundDetector(voice_detector)
    heard: list[Sound] = []
    try:
        for block in audio.stream(path, start=start, end=end, track=track):
            heard += detector.add(block.samples, block.start)
    except MissingStreamError:
        if track is not None:
            raise
        return ()
    heard += detector.finish()
    return tuple(sorted(heard, key=lambda sound: (sound.start, sound.kind)))


class SoundDetector:
    """Sounds of a stream as it comes: samples at 16 kHz in, complete sounds out.

    A sound is given out when it is over: silence, speech and music may go on for long, and
    ``ongoing`` says what does. Onsets come 0.6 s late, speech 0.5 s (with the detector by
    energy 1.3 s), music 2.7 s.
    """

    def __init__(self, voice_detector: voice.VoiceName | None = None) -> None:
        """Raises UsageError, MissingExtraError and UnreadableMediaError; see ``open_voice``."""
        self._voice_name = voice_detector
        self._expected: float | None = None
        self._begin(0.0)

    def _begin(self, start: float) -> None:
        self._start = start
        self._count = 0  # samples since then
        self._levels = loudness.LevelMeter()
        self._silence = loudness.SilenceMeter()
        self._onsets = loudness.OnsetMeter()
        self._voice = voice.open_voice(self._voice_name)
        self._music = tonality.MusicDetector()
        self._voice_rest = np.zeros(0, np.float32)
        self._chances: list[float] = []  # of speech, from the next judgement of music on
        self._judged: list[tuple[float, float]] = []  # judgements of music that wait for them
        # frames of level are centred one hop after their first sample
        self._spans = {
            "silence": _Spans("silence", _SILENCE_HOP, _SILENCE_HOP / 2, (0.5, 0.5), 0.5, 0.03),
            "speech": _Spans("speech", _VOICE_HOP, 0.0, (0.5, 0.35), 0.25, 0.5),
            "music": _Spans("music", _MUSIC_HOP, _MUSIC_MIDDLE - _MUSIC_HOP / 2, (0.5, 0.35), 1, 1),
        }

    def add(self, samples: Samples, start_time: float) -> tuple[Sound, ...]:
        """Sounds that ended within (n,) float32 samples whose first stands at ``start_time``.

        Where that is not where the samples before ended, whatever was going on ended there.
        """
        ended: tuple[Sound, ...] = ()
        if self._expected is None:
            self._begin(start_time)
        elif abs(start_time - self._expected) > _GAP_SECONDS:
            ended = self.finish()
            self._begin(start_time)
        self._count += len(samples)
        self._expected = self._start + self._count / audio.SAMPLE_RATE
        return ended + self._hear(np.asarray(samples, np.float32))

    def finish(self) -> tuple[Sound, ...]:
        """What was going on at the end; the next samples begin anew."""
        if self._expected is None:
            return ()
        sounds = []
        if len(self._voice_rest):
            spare = voice.BLOCK - len(self._voice_rest)
            rest = np.pad(self._voice_rest, (0, spare))
            sounds += self._speech_and_music(self._voice.add(rest))
        sounds += self._speech_and_music(self._voice.finish())
        none = self._levels.add(np.zeros(0, np.float32))
        onsets = [self._onset(found) for found in self._onsets.add(none, final=True)]
        length = self._count / audio.SAMPLE_RATE
        for spans in self._spans.values():
            sounds += spans.finish(length)
        self._expected = None
        return self._placed(sounds + onsets)

    @property
    def ongoing(self) -> tuple[Sound, ...]:
        """What is heard now and long enough to count, up to the last sample."""
        length = self._count / audio.SAMPLE_RATE
        now = [found for spans in self._spans.values() if (found := spans.ongoing(length))]
        return self._placed(now)

    def _hear(self, samples: Samples) -> tuple[Sound, ...]:
        levels = self._levels.add(samples)
        sounds = self._spans["silence"].add(self._silence.add(levels))
        sounds += [self._onset(found) for found in self._onsets.add(levels)]
        whole = np.concatenate([self._voice_rest, samples])
        used = len(whole) // voice.BLOCK * voice.BLOCK
        self._voice_rest = whole[used:]
        for evidence, change in self._music.add(samples):
            self._judged.append((float(evidence), float(change)))
        sounds += self._speech_and_music(self._voice.add(whole[:used]))
        return self._placed(sounds)

    def _speech_and_music(self, chances: FloatArray) -> list[Sound]:
        """Chances of speech for the next blocks; music is weighed against them."""
        sounds = self._spans["speech"].add(chances)
        self._chances += chances.tolist()
        strengths = []
        while self._judged and len(self._chances) >= tonality.FRAMES:
            evidence, change = self._judged.pop(0)
            speech = float(np.mean(self._chances[: tonality.FRAMES]))
            strengths.append(tonality.strength(evidence, change, speech))
            del self._chances[: tonality.STEP]
        return sounds + self._spans["music"].add(np.array(strengths))

    def _onset(self, found: loudness.Onset) -> Sound:
        first, last = (
            frame * _SILENCE_HOP + _SILENCE_HOP / 2 for frame in (found.first, found.last)
        )
        return Sound("onset", first, last, found.strength)

    def _placed(self, sounds: list[Sound]) -> tuple[Sound, ...]:
        """From seconds since the first sample to the stream's clock."""
        length = self._count / audio.SAMPLE_RATE
        return tuple(
            Sound(
                sound.kind,
                round(self._start + sound.start, 3),
                round(self._start + min(sound.end, length), 3),
                round(sound.strength, 3),
            )
            for sound in sorted(sounds, key=lambda sound: sound.start)
        )


class _Spans:
    """Values at an even pace to spans, with two thresholds: one to begin, a lower to go on."""

    def __init__(
        self,
        kind: SoundKind,
        hop_seconds: float,
        offset_seconds: float,  # from the first sample to the stretch that value 0 stands for
        thresholds: tuple[float, float],
        least_seconds: float,
        gap_seconds: float,  # a shorter interruption is none
    ) -> None:
        self._kind: SoundKind = kind
        self._hop, self._offset = hop_seconds, offset_seconds
        self._enter, self._stay = thresholds
        self._least, self._gap = least_seconds, gap_seconds
        self._index = 0  # of the next value
        self._first: int | None = None
        self._last = 0  # after the last value that belongs
        self._sum = 0.0  # of the values from first to last
        self._between = 0.0  # of those since last

    def add(self, values: FloatArray) -> list[Sound]:
        """The spans that are over."""
        over = []
        for value in values:
            if self._first is None:
                if value >= self._enter:
                    self._first, self._last = self._index, self._index + 1
                    self._sum, self._between = float(value), 0.0
            else:
                self._between += float(value)
                if value >= self._stay:
                    self._last = self._index + 1
                    self._sum, self._between = self._sum + self._between, 0.0
                elif (self._index + 1 - self._last) * self._hop > self._gap:
                    over += self._close(None)
            self._index += 1
        return over

    def finish(self, length: float) -> list[Sound]:
        """The span that the end of the sound, ``length`` seconds after its start, cuts off."""
        return self._close(length)

    def ongoing(self, length: float) -> Sound | None:
        """The span that goes on, where it is long enough already."""
        found = self._sound(length)
        return found if found is not None and found.end - found.start >= self._least else None

    def _close(self, length: float | None) -> list[Sound]:
        found = self._sound(length)
        self._first = None
        return [found] if found is not None and found.end - found.start >= self._least else []

    def _sound(self, length: float | None) -> Sound | None:
        if self._first is None:
            return None
        # the first value also answers for what lies before it, and the last for what comes after
        start = 0.0 if self._first == 0 else self._first * self._hop + self._offset
        end = self._last * self._hop + self._offset
        if length is not None and self._last == self._index:
            end = length
        strength = self._sum / (self._last - self._first)
        return Sound(self._kind, start, end, min(1.0, strength))
