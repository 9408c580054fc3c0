"""From a checkpoint to what a search needs of it: two ONNX files, a tokenizer, a description.

It knows the cache's layout and when a checkpoint has to be looked at again; the networks
themselves lie in ``clip_towers``, which is imported only to export.

    CACHE/clip/<key>/            image.onnx text.onnx tokenizer.json encoder.json; the key is made
                                 of the content of the checkpoint's files and of our code's version
    CACHE/clip/names/<hash>.json which content a name led to. With it, a search reads neither the
                                 weights nor the hub: a folder's files are compared by size and
                                 time stamp, a hub name is taken as it was when it was prepared
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenewise.encoders.hub import Checkpoint, canonical_name
from scenewise.encoders.huggingface_config import CheckpointConfig, read_config, read_licence
from scenewise.encoders.identity import Identity, short_hash
from scenewise.encoders.preparation import Preparation
from scenewise.encoders.spec import EncoderSpec, Report, RuntimeName
from scenewise.encoders.tokens import TOKENIZER, TextTokens, write_tokenizer
from scenewise.errors import EncoderError

IMAGE_SIDE = "image.onnx"
TEXT_SIDE = "text.onnx"
DESCRIPTION = "encoder.json"
# raised by hand when our code would give other vectors for the same checkpoint
IMAGE_CODE_VERSION = 1
TEXT_CODE_VERSION = 1
# X-CLIP was trained on clips of about 10 s with its frames spread over all of them; 8 s keep near
# to that, hold 8 frames at 1 a second, and a stride of half of it sees each instant twice
CLIP_SECONDS = 8.0
CLIP_STRIDE_SECONDS = 4.0
_PROBES = ("a photo of a cat", "two dogs run after a red ball")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder of the cache, and what its description says."""

    folder: Path
    spec: EncoderSpec
    embeds_clips: bool  # the image side takes (B, T, H, W, 3) instead of (B, H, W, 3)
    window_bytes: int  # an upper estimate of what one window's intermediate results take
    logit_scale: float
    logit_bias: float


def prepared_checkpoint(
    name: str,
    *,
    runtime: RuntimeName,
    cache_dir: Path,
    progress: Report | None = None,
    look_again: bool = False,
) -> Prepared:
    """The prepared folder of this name, made first where it is not there.

    ``look_again`` asks the hub and reads all files anew, instead of trusting what is remembered.
    Raises UnknownEncoderError, and EncoderError where the checkpoint cannot be used.
    """
    name = canonical_name(name)
    preparation = _preparation(runtime, cache_dir, progress)
    return _read(preparation.make(name, progress, look_again=look_again), name, runtime)


def describe(name: str, *, runtime: RuntimeName, cache_dir: Path) -> EncoderSpec:
    """The spec of this name without a network, a session or a download.

    A folder that is not prepared is read as far as its hash needs. Raises as
    ``prepared_checkpoint`` does, and EncoderError for a hub name that is not on this machine.
    """
    name = canonical_name(name)
    preparation = _preparation(runtime, cache_dir, None)
    found = preparation.find(name)
    if found is not None:
        return _read(found, name, runtime).spec
    looked = preparation.look(name, None, local_files_only=True)
    spec = _spec(looked.checkpoint, read_config(looked.checkpoint.folder), looked.identity)
    return dataclasses.replace(spec, name=name, runtime=runtime)


def is_prepared(name: str, *, runtime: RuntimeName, cache_dir: Path) -> bool:
    """Whether the name led to a content before, and that lies whole in the cache."""
    return _preparation(runtime, cache_dir, None).find(canonical_name(name)) is not None


def _preparation(runtime: RuntimeName, cache_dir: Path, progress: Report | None) -> Preparation:
    return Preparation(
        root=cache_dir / "clip",
        key=lambda identity: _key(identity, runtime),
        check=read_config,
        build=lambda folder, looked: _build(
            folder, looked.checkpoint, looked.identity, runtime, progress
        ),
    )


def _revision(identity: Identity) -> str:
    return short_hash(f"{IMAGE_CODE_VERSION} {identity.content_hash}")


def _key(identity: Identity, runtime: RuntimeName) -> str:
    """The name of the prepared folder."""
    digest = short_hash(f"{_revision(identity)} {TEXT_CODE_VERSION} {identity.text_hash}")
    # the traced programs of the torch runtime double the size: only where they are wanted
    return f"{digest}-torch" if runtime == "torch" else digest


def _build(
    folder: Path,
    checkpoint: Checkpoint,
    identity: Identity,
    runtime: RuntimeName,
    progress: Report | None,
) -> None:
    """Export both sides into ``folder``, with the tokenizer and the description."""
    import torch

    from scenewise.encoders import clip_towers
    from scenewise.encoders.export import export_onnx

    def report(line: str) -> None:
        if progress is not None:
            progress(f"preparing {checkpoint.name}: {line}")

    config = read_config(checkpoint.folder)
    write_tokenizer(checkpoint.folder, config, folder / TOKENIZER)
    tokens = TextTokens(folder / TOKENIZER)
    ids = torch.cat([torch.from_numpy(tokens(probe).ids) for probe in _PROBES])
    report("reading the weights")
    network = clip_towers.load_network(checkpoint, config)
    clip_towers.check_end_mark(checkpoint, network, ids)
    image_side = clip_towers.image_tower(network, config).eval()
    text_side = clip_towers.TextTower(network).eval()
    frames = clip_towers.example_frames(config)
    with torch.no_grad():
        widths = (image_side(frames).shape[-1], text_side(ids).shape[-1])
    if set(widths) != {config.dimension}:
        raise EncoderError(
            f"{checkpoint.name}: pictures become {widths[0]} numbers and words {widths[1]}, where "
            f"config.json says {config.dimension}; they cannot be compared."
        )
    for kind, side, example, file, input_name in (
        ("image", image_side, frames, IMAGE_SIDE, "frames"),
        ("text", text_side, ids, TEXT_SIDE, "input_ids"),
    ):
        report(f"exporting the {kind} side (once)")
        export_onnx(
            side,
            (example,),
            folder / file,
            input_names=(input_name,),
            output_names=("vectors",),
            program=runtime == "torch",
        )
    scale, bias = clip_towers.logit_scale_and_bias(network)
    description = {
        "spec": _spec(checkpoint, config, identity).to_dict(),
        "commit": checkpoint.commit,
        "embeds_clips": config.family == "xclip",
        "window_bytes": config.window_bytes,
        "logit_scale": scale,
        "logit_bias": bias,
    }
    text = json.dumps(description, indent=1)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _spec(checkpoint: Checkpoint, config: CheckpointConfig, identity: Identity) -> EncoderSpec:
    clips = config.family == "xclip"
    return EncoderSpec(
        name=checkpoint.name,
        revision=_revision(identity),
        dimension=config.dimension,
        target=config.target,
        mean=config.mean,
        std=config.std,
        frames_per_window=config.frames,
        window_seconds=CLIP_SECONDS if clips else None,
        stride_seconds=CLIP_STRIDE_SECONDS if clips else None,
        licence=read_licence(checkpoint.folder),
        languages=("mul",) if config.multilingual else ("en",),
    )


def _read(folder: Path, name: str, runtime: RuntimeName) -> Prepared:
    """The description of a prepared folder; name and runtime are the caller's."""
    shape: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    spec = EncoderSpec.from_dict(shape["spec"])
    return Prepared(
        folder=folder,
        spec=dataclasses.replace(spec, name=name, runtime=runtime),
        embeds_clips=bool(shape["embeds_clips"]),
        window_bytes=int(shape["window_bytes"]),
        logit_scale=float(shape["logit_scale"]),
        logit_bias=float(shape["logit_bias"]),
    )
