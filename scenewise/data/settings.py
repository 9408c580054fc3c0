"""What a training config may say of data: ``[data]`` and ``[augment]``.

It knows names, ranges and defaults; it opens nothing. ``Section`` is the base of every part of a
config, also of those that ``training`` adds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenewise.data.rows import Task

Sampling = Literal["segments", "uniform", "dense", "rate"]
Short = Literal["loop", "pad"]
Crop = Literal["centre", "resized", "corners", "jitter"]
Batches = Literal["shuffled", "balanced", "distinct", "alike"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A part of a config: frozen, and a name that it does not have is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClipSettings(Section):
    """How a video, or a span of it, becomes a clip: the part of ``[data]`` that knows no dataset.

    ``sampling`` says which frames:

    segments: one of each of ``frames`` equal parts, by chance in training, the middle in testing
    (temporal segment networks, Wang et al. 2016, https://arxiv.org/abs/1608.00859);
    uniform: the middle of each part, in training too;
    dense: ``frames`` in even steps over ``window_seconds``, which begin by chance in training and
    in testing evenly, once for each of ``views`` (non-local networks, Wang et al. 2018,
    https://arxiv.org/abs/1711.07971, and SlowFast);
    rate: ``fps`` frames a second from the start of the span, and where these are more than
    ``frames``, evenly chosen ones (CLIP4Clip, Luo et al. 2021, https://arxiv.org/abs/2104.08860).
    """

    frames: int = Field(default=8, ge=1)
    size: int = Field(default=224, ge=1)  # pixels, a square
    sampling: Sampling = "segments"
    window_seconds: Positive | None = None  # of dense; None: what the network's card says
    fps: Positive | None = None  # of rate
    short: Short = "loop"  # where a video has too few frames: they repeat, or zeros and a mask
    short_side: int | None = Field(default=None, ge=1)  # in training; None: as the crop needs
    views: int = Field(default=1, ge=1)  # in testing: clips of a video in time
    crops: Literal[1, 3] = 1  # in testing: the centre, or left, centre and right
    broken: Literal["raise", "replace"] = "raise"  # what follows on a video that is not readable
    sound_rate: int | None = Field(default=None, ge=1)  # Hz; None: no sound
    sound_seconds: Positive = 1.0
    cache_frames: int | None = Field(default=None, ge=1)  # per row in the cache; None: ``frames``

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.sampling == "rate") != (self.fps is not None):
            raise ValueError("fps belongs to sampling = 'rate', and is needed there")
        if self.window_seconds is not None and self.sampling != "dense":
            raise ValueError("window_seconds belongs to sampling = 'dense'")
        if self.views > 1 and self.sampling == "rate":
            raise ValueError("sampling = 'rate' covers the whole video: it has one view")
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(f"short_side is at least size ({self.size})")
        return self


class DataSettings(ClipSettings):
    """``[data]``: which rows, where their videos lie, and how a video becomes a clip."""

    dataset: str
    annotations: Path
    videos: Path | None = None  # None: beside the annotations
    task: Task | None = None  # None: the dataset's first
    train_split: str = "train"
    val_split: str = "val"
    workers: int = Field(default=0, ge=0)  # processes that decode; 0: the training process itself
    # balanced: classes alike; distinct: a video once in a batch; alike: videos near each other
    batches: Batches = "shuffled"
    alike_pool: int = Field(default=2, ge=1)  # of alike: drawn among so many times as many videos
    alike_clips: int = Field(default=1, ge=1)  # of alike: rows of a video in a batch
    cache: Path | None = None  # folder of decoded frames; None: each epoch decodes
    features: Path | None = None  # folder of kept vectors, read in place of the videos
    # of networks that read what several others saw and heard: such a folder for each, by its name
    experts: dict[str, Path] | None = None
    feature_length: int | None = Field(default=None, ge=1)  # at most; None: all that are kept
    # a tokenizer.json, or bytes, or words: the training captions' own words
    tokenizer: Path | Literal["bytes", "words"] | None = None
    text_length: int | None = Field(default=None, ge=1)  # None: the network's card
    lower: bool = True  # texts become lower case

    @property
    def reads_vectors(self) -> bool:
        """Whether kept vectors are read in place of the videos."""
        return self.features is not None or self.experts is not None

    @model_validator(mode="after")
    def _one_kind_of_vectors(self) -> Self:
        if self.features is not None and self.experts is not None:
            raise ValueError("features and experts are two ways to name vectors; give one")
        if self.experts is not None and not self.experts:
            raise ValueError("experts needs a folder of vectors for each, by the expert's name")
        return self

    @model_validator(mode="after")
    def _alike_alone(self) -> Self:
        for name in ("alike_pool", "alike_clips"):
            default = type(self).model_fields[name].default
            if getattr(self, name) != default and self.batches != "alike":
                raise ValueError(f"{name} belongs to batches = 'alike'")
        return self


class AugmentSettings(Section):
    """``[augment]``: what is changed by chance in training, alike in all frames of a clip.

    Without it nothing is changed. Sources stand beside each part, in ``scenewise.data.augment``.
    """

    crop: Crop = "centre"
    crop_scale: tuple[Share, Share] = (0.08, 1.0)  # of the picture's area; of resized
    crop_ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3)  # width / height; of resized
    jitter: tuple[int, int] | None = None  # short edge, pixels; None: 256 to 320 for 224
    flip: Share = 0.0  # probability of left and right exchanged
    keep_direction: tuple[str, ...] = ()  # texts that forbid it, such as "*left*"
    brightness: float = Field(default=0.0, ge=0)
    contrast: float = Field(default=0.0, ge=0)
    saturation: float = Field(default=0.0, ge=0)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    colour: Share = 1.0  # probability of these four
    grayscale: Share = 0.0
    rand_augment: int = Field(default=0, ge=0)  # operations for each clip; 2 as published
    magnitude: int = Field(default=9, ge=0, le=30)
    tempo: float = Field(default=1.0, ge=1)  # at most so much faster, or slower
    reverse: Share = 0.0  # probability of frames in reverse
    erase: Share = 0.0
    erase_with: Literal["pixel", "const"] = "pixel"
    mixup: float = Field(default=0.0, ge=0)  # alpha of Beta(alpha, alpha)
    cutmix: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for name in ("crop_scale", "crop_ratio", "jitter"):
            ends = getattr(self, name)
            if ends is not None and not 0 < ends[0] <= ends[1]:
                raise ValueError(f"{name} is two numbers above 0, the smaller first")
        return self
