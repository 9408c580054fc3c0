"""VideoBERT: one BERT for words and for clips that became words.

Chen Sun et al., "VideoBERT: A Joint Model for Video and Language Representation Learning", 2019
(https://arxiv.org/abs/1904.01766). Vectors of S3D (1,024 numbers), one for each 30 frames at 20
a second, become words of a tree of centroids; text and video stand in one sequence,
``[CLS] words [>] video words [SEP]``, and [CLS] says whether they belong together.

There is no official code and there are no weights: this is the paper as a recipe, with weights
of BERT to begin with. Text has BERT's first type, video its second, which the paper leaves open.
It knows no tokenizer. Masking and the objectives are in ``videobert_objectives``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.layers.bert import Bert, BertPredictionTransform, BertSize, initialise
from scenewise.models.pooling import masked_mean
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.video_words import VideoWords
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

CLS, SEP, MASK = 101, 102, 103  # in the vocabulary of bert-base-uncased and bert-large-uncased


@dataclass(frozen=True, slots=True)
class JointTokens:
    """Sequences of the joint vocabulary: ``ids``, ``mask`` (True: real) and ``types``, (B, N).

    Padding may stand anywhere: positions are counted over what is real.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor


class Pooler(nn.Module):
    """BERT's reading of [CLS]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, states: Tensor) -> Tensor:
        """(B, N, D) to (B, D)."""
        pooled: Tensor = self.dense(states[:, 0]).tanh()
        return pooled


class Predictions(nn.Module):
    """From states to the joint vocabulary, whose tables are those of the embeddings."""

    def __init__(self, size: BertSize, words: int, video_words: int) -> None:
        super().__init__()
        self.transform = BertPredictionTransform(size)
        self.bias = nn.Parameter(torch.zeros(words))
        self.video_bias = nn.Parameter(torch.zeros(video_words))

    def forward(self, states: Tensor, words: Tensor, video_words: Tensor) -> Tensor:
        """(…, D) and the tables (V, D), (K, D) to (…, V + K)."""
        meaning = self.transform(states)
        of_text = F.linear(meaning, words, self.bias)
        return torch.cat([of_text, F.linear(meaning, video_words, self.video_bias)], dim=-1)


class Heads(nn.Module):
    """Which word was hidden, and whether text and video belong together."""

    def __init__(self, size: BertSize, words: int, video_words: int) -> None:
        super().__init__()
        self.predictions = Predictions(size, words, video_words)
        self.seq_relationship = nn.Linear(size.width, 2)


class VideoBERT(VideoTextModel):
    """Vectors (B, T, 1024) or video words (B, T) int64, and ids (B, L), to log-odds of belonging.

    Ids of the joint vocabulary: those of the text, then the video words, then [>]
    (``first_video_word``, ``beside``).
    """

    pooled_ranks = False
    index_note = "Text and video look at each other in the score, and cannot in vectors apart."

    def __init__(
        self,
        *,
        size: BertSize,
        video_words: VideoWords,
        marks: tuple[int, int, int] = (CLS, SEP, MASK),
    ) -> None:
        super().__init__()
        if size.vocabulary is None:
            raise ValueError("VideoBERT needs a vocabulary of text")
        self.embed_dim = size.width
        self.cls_id, self.sep_id, self.mask_id = marks
        self.first_video_word = size.vocabulary
        self.beside = size.vocabulary + len(video_words)  # [>]
        self.video_words = video_words
        self.bert = Bert(size)
        self.pooler = Pooler(size.width)
        self.video_embeddings = nn.Embedding(len(video_words) + 1, size.width)
        self.cls = Heads(size, size.vocabulary, len(video_words) + 1)
        initialise(self)

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Vectors (B, T, 1024) or video words (B, T); ``mask`` (B, T) True: real.

        ``tokens`` (B, T + 1, D) are embeddings of the words and of [SEP], for ``similarity``;
        ``pooled`` (B, D) is the mean of the states of the words alone with [CLS] and [SEP].
        """
        tokens = self.video_tokens(clips, mask)
        states = self.states(tokens)
        pooled = masked_mean(states[:, 1:-1], tokens.mask[:, 1:-1])
        return Features(pooled, self.words(tokens.ids[:, 1:]), tokens.mask[:, 1:])

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Ids (B, L), [CLS] first and [SEP] last; ``mask`` None: 0 is padding.

        ``tokens`` (B, L, D) are embeddings with [>] in the place of [SEP], for ``similarity``;
        ``pooled`` (B, D) is the mean of the states of the text alone, [CLS] left out.
        """
        tokens = self.text_tokens(ids, mask)
        pooled = masked_mean(self.states(tokens)[:, 1:], tokens.mask[:, 1:])
        return Features(pooled, self.words(self._open(tokens)), tokens.mask)

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): log-odds that they belong together; every pair passes through BERT."""
        return torch.stack([self._belongs(text[row : row + 1], video) for row in range(len(text))])

    def loss(self, similarity: Tensor) -> Tensor:
        """Cross-entropy of belonging or not; pairs on and off the diagonal weigh the same."""
        own = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
        together = -F.logsigmoid(similarity[own]).mean()
        apart = -F.logsigmoid(-similarity[~own]).mean()
        return (together + apart) / 2

    def text_tokens(self, ids: Tensor, mask: Tensor | None = None) -> JointTokens:
        """Ids (B, L) with [CLS] and [SEP] as a sequence of text alone."""
        real = ids.ne(0) if mask is None else mask.bool()
        return JointTokens(ids, real, torch.zeros_like(ids))

    def video_tokens(self, clips: Tensor, mask: Tensor | None = None) -> JointTokens:
        """Vectors (B, T, 1024) or words (B, T) as ``[CLS] video words [SEP]``, (B, T + 2)."""
        if clips.ndim == 3 and clips.is_floating_point():
            clips = self.video_words(clips)
        if clips.ndim != 2 or clips.is_floating_point():
            raise ValueError(
                f"VideoBERT takes vectors (B, T, {self.video_words.width}) of clips or video words "
                f"(B, T) of whole numbers, never pixels; got {tuple(clips.shape)}"
            )
        real = torch.ones_like(clips, dtype=torch.bool) if mask is None else mask.bool()
        ids = F.pad(clips + self.first_video_word, (1, 0), value=self.cls_id)
        ids = F.pad(ids, (0, 1), value=self.sep_id)
        types = torch.ones_like(ids)
        types[:, 0] = 0
        return JointTokens(ids, F.pad(real, (1, 1), value=True), types)

    def joint_tokens(self, text: JointTokens, video: JointTokens) -> JointTokens:
        """``[CLS] words [>] video words [SEP]``: [>] stands where the text's [SEP] did."""
        return JointTokens(
            torch.cat([self._open(text), video.ids[:, 1:]], dim=1),
            torch.cat([text.mask, video.mask[:, 1:]], dim=1),
            torch.cat([text.types, video.types[:, 1:]], dim=1),
        )

    def words(self, ids: Tensor) -> Tensor:
        """Ids of the joint vocabulary (B, N) to embeddings (B, N, D)."""
        first = self.first_video_word
        of_text = self.bert.words(ids.clamp(max=first - 1))
        of_video = self.video_embeddings((ids - first).clamp(min=0))
        return torch.where(rearrange(ids, "b n -> b n 1") < first, of_text, of_video)

    def states(self, tokens: JointTokens) -> Tensor:
        """Sequences to one state for each token (B, N, D)."""
        return self._encode(self.words(tokens.ids), tokens.mask, tokens.types)

    def word_logits(self, states: Tensor) -> Tensor:
        """(…, D) to scores of the joint vocabulary (…, V + K + 1)."""
        table = self.bert.embeddings.word_embeddings
        assert table is not None
        logits: Tensor = self.cls.predictions(states, table.weight, self.video_embeddings.weight)
        return logits

    def alignment_logits(self, states: Tensor) -> Tensor:
        """States (B, N, D) of joint sequences to (B, 2): together, apart."""
        logits: Tensor = self.cls.seq_relationship(self.pooler(states))
        return logits

    def start_from_centroids(self, *, freeze: bool = True) -> None:
        """As published: embeddings of video words are their centroids, and embeddings stay.

        Raises UsageError where vectors and tokens differ in length.
        """
        centroids = self.video_words.centroids
        if centroids.shape[1] != self.embed_dim:
            raise UsageError(
                f"Centroids of {centroids.shape[1]} numbers cannot be embeddings of "
                f"{self.embed_dim}; allowed is a VideoBERT as wide as its vectors, such as "
                "videobert_large with S3D's 1,024."
            )
        with torch.no_grad():
            self.video_embeddings.weight[: len(centroids)] = centroids
        if freeze:
            self.video_embeddings.requires_grad_(False)
            assert self.bert.embeddings.word_embeddings is not None
            self.bert.embeddings.word_embeddings.requires_grad_(False)

    def _encode(self, words: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        longest = self.bert.embeddings.position_embeddings.num_embeddings
        if mask.shape[1] > longest:
            raise ValueError(
                f"{mask.shape[1]} tokens are more than the {longest} positions there are"
            )
        return self.bert.encode(words, mask, positions, types)

    def _open(self, text: JointTokens) -> Tensor:
        """Ids of texts (B, L) with [>] in the place of the last real one."""
        last = text.mask.long().cumsum(dim=1) == text.mask.sum(dim=1, keepdim=True)
        return text.ids.masked_fill(last & text.mask, self.beside)

    def _belongs(self, text: Features, video: Features) -> Tensor:
        """One text and B videos to log-odds (B,)."""
        assert text.tokens is not None
        assert video.tokens is not None
        assert text.mask is not None
        assert video.mask is not None
        batch = video.tokens.shape[0]
        words = torch.cat([text.tokens.expand(batch, -1, -1), video.tokens], dim=1)
        mask = torch.cat([text.mask.expand(batch, -1), video.mask], dim=1)
        types = torch.zeros_like(mask, dtype=torch.int64)
        types[:, text.mask.shape[1] :] = 1
        together, apart = self.alignment_logits(self._encode(words, mask, types)).unbind(dim=1)
        return together - apart


def videobert_large(
    vocabulary: int = 30_522,
    branches: int = 12,
    depth: int = 4,
    num_features: int = 1024,
    dropout: float = 0.1,
) -> VideoBERT:
    """The published size: BERT-large and 20,736 video words."""
    return VideoBERT(
        size=BertSize(
            width=1024,
            layers=24,
            heads=16,
            hidden=4096,
            vocabulary=vocabulary,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        video_words=VideoWords(num_features, branches, depth),
    )


def videobert_base(
    vocabulary: int = 30_522,
    branches: int = 12,
    depth: int = 4,
    num_features: int = 1024,
    dropout: float = 0.1,
) -> VideoBERT:
    """BERT-base and 20,736 video words; not a published size."""
    return VideoBERT(
        size=BertSize(vocabulary=vocabulary, dropout=dropout, attention_dropout=dropout),
        video_words=VideoWords(num_features, branches, depth),
    )


def videobert_tiny(
    vocabulary: int = 1000,
    branches: int = 4,
    depth: int = 2,
    num_features: int = 64,
    dropout: float = 0.0,
) -> VideoBERT:
    """Two layers of 64 dimensions and 16 video words; its marks are 2, 3 and 4."""
    return VideoBERT(
        size=BertSize(
            width=64,
            layers=2,
            heads=4,
            hidden=128,
            vocabulary=vocabulary,
            positions=64,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        video_words=VideoWords(num_features, branches, depth),
        marks=(2, 3, 4),
    )


def _identify(_state: State, _config: Config) -> Identified | None:
    """A BERT is a beginning of many networks: which one, the user says."""
    return None


LAYOUTS = (
    Layout(  # BERT, to begin with; video words and their biases are not in it
        name="huggingface",
        signature=(
            r"bert\.embeddings\.word_embeddings\.weight",
            r"bert\.encoder\.layer\.0\.attention\.self\.query\.weight",
            r"cls\.predictions\.transform\.dense\.weight",
        ),
        identify=_identify,
        absent=(r"video_embeddings\.weight",),
        ignore=(r"bert\.embeddings\.position_ids", r"cls\.predictions\.decoder\..*"),
        renames=(
            (r"^bert\.pooler\.", "pooler."),
            (r"LayerNorm\.gamma$", "LayerNorm.weight"),
            (r"LayerNorm\.beta$", "LayerNorm.bias"),
        ),
    ),
)
