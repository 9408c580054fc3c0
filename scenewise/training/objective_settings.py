"""What a training config may say of what is learned, by which weights, and on how many machines.

``[objective]``, ``[lora]``, ``[adapter]``, ``[distributed]``. It knows names, ranges and defaults;
it makes nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from scenewise.data.settings import Section

Contrast = Literal["own", "info_nce", "sigmoid", "max_margin", "mil_nce"]
Part = Literal["q", "k", "v"]


class ClassificationSettings(Section):
    """Classes, one or several at once."""

    name: Literal["classification"] = "classification"
    several: bool = False  # each class for itself, by a sigmoid
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # of one class
    focal_gamma: float = Field(default=0.0, ge=0)  # of several; 0: plain cross-entropy
    focal_alpha: float | None = Field(default=None, ge=0, le=1)  # None: no weights


class ClassTextsSettings(Section):
    """Classes by their names, as texts that a video-text model compares with each video."""

    name: Literal["class_texts"] = "class_texts"
    template: str = "{}"  # what is said of a class, with {} for its name
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    learn_text: bool = False  # False: what reads texts stays as it is, and reads them once

    @field_validator("template")
    @classmethod
    def _has_a_place(cls, template: str) -> str:
        if "{}" not in template:
            raise ValueError("must hold {}, where the name of a class goes")
        return template


class RegressionSettings(Section):
    """Numbers."""

    name: Literal["regression"] = "regression"
    loss: Literal["mse", "huber", "smooth_l1"] = "mse"
    delta: float = Field(default=1.0, gt=0)  # where huber and smooth_l1 become linear


class ContrastiveSettings(Section):
    """Texts and videos that belong together."""

    name: Literal["contrastive"] = "contrastive"
    loss: Contrast = "own"  # own: the network's published one
    margin: float = Field(default=0.05, gt=0)  # of max_margin, between cosines


class MaskedWordsSettings(Section):
    """Hidden words of a masked language model that sees frames. Ids are those of DeBERTa."""

    name: Literal["masked_words"] = "masked_words"
    share: float = Field(default=0.15, gt=0, lt=1)
    mask_id: int = Field(default=128_000, ge=0)
    fixed_ids: tuple[int, ...] = (0, 1, 2)  # padding and marks, which are never hidden


class AnsweringSettings(Section):
    """The answer that stands at the mask of a prompt."""

    name: Literal["answering"] = "answering"
    choices: bool = False  # questions with choices, of which each is asked by itself
    answers: int = Field(default=4000, ge=2)  # at most, of open questions: the most frequent ones
    mask_id: int | None = Field(default=None, ge=0)  # None: what the tokenizer has for [MASK]
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class VideoBERTSettings(Section):
    """Hidden words, hidden video words, and what belongs together; 0 leaves a part out."""

    name: Literal["videobert"] = "videobert"
    words: float = Field(default=1.0, ge=0)
    video_words: float = Field(default=1.0, ge=0)
    alignment: float = Field(default=1.0, ge=0)
    text_alone: float = Field(default=1.0, ge=0)
    video_alone: float = Field(default=1.0, ge=0)
    parted: float = Field(default=0.5, ge=0, le=1)  # share of pairs that get a stranger's video


class MaskedVideoSettings(Section):
    """The pixels of hidden tubes."""

    name: Literal["masked_video"] = "masked_video"
    ratio: float = Field(default=0.9, gt=0, lt=1)  # of the places of a frame


class ArrowOfTimeSettings(Section):
    """Whether a clip runs forwards or backwards."""

    name: Literal["arrow_of_time"] = "arrow_of_time"


class ClipOrderSettings(Section):
    """The order of several clips of one video."""

    name: Literal["clip_order"] = "clip_order"
    clips: int = Field(default=3, ge=2, le=4)
    frames: int = Field(default=16, ge=1)  # of each clip; [data] frames has them all, and gaps
    hidden: int = Field(default=512, ge=1)  # of the layer over pairs
    dropout: float = Field(default=0.5, ge=0, lt=1)


ObjectiveSettings = Annotated[
    ClassificationSettings
    | ClassTextsSettings
    | RegressionSettings
    | ContrastiveSettings
    | MaskedWordsSettings
    | AnsweringSettings
    | VideoBERTSettings
    | MaskedVideoSettings
    | ArrowOfTimeSettings
    | ClipOrderSettings,
    Field(discriminator="name"),
]


def learns_several(objective: ObjectiveSettings | None) -> bool:
    """Whether videos have any number of labels, so that each class is learned for itself."""
    return isinstance(objective, ClassificationSettings) and objective.several


class LoraSettings(Section):
    """``[lora]``: small matrices beside frozen linear layers."""

    targets: tuple[str, ...] = ()  # names or patterns of linear layers; none: attention's, by name
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0)  # the update is weighed by alpha / rank
    dropout: float = Field(default=0.0, ge=0, lt=1)
    parts: tuple[Part, ...] | None = None  # of layers named qkv; None: such a layer as a whole
    also: tuple[str, ...] = ()  # modules that learn whole beside them, such as a fresh head


class AdapterSettings(Section):
    """``[adapter]``: a named bottleneck behind attention and feed-forward of a frozen network."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")  # such as medical or satellite
    domain: str = ""  # in words, what it was trained for
    targets: tuple[str, ...] = ()  # linear layers; none: the outputs of both, by name
    width: int = Field(default=64, ge=1)
    also: tuple[str, ...] = ()  # modules of which the adapter has its own copy, such as a head


class DistributedSettings(Section):
    """``[distributed]``: how several processes, started by torchrun, learn as one."""

    strategy: Literal["ddp", "fsdp"] = "ddp"  # copies of the network, or its parts on each
    sync_batchnorm: bool = False  # GPUs only
    unused_parameters: bool = False  # ddp: look in each step for parameters that got no gradient
    shard_above: int = Field(default=1_000_000, ge=0)  # fsdp: layers of a list from this size on
    param_dtype: Literal["float32", "bfloat16", "float16"] = "float32"  # fsdp: of the computation
    reduce_dtype: Literal["float32", "bfloat16", "float16"] = "float32"  # fsdp: of gradients' sums
    timeout_seconds: float = Field(default=600.0, gt=0)  # until a silent process is given up
