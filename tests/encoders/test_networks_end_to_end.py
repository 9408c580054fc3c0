"""Published networks from a checkpoint on the disk to a search and to labels, by the commands.

The weights are random, so nobody knows what is right; that the numbers are the networks' own, other
tests say. Here every step runs as a person would have it: write, convert, index, search, classify.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from colour_films import write_noise
from PIL import Image
from tokenizers import models, pre_tokenizers, processors

from scenewise.cli.main import main
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, write_film
from scenewise.media.target import Target
from scenewise.models import create_model, model_card, save_pretrained

pytestmark = pytest.mark.slow  # an export takes seconds; those of these weights are kept

WORDS = ("a", "photo", "of", "red", "ball", "dog", "man", "video")
MARKS = ("<start>", "<end>")
LABELS = ("run", "jump", "sit")


OURS = ("clip4clip_tiny", "viclip_tiny")


def randomised(build: Callable[[], Any]) -> Any:
    """Weights that let clips differ, as fresh ones of a transformer hardly do; always the same."""
    import torch

    random = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = build()
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                noise = torch.randn(parameter.shape, generator=random)
                parameter.copy_(noise / max(1, parameter[0].numel()) ** 0.5)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=random))
    return network.eval()


def embeddings(network: Any) -> int:
    """The size of its vocabulary."""
    from torch import nn

    return max(
        module.num_embeddings for module in network.modules() if isinstance(module, nn.Embedding)
    )


def write_marked_tokenizer(path: Path, vocabulary: int) -> Path:
    """A word a token between CLIP's kind of marks, the two highest ids."""
    ids = {word: number + 1 for number, word in enumerate(WORDS)}
    ids |= {"<pad>": 0, "<unknown>": len(WORDS) + 1}
    ids |= {mark: vocabulary - len(MARKS) + number for number, mark in enumerate(MARKS)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(ids, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[(mark, ids[mark]) for mark in MARKS]
    )
    tokenizer.save(str(path))
    return path


def write_network(name: str, folder: Path) -> Path:
    """In our own format; the end mark has the highest id, where CLIP's text sides look."""
    network = randomised(lambda: create_model(name))
    folder.mkdir()
    file = write_marked_tokenizer(folder / "words.json", embeddings(network))
    return save_pretrained(network, folder, tokenizer=file)


def write_xclip(folder: Path) -> Path:
    """X-CLIP in Hugging Face layout, in small."""
    import transformers

    folder.mkdir()
    file = write_marked_tokenizer(folder / "tokenizer.json", 64)
    settings = {"pad_token": "<end>", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    assert file.is_file()
    side = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = transformers.XCLIPConfig(
        text_config={**side, "vocab_size": 64, "eos_token_id": 2},
        vision_config={
            **side,
            "patch_size": 8,
            "image_size": 32,
            "num_frames": 4,
            "mit_hidden_size": 24,
            "mit_intermediate_size": 32,
            "mit_num_attention_heads": 4,
        },
        projection_dim=24,
        prompt_num_attention_heads=4,
    )
    randomised(lambda: transformers.XCLIPModel(config)).save_pretrained(folder)
    processor: dict[str, Any] = {
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "resample": 3,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "do_center_crop": True,
        "do_resize": True,
        "do_rescale": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    return folder


def write_timesformer(folder: Path) -> Path:
    """A small classifier in Hugging Face layout, by the names of its own classes."""
    import transformers

    config = transformers.TimesformerConfig(
        image_size=64,
        patch_size=16,
        num_frames=8,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=3,
        intermediate_size=384,
        id2label=dict(enumerate(LABELS)),
    )
    randomised(lambda: transformers.TimesformerForVideoClassification(config)).save_pretrained(
        folder
    )
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    **{name: partial(write_network, name) for name in OURS},
    "xclip": write_xclip,
}


@pytest.fixture(scope="module", params=WRITERS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("checkpoints")
    return str(WRITERS[request.param](root / request.param))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that differ much: stripes of a direction and colour each, and noise."""
    folder = tmp_path_factory.mktemp("films")
    rows, columns = np.mgrid[0:96, 0:128]
    for name, field, colour in (
        ("rows", rows, (255, 60, 0)),
        ("columns", columns, (0, 90, 255)),
        ("slopes", rows + columns, (40, 255, 40)),
    ):
        stripes = (field[None] + np.arange(100)[:, None, None]) // 12 % 2
        pictures = (stripes[..., None] * np.array(colour)).astype(np.uint8)
        write_film(folder / f"{name}.mp4", list(pictures), FilmSettings(frame_rate=Fraction(10)))
    write_noise(folder / "noise.mp4", seconds=5.0)
    return folder


@pytest.fixture(autouse=True)
def capture(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capfd.readouterr()


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


def check_index_and_search(
    capfd: pytest.CaptureFixture[str], encoder: str, films: Path, names: list[str], tmp_path: Path
) -> None:
    """Index; search in words, by a picture and by a film."""
    library = ("--library", str(tmp_path / "library"))
    paths = [str(films / name) for name in names]
    report = answer(capfd, "index", *paths, *library, "--workers", "1")
    assert report["indexed"] == len(names), report
    found = answer(capfd, "search", "a photo of a red ball", *library, "--in", "visual")
    assert {Path(hit["path"]).name for hit in found["hits"]} <= set(names)
    assert found["hits"]
    assert all(hit["score"] >= -1.0 for hit in found["hits"])
    with VideoReader(films / names[0]) as reader:
        (frame,) = reader.read([reader.duration / 2], Target(mode="original"))
    Image.fromarray(frame.image).save(tmp_path / "still.png")
    like = answer(capfd, "search", "--image", str(tmp_path / "still.png"), *library)
    assert {Path(hit["path"]).name for hit in like["hits"]} <= set(names)
    assert like["hits"]
    near = answer(capfd, "similar", names[0], *library)["hits"]
    assert near
    assert {Path(hit["path"]).name for hit in near} <= set(names[1:])


def test_a_checkpoint_indexes_and_searches(
    encoder: str,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCENEWISE_ENCODER", encoder)
    names = sorted(path.name for path in films.iterdir())
    check_index_and_search(capfd, encoder, films, names, tmp_path)


@pytest.mark.shared
def test_a_checkpoint_indexes_and_searches_real_clips(
    encoder: str,
    shared_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCENEWISE_ENCODER", encoder)
    folder = shared_dir / "media" / "eval"
    names = [path.name for path in sorted(folder.glob("*.mp4"), key=size_of)[:3]]
    check_index_and_search(capfd, encoder, folder, names, tmp_path)


def size_of(path: Path) -> int:
    return path.stat().st_size


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_timesformer(tmp_path_factory.mktemp("theirs") / "timesformer")


@pytest.fixture(scope="module")
def classifier(theirs: Path) -> str:
    """Converted; only published sizes are recognised, so a small one is named."""
    made = theirs.parent / "converted"
    typed = ("--network", "timesformer_tiny", "--option", "num_classes=3")
    assert main(["models", "convert", str(theirs), str(made), *typed]) == 0
    return str(made)


def check_labels(shape: Any) -> None:
    shares = {label["name"]: label["probability"] for label in shape["labels"]}
    assert set(shares) == set(LABELS)
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)
    assert shape["source"].startswith("network timesformer")


def test_a_timesformer_labels_a_film(
    classifier: str, films: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shapes = [
        answer(capfd, "classify", str(films / name), "--model", classifier)
        for name in ("rows.mp4", "noise.mp4")
    ]
    for shape in shapes:
        check_labels(shape)
    first, second = (sorted(label["probability"] for label in shape["labels"]) for shape in shapes)
    assert first != pytest.approx(second, abs=1e-3), "it sees which film it is"
    over = answer(capfd, "classify", str(films / "rows.mp4"), "--model", classifier, "--over-time")
    assert over["segments"][0]["start"] == 0.0
    assert over["segments"][-1]["end"] == pytest.approx(10.0, abs=0.11)


def test_its_probabilities_are_those_of_transformers(
    classifier: str, theirs: Path, films: Path, prepared_cache: Path
) -> None:
    """From frames of a film to shares: our graph against transformers' own network."""
    import torch
    import transformers

    from scenewise.encoders.video_classifier import load_video_classifier

    made = load_video_classifier(classifier, cache_dir=prepared_cache)
    assert made.described.labels == LABELS
    times = [0.5 + number for number in range(8)]
    with VideoReader(films / "rows.mp4") as reader:
        clip = np.stack([frame.image for frame in reader.read(times, made.described.target)])
    card = model_card("timesformer_tiny").input
    assert card is not None
    pixels = (clip / 255 - np.array(card.mean)) / np.array(card.std)
    network = transformers.TimesformerForVideoClassification.from_pretrained(theirs).eval()
    with torch.no_grad():
        frames = torch.from_numpy(pixels).float().permute(0, 3, 1, 2)[None]
        wanted = network(pixel_values=frames).logits.softmax(dim=-1).numpy()
    assert np.abs(made.probabilities(clip[None]) - wanted).max() < 1e-4


@pytest.mark.shared
def test_a_timesformer_labels_a_real_clip(
    classifier: str, shared_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (film, *_) = sorted((shared_dir / "media" / "eval").glob("*.mp4"), key=size_of)
    check_labels(answer(capfd, "classify", str(film), "--model", classifier))
