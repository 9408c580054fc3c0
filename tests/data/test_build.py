"""From settings to loaders, as training asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numbered_films import BYTES, SIDE, labelled, shown

from scenewise.data.batch import Batch
from scenewise.data.build import (
    make_dataset,
    make_loader,
    make_sampler,
    make_tokens,
    pixels_for,
)
from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.feature_dataset import FeatureDataset
from scenewise.data.feature_files import Windows, write_features
from scenewise.data.rows import CaptionRow, LabelRow
from scenewise.data.settings import AugmentSettings, DataSettings
from scenewise.errors import UsageError
from scenewise.media.target import Target
from scenewise.models.registry import create_model, model_card
from scenewise.models.video_text.interface import VideoTextModel

Films = dict[str, Path]


def data(folder: Path, **given: Any) -> DataSettings:
    values = {"dataset": "folder", "annotations": folder, "frames": 4, "size": SIDE}
    return DataSettings(**{**values, **given})


def test_a_cache_below_the_splits_name(films: Films, tmp_path: Path) -> None:
    settings = data(tmp_path, cache=tmp_path / "cache", cache_frames=10)
    for split in ("train", "val"):
        dataset = make_dataset(
            labelled("a"),
            films,
            settings,
            mode="test",
            split=split,
            pixels=BYTES,
            classes=["thing"],
        )
        assert isinstance(dataset, ClipDataset)
        # ten kept frames stand at 2, 7, 12, ...; wanted are 6, 18, 31, 43
        assert shown(dataset[0].clip) == [7, 17, 32, 42]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        "train.frames",
        "train.index",
        "val.frames",
        "val.index",
    ]


def test_features_take_the_place_of_videos(films: Films, tmp_path: Path) -> None:
    windows = Windows("means", Target(8, 8))
    write_features(
        tmp_path,
        {"a": films["a"]},
        lambda f: f.reshape(len(f), -1)[:, :3].astype(np.float32),
        windows,
    )
    settings = data(tmp_path, features=tmp_path, feature_length=3)
    dataset = make_dataset(
        labelled("a", "a"), {}, settings, mode="train", split="train", classes=["thing"]
    )
    assert isinstance(dataset, FeatureDataset)
    sampler = make_sampler(dataset, settings, 2, mode="train")
    (batch,) = make_loader(dataset, sampler)
    assert batch.features is not None
    assert batch.features.shape == (2, 3, 3)
    assert batch.clips is None


@pytest.mark.parametrize("batches", ["shuffled", "balanced", "distinct"])
def test_orders_by_name(films: Films, tmp_path: Path, batches: str) -> None:
    rows = [LabelRow(video, (label,)) for video, label in (("a", "x"), ("b", "x"), ("short", "y"))]
    settings = data(tmp_path, batches=batches)
    dataset = make_dataset(
        rows, films, settings, mode="train", split="train", pixels=BYTES, classes=["x", "y"]
    )
    sampler = make_sampler(dataset, settings, 2, mode="train")
    assert all(len(batch) == 2 for batch in sampler)
    tested = make_sampler(dataset, settings, 2, mode="test")
    assert [[place.number for place in batch] for batch in tested] == [[0, 1], [2]]


def test_balance_is_of_labels(films: Films, tmp_path: Path) -> None:
    settings = data(tmp_path, batches="balanced")
    rows = [CaptionRow("a", ("a thing",))]
    dataset = make_dataset(rows, films, settings, mode="train", split="train", pixels=BYTES)
    with pytest.raises(UsageError, match="needs a label for each row"):
        make_sampler(dataset, settings, 1, mode="train")


def test_a_network_without_pictures_needs_features(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a folder of features"):
        make_dataset(labelled("a"), {}, data(tmp_path), mode="train", split="train")


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_clips_and_words_go_through_a_video_text_network(
    films: Films, tmp_path: Path, tokenizer: str
) -> None:
    card = model_card("dual_encoder_tiny")
    settings = data(tmp_path, frames=8, size=64, tokenizer=tokenizer, batches="distinct")
    rows = [CaptionRow(video, (f"film {video}", "numbers")) for video in ("a", "b", "short")]
    tokens = make_tokens(settings, tmp_path / "run", rows, card.text_length)
    assert tokens is not None
    assert tokens.length == 16
    again = make_tokens(settings, tmp_path / "run", [], card.text_length)  # a run that goes on
    assert again is not None
    assert torch.equal(again(["film a"])[0], tokens(["film a"])[0])
    dataset = make_dataset(
        rows,
        films,
        settings,
        mode="train",
        split="train",
        pixels=pixels_for(card, settings),
        augment=AugmentSettings(crop="resized", flip=0.5),
        tokenize=tokens,
    )
    network = create_model("dual_encoder_tiny")
    assert isinstance(network, VideoTextModel)
    loader = make_loader(dataset, make_sampler(dataset, settings, 3, mode="train"))
    batch: Batch = next(iter(loader))
    assert batch.clips is not None
    assert batch.ids is not None
    scores = network(batch.clips, batch.ids, batch.clip_mask, batch.text_mask)
    assert scores.shape == (3, 3)
    assert bool(network.loss(scores).isfinite())
