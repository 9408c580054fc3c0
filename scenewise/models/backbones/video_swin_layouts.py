"""The layouts of Video Swin's weights: official, torchvision, and the picture networks' own.

It knows names and shapes; the network is ``video_swin``'s.
"""

from __future__ import annotations

from typing import Any

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_IGNORED = (r".*\.relative_position_index", r".*\.attn_mask", r"data_preprocessor\..*")
_PICTURE_TABLE = 13 * 13  # differences of place in a window of 7 x 7
_STAGES = 4


def _identify(state: State, prefix: str, third_stage: str, head: str) -> Identified | None:
    """T, S or B by the width and by the blocks of the third stage; the window by its table."""
    filters: Any = state.get(f"{prefix}patch_embed.proj.weight")
    if filters is None or filters.shape[0] not in (96, 128):
        return None
    deep = f"{third_stage}17.norm1.weight" in state
    name = "video_swin_t" if not deep else "video_swin_s"
    if filters.shape[0] == 128:
        name = "video_swin_b"
    if deep == (name == "video_swin_t"):
        return None
    classes = state.get(f"{head}.weight")
    options: dict[str, Any] = {"num_classes": 0 if classes is None else classes.shape[0]}
    table = next(value for key, value in state.items() if key.endswith("position_bias_table"))
    if filters.ndim == 5 and table.shape[0] % _PICTURE_TABLE == 0:
        options["window"] = [(table.shape[0] // _PICTURE_TABLE + 1) // 2, 7, 7]
    return Identified(name, options, begins=filters.ndim == 4)


def _identify_official(state: State, _config: Config) -> Identified | None:
    return _identify(state, "backbone.", "backbone.layers.2.blocks.", "cls_head.fc_cls")


def _identify_torchvision(state: State, _config: Config) -> Identified | None:
    return _identify(state, "", "features.4.", "head")


def _identify_pictures(state: State, _config: Config) -> Identified | None:
    return _identify(state, "", "layers.2.blocks.", "head")


LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"backbone\.patch_embed\.proj\.weight",
            r"backbone\.layers\.0\.blocks\.0\.attn\.relative_position_bias_table",
        ),
        ignore=_IGNORED,
        renames=(
            (r"^backbone\.norm3\.", "norm."),  # so called in mmaction2, which is otherwise alike
            (r"^backbone\.", ""),
            (r"^cls_head\.fc_cls\.", "head."),
        ),
        identify=_identify_official,
    ),
    Layout(
        name="torchvision",
        signature=(
            r"patch_embed\.proj\.weight",
            r"features\.0\.0\.attn\.relative_position_bias_table",
        ),
        ignore=_IGNORED,
        renames=(
            *(
                (rf"^features\.{2 * stage}\.(\d+)\.", rf"layers.{stage}.blocks.\1.")
                for stage in range(_STAGES)
            ),
            *(
                (rf"^features\.{2 * stage + 1}\.", f"layers.{stage}.downsample.")
                for stage in range(_STAGES)
            ),
            (r"\.mlp\.0\.", ".mlp.fc1."),
            (r"\.mlp\.3\.", ".mlp.fc2."),
        ),
        identify=_identify_torchvision,
    ),
    Layout(  # microsoft/Swin-Transformer's pictures, and our own names
        name="swin",
        signature=(
            r"patch_embed\.proj\.weight",
            r"layers\.0\.blocks\.0\.attn\.relative_position_bias_table",
        ),
        ignore=_IGNORED,
        identify=_identify_pictures,
    ),
)
