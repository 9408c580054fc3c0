"""From a folder in our own format to what a search needs of it: ONNX files and a description.

It knows the cache's layout; the networks themselves lie in ``network_towers``, which is imported
only to export.

    CACHE/network/<key>/  video.onnx, and for a video-text model with a tokenizer text.onnx and
                          tokenizer.json; encoder.json
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scenewise.encoders.hub import canonical_name
from scenewise.encoders.huggingface_config import read_licence
from scenewise.encoders.identity import Identity, Looked, short_hash
from scenewise.encoders.network_folder import (
    TOKENIZER,
    NetworkFolder,
    Pixels,
    own_hashes,
    pixels_of,
    read_network_folder,
)
from scenewise.encoders.preparation import Preparation
from scenewise.encoders.spec import EncoderSpec, Report, RuntimeName

if TYPE_CHECKING:  # torch is loaded to export, never to search
    from scenewise.encoders.network_towers import Sides
    from scenewise.models.video_text.interface import VideoTextModel

VIDEO_SIDE = "video.onnx"
TEXT_SIDE = "text.onnx"
DESCRIPTION = "encoder.json"
# raised by hand when our code would give other vectors for the same folder
VIDEO_CODE_VERSION = 1
TEXT_CODE_VERSION = 1
COSINE_SCALE = 100.0  # where a network's own cannot be told: CLIP's
Lack = Literal["text side", "tokenizer"]
_PROBES = ("a photo of a cat", "two dogs run after a red ball")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder of the cache, and what its description says."""

    folder: Path
    spec: EncoderSpec
    network: str  # of the registry
    lacks: Lack | None  # why it cannot read words; None: it can
    note: str  # of what a cosine is an approximation; empty where it is exact
    window_bytes: int  # an upper estimate of what one window's intermediate results take
    logit_scale: float


def prepared_network(
    name: str,
    *,
    runtime: RuntimeName,
    cache_dir: Path,
    progress: Report | None = None,
    look_again: bool = False,
) -> Prepared:
    """The prepared folder of this name, made first where it is not there.

    Raises EncoderError and NetworkError where the network cannot be used.
    """
    name = canonical_name(name)
    preparation = _preparation(runtime, cache_dir, progress)
    return _read(preparation.make(name, progress, look_again=look_again), name, runtime)


def describe(name: str, *, runtime: RuntimeName, cache_dir: Path) -> EncoderSpec:
    """The spec of this name without weights, a session or a download.

    A network that is not prepared is built without weights, as it alone knows its sizes.
    """
    name = canonical_name(name)
    preparation = _preparation(runtime, cache_dir, None)
    found = preparation.find(name)
    if found is not None:
        return _read(found, name, runtime).spec
    from scenewise.encoders import network_towers

    looked = preparation.look(name, None, local_files_only=True)
    own = read_network_folder(looked.checkpoint.folder)
    pixels = _pixels(own, name)
    network = network_towers.bare_sides(own.network, dict(own.options), name)
    spec = _spec(name, own, looked.identity, pixels, network_towers.dimension(network))
    return dataclasses.replace(spec, runtime=runtime)


def is_prepared(name: str, *, runtime: RuntimeName, cache_dir: Path) -> bool:
    """Whether the name led to a content before, and that lies whole in the cache."""
    return _preparation(runtime, cache_dir, None).find(canonical_name(name)) is not None


def _preparation(runtime: RuntimeName, cache_dir: Path, progress: Report | None) -> Preparation:
    return Preparation(
        root=cache_dir / "network",
        key=lambda identity: _key(identity, runtime),
        check=_check,
        build=lambda folder, looked: _build(folder, looked, runtime, progress),
        hashes=own_hashes,
    )


def _check(folder: Path) -> None:
    """Refuse a network that takes no pictures, ahead of hashing its weights."""
    own = read_network_folder(folder)
    pixels_of(own.card, own.options, str(folder))


def _pixels(own: NetworkFolder, name: str) -> Pixels:
    from scenewise.encoders.network_towers import all_options

    return pixels_of(own.card, all_options(own.network, dict(own.options)), name)


def _revision(identity: Identity) -> str:
    return short_hash(f"{VIDEO_CODE_VERSION} {identity.content_hash}")


def _key(identity: Identity, runtime: RuntimeName) -> str:
    """The name of the prepared folder."""
    digest = short_hash(f"{_revision(identity)} {TEXT_CODE_VERSION} {identity.text_hash}")
    return f"{digest}-torch" if runtime == "torch" else digest


def _build(folder: Path, looked: Looked, runtime: RuntimeName, progress: Report | None) -> None:
    """Export the sides into ``folder``, with the tokenizer and the description."""
    from scenewise.encoders import network_towers as towers
    from scenewise.encoders.export import export_onnx
    from scenewise.models.video_text.interface import VideoTextModel

    name = looked.checkpoint.name
    own = read_network_folder(looked.checkpoint.folder)

    def report(line: str) -> None:
        if progress is not None:
            progress(f"preparing {name}: {line}")

    pixels = _pixels(own, name)
    report("reading the weights")
    network = towers.load_sides(own.folder, name)
    side, frames = towers.ClipSide(network, pixels), towers.example_clips(pixels)
    vectors, window_bytes = towers.try_out(side, frames, name, "video side")
    report("exporting the video side (once)")
    export_onnx(
        side,
        (frames,),
        folder / VIDEO_SIDE,
        input_names=("frames",),
        output_names=("vectors",),
        program=runtime == "torch",
    )
    scale: float | None = None
    lack = _why_wordless(own, network)
    if lack is None:
        assert isinstance(network, VideoTextModel)
        scale = _build_text(folder, own, network, pixels, runtime, report)
    description = {
        "spec": _spec(name, own, looked.identity, pixels, vectors.shape[1]).to_dict(),
        "network": own.network,
        "lacks": lack,
        "note": _note(network),
        "window_bytes": window_bytes,
        "logit_scale": COSINE_SCALE if scale is None else scale,
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")


def _build_text(
    folder: Path,
    own: NetworkFolder,
    network: VideoTextModel,
    pixels: Pixels,
    runtime: RuntimeName,
    report: Callable[[str], None],
) -> float | None:
    """Tokenizer and text side; returns the scale of the network's similarity over cosines."""
    import torch

    from scenewise.encoders import network_towers as towers
    from scenewise.encoders.export import export_onnx
    from scenewise.encoders.tokens import TextTokens, write_plain_tokenizer
    from scenewise.errors import EncoderError

    name = str(own.folder)
    options = towers.all_options(own.network, dict(own.options))
    length, largest = write_plain_tokenizer(
        own.folder / TOKENIZER,
        folder / TOKENIZER,
        length=own.text.length or options.get("text_length") or own.card.text_length,
        lower=own.text.lower,
        pad_id=own.text.pad_id,
    )
    tokens = TextTokens(folder / TOKENIZER)
    ids = torch.cat([torch.from_numpy(tokens(probe).ids) for probe in _PROBES])
    side = towers.TextSide(network)
    towers.check_ids(side, largest, length, name)
    vectors, _ = towers.try_out(side, ids, name, "text side")
    if vectors.shape[1] != network.embed_dim:
        raise EncoderError(
            f"{name}: words become {vectors.shape[1]} numbers and clips {network.embed_dim}; they "
            "cannot be compared."
        )
    report("exporting the text side (once)")
    export_onnx(
        side,
        (ids,),
        folder / TEXT_SIDE,
        input_names=("input_ids",),
        output_names=("vectors",),
        program=runtime == "torch",
    )
    return towers.logit_scale(network, pixels, ids)


def _why_wordless(own: NetworkFolder, network: Sides) -> Lack | None:
    from scenewise.models.backbones.backbone import VideoBackbone

    if isinstance(network, VideoBackbone):
        return "text side"
    return None if (own.folder / TOKENIZER).is_file() else "tokenizer"


def _note(network: Sides) -> str:
    """What a reader of cosines should know of this network."""
    from scenewise.models.backbones.backbone import VideoBackbone

    if isinstance(network, VideoBackbone) or network.pooled_ranks:
        return ""
    return network.index_note or (
        f"{type(network).__name__} compares more than one vector with one; ranking by vectors "
        "alone is an approximation of it"
    )


def _spec(
    name: str, own: NetworkFolder, identity: Identity, pixels: Pixels, dimension: int
) -> EncoderSpec:
    return EncoderSpec(
        name=name,
        revision=_revision(identity),
        dimension=dimension,
        target=pixels.target,
        mean=pixels.mean,
        std=pixels.std,
        frames_per_window=pixels.frames,
        window_seconds=pixels.seconds,
        stride_seconds=pixels.seconds / 2,
        licence=read_licence(own.folder),
    )


def _read(folder: Path, name: str, runtime: RuntimeName) -> Prepared:
    """The description of a prepared folder; name and runtime are the caller's."""
    shape: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    spec = EncoderSpec.from_dict(shape["spec"])
    return Prepared(
        folder=folder,
        spec=dataclasses.replace(spec, name=name, runtime=runtime),
        network=str(shape["network"]),
        lacks=shape["lacks"],
        note=str(shape["note"]),
        window_bytes=int(shape["window_bytes"]),
        logit_scale=float(shape["logit_scale"]),
    )
