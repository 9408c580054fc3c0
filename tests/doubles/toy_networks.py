"""Networks whose answers are known by construction: they see the mean colour of a clip.

A test registers them (``registered``), as a package of somebody else would by its entry point.
Pixels come in as (value - 0.5) / 0.5: a colour is a corner of the cube -1..1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import models, pre_tokenizers
from torch import Tensor, nn

from scenewise.models import create_model, registry, save_pretrained
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.cards.card import Card, Input
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

WORDS = ("[PAD]", "red", "green", "blue", "yellow", "a", "photo", "of", "video", "[UNK]")
RED, GREEN, BLUE = (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)
COLOURS = {"red": RED, "green": GREEN, "blue": BLUE, "yellow": (1.0, 1.0, -1.0)}
NOTE = "the toy also compares frames"


class ToyVideoText(VideoTextModel):
    """Mean colour against the mean of the words' colours; ``scale`` times their cosine."""

    def __init__(self, num_frames: int, size: int, exact: bool, scale: float) -> None:
        super().__init__()
        if size > 64:
            raise ValueError(f"a toy sees no more than 64 pixels, got {size}")
        self.embed_dim = 3
        self.pooled_ranks = exact
        self.index_note = "" if exact else NOTE
        self.num_frames, self.size, self.scale = num_frames, size, scale
        self.colours = nn.Linear(3, 3, bias=False)
        self.words = nn.Embedding(len(WORDS), 3)

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        if clips.shape[1:] != (self.num_frames, 3, self.size, self.size):
            raise ValueError(f"this toy takes no clips of the shape {tuple(clips.shape)}")
        return Features(self.colours(clips.mean(dim=(1, 3, 4))))

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        real = (ids != 0).unsqueeze(-1).float() if mask is None else mask.unsqueeze(-1).float()
        total = (self.words(ids) * real).sum(dim=1)
        return Features(total / real.sum(dim=1).clamp(min=1.0))

    def similarity(self, text: Features, video: Features) -> Tensor:
        words = nn.functional.normalize(text.pooled, dim=-1)
        return self.scale * words @ nn.functional.normalize(video.pooled, dim=-1).T

    def loss(self, similarity: Tensor) -> Tensor:
        return nn.functional.cross_entropy(similarity, torch.arange(len(similarity)))


class ToyBackbone(VideoBackbone):
    """Mean colour, and one class for each colour."""

    def __init__(self, num_classes: int, num_frames: int, size: int) -> None:
        super().__init__()
        self.num_features, self.num_classes = 3, num_classes
        self.size, self.num_frames = size, num_frames
        self.colours = nn.Linear(3, 3, bias=False)
        self.head = nn.Linear(3, num_classes) if num_classes else nn.Identity()

    def features(self, clips: Tensor) -> Tensor:
        features: Tensor = self.colours(clips.mean(dim=(1, 3, 4)))
        return features

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(clips))
        return logits


class ToyFeatures(ToyVideoText):
    """Of the kind that takes features of experts."""


def toy_video_text(
    num_frames: int = 4, size: int = 32, exact: bool = True, scale: float = 20.0
) -> ToyVideoText:
    return ToyVideoText(num_frames, size, exact, scale)


def toy_backbone(num_classes: int = 3, num_frames: int = 4, size: int = 32) -> ToyBackbone:
    return ToyBackbone(num_classes, num_frames, size)


def toy_features(num_frames: int = 4) -> ToyFeatures:
    return ToyFeatures(num_frames, 32, exact=True, scale=20.0)


def _identify(state: State, config: Config) -> Identified | None:
    classes = state["classifier.weight"].shape[0]
    return Identified("toy_backbone", {"num_classes": classes, "num_frames": config["num_frames"]})


LAYOUTS = (
    Layout(
        name="huggingface",
        signature=(r"toy\.colours\.weight",),
        renames=((r"^toy\.", ""), (r"^classifier\.", "head.")),
        identify=_identify,
    ),
)
_INPUT = Input(frames=4, size=32, mean=(0.5,) * 3, std=(0.5,) * 3, seconds=2.0)
_CARD = Card(
    name="toy_video_text",
    family="toy",
    kind="video-text",
    summary="mean colours against words",
    builder="toy_networks:toy_video_text",
    paper="none",
    year=2026,
    url="https://example.org/toy",
    code="",
    licence="none published",
    proof="its truth is known by construction",
    parameters=39,
    input=_INPUT,
    text_length=6,
    tiny=True,
)
CARDS = (
    _CARD,
    replace(
        _CARD,
        name="toy_backbone",
        kind="backbone",
        builder="toy_networks:toy_backbone",
        parameters=21,
        text_length=None,
        layouts="toy_networks:LAYOUTS",
    ),
    replace(_CARD, name="toy_bgr", input=replace(_INPUT, channels="bgr")),
    replace(_CARD, name="toy_features", builder="toy_networks:toy_features", input=None),
    replace(_CARD, name="toy_flow", input=replace(_INPUT, channels="flow")),
)


@contextmanager
def registered() -> Iterator[None]:
    """The toys are in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "FAMILIES", (*registry.FAMILIES, "toy_networks:CARDS"))
        yield


def write_tokenizer(path: Path) -> Path:
    """One id for each of ``WORDS``; no length, no padding, capitals unknown."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    return path


def write_video_text(folder: Path, name: str = "toy_video_text", **options: object) -> Path:
    """Colours as they are, and words that mean them; other words mean nothing."""
    network = create_model(name, **options)
    assert isinstance(network, ToyVideoText)
    with torch.no_grad():
        order = [2, 1, 0] if name == "toy_bgr" else [0, 1, 2]
        network.colours.weight.copy_(torch.eye(3)[order])
        network.words.weight.zero_()
        for word, colour in COLOURS.items():
            network.words.weight[WORDS.index(word)] = torch.tensor(colour)
        for word in set(WORDS) - set(COLOURS) - {"[PAD]"}:
            network.words.weight[WORDS.index(word)] = 0.01
    folder.mkdir(parents=True, exist_ok=True)
    save_pretrained(network, folder, tokenizer=write_tokenizer(folder / "words.json"))
    (folder / "words.json").unlink()
    return folder


def write_classifier(
    folder: Path, labels: tuple[str, ...] | None = ("red", "green", "blue"), **options: object
) -> Path:
    """One class for each of red, green and blue, in this order."""
    network = create_model("toy_backbone", **options)
    assert isinstance(network, ToyBackbone)
    with torch.no_grad():
        network.colours.weight.copy_(torch.eye(3))
        if network.num_classes:
            assert isinstance(network.head, nn.Linear)
            network.head.weight.copy_(3.0 * torch.tensor([RED, GREEN, BLUE]))
            network.head.bias.zero_()
    return save_pretrained(network, folder, labels=labels)


def write_huggingface_classifier(folder: Path) -> Path:
    """The same with four frames, as transformers would lay it down."""
    state = {
        "toy.colours.weight": torch.eye(3),
        "classifier.weight": 3.0 * torch.tensor([RED, GREEN, BLUE]),
        "classifier.bias": torch.zeros(3),
    }
    folder.mkdir()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "toy",
        "architectures": ["ToyForVideoClassification"],
        "num_frames": 4,
        "id2label": {"0": "red", "1": "green", "2": "blue"},
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder
