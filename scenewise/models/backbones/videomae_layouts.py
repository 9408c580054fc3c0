"""The layouts of VideoMAE: transformers', and the official code's, fine-tuned or pretrained.

A pretrained checkpoint has no classifier and no norm of the mean; with ``strict=False`` its
encoder is loaded and those stay as they were made. It knows names and shapes of tensors.
"""

from __future__ import annotations

import re

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_NAMES = {768: "videomae_base", 1024: "videomae_large"}  # by width
_DECODER = (
    r"decoder\..*",
    r"encoder_to_decoder\.weight",
    r"mask_token",
    r"videomae\.layernorm\..*",
)
# transformers once called the two biases of attention so
_OLD_BIASES = ((r"\.q_bias$", ".query.bias"), (r"\.v_bias$", ".value.bias"))


def split_query_key_value(state: State) -> State:
    """``X.attn.qkv.weight`` becomes query, key and value; the biases are apart already."""
    split: State = {}
    for key, value in state.items():
        match = re.fullmatch(r"(.*\.attn\.)qkv\.weight", key)
        if match is None:
            split[key] = value
        else:
            for name, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                split[f"{match[1]}{name}.weight"] = part
    return split


def _huggingface(state: State, config: Config) -> Identified | None:
    return _named(
        state["videomae.embeddings.patch_embeddings.projection.weight"].shape[0],
        state["classifier.weight"].shape[0] if "classifier.weight" in state else 0,
        config,
    )


def _official(state: State, config: Config) -> Identified | None:
    weight = next(v for key, v in state.items() if key.endswith("patch_embed.proj.weight"))
    classes = state["head.weight"].shape[0] if "head.weight" in state else 0
    return _named(weight.shape[0], classes, config)


def _named(width: int, classes: int, config: Config) -> Identified | None:
    name = _NAMES.get(width)
    if name is None:
        return None
    options = {"num_classes": classes}
    options |= {
        ours: config[theirs]
        for ours, theirs in (("num_frames", "num_frames"), ("size", "image_size"))
        if theirs in config
    }
    return Identified(name, options)


_BLOCKS = (
    (r"^(encoder\.)?patch_embed\.proj\.", "videomae.embeddings.patch_embeddings.projection."),
    (r"^(encoder\.)?blocks\.", "videomae.encoder.layer."),
    (r"\.attn\.(query|key|value)\.", r".attention.attention.\1."),
    (r"\.attn\.q_bias$", ".attention.attention.query.bias"),
    (r"\.attn\.v_bias$", ".attention.attention.value.bias"),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^head\.", "classifier."),
)

LAYOUTS = (
    Layout(
        name="huggingface",
        signature=(
            r"videomae\.embeddings\.patch_embeddings\.projection\.weight",
            r"videomae\.encoder\.layer\.0\.layernorm_before\.weight",
        ),
        ignore=_DECODER,
        renames=_OLD_BIASES,
        identify=_huggingface,
    ),
    Layout(
        name="official",
        signature=(
            r"(encoder\.)?patch_embed\.proj\.weight",
            r"(encoder\.)?blocks\.0\.attn\.qkv\.weight",
            r"(encoder\.)?blocks\.0\.attn\.q_bias",
            r"(encoder\.)?blocks\.0\.attn\.v_bias",
        ),
        absent=(r"cls_token", r"(encoder\.)?blocks\.0\.(gamma_1|attn\.relative_position_.*)"),
        ignore=(r"decoder\..*", r"encoder_to_decoder\.weight", r"mask_token", r"encoder\.norm\..*"),
        before=split_query_key_value,
        renames=_BLOCKS,
        identify=_official,
    ),
)
