"""FrozenBiLM: a frozen masked language model that reads frames ahead of the words.

Antoine Yang et al., "Zero-Shot Video Question Answering via Frozen Bidirectional Language Models",
2022 (https://arxiv.org/abs/2206.08155), over DeBERTa (Pengcheng He et al. 2020,
https://arxiv.org/abs/2006.03654). Ten frames, as CLIP ViT-L/14 sees them, go through one linear
layer and stand in front of the words. The language model does not learn, but for its norms and
for small adapters behind attention and feed-forward. What stands at [MASK] is predicted by
DeBERTa's enhanced mask decoder: the last layer runs twice more, its queries being positions and
the hidden states of the last but one.

It is no dual encoder: nothing of a video can be stored and compared. DeBERTa's layers are those of
transformers. It knows ids and frame vectors; it knows no tokenizer and no pixels. Prompts and the
choice of frames are in ``frozen_bilm_prompts.py``, checkpoints in ``frozen_bilm_layouts.py``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import DebertaV2Config, DebertaV2Model

_ADAPTER_STD = 1e-3
_DECODER_PASSES = 2


class Adapter(nn.Module):
    """A bottleneck beside the identity, near zero at the start."""

    def __init__(self, width: int, factor: int, dropout: float) -> None:
        super().__init__()
        if width % factor:
            raise ValueError(f"a width of {width} cannot be divided by an adapter's {factor}")
        self.down = nn.Linear(width, width // factor)
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(width // factor, width)
        for layer in (self.down, self.up):
            for parameter in layer.parameters():
                nn.init.normal_(parameter, std=_ADAPTER_STD)
                parameter.data.clamp_(-2 * _ADAPTER_STD, 2 * _ADAPTER_STD)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        output: Tensor = hidden + self.up(self.dropout(F.relu(self.down(hidden))))
        return output


class AdaptedOutput(nn.Module):
    """The end of DeBERTa's attention or feed-forward, with an adapter ahead of residual and norm.

    It takes the place of transformers' own module and takes over its layers, so that the keys are
    ``dense.*``, ``LayerNorm.*`` and ``adapter.*``.
    """

    def __init__(self, own: Any, adapter: Adapter) -> None:
        super().__init__()
        self.dense: nn.Module = own.dense
        self.LayerNorm: nn.Module = own.LayerNorm
        self.dropout: nn.Module = own.dropout
        self.adapter = adapter

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """(B, N, E) and (B, N, D) to (B, N, D)."""
        adapted = self.dropout(self.adapter(self.dense(hidden)))
        output: Tensor = self.LayerNorm(adapted + residual)
        return output


class MaskHead(nn.Module):
    """Hidden states to scores over words or answers, whose embeddings it is given."""

    def __init__(self, width: int, vocabulary: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=eps)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden: Tensor, embeddings: Tensor, bias: Tensor) -> Tensor:
        """(B, N, D), (V, D), (V,) to (B, N, V)."""
        transformed = self.LayerNorm(F.gelu(self.dense(hidden)))
        scores: Tensor = F.linear(transformed, embeddings, bias)
        return scores


class FrozenBiLM(nn.Module):
    """Frames (B, F, 768) and ids (B, L) to scores of words or answers at every word (B, L, V).

    ``num_answers`` 0 scores the vocabulary. Else there is a place for so many answers, which
    ``set_answers`` fills. ``freeze`` False lets the language model learn as well.
    """

    def __init__(
        self,
        config: DebertaV2Config,
        *,
        feature_dim: int = 768,
        max_frames: int = 10,
        adapter_factor: int = 8,
        adapter_dropout: float = 0.1,
        num_answers: int = 0,
        freeze: bool = True,
    ) -> None:
        super().__init__()
        self.feature_dim, self.max_frames = feature_dim, max_frames
        self.num_answers = num_answers
        width = config.hidden_size
        deberta: Any = DebertaV2Model(config)
        for layer in deberta.encoder.layer:
            for place in (layer.attention, layer):
                adapter = Adapter(width, adapter_factor, adapter_dropout)
                place.output = AdaptedOutput(place.output, adapter)
        # the encoder works without absolute positions; only the decoder reads these
        deberta.embeddings.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        deberta.embeddings.linear_video = nn.Linear(feature_dim, width)
        for made in (deberta.embeddings.position_embeddings, deberta.embeddings.linear_video):
            nn.init.normal_(made.weight, std=config.initializer_range)
        nn.init.zeros_(deberta.embeddings.linear_video.bias)
        self.deberta: Any = deberta
        self.lm_predictions = nn.ModuleDict(
            {"lm_head": MaskHead(width, config.vocab_size, config.layer_norm_eps)}
        )
        if num_answers:
            self.answer_embeddings = nn.Embedding(num_answers, width)
            self.answer_bias = nn.Parameter(torch.zeros(num_answers))
        if freeze:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(learns(name))

    @property
    def words(self) -> nn.Embedding:
        """The embeddings of the vocabulary, (V, D)."""
        embeddings: nn.Embedding = self.deberta.embeddings.word_embeddings
        return embeddings

    def forward(
        self,
        frames: Tensor,
        ids: Tensor,
        mask: Tensor | None = None,
        frame_mask: Tensor | None = None,
    ) -> Tensor:
        """Frames (B, F, 768) and ids (B, L) to scores (B, L, V), or (B, L, A) of answers.

        ``mask`` (B, L) and ``frame_mask`` (B, F) are True where a word or frame is real; None: all
        are. Raises ValueError for too many frames or words.
        """
        hidden, seen = self.embed(frames, ids, mask, frame_mask)
        states = self.deberta.encoder(
            hidden, seen, output_hidden_states=True, return_dict=True
        ).hidden_states
        decoded = self.decode(states[-2], seen)[:, frames.shape[1] :]
        head = self.lm_predictions["lm_head"]
        assert isinstance(head, MaskHead)
        if self.num_answers:
            embeddings, bias = self.answer_embeddings.weight, self.answer_bias
        else:
            embeddings, bias = self.words.weight, head.bias
        scores: Tensor = head(decoded, embeddings, bias)
        return scores

    def embed(
        self, frames: Tensor, ids: Tensor, mask: Tensor | None, frame_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What the encoder reads (B, F + L, D), and which of it is real (B, F + L), 1 or 0."""
        most = self.deberta.config.max_position_embeddings
        if frames.ndim != 3 or frames.shape[2] != self.feature_dim:
            raise ValueError(f"frames are (B, F, {self.feature_dim}), got {tuple(frames.shape)}")
        if frames.shape[1] > self.max_frames or frames.shape[1] + ids.shape[1] > most:
            raise ValueError(
                f"up to {self.max_frames} frames, and with the words up to {most}, fit; "
                f"got {frames.shape[1]} and {ids.shape[1]}"
            )
        given = (
            (frame_mask, frames.shape[:2]),
            (mask, ids.shape),
        )
        real = torch.cat(
            [ids.new_ones(shape) if some is None else some.to(ids.dtype) for some, shape in given],
            dim=1,
        )
        embeddings = self.deberta.embeddings
        row = torch.cat([embeddings.linear_video(frames), self.words(ids)], dim=1)
        # rows of frames have no ids, so its own forward is no use
        hidden: Tensor = embeddings.LayerNorm(row) * real[:, :, None].to(row.dtype)
        return embeddings.dropout(hidden), real

    def decode(self, hidden: Tensor, real: Tensor) -> Tensor:
        """The enhanced mask decoder: the last but one layer's states (B, N, D) to (B, N, D)."""
        encoder = self.deberta.encoder
        positions = self.deberta.embeddings.position_embeddings.weight[: hidden.shape[1]]
        queries: Tensor = positions + hidden
        for _ in range(_DECODER_PASSES):
            queries = encoder.layer[-1](
                hidden,
                encoder.get_attention_mask(real),
                query_states=queries,
                rel_embeddings=encoder.get_rel_embedding(),
            )[0]
        return queries

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of scores (B, L, V) at words whose label (B, L) is not -100."""
        return F.cross_entropy(scores.flatten(0, 1), labels.flatten())

    def set_answers(self, ids: Tensor) -> None:
        """An answer for each row of ids (A, M), padded by 0: the mean of its words' embeddings.

        The bias of answers stays 0. The official code means to average the words' bias, but keeps
        the result where nothing reads it; its published figures were had without.
        """
        if not self.num_answers or ids.shape[0] != self.num_answers:
            raise ValueError(
                f"this network has a place for {self.num_answers} answers, got {ids.shape[0]}"
            )
        real = (ids != 0)[:, :, None]
        with torch.no_grad():
            total = (self.words(ids) * real).sum(dim=1)
            self.answer_embeddings.weight.copy_(total / real.sum(dim=1).clamp(min=1))

    def answer_scores(
        self,
        frames: Tensor,
        ids: Tensor,
        mask: Tensor | None = None,
        frame_mask: Tensor | None = None,
        *,
        mask_id: int,
    ) -> Tensor:
        """Probabilities of the answers, or of the words, at each row's one [MASK], (B, A).

        Raises ValueError where a row has none or several.
        """
        places = ids == mask_id
        if bool((places.sum(dim=1) != 1).any()):
            raise ValueError("every row must have exactly one [MASK]")
        scores: Tensor = self(frames, ids, mask, frame_mask)[places]
        return scores.softmax(dim=-1)

    def choice_scores(
        self,
        frames: Tensor,
        ids: Tensor,
        mask: Tensor | None = None,
        frame_mask: Tensor | None = None,
        *,
        mask_id: int,
    ) -> Tensor:
        """Multiple choice: how probably each is "Yes", (B, C).

        ``ids`` (B, C, L) ask of each choice whether it is the answer; the answers were set to
        "Yes" and "No", in this order.
        """
        if self.num_answers != 2:
            raise ValueError("multiple choice needs the two answers Yes and No: num_answers=2")
        scores = [
            self.answer_scores(
                frames,
                ids[:, choice],
                None if mask is None else mask[:, choice],
                frame_mask,
                mask_id=mask_id,
            )[:, 0]
            for choice in range(ids.shape[1])
        ]
        return torch.stack(scores, dim=1)


def learns(name: str) -> bool:
    """Whether the published training changes a parameter: projection, adapters, norms."""
    return any(part in name for part in ("linear_video", "adapter", "LayerNorm"))


def _settings(**options: Any) -> DebertaV2Config:
    """Settings that all sizes of DeBERTa V2 have in common."""
    return DebertaV2Config(
        max_position_embeddings=512,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        type_vocab_size=0,
        layer_norm_eps=1e-7,
        conv_kernel_size=3,
        conv_act="gelu",
        **options,
    )


def frozen_bilm(
    num_answers: int = 0,
    max_frames: int = 10,
    feature_dim: int = 768,
    adapter_factor: int = 8,
    dropout: float = 0.1,
    freeze: bool = True,
) -> FrozenBiLM:
    """The published network, over DeBERTa-V2-XLarge; ``dropout`` is the adapters' and its own."""
    config = _settings(
        vocab_size=128_100,
        hidden_size=1536,
        num_hidden_layers=24,
        num_attention_heads=24,
        intermediate_size=6144,
        position_buckets=256,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return FrozenBiLM(
        config,
        feature_dim=feature_dim,
        max_frames=max_frames,
        adapter_factor=adapter_factor,
        adapter_dropout=dropout,
        num_answers=num_answers,
        freeze=freeze,
    )


def frozen_bilm_tiny(
    num_answers: int = 0,
    max_frames: int = 10,
    feature_dim: int = 768,
    adapter_factor: int = 8,
    dropout: float = 0.0,
    freeze: bool = False,
    vocabulary: int = 128_100,
) -> FrozenBiLM:
    """Three narrow layers; as nothing of it is trained beforehand, all of it learns."""
    config = _settings(
        vocab_size=vocabulary,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=256,
        position_buckets=8,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return FrozenBiLM(
        config,
        feature_dim=feature_dim,
        max_frames=max_frames,
        adapter_factor=adapter_factor,
        adapter_dropout=dropout,
        num_answers=num_answers,
        freeze=freeze,
    )
