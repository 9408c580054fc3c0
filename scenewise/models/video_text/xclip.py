"""X-CLIP that recognises: CLIP whose frames send each other messages, and prompts from the clip.

Bolin Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition", 2022
(https://arxiv.org/abs/2208.02816). The network itself is transformers' XCLIPModel; what is added
here are the two sides of a video-text model, the published initialisation and loss, and the
official names of weights (``xclip_layouts``). It shares nothing but its name with the X-CLIP that
finds videos (Ma et al. 2022).

The text of a class is changed by the clip that it is compared with, so classes are compared with
whole clips, not with one vector each.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.models.video_text.clip_towers import (
    CLIP,
    HEAD_WIDTH,
    TINY,
    VIT_B_16,
    VIT_B_32,
    VIT_L_14,
    ClipSize,
)
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.xclip_layouts import PREFIX, clip_as_xclip
from scenewise.models.weights.checkpoint import State

SMOOTHING = 0.1  # of labels that are classes and no mixtures, by the official settings
_DEVIATION = 0.02


class XCLIP(VideoTextModel):
    """Clips (B, T, 3, H, W), T frames as it was made for, and ids (K, L) of K classes' names."""

    def __init__(
        self,
        size: ClipSize,
        *,
        num_frames: int = 8,
        mit_layers: int = 1,
        prompt_layers: int = 2,
        prompt_alpha: float = 0.1,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.size = size.image_size
        self.context_length = size.context_length
        self.embed_dim = size.embed_dim
        self.pooled_ranks = False
        self.index_note = (
            "The model changes each text by the clip that it is compared with; vectors alone "
            "compare the unchanged text."
        )
        self.xclip = _transformers_model(
            size, num_frames, mit_layers, prompt_layers, prompt_alpha, drop_path
        )
        self._initialise(dict(CLIP(size).state_dict()))

    def encode_video(self, clips: Tensor, _mask: Tensor | None = None) -> Features:
        """Clips (B, T, 3, H, W) to unit vectors (B, D) and patches (B, N, D), frames averaged.

        The patches are what prompts are made from. Frames are all real: there are always T.
        """
        side = self.size
        if clips.ndim != 5 or clips.shape[1:] != (self.num_frames, 3, side, side):
            raise ValueError(
                f"this X-CLIP takes clips of {self.num_frames} x 3 x {side} x {side}, "
                f"got {tuple(clips.shape[1:])}"
            )
        network, frames = self.xclip, self.num_frames
        seen = network.vision_model(pixel_values=rearrange(clips, "b t c h w -> (b t) c h w"))
        of_frames = network.visual_projection(seen.pooler_output)
        video = network.mit(rearrange(of_frames, "(b t) d -> b t d", t=frames)).pooler_output
        patches = network.prompts_visual_layernorm(seen.last_hidden_state[:, 1:])
        patches = patches @ network.prompts_visual_projection
        mean = rearrange(patches, "(b t) n d -> b t n d", t=frames).mean(dim=1)
        return Features(F.normalize(video, dim=-1), mean)

    def encode_text(self, ids: Tensor, _mask: Tensor | None = None) -> Features:
        """Ids (K, L) to unit vectors (K, D); the one token (K, 1, D) has its own length.

        Texts end with the id that is the highest, so no mask is needed.
        """
        if ids.ndim != 2 or ids.shape[1] > self.context_length:
            raise ValueError(
                f"this X-CLIP takes (B, L) ids with L up to {self.context_length}, "
                f"got {tuple(ids.shape)}"
            )
        text = self.xclip.text_projection(self.xclip.text_model(input_ids=ids).pooler_output)
        return Features(F.normalize(text, dim=-1), rearrange(text, "k d -> k 1 d"))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): cosines of video and prompted text, times CLIP's scale."""
        if text.tokens is None or video.tokens is None:
            raise ValueError("this network compares tokens; encode both sides with it")
        plain = repeat(text.tokens, "k one d -> b (k one) d", b=video.tokens.shape[0])
        prompted = F.normalize(plain + self.xclip.prompts_generator(plain, video.tokens), dim=-1)
        cosines: Tensor = torch.einsum("b k d, b d -> k b", prompted, video.pooled)
        scale: Tensor = self.xclip.logit_scale.exp()
        return scale * cosines

    def loss(self, similarity: Tensor, targets: Tensor | None = None) -> Tensor:
        """Cross entropy of each video over the texts.

        ``targets`` (videos, texts) are shares that sum to 1, such as mixup makes them; None: text
        and video of the same number belong together, smoothed by 0.1.
        """
        logits = similarity.T
        if targets is None:
            classes = torch.arange(logits.shape[0], device=logits.device)
            return F.cross_entropy(logits, classes, label_smoothing=SMOOTHING)
        return F.cross_entropy(logits, targets)

    @torch.no_grad()
    def _initialise(self, towers: State) -> None:
        """As in the official code, for transformers' own values are others.

        The towers are CLIP's; message layers are torch's own; the rest are narrow normals.
        """
        network = self.xclip
        clip = {key.removeprefix(PREFIX): value for key, value in clip_as_xclip(towers).items()}
        network.load_state_dict(clip, strict=False)
        for layer in network.vision_model.encoder.layers:
            layer.message_fc.reset_parameters()
            for name, parameter in layer.message_attn.named_parameters():
                _initialise_attention(name, parameter)
        for layer in (*network.mit.modules(), *network.prompts_generator.modules()):
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=_DEVIATION)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        for layer in network.mit.encoder.layers:
            for name, parameter in layer.self_attn.named_parameters():
                if not name.startswith("out_proj"):
                    _initialise_attention(name, parameter)
        nn.init.trunc_normal_(network.mit.position_embedding, std=_DEVIATION)
        nn.init.normal_(network.prompts_visual_projection)


def _initialise_attention(name: str, parameter: Tensor) -> None:
    """As torch's MultiheadAttention, whose projection of all three counts 3 D as its outputs."""
    width = parameter.shape[-1]
    if name.endswith("bias"):
        nn.init.zeros_(parameter)
    elif name.startswith("out_proj"):
        nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
    else:
        bound = math.sqrt(6 / (width + 3 * width))
        nn.init.uniform_(parameter, -bound, bound)


def _transformers_model(
    size: ClipSize,
    num_frames: int,
    mit_layers: int,
    prompt_layers: int,
    prompt_alpha: float,
    drop_path: float,
) -> Any:
    from transformers import XCLIPConfig, XCLIPModel

    return XCLIPModel(
        XCLIPConfig(
            text_config={
                "vocab_size": size.vocab_size,
                "max_position_embeddings": size.context_length,
                "hidden_size": size.text_width,
                "intermediate_size": 4 * size.text_width,
                "num_hidden_layers": size.text_layers,
                "num_attention_heads": size.text_width // HEAD_WIDTH,
            },
            vision_config={
                "image_size": size.image_size,
                "patch_size": size.patch_size,
                "hidden_size": size.vision_width,
                "intermediate_size": 4 * size.vision_width,
                "num_hidden_layers": size.vision_layers,
                "num_attention_heads": size.vision_width // HEAD_WIDTH,
                "num_frames": num_frames,
                "drop_path_rate": drop_path,
                "mit_hidden_size": size.embed_dim,
                "mit_intermediate_size": 4 * size.embed_dim,
                "mit_num_hidden_layers": mit_layers,
                "mit_num_attention_heads": size.embed_dim // HEAD_WIDTH,
            },
            projection_dim=size.embed_dim,
            prompt_layers=prompt_layers,
            prompt_alpha=prompt_alpha,
            prompt_num_attention_heads=size.embed_dim // HEAD_WIDTH,
            attn_implementation="sdpa",
        )
    )


def xclip_b32_8f(num_frames: int = 8) -> XCLIP:
    """ViT-B/32, 8 frames."""
    return XCLIP(VIT_B_32, num_frames=num_frames)


def xclip_b16_8f(num_frames: int = 8) -> XCLIP:
    """ViT-B/16, 8 frames."""
    return XCLIP(VIT_B_16, num_frames=num_frames)


def xclip_b16_16f(num_frames: int = 16) -> XCLIP:
    """ViT-B/16, 16 frames."""
    return XCLIP(VIT_B_16, num_frames=num_frames)


def xclip_l14_8f(num_frames: int = 8, image_size: int = 224) -> XCLIP:
    """ViT-L/14, 8 frames; the size with 16 frames of 336 pixels by the options."""
    return XCLIP(replace(VIT_L_14, image_size=image_size), num_frames=num_frames)


def xclip_recognition_tiny(num_frames: int = 8, vocab_size: int = 512) -> XCLIP:
    """Towers of two narrow blocks; the highest id must be the end mark."""
    return XCLIP(replace(TINY, vocab_size=vocab_size), num_frames=num_frames)
