"""Kept vectors: what they stand for, and a run that is stopped and goes on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colour_encoder import ColourEncoder
from numbered_films import SIDE, clips, labelled, numbered

from scenewise.data import feature_files
from scenewise.data.build import pixels_for
from scenewise.data.collation import collate
from scenewise.data.feature_dataset import FeatureDataset, FeatureRecipe
from scenewise.data.feature_files import (
    Vectors,
    Windows,
    feature_path,
    read_features,
    write_features,
)
from scenewise.data.feature_networks import backbone_vectors, encoder_vectors
from scenewise.data.row_targets import RowReader
from scenewise.data.rows import LabelRow, MomentRow
from scenewise.data.settings import DataSettings
from scenewise.errors import DataError
from scenewise.media.film import read_barcode
from scenewise.media.target import Target
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.registry import create_model, model_card
from scenewise.types import Segment

Films = dict[str, Path]
WINDOWS = Windows("numbers", Target(SIDE, SIDE), frames=2, seconds=1.0, stride=0.5)
SINGLE = Windows("numbers", Target(SIDE, SIDE), stride=0.5)


def numbers(frames: np.ndarray[Any, np.dtype[np.uint8]]) -> Vectors:
    """A network that reads the numbers of its frames: (N, T, H, W, 3) to (N, T)."""
    return np.array([[read_barcode(frame) for frame in clip] for clip in frames], np.float32)


def test_vectors_are_of_the_windows(films: Films, tmp_path: Path) -> None:
    write_features(tmp_path, {"a": films["a"]}, numbers, WINDOWS, dtype="float32")
    kept = read_features(tmp_path, "a")
    # windows of a second begin each half second; their frames stand at a quarter and three
    starts = np.arange(9) * 0.5
    assert kept.times.tolist() == pytest.approx((starts + 0.5).tolist())
    assert kept.vectors.tolist() == [
        [int(start * 10 + 2.5), int(start * 10 + 7.5)] for start in starts
    ]
    assert kept.duration == pytest.approx(5.0)


def test_single_frames_at_a_rate(films: Films, tmp_path: Path) -> None:
    write_features(tmp_path, {"sub/short": films["short"], "a": films["a"]}, numbers, SINGLE)
    assert read_features(tmp_path, "a").vectors[:, 0].tolist() == [n * 5 for n in range(10)]
    short = read_features(tmp_path, "sub/short")
    assert short.vectors.tolist() == [[0]]
    assert short.vectors.dtype == np.float16


def test_batches_change_nothing(
    films: Films, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_features(tmp_path / "one", {"a": films["a"]}, numbers, WINDOWS)
    monkeypatch.setattr(feature_files, "_BATCH_BYTES", 1)
    write_features(tmp_path / "many", {"a": films["a"]}, numbers, WINDOWS)
    one, many = (read_features(tmp_path / name, "a").vectors for name in ("one", "many"))
    assert np.array_equal(one, many)


def test_a_second_run_makes_what_is_missing_or_changed(tmp_path: Path) -> None:
    videos = {name: numbered(tmp_path / f"{name}.mp4", 10) for name in "abc"}
    videos["broken"] = tmp_path / "broken.mp4"
    videos["broken"].write_bytes(b"nothing")
    kept = tmp_path / "kept"
    first = write_features(kept, videos, numbers, SINGLE)
    assert first.made == ("a", "b", "c")
    assert "broken.mp4" in first.broken["broken"]
    feature_path(kept, "a").write_bytes(b"half")
    numbered(videos["b"], 20)
    again = write_features(kept, videos, numbers, SINGLE)
    assert (again.made, again.kept) == (("a", "b"), ("c",))
    other = write_features(kept, videos, numbers, replace(SINGLE, made_by="other weights"))
    assert other.made == ("a", "b", "c")


def test_a_run_that_is_stopped_leaves_whole_files(films: Films, tmp_path: Path) -> None:
    calls = []

    def stops(frames: np.ndarray[Any, np.dtype[np.uint8]]) -> Vectors:
        calls.append(len(frames))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return numbers(frames)

    videos = {name: films[name] for name in ("a", "b")}
    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path, videos, stops, SINGLE)
    assert os.listdir(tmp_path) == ["a.npz"]  # noqa: PTH208
    assert write_features(tmp_path, videos, numbers, SINGLE).kept == ("a",)


@pytest.mark.parametrize("name", ["../a", "/a", "", "b/../../a"])
def test_a_name_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no name of a video"):
        feature_path(tmp_path, name)


def test_files_that_are_missing_or_damaged(films: Films, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no features are kept of 'a'"):
        read_features(tmp_path, "a")
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        read_features(tmp_path, "a")
    recipe = FeatureRecipe(tmp_path, RowReader(("thing",)))
    with pytest.raises(DataError, match=r"row 0 \(a\): .*is damaged"):
        FeatureDataset(labelled("a"), recipe)[0]


def test_rows_of_vectors_are_batches_with_masks(films: Films, tmp_path: Path) -> None:
    videos = {name: films[name] for name in ("a", "short")}
    write_features(tmp_path, videos, numbers, SINGLE)
    rows = [
        LabelRow("a", ("thing",), Segment(1.0, 2.6)),
        LabelRow("short", ("thing",)),
        LabelRow("a", ("thing",), Segment(4.55, 4.65)),  # between two vectors, nearer the last
    ]
    dataset = FeatureDataset(rows, FeatureRecipe(tmp_path, RowReader(("thing",))))
    batch = collate([dataset[number] for number in range(3)])
    assert batch.features is not None
    assert batch.feature_mask is not None
    assert batch.times is not None
    assert batch.features[0, :, 0].tolist() == [10, 15, 20]
    assert batch.feature_mask.tolist() == [[True] * 3, [True, False, False], [True, False, False]]
    assert batch.features[2, 0].tolist() == [45]
    assert batch.times[0].tolist() == [1.25, 1.75, 2.25]
    assert batch.durations is not None
    assert batch.durations.tolist() == pytest.approx([1.6, 0.3, 0.1])


def test_long_videos_are_thinned_evenly(films: Films, tmp_path: Path) -> None:
    write_features(tmp_path, {"a": films["a"]}, numbers, SINGLE)
    row = MomentRow("a", "a thing", (Segment(1, 2),), 5.0)
    dataset = FeatureDataset([row], FeatureRecipe(tmp_path, length=5))
    assert dataset.lengths() == [5]
    example = dataset[0]
    assert example.features is not None
    assert example.features[:, 0].tolist() == [5, 15, 25, 35, 45]
    assert example.learnt.spans is not None
    assert example.learnt.spans.tolist() == [[1, 2]]


def test_a_backbone_makes_vectors_of_its_own_clips(films: Films, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create_model("c3d_tiny", num_classes=3)
    assert isinstance(network, VideoBackbone)
    data = DataSettings(dataset="folder", annotations=tmp_path, frames=8, size=64)
    pixels = replace(pixels_for(model_card("c3d_tiny"), data), seconds=2.5)
    encode, windows = backbone_vectors(network, pixels)
    write_features(tmp_path, {"a": films["a"]}, encode, windows, dtype="float32")
    kept = read_features(tmp_path, "a")
    # two clips of 2.5 s, each as a dataset of clips shows that span to the network
    assert kept.times.tolist() == pytest.approx([1.25, 3.75])
    rows = [LabelRow("a", ("thing",), Segment(start, start + 2.5)) for start in (0.0, 2.5)]
    dataset = clips(rows, films, pixels=pixels, frames=8, size=64)
    for number in range(2):
        clip = dataset[number].clip
        assert clip is not None
        with torch.no_grad():
            expected = network.features(clip[None])[0]
        torch.testing.assert_close(torch.from_numpy(kept.vectors[number]), expected)
    other = create_model("c3d_tiny", num_classes=3)
    assert isinstance(other, VideoBackbone)
    assert backbone_vectors(other, pixels)[1].made_by != windows.made_by


def test_an_encoder_makes_the_vectors_of_a_library(films: Films, tmp_path: Path) -> None:
    encoder = ColourEncoder("colours")
    encode, windows = encoder_vectors(encoder, fps=2.0)
    write_features(tmp_path, {"a": films["a"]}, encode, windows, dtype="float32")
    kept = read_features(tmp_path, "a")
    assert kept.vectors.shape == (10, encoder.spec.dimension)
    assert np.linalg.norm(kept.vectors, axis=1) == pytest.approx(np.ones(10), abs=1e-5)
