"""Who makes vectors of frames: an encoder of searches, or a backbone of the registry.

Each gives a callable from frames to vectors, and the windows that go with it, as
``write_features`` takes them. It knows networks; it knows no file.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from scenewise.data.augment.pipeline import normalised
from scenewise.data.feature_files import Encode, Vectors, Windows
from scenewise.encoders.network_folder import Pixels
from scenewise.encoders.spec import Encoder
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.registry import created_as


def encoder_vectors(encoder: Encoder, fps: float = 1.0) -> tuple[Encode, Windows]:
    """Unit vectors, as a library stores them; of single frames ``fps`` a second."""
    spec = encoder.spec
    step = 1 / fps
    windows = Windows(
        spec.digest(),
        spec.target,
        spec.frames_per_window,
        spec.window_seconds or step,
        spec.stride_seconds or step,
    )
    return lambda frames: encoder.encode_windows(frames).vectors, windows


def backbone_vectors(
    network: VideoBackbone,
    pixels: Pixels,
    *,
    stride_seconds: float | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Encode, Windows]:
    """What the classifier reads, neither cut nor scaled; clips follow each other without overlap.

    The network is set to evaluation. ``stride_seconds`` None is the length of a clip.
    """
    network.eval().to(device)

    def encode(frames: npt.NDArray[np.uint8]) -> Vectors:
        clips = rearrange(torch.from_numpy(frames), "n t h w c -> n t c h w")
        clips = torch.stack([normalised(clip, pixels) for clip in clips])
        with torch.no_grad():
            vectors: Vectors = network.features(clips.to(device)).float().cpu().numpy()
        return vectors

    windows = Windows(
        _identity(network, pixels),
        pixels.target,
        pixels.frames,
        pixels.seconds,
        stride_seconds or pixels.seconds,
    )
    return encode, windows


def _identity(network: VideoBackbone, pixels: Pixels) -> str:
    """Name, options, preparation and a hash of all weights."""
    made = created_as(network)
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return json.dumps([made.name, dict(made.options), repr(pixels), digest.hexdigest()])
