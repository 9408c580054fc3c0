"""The layouts of TimeSformer's weights: official, Hugging Face, and pictures' ViT.

It knows names and shapes; the network is ``timesformer``'s.
"""

from __future__ import annotations

import math
from typing import Any

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_WIDTH = 768  # of all published sizes
_PATCH = 16
_NAMED = {(16, 448): "timesformer_hr", (96, 224): "timesformer_large"}


def _identify_official(state: State, config: Config) -> Identified | None:
    return _identify(
        config,
        state.get("model.pos_embed"),
        state.get("model.time_embed"),
        state.get("model.head.weight"),
        divided="model.blocks.0.temporal_fc.weight" in state,
        depth_known="model.blocks.11.norm1.weight" in state,
    )


def _identify_hugging_face(state: State, config: Config) -> Identified | None:
    return _identify(
        config,
        state.get("timesformer.embeddings.position_embeddings"),
        state.get("timesformer.embeddings.time_embeddings"),
        state.get("classifier.weight"),
        divided="timesformer.encoder.layer.0.temporal_dense.weight" in state,
        depth_known="timesformer.encoder.layer.11.layernorm_before.weight" in state,
    )


def _identify(
    config: Config, places: Any, instants: Any, head: Any, *, divided: bool, depth_known: bool
) -> Identified | None:
    """The published size that has these tables; space-only weights do not say their frames."""
    if places is None or places.shape[2] != _WIDTH or not depth_known:
        return None
    size = math.isqrt(places.shape[1] - 1) * _PATCH
    frames = int(config.get("num_frames", 8)) if instants is None else instants.shape[1]
    attention = "divided_space_time"
    if not divided:
        attention = "space_only" if instants is None else "joint_space_time"
    return Identified(
        _NAMED.get((frames, size), "timesformer_base"),
        {
            "num_classes": 0 if head is None else head.shape[0],
            "num_frames": frames,
            "size": size,
            "attention": attention,
        },
    )


def _unknown(_state: State, _config: Config) -> Identified | None:
    """A picture network begins many a video network: the user says which."""
    return None


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"model\.pos_embed", r"model\.blocks\.0\.attn\.qkv\.weight"),
        renames=((r"^model\.", ""),),
        identify=_identify_official,
    ),
    Layout(
        name="huggingface",
        signature=(r"timesformer\.encoder\.layer\.0\.attention\.attention\.qkv\.weight",),
        renames=(
            (r"^timesformer\.", ""),
            (r"^embeddings\.cls_token", "cls_token"),
            (r"^embeddings\.position_embeddings", "pos_embed"),
            (r"^embeddings\.time_embeddings", "time_embed"),
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
            (r"\.temporal_attention\.attention\.qkv\.", ".temporal_attn.qkv."),
            (r"\.temporal_attention\.output\.dense\.", ".temporal_attn.proj."),
            (r"\.temporal_layernorm\.", ".temporal_norm1."),
            (r"\.temporal_dense\.", ".temporal_fc."),
            (r"\.attention\.attention\.qkv\.", ".attn.qkv."),
            (r"\.attention\.output\.dense\.", ".attn.proj."),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"\.intermediate\.dense\.", ".mlp.fc1."),
            (r"\.output\.dense\.", ".mlp.fc2."),
            (r"^layernorm\.", "norm."),
            (r"^classifier\.", "head."),
        ),
        identify=_identify_hugging_face,
    ),
    Layout(
        name="vit",
        signature=(r"pos_embed", r"blocks\.0\.attn\.qkv\.weight", r"patch_embed\.proj\.weight"),
        absent=(r"time_embed", r"blocks\.0\.temporal_fc\.weight"),
        ignore=(r"pre_logits\..*",),
        identify=_unknown,
    ),
)
