"""A folder in our own format, and what a network of the registry wants to see of a video.

It reads ``config.json`` and cards; it loads no network and no torch. The format itself is
``models.weights.own``'s, whose settings may also say how the text side reads words:

    {"format": "scenewise", "network": "timesformer_base", "options": {"num_frames": 8},
     "labels": ["abseiling", …], "text": {"lower": true, "pad_id": 0, "length": 32}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeGuard

from scenewise.encoders.cache import file_sha256
from scenewise.encoders.hub import Checkpoint
from scenewise.encoders.huggingface_config import Triple, read_json
from scenewise.encoders.identity import Identity
from scenewise.errors import EncoderError, UsageError, first_line
from scenewise.media.target import Target
from scenewise.models.cards.card import Card
from scenewise.models.registry import model_card

FORMAT = "scenewise"  # as models.weights.own writes it, which loads torch
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
# where nobody says what a published clip spans: as an X-CLIP's
CLIP_SECONDS = 8.0
_SIZE_OPTIONS = ("size", "image_size", "img_size")


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How the text side reads words; None where tokenizer and card say it."""

    lower: bool = False
    pad_id: int | None = None
    length: int | None = None  # positions, marks included
    # what is said of a class, with {} for its name; no vector of a search depends on it
    template: str = field(default="{}", repr=False)


@dataclass(frozen=True, slots=True)
class NetworkFolder:
    """What ``config.json`` of our own says."""

    folder: Path
    network: str  # of the registry
    options: Mapping[str, Any]
    labels: tuple[str, ...] | None
    text: TextSettings

    @property
    def card(self) -> Card:
        """The network's card. Raises UnknownNetworkError."""
        return model_card(self.network)


@dataclass(frozen=True, slots=True)
class Pixels:
    """The clip that a network takes: ``frames`` pictures of ``target`` over ``seconds``.

    A byte x becomes (x / 255 - mean) / std, channel by channel in the order of ``channels``.
    """

    frames: int
    target: Target
    mean: Triple
    std: Triple
    channels: Literal["rgb", "bgr"]
    seconds: float


def is_network_folder(folder: Path) -> bool:
    """Whether this folder is in our own format; False where that cannot be read."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("format") == FORMAT


def read_network_folder(folder: Path) -> NetworkFolder:
    """Read ``config.json``. Raises EncoderError for a value that is not allowed."""
    config = read_json(folder / CONFIG)
    if config.get("format") != FORMAT:
        raise EncoderError(
            f"{folder}: config.json does not say format {FORMAT!r}; make such a folder with "
            "scenewise models convert."
        )
    network, options = config.get("network"), config.get("options", {})
    if not isinstance(network, str) or not isinstance(options, dict):
        raise EncoderError(
            f"{folder}: config.json must name a network and its options, such as "
            '{"format": "scenewise", "network": "timesformer_base", "options": {}}.'
        )
    return NetworkFolder(folder, network, options, _labels(folder, config), _text(folder, config))


def pixels_of(card: Card, options: Mapping[str, Any], name: str) -> Pixels:
    """What this network takes, with its options, defaults included.

    Raises EncoderError, which begins with ``name``, for a network that takes no pixels.
    """
    wanted = card.input
    if wanted is None or wanted.channels not in ("rgb", "bgr"):
        what = (
            "features"
            if wanted is None
            else {"flow": "optical flow", "mel": "sound"}.get(wanted.channels, wanted.channels)
        )
        raise EncoderError(
            f"{name}: {card.name} takes {what}, not the pictures of a video, so it cannot look at "
            "one; take a network that does (scenewise models show NAME says what it takes)."
        )
    size = options.get(size_option(options))
    side = size if _is_count(size) else wanted.size
    frames = options.get("num_frames")
    shortest = wanted.resize_shortest
    return Pixels(
        frames=frames if _is_count(frames) else wanted.frames,
        target=Target(
            side,
            side,
            "crop",
            # another size than the published one keeps the published margin
            None if shortest is None else round(shortest * side / wanted.size),
            # those that grew out of CLIP resize as it does
            "bicubic" if card.kind == "video-text" else "bilinear",
        ),
        mean=_triple(wanted.mean),
        std=_triple(wanted.std),
        channels="bgr" if wanted.channels == "bgr" else "rgb",
        seconds=wanted.seconds or CLIP_SECONDS,
    )


def size_option(options: Mapping[str, Any]) -> str:
    """How a network calls the side of its pictures, in pixels."""
    return next((name for name in _SIZE_OPTIONS if name in options), _SIZE_OPTIONS[0])


@contextmanager
def building(what: str, options: Mapping[str, Any]) -> Iterator[None]:
    """What a builder raises for a value that it does not take becomes a UsageError."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, KeyError) as error:
        chosen = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise UsageError(
            f"{what} cannot be made{f' with {chosen}' if chosen else ''}: {first_line(error)}. "
            "See scenewise models show for its options."
        ) from error


def own_hashes(checkpoint: Checkpoint) -> Identity:
    """What vectors depend on: network, options, card and weights; and the text side's settings.

    Labels and text settings change no stored vector, so a library stays what it is.
    """
    own = read_network_folder(checkpoint.folder)
    image = [own.network, dict(own.options), repr(own.card.input)]
    image += [file_sha256(path) for path in checkpoint.weights]
    tokenizer = checkpoint.folder / TOKENIZER
    text = [repr(own.text), file_sha256(tokenizer) if tokenizer.is_file() else None]
    return Identity(_hash(image), _hash(text))


def _hash(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _labels(folder: Path, config: dict[str, Any]) -> tuple[str, ...] | None:
    labels = config.get("labels")
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise EncoderError(f"{folder}: labels of config.json must be a list of names.")
    return tuple(labels)


def _text(folder: Path, config: dict[str, Any]) -> TextSettings:
    text = config.get("text", {})
    good = isinstance(text, dict) and set(text) <= {"lower", "pad_id", "length", "template"}
    if good:
        lower, pad, length = text.get("lower", False), text.get("pad_id"), text.get("length")
        template = text.get("template", "{}")
        good = isinstance(template, str) and "{}" in template
        good = good and isinstance(lower, bool) and (length is None or _is_count(length))
        good = good and (pad is None or (_is_whole(pad) and pad >= 0))
    if not good:
        raise EncoderError(
            f"{folder}: text of config.json may hold lower (true or false), pad_id and length "
            "(whole numbers) and template (with {} for a label), such as "
            f'{{"lower": true, "length": 32}}; got {text!r}.'
        )
    return TextSettings(lower, pad, length, template)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> TypeGuard[int]:
    return _is_whole(value) and value > 0


def _triple(values: Sequence[float]) -> Triple:
    """Three channels, also where a card gives one number for all."""
    first, *rest = values
    second, third = rest if len(rest) == 2 else (first, first)
    return float(first), float(second), float(third)
