"""The layouts of ViViT's weights: Hugging Face, and pictures' ViT.

The official checkpoints are Flax's and are not read. It knows names and shapes; the network is
``vivit``'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_WIDTH = 768
_TUBELET = (2, 16, 16)
_PARTS = ("query", "key", "value")


def _join(state: State) -> State:
    """Queries, keys and values, which transformers keeps apart, become one layer's."""
    made = {key: value for key, value in state.items() if not re.search(r"\.attn\.(q|k|v)", key)}
    for key in state:
        if ".attn.query." in key:
            parts = [state[key.replace(".query.", f".{part}.")] for part in _PARTS]
            made[key.replace(".query.", ".qkv.")] = torch.cat(parts)
    return made


def _identify(state: State, config: Config) -> Identified | None:
    filters: Any = state.get("vivit.embeddings.patch_embeddings.projection.weight")
    if filters is None or tuple(filters.shape) != (_WIDTH, 3, *_TUBELET):
        return None
    if not any(re.match(r"vivit\.(encoder\.layer|layers)\.11\.", key) for key in state):
        return None
    size = config.get("image_size", 224)
    classes = state.get("classifier.weight")
    return Identified(
        "vivit_base",
        {
            "num_classes": 0 if classes is None else classes.shape[0],
            "num_frames": int(config.get("num_frames", 32)),
            "size": int(size[0] if isinstance(size, Sequence) else size),
        },
    )


def _unknown(_state: State, _config: Config) -> Identified | None:
    """A picture network begins many a video network: the user says which."""
    return None


LAYOUTS = (
    Layout(
        name="huggingface",
        # files of the hub have the names of transformers 4; transformers 5 has names of its own
        signature=(
            r"vivit\.embeddings\.patch_embeddings\.projection\.weight",
            r"vivit\.(encoder\.layer|layers)\.0\..*",
        ),
        ignore=(r"(vivit\.)?pooler\..*",),
        renames=(
            (r"^vivit\.embeddings\.cls_token", "encoder.cls_token"),
            (r"^vivit\.embeddings\.position_embeddings", "encoder.pos_embed"),
            (r"^vivit\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"^vivit\.(encoder\.layer|layers)\.(\d+)\.", r"encoder.blocks.\2."),
            (r"^vivit\.layernorm\.", "encoder.norm."),
            (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
            (r"\.attention\.q_proj\.", ".attn.query."),
            (r"\.attention\.k_proj\.", ".attn.key."),
            (r"\.attention\.v_proj\.", ".attn.value."),
            (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"\.intermediate\.dense\.", ".mlp.fc1."),
            (r"\.output\.dense\.", ".mlp.fc2."),
            (r"^classifier\.", "head."),
        ),
        after=_join,
        identify=_identify,
    ),
    Layout(
        name="vit",
        signature=(r"pos_embed", r"blocks\.0\.attn\.qkv\.weight", r"patch_embed\.proj\.weight"),
        absent=(r"time_embed", r"blocks\.0\.temporal_fc\.weight"),
        ignore=(r"pre_logits\..*",),
        identify=_unknown,
    ),
)
