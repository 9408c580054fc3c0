"""Networks of the registry as files: exported to ONNX, converted to our own format.

It knows checkpoints, sides and files; it knows no cache, and nothing of videos. The exported
graph is the network as the toolkit has it: pixels come in normalised, as its card says. torch is
imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scenewise.config import expand_user
from scenewise.encoders.hub import is_hub_name, resolve
from scenewise.encoders.huggingface_config import read_json
from scenewise.encoders.network_folder import (
    CONFIG,
    TOKENIZER,
    building,
    is_network_folder,
    pixels_of,
    size_option,
)
from scenewise.encoders.video_classifier import EXAMPLE, huggingface_labels
from scenewise.errors import EncoderError, UsageError
from scenewise.models.registry import create_model, created_as, list_models, model_card, options_of

if TYPE_CHECKING:  # for the annotations alone
    from torch import Tensor, nn

Side = Literal["video", "text"]
_SEED = 0  # of random weights: the same file every time


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of an exported network; ``batch`` stands for any number."""

    name: str
    shape: tuple[str | int, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how far it is from torch."""

    path: str
    network: str
    side: Side
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    difference: float  # the largest that was seen

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Converted:
    """What a checkpoint became; names of tensors are the network's own."""

    folder: str
    network: str
    options: dict[str, Any]
    layout: str
    loaded: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    labels: int | None  # how many names of classes
    tokenizer: bool

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def export_network(
    source: str,
    path: Path,
    *,
    side: Side | None = None,
    random: bool = False,
    frames: int | None = None,
    size: int | None = None,
) -> Exported:
    """Write a network to ``path`` (``.onnx``), and compare it with torch.

    ``source`` is a checkpoint (file, folder, hub name), or with ``random`` the name of a network,
    which then has fresh weights. A backbone gives logits, or features where it has no classes; of a
    video-text model ``side`` is wanted, and its vectors come as the network makes them, not yet of
    length 1. ``frames`` and ``size`` overrule what it was made for, where it has such options.

    Raises UsageError, NetworkError, EncoderError.
    """
    if path.suffix != ".onnx":
        raise UsageError(f"{path}: a network is written as .onnx, not {path.suffix!r}.")
    if path.parent != Path() and not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it, or name another.")
    network = _network(source, random, frames, size)
    name = created_as(network).name
    chosen = _chosen_side(network, name, side)
    if chosen == "text":
        return _export_text(network, path, name)
    return _export_video(network, path, name, frames, size)


def convert_checkpoint(
    source: str,
    folder: Path,
    *,
    network: str | None = None,
    options: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    labels: tuple[str, ...] | None = None,
    partial: bool = False,
) -> Converted:
    """A published checkpoint as a folder in our own format.

    ``tokenizer`` and ``labels`` None are what the checkpoint's own folder has, if any. With
    ``partial``, tensors without counterpart do not matter: what the file lacks stays as it was
    made. Raises UsageError, NetworkError, EncoderError.
    """
    from scenewise.models.weights.load import load_reported
    from scenewise.models.weights.own import save_pretrained

    if tokenizer is not None and not tokenizer.is_file():
        raise UsageError(f"{tokenizer} is not a file; give the tokenizer.json of the text side.")
    own = _folder_of(source)
    asked = dict(options or {})
    with building(source, asked):
        made, report = load_reported(
            source if own is None else own, network, strict=not partial, **asked
        )
    if tokenizer is None and own is not None and (own / TOKENIZER).is_file():
        tokenizer = own / TOKENIZER
    config = read_json(own / CONFIG) if own is not None else {}
    classes = int(getattr(made, "num_classes", 0))
    if labels is None and classes:
        labels = _known_labels(own, config, classes)
    elif labels is None:
        # a network of our own that reads the names of its classes as texts has no such number
        if own is not None and is_network_folder(own):
            labels = tuple(config.get("labels") or ()) or None
    elif labels is not None and len(labels) != classes:
        raise UsageError(
            f"{len(labels)} labels are given, and the network has {classes} classes; give one "
            "label per class, in their order."
        )
    text = config.get("text") if own is not None and is_network_folder(own) else None
    save_pretrained(made, folder, labels=labels, tokenizer=tokenizer, text=text)
    identity = created_as(made)
    return Converted(
        folder=str(folder),
        network=identity.name,
        options=dict(identity.options),
        layout=report.layout,
        loaded=report.loaded,
        missing=report.missing,
        unexpected=report.unexpected,
        mismatched=report.mismatched,
        labels=None if labels is None else len(labels),
        tokenizer=tokenizer is not None,
    )


def _network(source: str, random: bool, frames: int | None, size: int | None) -> nn.Module:
    import torch

    from scenewise.models.weights.load import load_pretrained

    there = bool(source) and expand_user(source).exists()
    if not random and (there or source not in list_models()):
        with building(source, {}):
            network = load_pretrained(source)
        made = created_as(network)
        asked = _asked(made.name, frames, size)
        if asked.items() <= dict(made.options).items():
            return network
        with building(source, asked):
            return load_pretrained(source, made.name, **asked)
    if not random:
        raise UsageError(
            f"{source} is the name of a network, which has no weights: name a checkpoint, or say "
            "--random for fresh weights."
        )
    asked = _asked(source, frames, size)
    with torch.random.fork_rng(devices=[]), building(source, asked):
        torch.manual_seed(_SEED)
        return create_model(source, **asked).eval()


def _asked(network: str, frames: int | None, size: int | None) -> dict[str, Any]:
    """Those options of this network that say how many frames and pixels it is made for."""
    known = options_of(network)
    asked = {"num_frames": frames, size_option(known): size}
    return {name: value for name, value in asked.items() if name in known and value is not None}


def _chosen_side(network: nn.Module, name: str, side: Side | None) -> Side:
    from scenewise.models.backbones.backbone import VideoBackbone
    from scenewise.models.video_text.interface import VideoTextModel

    if isinstance(network, VideoTextModel):
        if side is None:
            raise UsageError(f"{name} has two sides: say --side video or --side text.")
        return side
    if not isinstance(network, VideoBackbone):
        raise EncoderError(
            f"{name} is neither a backbone nor a video-text model, and cannot be exported here; "
            "use scenewise.encoders.export.export_onnx."
        )
    if side == "text":
        raise UsageError(f"{name} is a backbone, which has no text side; leave --side out.")
    return "video"


def _export_video(
    network: nn.Module, path: Path, name: str, frames: int | None, size: int | None
) -> Exported:
    import torch

    from scenewise.models.backbones.backbone import VideoBackbone

    options = {**options_of(name), **created_as(network).options}
    pixels = pixels_of(model_card(name), options, name)
    side = size or pixels.target.width
    generator = torch.Generator().manual_seed(_SEED)
    example = torch.randn((2, frames or pixels.frames, 3, side, side), generator=generator)
    if isinstance(network, VideoBackbone):
        output = "logits" if network.num_classes else "features"
        return _write(network, example, path, name, "video", "clips", output)
    return _write(_pooled(network, "video"), example, path, name, "video", "clips", "vectors")


def _export_text(network: nn.Module, path: Path, name: str) -> Exported:
    import torch

    options = {**options_of(name), **created_as(network).options}
    length = options.get("text_length") or model_card(name).text_length
    if not length:
        raise EncoderError(
            f"{name}: its card names no length of a text, so no example can be made."
        )
    # small ids are in every vocabulary
    example = torch.arange(2 * int(length)).reshape(2, int(length)) % 4 + 1
    return _write(_pooled(network, "text"), example, path, name, "text", "input_ids", "vectors")


def _write(
    module: nn.Module,
    example: Tensor,
    path: Path,
    name: str,
    side: Side,
    input_name: str,
    output_name: str,
) -> Exported:
    from scenewise.encoders.export import export_onnx
    from scenewise.encoders.network_towers import try_out

    outputs, _ = try_out(module, example, name, f"{side} side")
    difference = export_onnx(
        module, (example,), path, input_names=(input_name,), output_names=(output_name,)
    )
    return Exported(
        path=str(path),
        network=name,
        side=side,
        inputs=(_port(input_name, example),),
        outputs=(_port(output_name, outputs),),
        difference=difference,
    )


def _port(name: str, tensor: Tensor) -> Port:
    return Port(name, ("batch", *tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))


def _pooled(network: nn.Module, side: Side) -> nn.Module:
    """One side of a video-text model, alone."""
    from scenewise.encoders.network_towers import PooledSide
    from scenewise.models.video_text.interface import VideoTextModel

    assert isinstance(network, VideoTextModel)  # the other kinds are refused before
    return PooledSide(network, side)


def _folder_of(source: str) -> Path | None:
    """The folder of a checkpoint, fetched where a name of the hub says so; None for a file."""
    if is_hub_name(source):
        return resolve(source, example=EXAMPLE).folder
    path = expand_user(source)
    return path if path.is_dir() else None


def _known_labels(
    own: Path | None, config: Mapping[str, Any], classes: int
) -> tuple[str, ...] | None:
    """The names that the checkpoint's own settings give its classes; None where they do not fit."""
    if own is not None and is_network_folder(own):
        named = config.get("labels")
        labels = tuple(named) if isinstance(named, list) else None
    else:
        labels = huggingface_labels(config)
    return labels if labels is not None and len(labels) == classes else None
