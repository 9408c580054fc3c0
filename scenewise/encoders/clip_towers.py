"""The two sides of a CLIP-like network as they are exported: pixels or token ids to unit vectors.

It knows torch and transformers, and is imported at preparation only. Inputs are what the rest of
the package has at hand: bytes of RGB pictures, whose normalisation is part of the image side, and
token ids. Outputs are of length 1, so that an inner product is a cosine.

Sources: CLIP (Radford et al. 2021), SigLIP (Zhai et al. 2023), SigLIP 2 (Tschannen et al. 2025),
X-CLIP (Ni et al. 2022). X-CLIP's published score also lets the video change the words' vector
(``prompts_generator``); the text side here is the unconditioned one.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from scenewise.encoders.hub import Checkpoint
from scenewise.encoders.huggingface_config import CheckpointConfig, Family
from scenewise.encoders.pretrained import load_pretrained
from scenewise.errors import EncoderError

_CLASSES: dict[Family, str] = {
    "clip": "CLIPModel",
    "siglip": "SiglipModel",
    "siglip2": "Siglip2Model",
    "xclip": "XCLIPModel",
}


def load_network(checkpoint: Checkpoint, config: CheckpointConfig) -> Any:
    """The network of transformers with the checkpoint's weights, in fp32 and ready to run.

    Raises EncoderError where a weight is missing, has another shape, or cannot be read.
    """
    kind = getattr(transformers, _CLASSES[config.family])
    network = load_pretrained(kind, checkpoint, "its image side")
    _agree(checkpoint, config, network)
    return network.eval()


class ImageTower(nn.Module):
    """Pictures (B, H, W, 3) uint8 RGB to unit vectors (B, D)."""

    def __init__(self, network: Any, config: CheckpointConfig) -> None:
        super().__init__()
        mean, std = torch.tensor(config.mean), torch.tensor(config.std)
        # (x / 255 - mean) / std, as one multiplication and one addition
        self.scale = nn.Buffer(1 / (255 * std))
        self.shift = nn.Buffer(-mean / std)
        self.vision = network.vision_model
        self.projection = getattr(network, "visual_projection", nn.Identity())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """``frames`` (B, H, W, 3) uint8; returns (B, D) float32 of length 1."""
        pixels = rearrange(frames.float() * self.scale + self.shift, "b h w c -> b c h w")
        pooled = self.vision(pixel_values=pixels).pooler_output
        return F.normalize(self.projection(pooled), dim=-1)


class NaflexImageTower(ImageTower):
    """A SigLIP 2 NaFlex image side at one square grid: its position table is resized once."""

    positions: torch.Tensor

    def __init__(self, network: Any, config: CheckpointConfig) -> None:
        super().__init__(network, config)
        self.patch = config.patch_size
        grid = config.target.width // config.patch_size
        embeddings = self.vision.embeddings
        table = rearrange(
            embeddings.position_embedding.weight.detach(),
            "(h w) d -> h w d",
            h=embeddings.position_embedding_size,
        )
        resized = embeddings.resize_positional_embeddings(
            table, torch.tensor([[grid, grid]]), max_length=grid * grid
        )
        self.positions = nn.Buffer(resized)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """``frames`` (B, H, W, 3) uint8; returns (B, D) float32 of length 1."""
        patches = rearrange(
            frames.float() * self.scale + self.shift,
            "b (h p) (w q) c -> b (h w) (p q c)",
            p=self.patch,
            q=self.patch,
        )
        hidden = self.vision.embeddings.patch_embedding(patches) + self.positions
        # every patch is a real one, so no mask is needed
        hidden = self.vision.encoder(inputs_embeds=hidden).last_hidden_state
        return F.normalize(self.vision.head(self.vision.post_layernorm(hidden)), dim=-1)


class VideoTower(ImageTower):
    """Clips (B, T, H, W, 3) uint8 RGB to unit vectors (B, D): X-CLIP with its T frames."""

    def __init__(self, network: Any, config: CheckpointConfig) -> None:
        super().__init__(network, config)
        self.integration = network.mit
        self.frames = config.frames

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """``frames`` (B, T, H, W, 3) uint8; returns (B, D) float32 of length 1."""
        pixels = rearrange(frames.float() * self.scale + self.shift, "b t h w c -> (b t) c h w")
        pooled = self.projection(self.vision(pixel_values=pixels).pooler_output)
        clips = rearrange(pooled, "(b t) d -> b t d", t=self.frames)
        return F.normalize(self.integration(clips).pooler_output, dim=-1)


class TextTower(nn.Module):
    """Token ids (B, L) int64 to unit vectors (B, D).

    The pooled position is the network's own: the end mark in CLIP and X-CLIP (the largest id
    where config.json still has the old ``eos_token_id`` 2), the last position in SigLIP.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.text = network.text_model
        self.projection = getattr(network, "text_projection", nn.Identity())

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """``input_ids`` (B, L) int64; returns (B, D) float32 of length 1."""
        pooled = self.text(input_ids=input_ids).pooler_output
        return F.normalize(self.projection(pooled), dim=-1)


def image_tower(network: Any, config: CheckpointConfig) -> ImageTower:
    """The image side of this family."""
    if config.family == "siglip2":
        return NaflexImageTower(network, config)
    return VideoTower(network, config) if config.family == "xclip" else ImageTower(network, config)


def example_frames(config: CheckpointConfig) -> torch.Tensor:
    """Two windows of seeded noise in the shape that the image side takes, uint8."""
    generator = torch.Generator().manual_seed(0)
    time = (config.frames,) if config.family == "xclip" else ()
    shape = (2, *time, config.target.height, config.target.width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def logit_scale_and_bias(network: Any) -> tuple[float, float]:
    """What the network multiplies a cosine by, and adds to it (0 where it adds nothing)."""
    bias = getattr(network, "logit_bias", None)
    return (
        float(network.logit_scale.detach().exp().squeeze()),
        0.0 if bias is None else float(bias.detach().squeeze()),
    )


def check_end_mark(checkpoint: Checkpoint, network: Any, ids: torch.Tensor) -> None:
    """Refuse a tokenizer whose texts lack the mark at which this network pools.

    transformers would silently pool the first position then.
    """
    mark = getattr(network.text_model, "eos_token_id", None)
    if mark is None or mark == 2:  # SigLIP pools the last position, old CLIP the largest id
        return
    if not bool((ids == mark).any(dim=-1).all()):
        raise EncoderError(
            f"{checkpoint.name}: the tokenizer does not end a text with id {mark}, at which the "
            "network pools; take tokenizer and config.json from one checkpoint."
        )


def _agree(checkpoint: Checkpoint, config: CheckpointConfig, network: Any) -> None:
    """What was read from JSON must be what transformers built."""
    text, vision = network.config.text_config, network.config.vision_config
    pairs = [
        ("max_position_embeddings", config.text_length, text.max_position_embeddings),
        ("vocab_size", config.vocabulary_size, text.vocab_size),
        ("patch_size", config.patch_size, vision.patch_size),
    ]
    if config.family == "xclip":
        pairs.append(("num_frames", config.frames, vision.num_frames))
    if config.family != "siglip2":
        pairs.append(("image_size", config.target.width, vision.image_size))
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise EncoderError(
                f"{checkpoint.name}: config.json gives {name} = {ours}, but the network was built "
                f"with {theirs}; correct config.json."
            )
