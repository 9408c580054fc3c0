"""How checkpoints of CLIP4Clip are named: the official code's, mmaction2's, and plain CLIP's.

mmaction2 trained mean_pool alone and names its tensors as the official code does; what differs is
the mean itself, which takes frames of any length there, and no checkpoint says so: give
``normalise_frames=False``. Plain CLIP weights are mean_pool without further training; for the
other heads their text blocks are where the published training begins.

It knows names and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scenewise.models.video_text.clip4clip import LAYERS, Head
from scenewise.models.video_text.clip_towers import (
    HUGGINGFACE_IGNORED,
    IGNORED,
    SIZES,
    TINY,
    ClipSize,
    clip_size,
    from_huggingface,
)
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_VISUALS = ("ViT-B/32", "ViT-B/16")


def visual_of(size: ClipSize | None) -> str | None:
    """The published name of these towers; None for others."""
    return next((name for name in _VISUALS if SIZES[name] == size), None)


def _head_of(state: State) -> Head:
    for key, head in _MARKS:
        if key in state:
            return head
    return "mean_pool"


_MARKS: tuple[tuple[str, Head], ...] = (
    ("similarity_dense.weight", "tight_transformer"),
    ("transformerClip.resblocks.0.ln_1.weight", "seq_transformer"),
    ("lstm_visual.weight_ih_l0", "seq_lstm"),
)


def _identify(state: State, _config: Config) -> Identified | None:
    size, head = clip_size(state, "clip."), _head_of(state)
    options: dict[str, Any] = {
        "linear_patch": "3d" if "clip.visual.conv2.weight" in state else "2d"
    }
    visual = visual_of(size)
    if visual is not None:
        return Identified(f"clip4clip_{head}", {"visual": visual, **options})
    if size is not None and replace(size, vocab_size=TINY.vocab_size) == TINY:
        return Identified(
            "clip4clip_tiny", {"head": head, "vocab_size": size.vocab_size, **options}
        )
    return None


def _plain(state: State, _config: Config) -> Identified | None:
    visual = visual_of(clip_size(from_huggingface(state)))
    return None if visual is None else Identified("clip4clip_mean_pool", {"visual": visual})


def _prefixed(state: State) -> State:
    return {f"clip.{key}": value for key, value in from_huggingface(state).items()}


def _with_positions(state: State) -> State:
    """seqLSTM: the table that it carries along."""
    clip = _prefixed(state)
    return {**clip, "frame_position_embeddings.weight": clip["clip.positional_embedding"]}


def _with_transformer(state: State) -> State:
    """seqTransf: positions and the first blocks of the text tower."""
    made = _with_positions(state)
    for key, value in list(made.items()):
        block = re.fullmatch(r"clip\.transformer\.(resblocks\.(\d+)\..*)", key)
        if block is not None and int(block[2]) < LAYERS:
            made[f"transformerClip.{block[1]}"] = value
    return made


_OFFICIAL = Layout(
    name="official",
    signature=(r"clip\.visual\.conv1\.weight", r"clip\.text_projection"),
    # of the two X-CLIPs, which hold CLIP as well
    absent=(r"global_mat_weight", r".*message_fc\.weight", r"(.*\.)?mit\..*"),
    ignore=tuple(rf"clip\.{name}" for name in IGNORED),
    identify=_identify,
)


def _layouts(after: Callable[[State], State]) -> tuple[Layout, ...]:
    return (
        _OFFICIAL,
        Layout(
            name="openai",
            signature=(r"visual\.conv1\.weight", r"text_projection", r"ln_final\.weight"),
            absent=(r".*message_fc\.weight", r"(.*\.)?mit\..*"),
            ignore=IGNORED,
            after=after,
            identify=_plain,
        ),
        Layout(
            name="huggingface",
            signature=(
                r"vision_model\.embeddings\.class_embedding",
                r"text_model\.final_layer_norm\.weight",
                r"visual_projection\.weight",
            ),
            absent=(r".*message_fc\.weight", r"(.*\.)?mit\..*"),
            ignore=HUGGINGFACE_IGNORED,
            after=after,
            identify=_plain,
        ),
    )


LAYOUTS = _layouts(_prefixed)  # mean_pool, whose weights are CLIP's
SEQ_LSTM = _layouts(_with_positions)
SEQ_TRANSFORMER = _layouts(_with_transformer)
