"""What a training config may say of data: ``[data]`` and ``[augment]``.

It knows names, ranges and defaults; it opens nothing. ``Section`` is the base of every part of a
config, also of those that ``training`` adds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scenewise.data.rows import Task


class Section(BaseModel):
    """A part of a config: frozen, and a name that it does not have is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(Section):
    """``[data]``: which rows, where their videos lie, and how a video becomes a clip."""

    dataset: str
    annotations: Path
    videos: Path | None = None  # None: beside the annotations
    task: Task | None = None  # None: the dataset's first
    train_split: str = "train"
    val_split: str = "val"
    frames: int = Field(default=8, ge=1)
    size: int = Field(default=224, ge=1)  # pixels, a square
    workers: int = Field(default=0, ge=0)  # processes that decode; 0: the training process itself
    # a tokenizer.json, or bytes; None: that of the weights, else bytes
    tokenizer: Path | Literal["bytes"] | None = None
    text_length: int | None = Field(default=None, ge=1)  # None: the network's own
    lower: bool = True  # texts become lower case


class AugmentSettings(Section):
    """``[augment]``: what is changed by chance in training, alike in all frames of a clip."""
