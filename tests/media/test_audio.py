"""Sound: its clock, gaps, broken packets, and spectra, on sound whose truth is known."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from scenewise.errors import MissingStreamError, ScenewiseError, UnreadableMediaError, UsageError
from scenewise.media import audio, mel, spectral
from scenewise.media.film import FilmSettings, Sound, noise_picture, write_film

RATE = audio.SAMPLE_RATE
Array = npt.NDArray[np.float32]


def tone(seconds: float, hertz: float, rate: int, amplitude: float = 0.5) -> Array:
    time = np.arange(round(seconds * rate), dtype=np.float64) / rate
    wave: Array = np.float32(amplitude) * np.sin(2 * np.pi * hertz * time).astype(np.float32)
    return wave


def clicks(seconds: float, times: tuple[float, ...], rate: int) -> Array:
    """Short smooth pulses of 2 ms whose middle stands at the given times."""
    time = np.arange(round(seconds * rate)) / rate
    pulses = [np.exp(-(((time - at) / 0.0005) ** 2)) for at in times]
    wave: Array = (0.8 * np.sum(pulses, axis=0)).astype(np.float32)
    return wave


def film(path: Path, sound: Sound | None, start_seconds: float = 0.0, seconds: float = 2.0) -> Path:
    pictures = [noise_picture(n, 64, 48) for n in range(round(seconds * 10))]
    settings = FilmSettings(
        frame_rate=Fraction(10), gop=10, b_frames=0, start_seconds=start_seconds
    )
    write_film(path, pictures, settings, sound=sound)
    return path


def sound_file(
    path: Path, pieces: list[tuple[float, Array]], rate: int, codec: str = "pcm_s16le"
) -> Path:
    """Sound alone: runs of mono samples at given times, in packets of 20 ms."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        size = rate // 50
        for begin, samples in pieces:
            for first in range(0, len(samples), size):
                piece = (samples[first : first + size] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(piece[None], format="s16", layout="mono")
                frame.sample_rate = rate
                frame.time_base = Fraction(1, rate)
                frame.pts = round(begin * rate) + first
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def peaks(samples: Array) -> list[float]:
    """Middles of the pulses that ``clicks`` makes, in seconds."""
    loud = np.flatnonzero(samples > 0.3)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 50) + 1)
    return [float(np.average(group, weights=samples[group])) / RATE for group in groups]


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels", "tolerance"),
    [
        ("f.mkv", "pcm_s16le", 8_000, 1, 0.0002),
        ("f.mkv", "pcm_s16le", 16_000, 2, 0.0002),
        ("f.mkv", "flac", 44_100, 2, 0.0002),
        ("f.mkv", "pcm_s16le", 96_000, 1, 0.0002),
        ("f.mp4", "aac", 48_000, 2, 0.001),
        ("f.mkv", "libopus", 48_000, 1, 0.001),
        ("f.mkv", "libmp3lame", 44_100, 1, 0.002),
    ],
)
def test_clicks_stand_where_they_were_made(
    tmp_path: Path, name: str, codec: str, rate: int, channels: int, tolerance: float
) -> None:
    times = (0.25, 0.9, 1.6)
    track = np.repeat(clicks(2.0, times, rate)[None], channels, axis=0)
    path = film(tmp_path / name, Sound(track, rate, codec))
    found = peaks(audio.read(path))
    assert found == pytest.approx(times, abs=tolerance)


def test_equal_channels_are_as_loud_as_one(tmp_path: Path) -> None:
    track = np.repeat(tone(2.0, 440, 44_100)[None], 2, axis=0)
    samples = audio.read(film(tmp_path / "f.mkv", Sound(track, 44_100, "pcm_s16le")))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(2 * RATE, abs=2)
    middle = samples[RATE // 2 : RATE * 3 // 2]
    assert float(np.sqrt(np.mean(middle**2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.005)


def test_the_clock_is_that_of_the_pictures(tmp_path: Path) -> None:
    """Pictures that start at 3 s of the container's clock: the sound is told from there too."""
    track = clicks(2.0, (0.5, 1.5), 44_100)[None]
    path = film(tmp_path / "f.mkv", Sound(track, 44_100, "pcm_s16le"), start_seconds=3.0)
    assert peaks(audio.read(path)) == pytest.approx((0.5, 1.5), abs=0.002)


def test_blocks_join_to_the_whole_and_carry_their_times(tmp_path: Path) -> None:
    track = tone(2.0, 300, 22_050)[None]
    path = film(tmp_path / "f.mkv", Sound(track, 22_050, "pcm_s16le"))
    blocks = list(audio.stream(path, block_seconds=0.3))
    assert [len(block.samples) for block in blocks[:-1]] == [4800] * (len(blocks) - 1)
    for before, after in itertools.pairwise(blocks):
        assert after.start == pytest.approx(before.end, abs=1e-9)
    whole = audio.read(path)
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), whole)


@pytest.mark.parametrize(("name", "codec"), [("f.mov", "pcm_s16le"), ("f.mp4", "aac")])
def test_a_span_is_the_same_as_that_part_of_the_whole(
    tmp_path: Path, name: str, codec: str
) -> None:
    track = (tone(8.0, 300, 44_100) + clicks(8.0, (2.5, 6.25), 44_100) * 0.4)[None]
    path = film(tmp_path / name, Sound(track, 44_100, codec), seconds=8.0)
    whole, part = audio.read(path), audio.read(path, 5.9, 6.6)
    expected = whole[round(5.9 * RATE) : round(6.6 * RATE)]
    assert len(part) == len(expected)
    # runs are placed to the nearest sample: half a sample of this tone is 0.06 rad
    assert float(np.corrcoef(part, expected)[0, 1]) > np.cos(2 * np.pi * 300 * 0.55 / RATE)


def test_gaps_and_late_starts_are_silence(tmp_path: Path) -> None:
    pieces = [(0.0, tone(1.0, 500, RATE)), (2.5, tone(1.0, 500, RATE))]
    samples = audio.read(sound_file(tmp_path / "gap.mkv", pieces, RATE))
    assert len(samples) == pytest.approx(3.5 * RATE, abs=32)
    assert np.abs(samples[round(1.01 * RATE) : round(2.49 * RATE)]).max() == 0.0
    assert np.abs(samples[round(2.52 * RATE) : round(3.4 * RATE)]).max() > 0.4

    late = tmp_path / "late.mkv"
    with av.open(str(late), "w") as container:
        video = container.add_stream("libx264", rate=10)
        sound = container.add_stream("pcm_s16le", rate=RATE)
        assert isinstance(video, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound.layout = "mono"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(noise_picture(number, 64, 48), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        pulse = (clicks(1.0, (0.5,), RATE) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pulse[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), RATE
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    samples = audio.read(late)
    assert peaks(samples) == pytest.approx([1.5], abs=0.002)
    assert np.abs(samples[: RATE - 200]).max() == 0.0


def test_broken_packets_become_silence_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    pieces = [(0.0, tone(4.0, 500, 44_100) + clicks(4.0, (3.5,), 44_100) * 0.4)]
    path = sound_file(tmp_path / "f.mp4", pieces, 44_100, "aac")
    sane = audio.read(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    quarter = (len(data) - start) // 8
    rng = np.random.default_rng(3)
    for at in range(start + 2 * quarter, start + 3 * quarter):
        data[at] = int(rng.integers(0, 256))
    path.write_bytes(data)
    hurt = audio.read(path)
    assert len(hurt) == pytest.approx(len(sane), abs=RATE // 20)
    late = slice(round(3.2 * RATE), round(3.8 * RATE))
    # placed to the nearest sample: half a sample of this tone
    half_a_sample = 0.5 * 2 * np.pi * 500 * 0.55 / RATE
    assert float(np.abs(hurt[late] - sane[late]).max()) < half_a_sample


def test_bad_input_is_one_of_our_errors(tmp_path: Path) -> None:
    silent = film(tmp_path / "silent.mp4", None, seconds=0.5)
    with pytest.raises(MissingStreamError, match="no sound"):
        audio.read(silent)
    with pytest.raises(UnreadableMediaError, match="no such file"):
        audio.read(tmp_path / "absent.mp4")
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(UnreadableMediaError):
        audio.read(noise)
    with pytest.raises(UsageError, match="0 <= start < end"):
        audio.read(silent, 2.0, 1.0)
    sounding = sound_file(tmp_path / "a.wav", [(0.0, tone(1.0, 500, RATE))], RATE)
    with pytest.raises(MissingStreamError, match="allowed: 0 to 0"):
        audio.read(sounding, track=1)
    assert len(audio.read(sounding, 5.0, 6.0)) == 0


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_mutated_files_give_samples_or_one_of_our_errors(tmp_path: Path, suffix: str) -> None:
    codec = "aac" if suffix != ".mkv" else "libopus"
    path = film(tmp_path / f"f{suffix}", Sound(tone(2.0, 440, 48_000)[None], 48_000, codec))
    data = path.read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(12):
        broken = bytearray(data)
        for at in rng.integers(0, len(broken), 20):
            broken[at] = int(rng.integers(0, 256))
        path.write_bytes(broken[: int(rng.integers(len(broken) // 2, len(broken)))])
        try:
            samples = audio.read(path)
        except ScenewiseError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert np.isfinite(samples).all()
            assert len(samples) < 1000 * RATE


@pytest.mark.shared
def test_a_track_that_makes_other_tools_fail(shared_dir: Path) -> None:
    path = shared_dir / "media/eval/Zulko__moviepy__video_with_failing_audio.mp4"
    samples = audio.read(path)
    assert len(samples) / RATE == pytest.approx(11.23, abs=0.05)
    assert np.abs(samples).max() > 0.01


# ---- features


@pytest.mark.parametrize("bins", [80, 128])
def test_log_mel_equals_the_extractor_of_transformers(bins: int) -> None:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=bins)
    rng = np.random.default_rng(bins)
    for seconds in (0.9, 12.34, 35.0):
        sound = (rng.standard_normal(round(seconds * RATE)) * 0.1).astype(np.float32)
        sound *= np.linspace(0.001, 1.0, len(sound), dtype=np.float32)
        theirs = extractor(sound, sampling_rate=RATE, return_tensors="np").input_features[0]
        ours = mel.log_mel(sound, bins)
        assert ours.shape == theirs.shape == (bins, 3000)
        assert float(np.abs(ours - theirs).max()) <= 1e-4
        # the comparison notices a sound that is one sample late
        late = mel.log_mel(np.concatenate([sound[:1], sound[:-1]]), bins)
        assert float(np.abs(late - theirs).max()) > 1e-3


def test_log_mel_without_padding_is_a_hundred_frames_a_second() -> None:
    assert mel.log_mel(tone(1.5, 440, RATE), pad_seconds=None).shape == (80, 150)
    with pytest.raises(ValueError, match="mono"):
        mel.log_mel(np.zeros((2, RATE), np.float32))


def test_band_energy_of_a_tone_lies_in_its_band() -> None:
    sound = tone(1.0, 1000, RATE, amplitude=0.6)
    low, middle, high = spectral.band_energy(sound, [(0, 900), (900, 1100), (1100, 8000)])
    inside = slice(5, -5)
    assert middle[inside] == pytest.approx(0.18, rel=0.01)  # a * a / 2
    assert float((low + high)[inside].max()) < 0.001


def test_bands_together_hold_all_power() -> None:
    sound = (np.random.default_rng(1).standard_normal(RATE) * 0.1).astype(np.float32)
    parts = spectral.band_energy(sound, [(0, 1000), (1000, 4000), (4000, 8000)])
    total = float(parts.sum(axis=0)[5:-5].mean())
    assert total == pytest.approx(float(np.mean(sound**2)), rel=0.05)


def signal_to_noise_db(clean: Array, heard: Array) -> float:
    return float(10 * np.log10(np.sum(clean**2) / np.sum((heard - clean) ** 2)))


def bursts() -> Array:
    """Tones that come and go, as speech does."""
    sound = tone(4.0, 440, RATE, 0.2) + tone(4.0, 1800, RATE, 0.1)
    gate = np.sin(2 * np.pi * 0.8 * np.arange(len(sound)) / RATE) > 0
    return sound * np.convolve(gate, np.ones(160) / 160, mode="same").astype(np.float32)


@pytest.mark.parametrize("profile", [False, True])
def test_noise_reduction_raises_the_ratio_of_tone_to_noise(profile: bool) -> None:
    clean = bursts()
    rng = np.random.default_rng(5)
    hiss = (rng.standard_normal(len(clean)) * 0.05).astype(np.float32)
    sample = (rng.standard_normal(RATE) * 0.05).astype(np.float32) if profile else None
    heard = spectral.reduce_noise(clean + hiss, noise=sample)
    assert signal_to_noise_db(clean, heard) >= signal_to_noise_db(clean, clean + hiss) + 6


def test_noise_reduction_leaves_clean_sound_and_steady_tones() -> None:
    clean = bursts()
    assert signal_to_noise_db(clean, spectral.reduce_noise(clean)) > 25
    steady = tone(3.0, 700, RATE, 0.3)
    hiss = (np.random.default_rng(2).standard_normal(len(steady)) * 0.02).astype(np.float32)
    heard = spectral.reduce_noise(steady + hiss)
    assert signal_to_noise_db(steady, heard) > signal_to_noise_db(steady, steady + hiss) + 6


def test_onsets_of_clicks_and_tones_are_found_and_steady_sound_has_none() -> None:
    times = (0.5, 0.8, 1.7, 2.9)
    rng = np.random.default_rng(9)
    hiss = (rng.standard_normal(4 * RATE) * 0.003).astype(np.float32)
    found = spectral.onsets(clicks(4.0, times, RATE) + hiss)
    assert found == pytest.approx(times, abs=0.025)

    sound = np.zeros(3 * RATE, np.float32)
    for begin in (0.6, 1.9):
        note = tone(0.7, 523, RATE, 0.4)
        sound[round(begin * RATE) : round(begin * RATE) + len(note)] += note
    assert any(abs(at - 0.6) < 0.025 for at in spectral.onsets(sound + hiss[: len(sound)]))
    assert any(abs(at - 1.9) < 0.025 for at in spectral.onsets(sound + hiss[: len(sound)]))

    steady = (rng.standard_normal(4 * RATE) * 0.1).astype(np.float32)
    inner = [at for at in spectral.onsets(steady) if 0.1 < at < 3.9]
    assert inner == []
    assert len(spectral.onsets(np.zeros(RATE, np.float32))) == 0


def test_silences_are_found_to_20_ms() -> None:
    sound = np.concatenate(
        [
            np.zeros(RATE, np.float32),
            tone(1.0, 440, RATE),
            np.zeros(RATE // 4, np.float32),  # too short
            tone(0.5, 440, RATE),
            tone(0.75, 440, RATE, 0.002),  # -57 dB
        ]
    )
    spans = spectral.silences(sound)
    assert [(s.start, s.end) for s in spans] == [
        pytest.approx((0.0, 1.0), abs=0.021),
        pytest.approx((2.75, 3.5), abs=0.021),
    ]
    assert spectral.silences(np.zeros(0, np.float32)) == ()
