"""Networks in our own format as encoders: their vectors, words, notes, cache and refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import toy_networks
from seeded import seeded_state
from toy_networks import COLOURS, NOTE, write_classifier, write_tokenizer, write_video_text

from scenewise.encoders import load
from scenewise.encoders.network_folder import CLIP_SECONDS, FORMAT, is_network_folder
from scenewise.encoders.spec import Encoder
from scenewise.errors import EncoderError, NetworkError, UnknownNetworkError, UsageError
from scenewise.media.target import Target
from scenewise.models import create_model, load_pretrained, model_card, save_pretrained
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.weights.own import OWN

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with toy_networks.registered():
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video_text(tmp_path_factory.mktemp("networks") / "toy")


@pytest.fixture(scope="module")
def encoder(folder: Path, cache: Path) -> Encoder:
    return load.load_encoder(str(folder), cache_dir=cache)


def clip(colour: str, count: int = 1) -> npt.NDArray[np.uint8]:
    pixel = [round(255 * (value + 1) / 2) for value in COLOURS[colour]]
    return np.full((count, 4, 32, 32, 3), pixel, np.uint8)


def changed(folder: Path, **entries: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | entries), "utf-8")


def test_the_format_is_the_one_that_is_written(folder: Path) -> None:
    assert FORMAT == OWN
    assert is_network_folder(folder)
    assert not is_network_folder(folder / "nowhere")


def test_the_spec_is_the_cards(encoder: Encoder, folder: Path) -> None:
    spec = encoder.spec
    assert (spec.name, spec.dimension, spec.frames_per_window) == (str(folder), 3, 4)
    assert (spec.window_seconds, spec.stride_seconds) == (2.0, 1.0)
    assert spec.target == Target(32, 32, "crop", None, "bicubic")
    assert (spec.mean, spec.std) == ((0.5,) * 3, (0.5,) * 3)


def test_a_clip_and_its_word_have_one_vector(encoder: Encoder) -> None:
    for colour, corner in COLOURS.items():
        features = encoder.encode_windows(clip(colour, 3))
        wanted = np.array(corner) / np.sqrt(3)
        assert features.vectors == pytest.approx(np.tile(wanted, (3, 1)), abs=1e-5)
        query = encoder.encode_query(colour)
        assert encoder.score(query, features) == pytest.approx(1.0, abs=1e-5)
        assert encoder.encode_image(clip(colour)[0, 0]).vector == pytest.approx(wanted, abs=1e-5)
        assert encoder.explain(query, features)[0].kind == "similarity"


def test_vectors_are_those_of_torch(tmp_path: Path) -> None:
    """C3D wants BGR of 0..255 less a mean: the graph holds what the card says."""
    import torch

    network = create_model("c3d_tiny").eval()
    assert isinstance(network, VideoBackbone)
    # weights that let the pixels count: fresh ones of C3D give all clips one vector
    network.load_state_dict(
        seeded_state({key: tuple(value.shape) for key, value in network.state_dict().items()})
    )
    made = load.load_encoder(str(save_pretrained(network, tmp_path / "c3d")), cache_dir=tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 64, 64, 3), np.uint8)
    wanted = model_card("c3d_tiny").input
    assert wanted is not None
    pixels = torch.from_numpy(frames[..., ::-1].copy()).float() / 255
    pixels = (pixels - torch.tensor(wanted.mean)) / torch.tensor(wanted.std)
    with torch.no_grad():
        features = network.features(pixels.permute(0, 1, 4, 2, 3))
    expected = torch.nn.functional.normalize(features, dim=-1).numpy()
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    assert np.abs(made.encode_windows(frames).vectors - expected).max() < 1e-4
    assert made.spec.window_seconds == pytest.approx(16 / 30)


def test_channels_are_turned_for_a_bgr_network(tmp_path: Path) -> None:
    """Its weights turn them back: seen as RGB, red would be blue."""
    made = load.load_encoder(str(write_video_text(tmp_path / "n", "toy_bgr")), cache_dir=tmp_path)
    (score,) = made.score(made.encode_query("red"), made.encode_windows(clip("red")))
    assert score == pytest.approx(1.0, abs=1e-5)


def test_the_networks_own_frames_and_size_are_taken(tmp_path: Path) -> None:
    name = str(write_video_text(tmp_path / "n", num_frames=6, size=48))
    described = load.describe(name, cache_dir=tmp_path)
    made = load.load_encoder(name, cache_dir=tmp_path)
    assert described == made.spec
    assert (made.spec.frames_per_window, made.spec.target.width) == (6, 48)
    with pytest.raises(EncoderError, match=r"shape \(2, 6, 48, 48, 3\); got \(2, 4, 32"):
        made.encode_windows(clip("red", 2))


def test_the_scale_of_cosines_is_the_networks(encoder: Encoder) -> None:
    assert encoder.logit_scale == pytest.approx(20.0, rel=1e-3)  # type: ignore[attr-defined]


def test_a_score_that_is_no_cosine_is_said_with_every_query(tmp_path: Path) -> None:
    name = str(write_video_text(tmp_path / "n", exact=False))
    made = load.load_encoder(name, cache_dir=tmp_path)
    assert made.encode_query("red").notes == (NOTE,)
    assert made.logit_scale == 100.0  # type: ignore[attr-defined]


# words


def test_a_text_is_cut_to_the_cards_length(encoder: Encoder) -> None:
    query = encoder.encode_query("red red red red red red green blue")
    assert query.text == "red red red red red red"
    assert query.notes == ("the query was cut after 6 tokens: 'green blue' was not read",)
    with pytest.raises(UsageError, match="query is empty"):
        encoder.encode_query(" ")


def test_config_json_overrules_how_words_are_read(tmp_path: Path) -> None:
    name = write_video_text(tmp_path / "n")
    plain = load.load_encoder(str(name), cache_dir=tmp_path)
    unknown = plain.encode_query("RED").vector
    changed(name, text={"lower": True, "length": 2})
    made = load.load_encoder(str(name), cache_dir=tmp_path)
    assert made.encode_query("RED").vector == pytest.approx(plain.encode_query("red").vector)
    assert np.abs(unknown - made.encode_query("RED").vector).max() > 0.1
    assert made.encode_query("red green blue").text == "red green"
    assert made.spec == plain.spec, "how words are read changes no stored vector"


def test_padding_is_the_tokenizers_unless_config_json_says_otherwise(tmp_path: Path) -> None:
    """Id 1 is red: who pads with it, sees red in every text."""
    import tokenizers

    name = write_video_text(tmp_path / "n")
    tokenizer = tokenizers.Tokenizer.from_file(str(name / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=1, pad_token="red")
    tokenizer.save(str(name / "tokenizer.json"))
    red = load.load_encoder(str(name), cache_dir=tmp_path).encode_query("blue").vector
    changed(name, text={"pad_id": 0})
    clean = load.load_encoder(str(name), cache_dir=tmp_path).encode_query("blue").vector
    assert clean == pytest.approx(np.array(COLOURS["blue"]) / np.sqrt(3), abs=1e-5)
    assert red[0] > red[2]


def test_a_backbone_says_what_to_do_instead_of_asking_in_words(tmp_path: Path) -> None:
    name = str(write_classifier(tmp_path / "n"))
    made = load.load_encoder(name, cache_dir=tmp_path)
    with pytest.raises(EncoderError, match=r"toy_backbone\), which knows .* search with --image"):
        made.encode_query("red")
    picture = made.encode_image(clip("red")[0, 0])
    assert made.score(picture, made.encode_windows(clip("red"))) == pytest.approx(1.0, abs=1e-5)
    assert made.explain(picture, made.encode_windows(clip("red")))[0].kind == "image"
    assert load.prepare(name, cache_dir=tmp_path) == made.spec


def test_a_folder_without_tokenizer_gets_words_later(tmp_path: Path) -> None:
    name = write_video_text(tmp_path / "n")
    (name / "tokenizer.json").unlink()
    made = load.load_encoder(str(name), cache_dir=tmp_path)
    with pytest.raises(EncoderError, match=r"holds no tokenizer\.json"):
        made.encode_query("red")
    write_tokenizer(name / "tokenizer.json")
    worded = load.load_encoder(str(name), cache_dir=tmp_path)
    assert worded.encode_query("red").text == "red"
    assert worded.spec == made.spec


# the cache


def test_what_is_prepared_needs_neither_torch_nor_the_networks_code(
    folder: Path, encoder: Encoder, cache: Path
) -> None:
    """Another process, in which nobody registered the network."""
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from scenewise.encoders.load import load_encoder\n"
        "made = load_encoder(sys.argv[1], cache_dir=Path(sys.argv[2]))\n"
        "clip = np.full((1, 4, 32, 32, 3), [255, 0, 0], np.uint8)\n"
        "print(made.score(made.encode_query('red'), made.encode_windows(clip))[0])\n"
        "print(sorted({'torch', 'transformers', 'toy_networks'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(cache)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    score, loaded = done.stdout.splitlines()
    assert float(score) == pytest.approx(1.0, abs=1e-5)
    assert loaded == "[]"


def test_the_revision_follows_weights_and_options_alone(tmp_path: Path) -> None:
    import torch

    name = write_video_text(tmp_path / "n")
    first = load.describe(str(name), cache_dir=tmp_path)
    assert not load.is_prepared(str(name), cache_dir=tmp_path)
    changed(name, labels=["a"], text={"length": 3})
    assert load.describe(str(name), cache_dir=tmp_path) == first
    changed(name, options={"scale": 3.0})
    other = load.describe(str(name), cache_dir=tmp_path)
    network = load_pretrained(name)
    with torch.no_grad():
        network.get_parameter("colours.weight").mul_(2.0)
    save_pretrained(network, name)
    third = load.describe(str(name), cache_dir=tmp_path)
    assert len({first.revision, other.revision, third.revision}) == 3


def test_torchs_runtime_gives_the_same_numbers(folder: Path, encoder: Encoder, cache: Path) -> None:
    made = load.load_encoder(str(folder), runtime="torch", cache_dir=cache)
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32, 3), np.uint8)
    ours, theirs = made.encode_windows(frames).vectors, encoder.encode_windows(frames).vectors
    assert np.abs(ours - theirs).max() < 1e-5
    assert made.encode_query("red").vector == pytest.approx(encoder.encode_query("red").vector)
    assert load.is_prepared(str(folder), cache_dir=cache)
    made.close()
    assert len(made.encode_windows(frames)) == 3, "it opens again"


# refusals


@pytest.mark.parametrize(
    ("network", "words"),
    [("toy_features", "takes features, not the pictures"), ("toy_flow", "takes optical flow")],
)
def test_networks_that_take_no_pictures_are_refused(
    network: str, words: str, tmp_path: Path
) -> None:
    name = str(save_pretrained(create_model(network), tmp_path / "n"))
    for verb in (load.load_encoder, load.prepare, load.describe):
        with pytest.raises(EncoderError, match=words):
            verb(name, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("entries", "kind", "words"),
    [
        ({"network": "nothing"}, UnknownNetworkError, "no network 'nothing'"),
        ({"network": None}, EncoderError, "must name a network and its options"),
        ({"options": {"depth": 3}}, UsageError, "no option 'depth'; allowed: num_frames"),
        ({"text": {"length": 0}}, EncoderError, "text of config.json may hold lower"),
        ({"text": {"lowercase": True}}, EncoderError, "text of config.json may hold lower"),
        ({"labels": "red"}, EncoderError, "must be a list of names"),
        ({"text": {"pad_id": 99}}, EncoderError, "does not take the tokenizer's id 99"),
        ({"network": "toy_backbone"}, NetworkError, "does not fit|does not belong"),
    ],
)
def test_settings_that_do_not_hold_are_named(
    entries: dict[str, Any], kind: type[Exception], words: str, tmp_path: Path
) -> None:
    name = write_video_text(tmp_path / "n")
    changed(name, **entries)
    with pytest.raises(kind, match=words):
        load.load_encoder(str(name), cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("network/*/encoder.json"))


def test_a_damaged_tokenizer_is_refused(tmp_path: Path) -> None:
    name = write_video_text(tmp_path / "n")
    (name / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(EncoderError, match="not a readable tokenizer"):
        load.load_encoder(str(name), cache_dir=tmp_path)


def test_an_unknown_span_is_eight_seconds() -> None:
    from dataclasses import replace

    from scenewise.encoders.network_folder import pixels_of

    card = model_card("toy_backbone")
    assert card.input is not None
    card = replace(card, input=replace(card.input, seconds=None, resize_shortest=40))
    pixels = pixels_of(card, {"size": 64, "num_frames": None}, "n")
    assert (pixels.seconds, pixels.frames) == (CLIP_SECONDS, 4)
    assert pixels.target == Target(64, 64, "crop", 80, "bilinear")
