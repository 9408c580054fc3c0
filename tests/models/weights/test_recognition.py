"""Facts about recognition: of all families, the right one claims an official checkpoint.

Each file of names and shapes stands for a checkpoint of the published size that names no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from golden import GOLDEN, read_keys
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models import create_model, model_card
from scenewise.models.weights.checkpoint import Checkpoint, unwrap
from scenewise.models.weights.load import _identify, convert_state

# the file, and the network that its keys are of
EXPECTED = {
    "audio_cnn10_file": "audio_cnn",
    "c3d": "c3d",
    "clip4clip_seq_transformer_b32": "clip4clip_seq_transformer",
    "clip4clip_tight_transformer_b32": "clip4clip_tight_transformer",
    "frozen_bilm": "frozen_bilm",
    "i3d_flow": "i3d_flow",
    "internvideo2_encoder_s14": "internvideo2_encoder_s14",
    "internvideo2_s14": "internvideo2_s14",
    "mmt_msrvtt": "mmt_msrvtt",
    "r2plus1d_18": "r2plus1d_18",
    "r2plus1d_34": "r2plus1d_34",
    "r2plus1d_34_mmaction2": "r2plus1d_34",
    "resnet3d_50": "resnet3d_50",
    "s3d_howto100m_published": "s3d_howto100m",
    "swin3d_s": "video_swin_s",
    "timesformer_base": "timesformer_base",
    "tsm_resnet101.keys": "tsm_resnet101",
    "viclip_l14": "viclip_l14",
    "video_swin_b": "video_swin_b",
    "video_swin_t": "video_swin_t",
    "videoclip_base": "videoclip",
    "videomae_base": "videomae_base",
    "x3d_m": "x3d_m",
    "xclip_b32_8f": "xclip_b32_8f",
    "xclip_retrieval_b32": "xclip_retrieval_b32",
}


def tensors(file: str) -> dict[str, Tensor]:
    name, _, suffix = file.partition(".")
    keys = read_keys(name, suffix or "full")
    state = {
        key: torch.empty(shape, dtype=getattr(torch, kind), device="meta")
        for key, (kind, shape) in keys.items()
    }
    return unwrap(file, state)


def checkpoint(state: dict[str, Tensor], config: Mapping[str, Any] | None = None) -> Checkpoint:
    return Checkpoint("a checkpoint", state, config or {})


def test_every_published_list_of_keys_is_tried() -> None:
    published = {file.name.removesuffix(".full.txt") for file in GOLDEN.glob("*.full.txt")}
    assert published == {file for file in EXPECTED if "." not in file}


@pytest.mark.parametrize("file", EXPECTED)
def test_it_is_recognised_among_all(file: str) -> None:
    state = tensors(file)
    found = _identify(checkpoint(state), None)
    assert found.name == EXPECTED[file]
    with torch.device("meta"):
        network = create_model(found.name, **found.options)
    converted = convert_state(model_card(found.name), state)
    assert converted is not None
    wanted = {
        key: value.shape for key, value in network.state_dict().items() if value.is_floating_point()
    }
    given = {key: value.shape for key, value in converted[1].items()}
    shared = wanted.keys() & given.keys()
    assert {key: given[key] for key in shared} == {key: wanted[key] for key in shared}
    # VideoCLIP's file does not hold the S3D that makes its vectors
    absent = {key for key in wanted.keys() - given.keys() if not key.startswith("s3d.")}
    assert sorted(absent) == []


@pytest.mark.parametrize("name", ["resnet3d_50", "i3d_rgb"])
def test_weights_of_pictures_want_a_name(name: str) -> None:
    """A 2D network begins many: nobody can know which is meant."""
    made: dict[str, Tensor] = {}
    if name == "resnet3d_50":
        for key, value in tensors("resnet3d_50").items():
            made[key] = value[:, :, 0] if value.ndim == 5 else value
    else:
        for block in ("3a", "5b"):
            made[f"inception{block}.branch1.conv.weight"] = torch.empty(64, 192, 1, 1)
            made[f"inception{block}.branch4.1.conv.weight"] = torch.empty(32, 192, 1, 1)
    with pytest.raises(NetworkError, match=rf"holds weights for pictures, from which {name} "):
        _identify(checkpoint(made), None)
    assert _identify(checkpoint(made), name).name == name
