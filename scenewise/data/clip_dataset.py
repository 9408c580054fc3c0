"""Rows and video files as a dataset of clips: decoded on the fly.

It knows rows, files and clips; it knows no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.utils.data import Dataset

from scenewise.data.batch import Batch
from scenewise.data.rows import LabelRow
from scenewise.media.decode import VideoReader
from scenewise.media.sampling import uniform
from scenewise.media.target import Target


@dataclass(frozen=True, slots=True)
class Example:
    """One row as tensors."""

    row: int
    clip: Tensor  # (T, C, H, W) float
    target: int


class ClipDataset(Dataset[Example]):
    """Labelled rows; ``videos`` says where each video lies."""

    def __init__(
        self,
        rows: Sequence[LabelRow],
        videos: Mapping[str, Path],
        classes: Sequence[str],
        *,
        frames: int,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.rows = tuple(rows)
        self._videos = videos
        self._number = {name: number for number, name in enumerate(classes)}
        self._frames = frames
        self._target = Target(size, size, "crop")
        self._mean = torch.tensor(mean)[:, None, None]
        self._std = torch.tensor(std)[:, None, None]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Example:
        row = self.rows[number]
        with VideoReader(self._videos[row.video]) as reader:
            times = uniform(reader.duration, self._frames)
            pixels = np.stack([frame.image for frame in reader.read(times, self._target)])
        clip = rearrange(torch.from_numpy(pixels), "t h w c -> t c h w").float() / 255
        return Example(number, (clip - self._mean) / self._std, self._number[row.labels[0]])


def collate(examples: Sequence[Example]) -> Batch:
    """Examples of equal shape as a batch."""
    return Batch(
        rows=torch.tensor([example.row for example in examples]),
        clips=torch.stack([example.clip for example in examples]),
        targets=torch.tensor([example.target for example in examples]),
    )
