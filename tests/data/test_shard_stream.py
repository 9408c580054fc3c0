"""Shards as a torch dataset: each sample once over ranks and workers, and decoded in place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from scenewise.data.rows import Annotations, LabelRow
from scenewise.data.shard_stream import ShardStream
from scenewise.data.shards import ShardSample, write_shards
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, write_film
from scenewise.media.target import Target


@pytest.fixture
def shards(tmp_path: Path) -> tuple[Path, ...]:
    videos = {}
    for number in range(10):
        videos[str(number)] = tmp_path / f"{number}.mp4"
        videos[str(number)].write_bytes(bytes([number]) * 100)
    rows = tuple(LabelRow(video, ("x",)) for video in videos)
    whole = Annotations("csv", "train", "labels", rows, ("x",))
    return write_shards(whole, videos, tmp_path / "out", shard_bytes=300).shards


def number_of(sample: ShardSample) -> int | None:
    """What a worker makes: the number that the bytes say; the seventh does not decode."""
    value = sample.read()[0]
    assert value == sample.number
    return None if value == 7 else value


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (1, 2), (3, 0), (7, 0)])
def test_ranks_and_workers_share_the_samples_out(
    shards: tuple[Path, ...], ranks: int, workers: int
) -> None:
    seen: list[int] = []
    for rank in range(ranks):
        stream = ShardStream(shards, number_of, seed=3, rank=rank, world_size=ranks)
        seen += DataLoader(stream, batch_size=None, num_workers=workers)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_another_epoch_has_another_order(shards: tuple[Path, ...]) -> None:
    stream = ShardStream(shards, number_of)
    first, again = list(stream), list(stream)
    stream.set_epoch(1)
    second = list(stream)
    assert first == again
    assert first != second
    assert sorted(first) == sorted(second)


def test_a_video_is_decoded_from_a_shard_as_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    pictures = [np.full((32, 32, 3), 20 * n, np.uint8) for n in range(8)]
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(4)))
    row = Annotations("csv", "train", "labels", (LabelRow("a", ("x",)),))
    shards = write_shards(row, {"a": path}, tmp_path / "out").shards

    def frames(place: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        with VideoReader(place) as reader:
            return np.stack([f.image for f in reader.read([0, 0.5, 1.5], Target(32, 32, "crop"))])

    def decoded(sample: ShardSample) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        with sample.as_file() as place:
            return frames(place)

    (clip,) = ShardStream(shards, decoded)
    assert np.array_equal(clip, frames(path))
