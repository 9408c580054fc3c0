"""How checkpoints of the X-CLIP that recognises are named: officially, and by transformers.

The official file has OpenAI's names for CLIP's towers, and names of its own for messages between
frames (``visual.transformer.resblocks.N.message_*``), for what goes over the frames (``mit.*``)
and for prompts. Ours are transformers' behind ``xclip.``. Plain CLIP weights (by OpenAI's names or
transformers'), with which the published training begins, fill the towers alone: load them with
``strict=False``.

It knows names and shapes.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from scenewise.models.video_text.clip_towers import (
    HUGGINGFACE_IGNORED,
    IGNORED,
    TINY,
    VIT_B_16,
    VIT_B_32,
    VIT_L_14,
    ClipSize,
    blocks,
    clip_size,
    transpose_projections,
)
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

PREFIX = "xclip."
_SIZES = {"xclip_b32_8f": VIT_B_32, "xclip_b16_8f": VIT_B_16, "xclip_l14_8f": VIT_L_14}
_RENAMES = (
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^mit\.resblocks\.", "mit.encoder.layers."),
    (r"^mit\.positional_embedding$", "mit.position_embedding"),
    (r"(encoder\.layers\.\d+)\.attn\.", r"\1.self_attn."),
    (r"(encoder\.layers\.\d+)\.ln_([12])\.", r"\1.layer_norm\2."),
    (r"(encoder\.layers\.\d+)\.mlp\.c_fc\.", r"\1.mlp.fc1."),
    (r"(encoder\.layers\.\d+)\.mlp\.c_proj\.", r"\1.mlp.fc2."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.ln_pre\.", "vision_model.pre_layernorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^prompts_visual_ln\.", "prompts_visual_layernorm."),
    (r"^prompts_visual_proj$", "prompts_visual_projection"),
    (r"^prompts_generator\.norm\.", "prompts_generator.layernorm."),
    (r"^", PREFIX),
)
_MATRICES = (r"text_projection", r"visual\.proj")


def _split(state: State) -> State:
    """``X.in_proj_weight`` becomes ``X.q_proj.weight``, ``k_proj`` and ``v_proj``; biases too."""
    made: State = {}
    for key, value in state.items():
        match = re.fullmatch(r"(.*\.)in_proj_(weight|bias)", key)
        if match is None:
            made[key] = value
            continue
        for which, part in zip("qkv", value.chunk(3), strict=True):
            made[f"{match[1]}{which}_proj.{match[2]}"] = part
    return transpose_projections(made, _MATRICES)


def clip_as_xclip(state: State) -> State:
    """Tensors of CLIP or X-CLIP by OpenAI's and the official names, by ours."""
    return _OPENAI.convert(state)


def _identified(size: ClipSize | None, num_frames: int) -> Identified | None:
    if size is None:
        return None
    for name, known in _SIZES.items():
        if replace(size, image_size=known.image_size) == known:
            if size.image_size != known.image_size and known is not VIT_L_14:
                return None
            if (name, num_frames) == ("xclip_b16_8f", 16):
                return Identified("xclip_b16_16f", {})
            options = {"image_size": size.image_size} if known is VIT_L_14 else {}
            return Identified(name, {"num_frames": num_frames, **options})
    if replace(size, vocab_size=TINY.vocab_size) == TINY:
        options = {"num_frames": num_frames, "vocab_size": size.vocab_size}
        return Identified("xclip_recognition_tiny", options)
    return None


def _official(state: State, _config: Config) -> Identified | None:
    return _identified(clip_size(state), state["mit.positional_embedding"].shape[1])


def _huggingface(state: State, _config: Config) -> Identified | None:
    filters = state["vision_model.embeddings.patch_embedding.weight"]
    places = state["vision_model.embeddings.position_embedding.weight"]
    words = state["text_model.embeddings.token_embedding.weight"]
    size = ClipSize(
        embed_dim=state["text_projection.weight"].shape[0],
        image_size=math.isqrt(places.shape[0] - 1) * filters.shape[-1],
        patch_size=filters.shape[-1],
        vision_width=filters.shape[0],
        vision_layers=blocks(state, "vision_model.encoder.layers."),
        text_width=words.shape[1],
        text_layers=blocks(state, "text_model.encoder.layers."),
        context_length=state["text_model.embeddings.position_embedding.weight"].shape[0],
        vocab_size=words.shape[0],
    )
    return _identified(size, state["mit.position_embedding"].shape[1])


def _own(state: State, config: Config) -> Identified | None:
    return _huggingface({key.removeprefix(PREFIX): value for key, value in state.items()}, config)


def _unknown(_state: State, _config: Config) -> Identified | None:
    return None  # plain CLIP is CLIP4Clip's mean_pool, unless somebody names a network


_OPENAI = Layout(
    name="openai",
    signature=(r"visual\.conv1\.weight", r"text_projection", r"ln_final\.weight"),
    ignore=IGNORED,
    before=_split,
    renames=_RENAMES,
    identify=_unknown,
)
LAYOUTS = (
    replace(
        _OPENAI,
        name="official",
        signature=(
            *_OPENAI.signature,
            r"visual\.transformer\.resblocks\.0\.message_fc\.weight",
            r"mit\.positional_embedding",
            r"prompts_visual_proj",
        ),
        identify=_official,
    ),
    Layout(
        name="huggingface",
        signature=(
            r"vision_model\.embeddings\.patch_embedding\.weight",
            r"vision_model\.encoder\.layers\.0\.message_fc\.weight",
            r"text_model\.embeddings\.position_embedding\.weight",
            r"mit\.position_embedding",
        ),
        ignore=(r".*\.position_ids",),
        renames=((r"^", PREFIX),),
        identify=_huggingface,
    ),
    Layout(
        name="scenewise",
        signature=(r"xclip\.mit\.position_embedding", r"xclip\.prompts_visual_projection"),
        identify=_own,
    ),
    _OPENAI,
    Layout(
        name="huggingface-clip",
        signature=(
            r"vision_model\.pre_layrnorm\.weight",  # spelt so there, and otherwise in X-CLIP
            r"text_model\.final_layer_norm\.weight",
            r"visual_projection\.weight",
        ),
        absent=(r".*message_fc\.weight", r"(.*\.)?mit\..*"),
        ignore=HUGGINGFACE_IGNORED,
        renames=((r"^vision_model\.pre_layrnorm\.", "vision_model.pre_layernorm."), (r"^", PREFIX)),
        identify=_unknown,
    ),
)
