"""The layouts of InternVideo2's encoder: alone, and as the video side of a video-text model.

Files of the distillation and of the masked pretraining also hold decoders into their teachers'
spaces, which the encoder does without. It knows names and shapes of tensors.
"""

from __future__ import annotations

from scenewise.models.backbones.internvideo2 import SIZES
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout


def size_of(state: State, prefix: str = "") -> tuple[str, int] | None:
    """Which size these tensors are of, and of how many frames of 224 pixels; None: of none."""
    width = state[f"{prefix}cls_token"].shape[-1]
    found = (key for key, options in SIZES.items() if options.width == width and key != "tiny")
    frames, rest = divmod(state[f"{prefix}pos_embed"].shape[1] - 1, (224 // 14) ** 2)
    key = next(found, None)
    return None if key is None or rest else (key, frames)


def _identify(state: State, _config: Config) -> Identified | None:
    found = size_of(state)
    if found is None:
        return None
    classes = state["head.weight"].shape[0] if "head.weight" in state else 0
    return Identified(
        f"internvideo2_encoder_{found[0]}", {"num_frames": found[1], "num_classes": classes}
    )


# decoders and tables that only the alignment with teachers needs
TEACHERS = (r"(clip|mae|final_clip)_decoder\..*", r"(clip|mae|img|clip_img)_pos_embed")

LAYOUTS = (
    Layout(
        name="official",
        signature=(r"cls_token", r"blocks\.0\.attn\.q_norm\.weight", r"clip_projector\..*"),
        ignore=TEACHERS,
        identify=_identify,
    ),
    Layout(
        name="official multi-modal",
        signature=(r"vision_encoder\.blocks\.0\.attn\.q_norm\.weight",),
        ignore=(
            *(f"vision_encoder\\.{pattern}" for pattern in TEACHERS),
            r"(?!vision_encoder\.).*",
        ),
        renames=((r"^vision_encoder\.", ""),),
        identify=lambda _state, _config: None,  # the video-text model of the same size takes it
    ),
)
