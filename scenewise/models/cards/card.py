"""What a card says of a network. It knows facts and names; it loads nothing.

Builders and layouts are written as ``module:name``, so that a list of cards imports no torch.
A published figure stands here only with its source; one that could not be confirmed is left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["backbone", "video-text", "audio"]


@dataclass(frozen=True, slots=True)
class Input:
    """What the published network takes, as ``(B, T, C, H, W)`` float pixels.

    A pixel of 0..1 becomes ``(value - mean) / std``, channel by channel; a network that was
    trained on 0..255 has a ``std`` of 1/255.
    """

    frames: int
    size: int  # pixels, a square
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Literal["rgb", "bgr", "flow", "rgb+flow", "mel"] = "rgb"
    resize_shortest: int | None = None  # the short edge before the centre is cut; None: just covers
    seconds: float | None = None  # what the published clip spans; None where nobody says


@dataclass(frozen=True, slots=True)
class Result:
    """One published figure, and where it stands."""

    dataset: str
    metric: str
    value: float
    setting: str  # frames, views, training data: what the figure depends on
    source: str


@dataclass(frozen=True, slots=True)
class Card:
    """One named size of a network."""

    name: str  # what create_model takes, such as "timesformer_base"
    family: str  # such as "timesformer"
    kind: Kind
    summary: str  # one line
    builder: str  # "module:function"
    paper: str
    year: int
    url: str  # of the paper
    code: str  # the official code, "owner/name"; empty where there is none
    licence: str  # of the published weights; "none published" where there are none
    proof: str  # what our numbers were compared with
    parameters: int
    multiply_adds: int | None = None  # of one example at the card's own input; None: not counted
    input: Input | None = None
    text_length: int | None = None  # positions of the text side, marks included
    layouts: str | None = None  # "module:LAYOUTS", the checkpoints that it loads
    results: tuple[Result, ...] = ()
    tiny: bool = False  # for tests and generated films, not a published size
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)
