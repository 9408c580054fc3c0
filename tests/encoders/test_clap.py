"""A random CLAP checkpoint on disk, as published ones are laid out, gives transformers' vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tokenizers
import torch
import transformers
from tiny_clap import RATE, extractor, write_clap

from scenewise.encoders.audio import AudioEncoder, encode_sound
from scenewise.encoders.clap_features import ClapConfig, log_mel_window, read_clap_config
from scenewise.encoders.load_audio import describe_audio_encoder, load_audio_encoder
from scenewise.errors import EncoderError, MissingStreamError, UnknownEncoderError, UsageError
from scenewise.media.film import FilmSettings, Sound, noise_picture, write_film

TOLERANCE = 1e-4  # of unit vectors, largest difference of any number
TEXTS = ("a dog barks", "rain falls on a roof while nobody is there", "MUSIC!", "x")
Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of this size only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def encoder(checkpoint: Path, cache: Path) -> Iterator[AudioEncoder]:
    made = load_audio_encoder(str(checkpoint), cache_dir=cache)
    yield made
    made.close()


def network_of(folder: Path) -> Any:
    return transformers.ClapModel.from_pretrained(folder).eval()


def sounds() -> list[Samples]:
    """A whole window, half of one, a fifth, an instant; loud, soft, silent."""
    random = np.random.default_rng(5)
    at = np.arange(2 * RATE) / RATE
    tones = (0.4 * np.sin(2 * np.pi * 440 * at) + 0.1 * random.normal(size=len(at))).astype("f4")
    return [tones, tones[: RATE - 7], 1e-3 * tones[: RATE // 5], tones[:600], 0 * tones]


def published_vectors(folder: Path, windows: list[Samples]) -> npt.NDArray[np.float32]:
    network, features = network_of(folder), extractor()
    with torch.no_grad():
        made = [
            network.get_audio_features(
                **features(window, sampling_rate=RATE, return_tensors="pt")
            ).pooler_output[0]
            for window in windows
        ]
    return np.stack([vector.numpy() for vector in made])


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_spectra_are_those_of_the_published_extractor(
    checkpoint: Path, tmp_path: Path, padding: str
) -> None:
    published = extractor(padding=padding)
    shutil.copyfile(checkpoint / "config.json", tmp_path / "config.json")
    published.save_pretrained(tmp_path)
    config = read_clap_config(tmp_path)
    for window in sounds():
        ours = log_mel_window(window, config)
        theirs = published(window, sampling_rate=RATE)["input_features"][0][0]
        assert ours.shape == theirs.shape == (config.frames, 16)
        assert ours == pytest.approx(theirs, abs=1e-3)  # dB


def test_other_spectra_would_be_noticed(checkpoint: Path) -> None:
    from dataclasses import replace

    config = read_clap_config(checkpoint)
    window = sounds()[1]
    theirs = extractor()(window, sampling_rate=RATE)["input_features"][0][0]
    changes: list[ClapConfig] = [
        replace(config, low_hertz=0.0),
        replace(config, high_hertz=13_900.0),
        replace(config, padding="pad"),
        replace(config, frame=1000),
    ]
    for changed in changes:
        assert np.abs(log_mel_window(window, changed) - theirs).max() > 0.1


def test_sound_becomes_the_published_vectors(encoder: AudioEncoder, checkpoint: Path) -> None:
    theirs = published_vectors(checkpoint, sounds())
    ours = encoder.encode_audio(sounds())
    assert ours == pytest.approx(theirs, abs=TOLERANCE)
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)
    # the sounds are told apart, or equality would show nothing
    assert np.abs(ours[0] - ours[4]).max() > 100 * TOLERANCE


def test_words_become_the_published_vectors(encoder: AudioEncoder, checkpoint: Path) -> None:
    network = network_of(checkpoint)
    made = tokenizers.Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    for text in TEXTS:
        encoding = made.encode(text)  # padded: the mask must not matter
        with torch.no_grad():
            theirs = network.get_text_features(
                input_ids=torch.tensor([encoding.ids]),
                attention_mask=torch.tensor([encoding.attention_mask]),
            ).pooler_output[0]
        assert encoder.encode_text(text).vector == pytest.approx(theirs.numpy(), abs=TOLERANCE)


@pytest.mark.parametrize(
    "part",
    ["audio_model.audio_encoder.layers.1", "audio_projection.linear2", "audio_encoder.batch_norm"],
)
def test_a_change_of_any_part_of_the_sound_side_would_be_noticed(
    encoder: AudioEncoder, checkpoint: Path, part: str
) -> None:
    network, features = network_of(checkpoint), extractor()
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if part in name and tensor.is_floating_point():
                tensor.add_(0.2 * tensor.std() * torch.randn_like(tensor))
        changed = network.get_audio_features(
            **features(sounds()[0], sampling_rate=RATE, return_tensors="pt")
        ).pooler_output[0]
    ours = encoder.encode_audio(sounds()[:1])[0]
    assert np.abs(ours - changed.numpy()).max() > 10 * TOLERANCE


def test_the_spec_says_what_vectors_depend_on(
    encoder: AudioEncoder, checkpoint: Path, cache: Path, tmp_path: Path
) -> None:
    spec = encoder.spec
    assert (spec.dimension, spec.sample_rate, spec.licence) == (24, RATE, "apache-2.0")
    assert (spec.window_seconds, spec.hop_seconds) == (2.0, 1.0)
    assert describe_audio_encoder(str(checkpoint), cache_dir=cache) == spec
    moved = tmp_path / "moved"
    shutil.copytree(checkpoint, moved)
    assert describe_audio_encoder(str(moved), cache_dir=tmp_path).digest() == spec.digest()
    settings = json.loads((moved / "preprocessor_config.json").read_text("utf-8"))
    settings["frequency_min"] = 0
    (moved / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    assert describe_audio_encoder(str(moved), cache_dir=tmp_path).digest() != spec.digest()


def test_long_words_are_cut_and_a_note_says_so(encoder: AudioEncoder) -> None:
    query = encoder.encode_text("a dog barks " * 40)
    assert "cut after 64 tokens" in query.notes[0]
    assert np.linalg.norm(query.vector) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError, match="empty"):
        encoder.encode_text("  ")


def film(path: Path, seconds: float, *, silent: bool = False) -> Path:
    at = np.arange(round(seconds * 44_100)) / 44_100
    tone = np.sin(2 * np.pi * 300 * at).astype(np.float32)
    # a codec that adds nothing at the end
    sound = None if silent else Sound(tone[None], 44_100, "pcm_s16le")
    settings = FilmSettings(frame_rate=Fraction(2), gop=2, b_frames=0)
    write_film(path, [noise_picture(n, 64, 48) for n in range(4)], settings, sound=sound)
    return path


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, [(0, 0.5)]),
        (2.0, [(0, 2)]),
        (2.5, [(0, 2), (1, 2.5)]),
        (5.0, [(0, 2), (1, 3), (2, 4), (3, 5)]),
    ],
)
def test_a_file_becomes_windows_that_overlap_by_half(
    encoder: AudioEncoder, tmp_path: Path, seconds: float, expected: list[tuple[float, float]]
) -> None:
    starts, ends, vectors = encode_sound(film(tmp_path / "f.mkv", seconds), encoder, batch=2)
    assert len(vectors) == len(expected)
    assert np.stack([starts, ends], axis=1) == pytest.approx(np.array(expected), abs=0.001)


def test_windows_do_not_depend_on_how_they_are_batched(
    encoder: AudioEncoder, tmp_path: Path
) -> None:
    path = film(tmp_path / "f.mkv", 7.0)
    one, many = encode_sound(path, encoder, batch=1), encode_sound(path, encoder, batch=5)
    assert one[2] == pytest.approx(many[2], abs=1e-5)


def test_a_film_without_sound_is_said_to_have_none(encoder: AudioEncoder, tmp_path: Path) -> None:
    with pytest.raises(MissingStreamError, match="no sound"):
        encode_sound(film(tmp_path / "f.mkv", 1.0, silent=True), encoder)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", {"model_type": "clip"}, "a CLAP checkpoint"),
        ("preprocessor_config.json", {"truncation": "fusion"}, "fuses crops"),
        ("preprocessor_config.json", {"padding": "mirror"}, "repeatpad, repeat, pad"),
        ("preprocessor_config.json", {"feature_size": 17}, "feature_size"),
        ("preprocessor_config.json", {"hop_length": 0}, "hop_length"),
        ("preprocessor_config.json", None, "feature extractor"),
        ("tokenizer.json", None, "no tokenizer"),
        ("model.safetensors", None, "no weights"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_a_sentence(
    checkpoint: Path, tmp_path: Path, file: str, change: dict[str, Any] | None, message: str
) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(checkpoint, folder)
    path = folder / file
    if change is None:
        path.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(EncoderError, match=message):
        load_audio_encoder(str(folder), cache_dir=tmp_path / "cache")


def test_a_fused_network_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fused"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["audio_config"]["enable_fusion"] = True
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(EncoderError, match="clap-htsat-unfused"):
        load_audio_encoder(str(folder), cache_dir=tmp_path)


def test_a_name_that_is_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoderError, match=r"neither a folder nor a hub name.*laion/clap"):
        load_audio_encoder("no such thing", cache_dir=tmp_path)


def test_once_prepared_neither_torch_nor_transformers_is_loaded(
    encoder: AudioEncoder, checkpoint: Path, cache: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; import numpy as np; "
        "from scenewise.encoders.load_audio import load_audio_encoder; "
        f"made = load_audio_encoder({str(checkpoint)!r}, cache_dir=Path({str(cache)!r})); "
        "made.encode_text('rain'); made.encode_audio([np.ones(999, np.float32)]); "
        "sys.exit(bool({'torch', 'transformers', 'av'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)
