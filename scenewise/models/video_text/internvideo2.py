"""InternVideo2's video-text models of the small sizes: its encoder beside MobileCLIP's text.

Yi Wang et al., "InternVideo2: Scaling Foundation Models for Multimodal Video Understanding", 2024
(https://arxiv.org/abs/2403.15377). The pooled vector of the clip goes through a norm and a linear
layer into the space of the text; cosines over a learned temperature are compared in both
directions. In the published training only attention pooling, that layer and the temperature
learn.

It knows ids and clips; it knows no tokenizer. Left out: stage 2 of 1B (a BERT that also fuses) and
the sizes whose text side is a language model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from scenewise.errors import NetworkError, first_line
from scenewise.models.backbones.internvideo2 import SIZES, EncoderOptions, InternVideo2
from scenewise.models.backbones.internvideo2_layouts import LAYOUTS as ENCODER_LAYOUTS
from scenewise.models.backbones.internvideo2_layouts import TEACHERS, size_of
from scenewise.models.video_text.contrast import LEAST, contrast, cosines, keep_above
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.internvideo2_text import MobileCLIPText
from scenewise.models.weights.checkpoint import State, read_checkpoint
from scenewise.models.weights.layout import Config, Identified, Layout


class InternVideo2VideoText(VideoTextModel):
    """Clips (B, T, 3, H, W) and ids (B, L) to cosines over the temperature.

    ``frozen`` trains what the published contrastive stage trains, and nothing else.
    """

    def __init__(
        self, options: EncoderOptions, text: MobileCLIPText, *, frozen: bool = False
    ) -> None:
        super().__init__()
        self.embed_dim = text.projection_layer.shape[1]
        self.vision_encoder = InternVideo2(options, num_classes=0)
        self.vision_align = nn.Sequential(
            nn.LayerNorm(options.embed_dim), nn.Linear(options.embed_dim, self.embed_dim)
        )
        self.text_encoder = text
        self.temp = nn.Parameter(torch.tensor(LEAST))
        if frozen:
            for name, parameter in self.named_parameters():
                pooling = name.startswith("vision_encoder.clip_projector.")
                parameter.requires_grad_(pooling or name == "temp" or "vision_align" in name)

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, 3, H, W) to pooled (B, 512); all frames are read.

        Raises ValueError for a mask that hides some: tokens of all frames see one another.
        """
        if mask is not None and not bool(mask.all()):
            raise ValueError("InternVideo2 reads all frames of a clip; leave the mask away")
        return Features(self.vision_align(self.vision_encoder(clips)))

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Ids (B, L) to pooled (B, 512); ``mask`` is not needed, the highest id ends a row."""
        del mask
        return Features(self.text_encoder(ids))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """Cosines over the temperature, (texts, videos)."""
        if self.training:
            keep_above(self.temp)
        return cosines(text.pooled, video.pooled) / self.temp

    def loss(self, similarity: Tensor, groups: Tensor | None = None) -> Tensor:
        """As ``contrast`` says; ``groups`` are films, whose texts and clips belong together."""
        return contrast(similarity, groups)


def _model(
    key: str, num_frames: int, size: int, drop_path: float, frozen: bool
) -> InternVideo2VideoText:
    options = replace(
        SIZES[key], num_frames=num_frames, size=size, drop_path=drop_path, layer_scale=0.1
    )
    return InternVideo2VideoText(options, MobileCLIPText(), frozen=frozen)


def internvideo2_s14(
    num_frames: int = 8, size: int = 224, drop_path: float = 0.0, frozen: bool = False
) -> InternVideo2VideoText:
    """The published small model."""
    return _model("s14", num_frames, size, drop_path, frozen)


def internvideo2_b14(
    num_frames: int = 8, size: int = 224, drop_path: float = 0.0, frozen: bool = False
) -> InternVideo2VideoText:
    """The published base model."""
    return _model("b14", num_frames, size, drop_path, frozen)


def internvideo2_l14(
    num_frames: int = 8, size: int = 224, drop_path: float = 0.0, frozen: bool = False
) -> InternVideo2VideoText:
    """The published large model."""
    return _model("l14", num_frames, size, drop_path, frozen)


def internvideo2_tiny(
    num_frames: int = 8,
    size: int = 64,
    drop_path: float = 0.0,
    frozen: bool = False,
    vocabulary: int = 49_408,
) -> InternVideo2VideoText:
    """Three narrow blocks on either side."""
    options = replace(
        SIZES["tiny"], num_frames=num_frames, size=size, drop_path=drop_path, layer_scale=0.1
    )
    text = MobileCLIPText(width=64, depth=3, heads=4, vocabulary=vocabulary, embed_dim=64)
    return InternVideo2VideoText(options, text, frozen=frozen)


def load_parts(
    network: InternVideo2VideoText, encoder: str | Path, text: str | Path | None = None
) -> None:
    """What the published contrastive stage starts from: an encoder's file and MobileCLIP's.

    The layer between the two and the temperature stay as they were made. Raises NetworkError where
    a file leaves something out or is of another size.
    """
    found = read_checkpoint(encoder)
    layout = next((layout for layout in ENCODER_LAYOUTS if layout.fits(found.state)), None)
    state = {} if layout is None else layout.convert(found.state)
    # the encoder's classifier is none of this model's
    kept = {key: value for key, value in state.items() if not key.startswith(("fc_", "head."))}
    _load_whole(network.vision_encoder, kept, str(encoder))
    if text is not None:
        prefix = "text_encoder."
        renamed = {
            key.replace(".pos_embed.pos_embed", "").removeprefix(prefix): value
            for key, value in read_checkpoint(text).state.items()
            if key.startswith(prefix)
        }
        _load_whole(network.text_encoder, renamed, str(text))


def _load_whole(part: nn.Module, state: State, source: str) -> None:
    try:
        part.load_state_dict(state)
    except RuntimeError as error:
        raise NetworkError(
            f"{source} does not fill the {type(part).__name__} of this size: "
            f"{first_line(error)}; give the file of the same size."
        ) from error


def _identify(state: State, _config: Config) -> Identified | None:
    found = size_of(state, "vision_encoder.")
    if found is None or found[0] == "1b" or "text_encoder.projection_layer" not in state:
        return None
    return Identified(f"internvideo2_{found[0]}", {"num_frames": found[1]})


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"vision_encoder\.blocks\.0\.attn\.q_norm\.weight", r"vision_align\.1\.weight"),
        # MobileCLIP's own file brings its picture side along
        ignore=(
            *(rf"vision_encoder\.{pattern}" for pattern in TEACHERS),
            r"image_encoder\..*",
            r"logit_scale",
        ),
        renames=((r"positional_embedding\.pos_embed\.pos_embed$", "positional_embedding"),),
        identify=_identify,
    ),
)
