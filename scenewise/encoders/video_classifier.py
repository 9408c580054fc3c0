"""A network that classifies clips: from a folder or hub name to probabilities of its classes.

It knows checkpoints, clips and class names; it knows no video files. A folder is in our own format,
or in Hugging Face layout (TimeSformer, VideoMAE, ViViT and what else ``models.weights`` reads).
A video-text network whose folder names classes compares each clip with their texts. The network is
exported to ONNX once, with its normalisation and a softmax, and kept in the cache:

    CACHE/classifier/<key>/  video.onnx, classifier.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from scenewise.config import expand_user
from scenewise.encoders.hub import canonical_name, is_hub_name
from scenewise.encoders.huggingface_config import read_json
from scenewise.encoders.identity import Identity, Looked, short_hash
from scenewise.encoders.network_folder import (
    CONFIG,
    TOKENIZER,
    NetworkFolder,
    Pixels,
    is_network_folder,
    pixels_of,
    read_network_folder,
)
from scenewise.encoders.preparation import Preparation
from scenewise.encoders.runtimes import Session, batches, open_session
from scenewise.encoders.spec import FloatArray, Report, RuntimeName
from scenewise.errors import EncoderError, UsageError
from scenewise.media.target import Target
from scenewise.models.registry import list_models

if TYPE_CHECKING:  # torch is loaded to export, never to classify
    from scenewise.encoders.network_towers import ClipSide, Sides

VIDEO_SIDE = "video.onnx"
DESCRIPTION = "classifier.json"
CODE_VERSION = 1  # raised by hand when our code would give other numbers for the same checkpoint
EXAMPLE = "facebook/timesformer-base-finetuned-k400"
UNNAMED = "the checkpoint names no labels: its classes are numbered, from class 0"
_HEADED = "ForVideoClassification"  # how transformers calls a network with a classifier
_PROCESSOR = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class Described:
    """What ``classifier.json`` says of a prepared classifier."""

    network: str  # of the registry
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    frames: int
    seconds: float  # that a clip spans
    target: Target
    clip_bytes: int  # an upper estimate of what one clip's intermediate results take

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        target = {name: getattr(self.target, name) for name in Target.__slots__}
        return {name: getattr(self, name) for name in self.__slots__} | {"target": target}

    @classmethod
    def from_dict(cls, shape: dict[str, Any]) -> Self:
        """The inverse of ``to_dict``, also after a trip through JSON."""
        values = dict(shape)
        values |= {name: tuple(values[name]) for name in ("labels", "notes")}
        return cls(**{**values, "target": Target(**values["target"])})


class VideoClassifier:
    """A prepared classifier. Use ``load_video_classifier``."""

    def __init__(
        self, name: str, folder: Path, *, runtime: RuntimeName, device: str, threads: int
    ) -> None:
        self.name = name
        shape = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        self.described = Described.from_dict(shape)
        self._folder = folder
        self._runtime = runtime
        self._device = device
        self._threads = threads
        self._session: Session | None = None

    def probabilities(self, clips: npt.NDArray[np.uint8]) -> FloatArray:
        """Clips (B, T, H, W, 3) uint8 RGB, as ``described`` wants them, to (B, K)."""
        if self._session is None:
            self._session = open_session(
                self._folder / VIDEO_SIDE,
                runtime=self._runtime,
                device=self._device,
                threads=self._threads,
            )
        rows = np.empty((len(clips), len(self.described.labels)), dtype=np.float32)
        for part in batches(len(clips), item_bytes=self.described.clip_bytes):
            feed = np.ascontiguousarray(clips[part])
            (rows[part],) = self._session.run({"frames": feed})
        return rows

    def close(self) -> None:
        """Release the session; it opens again when needed."""
        if self._session is not None:
            self._session.close()
        self._session = None


def load_video_classifier(
    name: str,
    *,
    runtime: str = "onnxruntime",
    device: str = "auto",
    threads: int = 1,
    cache_dir: Path,
    progress: Report | None = None,
) -> VideoClassifier:
    """The classifier in a folder, or of this hub name, which the user names and so allows.

    Prepared first where it is not; torch and transformers are not used after that. Raises
    UsageError for a name that is neither, EncoderError for a checkpoint without a classifier,
    NetworkError where its weights cannot be read.
    """
    _check_name(name)
    name = canonical_name(name)
    chosen = cast(RuntimeName, runtime)
    preparation = Preparation(
        root=cache_dir / "classifier",
        key=lambda identity: _key(identity, chosen),
        check=_check_classifier,
        build=lambda folder, looked: _build(folder, looked, chosen, progress),
        example=EXAMPLE,
    )
    folder = preparation.make(name, progress)
    return VideoClassifier(name, folder, runtime=chosen, device=device, threads=threads)


def _check_name(name: str) -> None:
    path = expand_user(name) if name else None
    if path is not None and path.is_file():
        raise UsageError(
            f"{name} is a file, where a folder with config.json is meant; make one of it with "
            f"scenewise models convert {name} FOLDER."
        )
    if path is None or not (path.is_dir() or is_hub_name(name)):
        what = "is one of the registry, without weights"
        if name not in list_models():
            what = "is neither a folder nor a hub name"
        raise UsageError(
            f"The network {name!r} {what}; give a folder that "
            "scenewise models convert wrote, one in Hugging Face layout, or a name such as "
            f"{EXAMPLE}."
        )


def _check_classifier(folder: Path) -> None:
    """Refuse what its settings already say to be no classifier, ahead of hashing its weights."""
    if is_network_folder(folder):
        own = read_network_folder(folder)
        if own.card.kind != "backbone" and not _names_classes(own):
            raise EncoderError(
                f"{folder} holds {own.network}, a network of the kind {own.card.kind}, which has "
                "no classifier; index with it by --encoder, and classify by --labels."
            )
        pixels_of(own.card, own.options, str(folder))
        return
    config = read_json(folder / CONFIG)
    heads = [str(name) for name in config.get("architectures") or ()]
    if not any(name.endswith(_HEADED) for name in heads):
        what = heads[0] if heads else f"the model_type {config.get('model_type')!r}"
        raise EncoderError(
            f"{folder} holds {what}, which classifies no videos; give a checkpoint whose "
            f"config.json names an architecture …{_HEADED}, or a folder of scenewise models "
            "convert."
        )


def _names_classes(own: NetworkFolder) -> bool:
    """Whether a video-text network brings the texts that it learned as classes."""
    return own.card.kind == "video-text" and bool(own.labels) and (own.folder / TOKENIZER).is_file()


def _key(identity: Identity, runtime: RuntimeName) -> str:
    digest = short_hash(f"{CODE_VERSION} {identity.content_hash} {identity.text_hash}")
    return f"{digest}-torch" if runtime == "torch" else digest


def _build(folder: Path, looked: Looked, runtime: RuntimeName, progress: Report | None) -> None:
    """Export the classifier into ``folder``, with its description."""
    from scenewise.encoders import network_towers as towers
    from scenewise.encoders.export import export_onnx
    from scenewise.models.registry import created_as, model_card

    name, source = looked.checkpoint.name, looked.checkpoint.folder
    if progress is not None:
        progress(f"preparing {name}: reading the weights, exporting the classifier (once)")
    network = towers.load_sides(source, name)
    made = created_as(network)
    pixels = pixels_of(model_card(made.name), towers.all_options(made.name, {**made.options}), name)
    pixels = _as_processed(pixels, source)
    side, labels, notes = _side(network, pixels, source, name)
    frames = towers.example_clips(pixels)
    _, clip_bytes = towers.try_out(side, frames, name, "classifier")
    export_onnx(
        side,
        (frames,),
        folder / VIDEO_SIDE,
        input_names=("frames",),
        output_names=("probabilities",),
        program=runtime == "torch",
    )
    described = Described(
        network=made.name,
        labels=labels,
        notes=notes,
        frames=pixels.frames,
        seconds=pixels.seconds,
        target=pixels.target,
        clip_bytes=clip_bytes,
    )
    text = json.dumps(described.to_dict(), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _side(
    network: Sides, pixels: Pixels, source: Path, name: str
) -> tuple[ClipSide, tuple[str, ...], tuple[str, ...]]:
    """What gives probabilities, the names of its classes, and notes about them."""
    from scenewise.encoders import network_towers as towers
    from scenewise.encoders.class_words import text_of_classes
    from scenewise.models.backbones.backbone import VideoBackbone

    if not isinstance(network, VideoBackbone):
        own = read_network_folder(source)  # others were refused ahead of this
        text = text_of_classes(own, network)
        return towers.NamedClassSide(network, pixels, text), own.labels or (), ()
    if not network.num_classes:
        raise EncoderError(
            f"{name} has no classifier: its network ends with features. Train one with scenewise "
            f"train-classifier, after scenewise index --encoder {name}."
        )
    return towers.ClassSide(network, pixels), *_labels(source, network.num_classes, name)


def _as_processed(pixels: Pixels, source: Path) -> Pixels:
    """With the normalisation that a checkpoint in Hugging Face layout brings, where it is plain.

    ViViT's processor shifts pixels before it normalises them (``offset``): then the card holds.
    """
    path = source / _PROCESSOR
    settings = read_json(path) if path.is_file() and not is_network_folder(source) else {}
    plain = settings.get("do_normalize", True) and not settings.get("offset", False)
    mean, std = settings.get("image_mean"), settings.get("image_std")
    if not (plain and _is_triple(mean) and _is_triple(std) and min(std) > 0):
        return pixels
    return replace(pixels, mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2]))


def _is_triple(values: object) -> TypeGuard[list[float]]:
    return (
        isinstance(values, list)
        and len(values) == 3
        and all(isinstance(value, int | float) for value in values)
    )


def _labels(source: Path, count: int, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the classes, and a note where nobody gave any."""
    if is_network_folder(source):
        labels = read_network_folder(source).labels
    else:
        labels = huggingface_labels(read_json(source / CONFIG))
    if labels is None:
        return tuple(f"class {number}" for number in range(count)), (UNNAMED,)
    if len(labels) != count:
        raise EncoderError(
            f"{name}: config.json names {len(labels)} labels, and its network has {count} classes; "
            "correct the list."
        )
    return labels, ()


def huggingface_labels(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """``id2label`` of a config.json in order; None where it is missing or holds no names."""
    named = config.get("id2label")
    if not isinstance(named, dict) or not named:
        return None
    try:
        by_number = {int(number): str(label) for number, label in named.items()}
    except ValueError:
        return None
    labels = [by_number.get(number) for number in range(len(by_number))]
    if any(label is None or label == f"LABEL_{number}" for number, label in enumerate(labels)):
        return None  # LABEL_0 is what transformers writes where nobody named a class
    return tuple(str(label) for label in labels)
