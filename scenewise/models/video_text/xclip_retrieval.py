"""X-CLIP that finds: wholes with wholes, wholes with parts, parts with parts.

Yiwei Ma et al., "X-CLIP: End-to-End Multi-grained Contrastive Learning for Video-Text Retrieval",
2022 (https://arxiv.org/abs/2207.07285). CLIP4Clip's towers and head over frames give a video, its
frames, a sentence and its words; four scores between them are averaged. Where a score stands
between parts, attention over the similarities themselves weighs them (AOSM). It shares nothing but
its name with the X-CLIP that recognises actions (Ni et al. 2022).

The learned matrices of AOSM are as large as a text is long and a clip has frames: both are fixed,
and words and frames that are only padding are weighed like the others, as published.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from einops import einsum
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.video_text.clip4clip import (
    LAYERS,
    CLIP4Clip,
    Head,
    LinearPatch,
    clip_of,
)
from scenewise.models.video_text.clip4clip_layouts import visual_of
from scenewise.models.video_text.clip_towers import IGNORED, TINY, ClipSize, clip_size
from scenewise.models.video_text.interface import Features
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

TEMPERATURE = 1e-2  # of the attention over similarities


class XCLIPRetrieval(CLIP4Clip):
    """Clips (B, T, 3, H, W) and ids (B, L), T frames and L words as it was made for."""

    def __init__(
        self,
        size: ClipSize,
        *,
        num_frames: int = 12,
        num_words: int = 32,
        head: Head = "seq_transformer",
        layers: int = LAYERS,
        linear_patch: LinearPatch = "2d",
    ) -> None:
        if head == "tight_transformer":
            raise UsageError(
                "head is 'tight_transformer'; allowed: mean_pool, seq_lstm, seq_transformer, whose "
                "videos are vectors."
            )
        super().__init__(size, head, layers=layers, linear_patch=linear_patch)
        self.num_frames, self.num_words = num_frames, num_words
        self.pooled_ranks = False
        self.index_note = (
            "One of the model's four scores compares the vectors of video and sentence; those "
            "that compare words and frames are missing."
        )
        self.global_mat_weight = nn.Parameter(torch.eye(size.embed_dim))
        self.word_logit_weight = nn.Parameter(torch.eye(num_words))
        self.frame_logit_weight = nn.Parameter(torch.eye(num_frames))
        self.local_mat_weight = nn.Parameter(torch.eye(size.embed_dim))
        self.frame_mat_weight = nn.Parameter(torch.eye(num_frames))
        self.word_mat_weight = nn.Parameter(torch.eye(num_words))
        self.frame_mat_weight2 = nn.Parameter(torch.eye(num_frames))
        self.word_mat_weight2 = nn.Parameter(torch.eye(num_words))

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, 3, H, W) to unit vectors (B, D) and unit frames (B, T, D).

        The vector is the head's; the frames are CLIP's own, as published.
        """
        if clips.shape[1] != self.num_frames:
            raise ValueError(
                f"this X-CLIP was made for {self.num_frames} frames, got {clips.shape[1]}; fill "
                "up shorter clips and say so in the mask"
            )
        frames = self.frames(clips)
        whole = self.mean_of(self.over_time(frames, mask), mask)
        return Features(whole, F.normalize(frames, dim=-1), mask)

    def encode_text(self, ids: Tensor, _mask: Tensor | None = None) -> Features:
        """Ids (B, L) to unit vectors (B, D) of sentences and unit vectors (B, L, D) of words."""
        if ids.shape[-1] != self.num_words:
            raise ValueError(
                f"this X-CLIP was made for {self.num_words} words, got {ids.shape[-1]}; fill up "
                "shorter texts with zeros behind the end mark"
            )
        sentence, hidden = self.clip.encode_text(ids)
        words = F.normalize(hidden @ self.clip.text_projection, dim=-1)
        return Features(F.normalize(sentence, dim=-1), words)

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): the mean of four scores, times CLIP's scale."""
        if text.tokens is None or video.tokens is None:
            raise ValueError("this network compares tokens; encode both sides with it")
        sentence, words, whole, frames = text.pooled, text.tokens, video.pooled, video.tokens
        wholes = sentence @ self.global_mat_weight @ whole.T
        by_word = attend(einsum(words, whole, "a l d, b d -> a b l"), self.word_logit_weight)
        by_frame = attend(einsum(sentence, frames, "a d, b t d -> a b t"), self.frame_logit_weight)
        scores = wholes + by_word + by_frame + self._words_and_frames(words, frames)
        return self.clip.logit_scale.exp() * scores / 4

    def _words_and_frames(self, words: Tensor, frames: Tensor) -> Tensor:
        """Words (A, L, D) and frames (B, T, D) to (A, B), one side drawn together after the other.

        Both orders count half.
        """
        pairs = einsum(words @ self.local_mat_weight, frames, "a l d, b t d -> a b l t")
        by_frame = attend(pairs.transpose(-1, -2), self.word_mat_weight)
        by_word = attend(pairs, self.frame_mat_weight)
        both = attend(by_frame, self.frame_mat_weight2) + attend(by_word, self.word_mat_weight2)
        return both / 2


def attend(similarities: Tensor, weight: Tensor) -> Tensor:
    """Similarities (…, N) to their sum (…), weighed by attention over themselves.

    Attention is a softmax over N at a low temperature, times the learned ``weight`` (N, N).
    """
    attention = torch.softmax(similarities / TEMPERATURE, dim=-1) @ weight
    return (attention * similarities).sum(dim=-1)


def xclip_retrieval_b32(
    head: Head = "seq_transformer", num_frames: int = 12, num_words: int = 32
) -> XCLIPRetrieval:
    """The published network over ViT-B/32."""
    return XCLIPRetrieval(
        clip_of("ViT-B/32"), head=head, num_frames=num_frames, num_words=num_words
    )


def xclip_retrieval_b16(
    head: Head = "seq_transformer", num_frames: int = 12, num_words: int = 32
) -> XCLIPRetrieval:
    """The published network over ViT-B/16."""
    return XCLIPRetrieval(
        clip_of("ViT-B/16"), head=head, num_frames=num_frames, num_words=num_words
    )


def xclip_retrieval_tiny(
    head: Head = "seq_transformer",
    num_frames: int = 8,
    num_words: int = 16,
    vocab_size: int = 512,
) -> XCLIPRetrieval:
    """Towers and head of two layers; the highest id must be the end mark."""
    return XCLIPRetrieval(
        replace(TINY, vocab_size=vocab_size),
        head=head,
        layers=2,
        num_frames=num_frames,
        num_words=num_words,
    )


def _identify(state: State, _config: Config) -> Identified | None:
    size = clip_size(state, "clip.")
    head: Head = "mean_pool"
    if "lstm_visual.weight_ih_l0" in state:
        head = "seq_lstm"
    elif any(key.startswith("transformerClip.") for key in state):
        head = "seq_transformer"
    options: dict[str, Any] = {
        "head": head,
        "num_frames": state["frame_logit_weight"].shape[0],
        "num_words": state["word_logit_weight"].shape[0],
    }
    visual = visual_of(size)
    if visual is not None:
        return Identified(f"xclip_retrieval_b{visual[-2:]}", options)
    if size is not None and replace(size, vocab_size=TINY.vocab_size) == TINY:
        return Identified("xclip_retrieval_tiny", {**options, "vocab_size": size.vocab_size})
    return None


LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"clip\.visual\.conv1\.weight",
            r"global_mat_weight",
            r"frame_logit_weight",
            r"word_logit_weight",
        ),
        ignore=tuple(rf"clip\.{name}" for name in IGNORED),
        identify=_identify,
    ),
)
