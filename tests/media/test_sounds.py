"""What is heard without words, on sound whose truth is known by construction."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import generated_sound as generated
import numpy as np
import pytest

from scenewise.errors import MissingExtraError, MissingStreamError, UsageError
from scenewise.media import sounds, voice
from scenewise.media.film import FilmSettings, noise_picture, write_film
from scenewise.media.film import Sound as Track
from scenewise.media.sounds import SOUND_SPEC, SoundDetector, listen
from scenewise.types import Sound

RATE = generated.RATE
Samples = generated.Samples
VOICES = [
    "energy",
    pytest.param(
        "silero",
        marks=pytest.mark.skipif(voice.available() != "silero", reason="no faster-whisper here"),
    ),
]


def heard(
    samples: Samples, detector: voice.VoiceName = "energy", block: int = 30 * RATE
) -> list[Sound]:
    machine = SoundDetector(detector)
    found: list[Sound] = []
    for first in range(0, len(samples), block):
        found += machine.add(samples[first : first + block], first / RATE)
    return [*found, *machine.finish()]


def spans(found: list[Sound] | tuple[Sound, ...], kind: str) -> list[tuple[float, float]]:
    return [(sound.start, sound.end) for sound in found if sound.kind == kind]


def film(
    path: Path,
    samples: Samples | None,
    rate: int = RATE,
    *,
    late_seconds: float = 0.0,
    seconds: float = 4.0,
) -> Path:
    sound = None
    if samples is not None:
        late = np.zeros(round(late_seconds * rate), np.float32)
        sound = Track(np.concatenate([late, samples])[None], rate, "pcm_s16le")
    settings = FilmSettings(frame_rate=Fraction(5), gop=5, b_frames=0)
    pictures = [noise_picture(n, 64, 48) for n in range(round(seconds * 5))]
    write_film(path, pictures, settings, sound=sound)
    return path


def test_silence_lasts_from_one_noise_to_the_next() -> None:
    loud = generated.noise(1.0, -20)
    found = heard(np.concatenate([loud, generated.quiet(1.5), loud, generated.quiet(0.3), loud]))
    assert spans(found, "silence") == [pytest.approx((1.0, 2.5), abs=0.03)]


def test_digital_silence_is_silent_all_along() -> None:
    found = heard(np.zeros(5 * RATE, np.float32))
    assert [(s.kind, s.start, s.end, s.strength) for s in found] == [("silence", 0.0, 5.0, 1.0)]


def test_what_is_audible_is_no_silence_however_loud_the_rest() -> None:
    loud, soft = generated.noise(2.0, -6), generated.noise(2.0, -35)
    assert not spans(heard(np.concatenate([loud, soft, loud])), "silence")


def test_hiss_of_a_recording_is_silence_beside_its_speech() -> None:
    hiss = generated.noise(2.0, -52)
    voiced = generated.noise(2.0, -12)
    assert spans(heard(np.concatenate([voiced, hiss, voiced])), "silence") == [
        pytest.approx((2.0, 4.0), abs=0.03)
    ]


@pytest.mark.parametrize("bangs", [(1.0,), (0.8, 1.8, 3.1)], ids=["one", "three"])
def test_bangs_are_found_at_their_instants(bangs: tuple[float, ...]) -> None:
    samples = generated.noise(4.5, -45)
    for at in bangs:
        burst = generated.bang()
        samples[round(at * RATE) : round(at * RATE) + len(burst)] += burst
    found = [s for s in heard(samples) if s.kind == "onset"]
    assert [s.start for s in found] == pytest.approx(bangs, abs=0.03)
    assert min(s.strength for s in found) > 0.8


@pytest.mark.parametrize(
    "steady",
    [generated.noise(4.0, -20), generated.hum(4.0), generated.noise(4.0, -60)],
    ids=["noise", "hum", "quiet"],
)
def test_steady_sound_is_neither_speech_nor_music_nor_onset(steady: Samples) -> None:
    assert {s.kind for s in heard(steady)} <= {"silence"}


def test_a_slow_rise_is_no_onset() -> None:
    rise = generated.noise(6.0, 0) * np.geomspace(0.003, 0.3, 6 * RATE).astype(np.float32)
    assert not spans(heard(rise), "onset")


@pytest.mark.parametrize("detector", VOICES)
def test_music_is_heard_where_it_plays(detector: voice.VoiceName) -> None:
    still = generated.quiet(4.0)
    found = heard(np.concatenate([still, generated.music(10.0), still]), detector)
    assert spans(found, "music") == [pytest.approx((4.0, 14.0), abs=1.0)]
    assert max(s.strength for s in found if s.kind == "music") > 0.8


def test_speech_by_energy_is_heard_where_it_is() -> None:
    still = generated.quiet(3.0)
    found = heard(np.concatenate([still, generated.vowels(8.0), still]))
    first, last = spans(found, "speech")[0][0], spans(found, "speech")[-1][1]
    assert (first, last) == pytest.approx((3.0, 11.0), abs=0.5)
    assert sum(end - start for start, end in spans(found, "speech")) > 5.0
    assert not spans(found, "music")


@pytest.mark.parametrize("detector", VOICES)
@pytest.mark.parametrize("speaker", ["slt", "kal", "awb"])
def test_spoken_words_are_heard_where_they_are(detector: voice.VoiceName, speaker: str) -> None:
    words = generated.spoken(
        "the quick brown fox jumps over the lazy dog while nobody looks at the river", speaker
    )
    if words is None:
        pytest.skip("the ffmpeg program here cannot speak (flite)")
    still = generated.quiet(3.0)
    found = heard(np.concatenate([still, words, still]), detector)
    speech = spans(found, "speech")
    assert (speech[0][0], speech[-1][1]) == pytest.approx((3.2, 2.9 + len(words) / RATE), abs=0.6)
    assert sum(end - start for start, end in speech) > 0.6 * len(words) / RATE


@pytest.mark.parametrize("detector", VOICES)
def test_the_answer_does_not_depend_on_how_the_samples_come(detector: voice.VoiceName) -> None:
    samples = np.concatenate(
        [generated.vowels(5.0), generated.bang(0.5), generated.music(5.0), generated.quiet(2.0)]
    )
    whole = sorted(heard(samples, detector), key=repr)
    for block in (RATE // 10, 4567):
        pieces = sorted(heard(samples, detector, block), key=repr)
        assert [(s.kind, s.start, s.end) for s in pieces] == [
            (s.kind, s.start, s.end) for s in whole
        ]
        assert [s.strength for s in pieces] == pytest.approx([s.strength for s in whole], abs=0.01)


def test_a_stream_tells_what_goes_on() -> None:
    machine = SoundDetector("energy")
    machine.add(generated.noise(2.0, -20), 100.0)
    before = machine.ongoing
    assert before == ()
    assert machine.add(generated.quiet(3.0), 102.0) == ()
    now = machine.ongoing[0]
    assert now.kind == "silence"
    assert (now.start, now.end) == pytest.approx((102.0, 105.0), abs=0.03)
    over = machine.add(generated.noise(1.0, -20), 105.0)[0]
    assert over.kind == "silence"
    assert (over.start, over.end) == pytest.approx((102.0, 105.0), abs=0.03)


def test_a_step_of_the_clock_ends_what_was_heard() -> None:
    machine = SoundDetector("energy")
    machine.add(np.zeros(2 * RATE, np.float32), 0.0)
    (before,) = machine.add(np.zeros(2 * RATE, np.float32), 50.0)
    (after,) = machine.finish()
    assert [(s.start, s.end) for s in (before, after)] == [(0.0, 2.0), (50.0, 52.0)]
    assert machine.finish() == ()


def test_memory_does_not_grow_with_the_length() -> None:
    machine = SoundDetector("energy")
    for second in range(40):
        machine.add(generated.noise(1.0, -20 - second % 3, second), float(second))
    kept = [
        len(machine._chances),
        len(machine._judged),
        len(machine._onsets._decibels),
        len(machine._music._levels),
        len(machine._music._samples),
        len(machine._levels._samples),
    ]
    assert max(kept) < 4_000  # of 640,000 samples


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_times_do_not_depend_on_the_sample_rate(tmp_path: Path, rate: int) -> None:
    samples = np.concatenate(
        [
            generated.quiet(1.0, rate=rate),
            generated.bang(rate=rate),
            generated.quiet(2.0, rate=rate),
        ]
    )
    found = listen(film(tmp_path / "a.mkv", samples, rate))
    assert spans(found, "onset")[0][0] == pytest.approx(1.0, abs=0.03)
    assert [start for start, _ in spans(found, "silence")] == pytest.approx([0.0, 1.3], abs=0.15)


def test_sound_that_begins_late_keeps_the_clock_of_the_pictures(tmp_path: Path) -> None:
    samples = np.concatenate([generated.noise(0.5, -50), generated.bang(), generated.quiet(1.0)])
    found = listen(film(tmp_path / "late.mkv", samples, late_seconds=1.5))
    assert spans(found, "onset")[0][0] == pytest.approx(2.0, abs=0.03)
    later = listen(tmp_path / "late.mkv", start=1.7, end=3.0)
    assert spans(later, "onset")[0][0] == pytest.approx(2.0, abs=0.03)


def test_a_file_without_sound_has_nothing_to_hear(tmp_path: Path) -> None:
    silent = film(tmp_path / "mute.mp4", None)
    assert listen(silent) == ()
    with pytest.raises(MissingStreamError, match="no sound"):
        listen(silent, track=1)


def test_short_and_odd_sound_is_borne() -> None:
    for size in (0, 1, 100, 511, 5_000):
        found = heard(generated.noise(1.0, -20)[:size])
        assert all(0 <= s.start <= s.end <= size / RATE for s in found)
    # samples that no microphone gives
    assert heard(np.full(RATE, 3.0, np.float32)) is not None


def test_voice_detectors_are_named() -> None:
    assert SOUND_SPEC.endswith(voice.available())
    with pytest.raises(UsageError, match="silero, energy"):
        SoundDetector("sonar")  # type: ignore[arg-type]  # a wrong value, on purpose


def test_without_the_extra_its_detector_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "_model_path", lambda: None)
    assert voice.available() == "energy"
    assert isinstance(voice.open_voice(), voice.EnergyVoice)
    with pytest.raises(MissingExtraError, match=r"scenewise\[asr\]"):
        voice.open_voice("silero")


def test_listening_does_not_load_what_carries_the_network() -> None:
    script = (
        "import sys, numpy as np; from scenewise.media.sounds import SoundDetector; "
        "SoundDetector().add(np.zeros(16000, np.float32), 0.0); "
        "heavy = {'torch', 'transformers', 'faster_whisper', 'ctranslate2'}; "
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(sounds.__file__).parents[2])


@pytest.mark.shared
def test_real_recordings_are_heard_without_a_crash(shared_dir: Path) -> None:
    for path in sorted((shared_dir / "media" / "eval").iterdir())[:16]:
        for sound in listen(path, end=12.0):
            assert 0.0 <= sound.start < sound.end <= 12.0
            assert 0.0 < sound.strength <= 1.0
