"""What reaches a Whisper model, what becomes of its answers, and how a model is found.

No Whisper model is here: a tiny one with random weights shows that the way through faster-whisper
works, a double shows what is done with its segments. What a model hears is not tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_whisper import write_tiny_whisper

from scenewise.errors import EncoderError, MissingExtraError, MissingStreamError, UsageError
from scenewise.media import film, speech
from scenewise.media.speech import SAMPLE_RATE, SpeechReader, speech_spec, windows


@dataclass
class Segment:
    start: float
    end: float
    text: str


@dataclass
class Info:
    language: str = "fr"


@dataclass
class Listener:
    """Stands for ``WhisperModel``: answers each window with given segments."""

    answers: list[list[Segment]]
    heard: list[npt.NDArray[np.float32]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    supported_languages: tuple[str, ...] = ("de", "en", "fr")

    def transcribe(
        self, audio: npt.NDArray[np.float32], **options: Any
    ) -> tuple[Iterator[Segment], Info]:
        self.heard.append(audio)
        self.options.append(options)
        return iter(self.answers[len(self.heard) - 1]), Info()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of film with hiss."""
    path = tmp_path_factory.mktemp("speech") / "noisy.mp4"
    samples = np.random.default_rng(0).normal(0, 0.1, (1, 3 * SAMPLE_RATE)).astype(np.float32)
    pictures = (film.noise_picture(1, 64, 48) for _ in range(75))
    film.write_film(path, pictures, sound=film.Sound(samples, SAMPLE_RATE))
    return path


def test_segments_become_lines_with_times(noisy: Path) -> None:
    listener = Listener([[Segment(0.5, 1.25, "  Hello \n there "), Segment(1.5, 1.5, "x")]])
    reader = SpeechReader("model", transcriber=listener)
    assert reader.read(noisy) == [(0.5, 1.25, "Hello there")]
    [heard] = listener.heard
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(3 * SAMPLE_RATE, abs=2048)
    assert listener.options[0]["vad_filter"] is True
    assert listener.options[0]["word_timestamps"] is False
    assert listener.options[0]["language"] is None


def test_times_that_a_model_makes_up_are_cut_to_its_window(noisy: Path) -> None:
    listener = Listener([[Segment(-1.0, 99.0, "long"), Segment(50.0, 60.0, "beyond")]])
    [(start, end, text)] = SpeechReader("model", transcriber=listener).read(noisy)
    assert (start, text) == (0.0, "long")
    assert end == pytest.approx(3.0, abs=0.2)


def test_a_long_film_is_heard_in_windows_and_in_one_language(
    noisy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        speech, "windows", lambda blocks: iter([(0.0, np.zeros(10_000, np.float32))] * 3)
    )
    answers = [[], [Segment(0.1, 0.2, "oui")], [Segment(0.1, 0.2, "non")]]
    listener = Listener(answers)
    SpeechReader("model", transcriber=listener).read(noisy)
    # silence does not tell the language; the first words do
    assert [options["language"] for options in listener.options] == [None, None, "fr"]


def test_a_language_that_is_named_is_kept_or_refused(noisy: Path) -> None:
    listener = Listener([[]])
    SpeechReader("model", "de", transcriber=listener).read(noisy)
    assert listener.options[0]["language"] == "de"
    with pytest.raises(UsageError, match=r"'xx' is not allowed.*de, en, fr"):
        SpeechReader("model", "xx", transcriber=listener)


def test_a_film_without_sound_says_so(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    film.write_film(path, [film.noise_picture(1, 64, 48)] * 5)
    with pytest.raises(MissingStreamError):
        SpeechReader("model", transcriber=Listener([])).read(path)


# ---- windows


@given(
    st.lists(st.integers(1, 9_000), max_size=20), st.floats(0.05, 1.0), st.integers(0, 2**32 - 1)
)
def test_windows_hold_every_sample_once_and_no_more_than_asked(
    sizes: list[int], seconds: float, seed: int
) -> None:
    samples = np.random.default_rng(seed).normal(size=sum(sizes)).astype(np.float32)
    blocks = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    found = list(windows(blocks, seconds))
    joined = np.concatenate([part for _, part in found]) if found else np.zeros(0, np.float32)
    np.testing.assert_array_equal(joined, samples)
    at = 0
    for start, part in found:
        assert start == at / SAMPLE_RATE
        assert 0 < len(part) <= round(seconds * SAMPLE_RATE)
        at += len(part)


def test_a_window_is_cut_where_it_is_quiet() -> None:
    samples = np.random.default_rng(0).normal(size=100 * SAMPLE_RATE).astype(np.float32)
    samples[round(47.0 * SAMPLE_RATE) : round(47.5 * SAMPLE_RATE)] = 0
    starts = [start for start, _ in windows(np.split(samples, 10), 60.0)]
    assert 47.0 < starts[1] < 47.5


# ---- models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_whisper(tmp_path_factory.mktemp("whisper"))


def test_a_models_folder_is_loaded_and_run(tiny: Path, noisy: Path) -> None:
    reader = SpeechReader(str(tiny), "en")
    for start, end, text in reader.read(noisy):  # hiss is no speech, so there may be none
        assert 0 <= start < end <= 3.2
        assert text
    # past the voice detection, what random weights make of hiss has text and times
    samples = np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32)
    segments, info = reader._model.transcribe(samples, language="en")
    assert info.language == "en"
    assert all(segment.end >= segment.start for segment in segments)


def test_the_spec_names_program_model_and_language(tiny: Path) -> None:
    spec = speech_spec(str(tiny), "en")
    assert str(tiny) in spec
    assert metadata.version("faster-whisper") in spec
    assert spec != speech_spec(str(tiny), None)


@pytest.mark.parametrize("lacking", ["config.json", "model.bin", "tokenizer.json"])
def test_a_folder_without_a_model_is_refused_at_once(
    tiny: Path, tmp_path: Path, lacking: str
) -> None:
    for path in tiny.iterdir():
        if path.name != lacking:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match=f"{lacking} is missing"):
        speech_spec(str(tmp_path), None)


def test_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        speech_spec(str(tmp_path / "absent"), None)


def test_a_damaged_model_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.bin").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="cannot be loaded") as error:
        SpeechReader(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["no-such-size", "nobody/no-such-whisper"])
def test_a_hub_name_that_cannot_be_had_is_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match="a hub name needs a network once") as error:
        SpeechReader(name)
    assert "\n" not in str(error.value)


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(MissingExtraError, match=r'pip install "scenewise\[asr\]"'):
        SpeechReader("small")
