"""VideoCLIP: a transformer over frozen S3D vectors and BERT, trained against each other.

Hu Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding", 2021
(https://arxiv.org/abs/2109.14084). Nothing of it is CLIP: a second of video is one vector of S3D
as trained on HowTo100M; six layers of BERT read the seconds, twelve read the words. Both sides
are averaged over all states but that of [CLS], and compared by their dot product, without norm or
temperature.

It reads ready-made vectors, or clips where it carries S3D, whose weights are published apart:

    model = create_model("videoclip")
    model.load_state_dict(load_pretrained("checkpoint_best.pt").state_dict(), strict=False)
    model.extractor.load_state_dict(load_pretrained("s3d_howto100m.pth").state_dict())

It knows no tokenizer (the published one is bert-base-uncased, [CLS] and [SEP] around).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.s3d import s3d_howto100m, s3d_tiny
from scenewise.models.layers.bert import Bert, BertSize, initialise
from scenewise.models.pooling import masked_mean
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import symmetric_info_nce
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

CLS, SEP = 101, 102  # in the vocabulary of bert-base-uncased


class VideoTokenMLP(nn.Module):
    """From a second's vector to a token."""

    def __init__(self, inputs: int, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, width)
        self.LayerNorm = nn.LayerNorm(width, eps=eps)
        self.linear2 = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """(…, I) to (…, D)."""
        output: Tensor = self.linear2(self.LayerNorm(F.gelu(self.linear1(features))))
        return output


class VideoEncoder(nn.Module):
    """Vectors of seconds between [CLS] and [SEP], which come from a table of words of its own.

    [SEP] stands behind the longest video that there may be, whatever the length of this one.
    """

    def __init__(self, size: BertSize, inputs: int, longest: int, marks: tuple[int, int]) -> None:
        super().__init__()
        self.longest = longest
        self.marks = marks
        self.videomlp = VideoTokenMLP(inputs, size.width)
        self.bert = Bert(size)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, I), ``mask`` (B, T) True: a real second, to states (B, T + 2, D)."""
        seconds = features.shape[1]
        marks = self.bert.words(torch.tensor([self.marks], device=features.device))
        first, last = repeat(marks, "one two d -> two (b one) 1 d", b=features.shape[0])
        words = torch.cat([first, self.videomlp(features), last], dim=1)
        real = F.pad(mask, (1, 1), value=True)
        places = torch.arange(seconds + 1, device=features.device)
        behind = places.new_full((1,), self.longest + 1)
        states: Tensor = self.bert.encode(words, real, torch.cat([places, behind])[None])
        return states


class VideoCLIP(VideoTextModel):
    """Vectors of seconds (B, T, 512), or clips (B, T, 3, H, W), and ids (B, L) to similarities.

    ``extractor`` turns the ``frames_per_second`` frames of each second into a vector; it is
    frozen, as published, and stays in eval mode.
    """

    pooled_ranks = False
    index_note = "The lengths of its vectors count, and cosines leave them out."

    def __init__(
        self,
        *,
        video: BertSize,
        text: BertSize,
        features: int = 512,
        longest: int = 32,
        marks: tuple[int, int] = (CLS, SEP),
        extractor: VideoBackbone | None = None,
        frames_per_second: int = 30,
    ) -> None:
        super().__init__()
        self.embed_dim = video.width
        self.num_features = features
        self.longest = longest
        self.frames_per_second = frames_per_second
        self.video_encoder = VideoEncoder(video, features, longest, marks)
        self.text_encoder = Bert(text)
        initialise(self)
        self.extractor = None if extractor is None else extractor.eval().requires_grad_(False)

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Vectors (B, T, 512) of T seconds, or clips (B, T * frames a second, 3, H, W).

        ``mask`` (B, T) or (B, T * frames a second) True: real. ``tokens`` (B, T, D) are the states
        of the seconds, which the zero-shot localisation of the paper compares with texts.
        """
        features, real = self._features(clips, mask)
        states = self.video_encoder(features, real)
        tokens = states[:, 1:-1]
        pooled = masked_mean(states[:, 1:], F.pad(real, (0, 1), value=True))
        return Features(pooled, tokens, real)

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Ids (B, L), [CLS] first and [SEP] last, to (B, D). ``mask`` None: 0 is padding."""
        real = ids.ne(0) if mask is None else mask.bool()
        states = self.text_encoder(ids, real)
        return Features(masked_mean(states[:, 1:], real[:, 1:]))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): dot products."""
        return text.pooled @ video.pooled.T

    def loss(self, similarity: Tensor) -> Tensor:
        """Cross-entropy over the texts of each video, and over the videos of each text, summed."""
        return symmetric_info_nce(similarity, halved=False)

    def train(self, mode: bool = True) -> VideoCLIP:
        """All but the frozen extractor."""
        super().train(mode)
        if self.extractor is not None:
            self.extractor.eval()
        return self

    def _features(self, clips: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vectors of seconds (B, T, I), and which are real (B, T)."""
        if clips.ndim == 5:
            clips, mask = self._extract(clips, mask)
        if clips.ndim != 3 or clips.shape[2] != self.num_features:
            raise ValueError(
                f"VideoCLIP takes vectors (B, T, {self.num_features}) or clips (B, T, 3, H, W), "
                f"got {tuple(clips.shape)}"
            )
        if clips.shape[1] > self.longest:
            raise ValueError(
                f"this VideoCLIP takes {self.longest} seconds at most, got {clips.shape[1]}"
            )
        if mask is None:
            mask = torch.ones(clips.shape[:2], dtype=torch.bool, device=clips.device)
        return clips, mask.bool()

    def _extract(self, clips: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        rate = self.frames_per_second
        if self.extractor is None:
            raise ValueError(
                "this VideoCLIP has no extractor: give vectors of S3D, one a second, as "
                f"(B, T, {self.num_features})"
            )
        if clips.shape[1] == 0 or clips.shape[1] % rate:
            raise ValueError(f"a second is {rate} frames, got {clips.shape[1]} frames")
        with torch.no_grad():
            vectors = self.extractor(rearrange(clips, "b (t f) c h w -> (b t) f c h w", f=rate))
        features = rearrange(vectors, "(b t) d -> b t d", b=clips.shape[0])
        if mask is not None and mask.shape[1] == clips.shape[1]:
            mask = rearrange(mask.bool(), "b (t f) -> b t f", f=rate).all(dim=2)
        return features, mask


def videoclip(
    pixels: bool = True,
    num_video_layers: int = 6,
    num_text_layers: int = 12,
    longest: int = 32,
    vocabulary: int = 30_522,
    dropout: float = 0.1,
) -> VideoCLIP:
    """The published network: both sides begin as BERT-base, the video's with its first layers.

    ``pixels`` False leaves S3D out: then it takes vectors alone, as its checkpoint does.
    """

    def size(layers: int) -> BertSize:
        return BertSize(
            layers=layers, vocabulary=vocabulary, dropout=dropout, attention_dropout=dropout
        )

    return VideoCLIP(
        video=size(num_video_layers),
        text=size(num_text_layers),
        longest=longest,
        extractor=s3d_howto100m() if pixels else None,
    )


def videoclip_tiny(
    pixels: bool = True,
    num_video_layers: int = 2,
    num_text_layers: int = 2,
    longest: int = 16,
    num_features: int = 32,
    vocabulary: int = 1000,
    dropout: float = 0.0,
) -> VideoCLIP:
    """64 dimensions, two layers on both sides, four frames a second; its marks are 2 and 3."""

    def size(layers: int) -> BertSize:
        return BertSize(
            width=64,
            layers=layers,
            heads=4,
            hidden=128,
            vocabulary=vocabulary,
            positions=64,
            dropout=dropout,
            attention_dropout=dropout,
        )

    return VideoCLIP(
        video=size(num_video_layers),
        text=size(num_text_layers),
        features=num_features,
        longest=longest,
        marks=(2, 3),
        extractor=s3d_tiny(num_classes=num_features) if pixels else None,
        frames_per_second=4,
    )


_VIDEO = r"(mmmodel\.)?video_encoder\.bert\."
_TEXT = r"(mmmodel\.)?text_encoder\."


def _identify(state: State, _config: Config) -> Identified | None:
    words = next(
        value for key, value in state.items() if key.endswith("text_encoder.embeddings." + _WORDS)
    )
    if words.shape[1] != 768:
        return None
    layers = [
        sum(key.endswith("attention.self.query.weight") for key in state if side in key)
        for side in ("video_encoder.bert.", "text_encoder.")
    ]
    return Identified(
        "videoclip",
        {
            "pixels": False,
            "num_video_layers": layers[0],
            "num_text_layers": layers[1],
            "vocabulary": int(words.shape[0]),
        },
    )


_WORDS = "word_embeddings.weight"

LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"(mmmodel\.)?video_encoder\.videomlp\.linear1\.weight",
            _VIDEO + r"encoder\.layer\.0\.attention\.self\.query\.weight",
            _TEXT + r"embeddings\.word_embeddings\.weight",
        ),
        identify=_identify,
        # nothing reads the poolers, and the ids of positions count from 0
        ignore=tuple(
            side + rest
            for side in (_VIDEO, _TEXT)
            for rest in (r"pooler\..*", r"embeddings\.(position_ids|token_type_ids)")
        ),
        renames=((r"^mmmodel\.", ""),),
    ),
)
