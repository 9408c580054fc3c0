"""MMT: a transformer over what several experts saw and heard, for text-to-video retrieval.

Valentin Gabeur et al., "Multi-modal Transformer for Video Retrieval", 2020
(https://arxiv.org/abs/2007.10639). Every expert has one token that stands for the whole video and
one for each of its vectors, all of them in one BERT of four layers, told apart by embeddings of
expert and second. A text becomes one vector for each expert, and weights that say how much each
counts; the similarity is the weighted sum of cosines.

It reads streams of features, never pixels: see ``ExpertFeatures``. It knows no expert network
and no tokenizer (the published one is bert-base-cased, [CLS] and [SEP] around, 30 ids at most).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.layers.bert import Bert, BertSize, initialise
from scenewise.models.video_text.expert_features import ExpertFeatures, ExpertStream
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import max_margin
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

# which row of the table of types an expert has: its number in the official code
EXPERT_TYPES: Mapping[str, int] = {
    "s3d": 1,
    "vggish": 2,
    "face": 3,
    "audio": 4,
    "rgb": 5,
    "speech": 6,
    "ocr": 7,
    "flow": 8,
    "scene": 9,
}
MSRVTT_EXPERTS: Mapping[str, int] = {  # name: length of its vectors
    "face": 512,
    "ocr": 300,
    "rgb": 2048,
    "s3d": 1024,
    "scene": 2208,
    "speech": 300,
    "vggish": 128,
}
_UNTIMED, _FIRST_SECOND = 1, 2  # rows of the table of positions; row 0 is the whole video's


class ReduceDim(nn.Module):
    """A linear layer and unit length."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(…, I) to (…, O)."""
        return F.normalize(self.fc(features), dim=-1)


class ContextGating(nn.Module):
    """Each dimension times a gate that the vector itself opens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.batch_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        gate: Tensor = self.batch_norm(self.fc(x))
        return x * gate.sigmoid()


class GatedEmbeddingUnit(nn.Module):
    """A linear layer, context gating, unit length."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)
        self.cg = ContextGating(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I) to (B, O)."""
        return F.normalize(self.cg(self.fc(x)), dim=-1)


class MMT(VideoTextModel):
    """Streams of experts, and token ids (B, L), to similarities.

    ``experts`` are names with the lengths of their vectors. With ``keep_missing``, as published,
    an expert that saw nothing still has an embedding, made of what the others saw; without, only
    the experts that saw something count.
    """

    index_note = "The weights of the experts that saw something differ from video to video."

    def __init__(
        self,
        *,
        experts: Mapping[str, int] = MSRVTT_EXPERTS,
        video: BertSize,
        text: BertSize,
        keep_missing: bool = True,
        window: float = 1.0,
        margin: float = 0.05,
    ) -> None:
        super().__init__()
        unknown = sorted(set(experts) - set(EXPERT_TYPES))
        if unknown or not experts:
            raise UsageError(
                f"MMT has no expert {unknown[0] if unknown else ''!r}; allowed are one or more of "
                f"{', '.join(EXPERT_TYPES)}."
            )
        width = video.width
        self.experts = dict(sorted(experts.items()))
        self.embed_dim = len(self.experts) * width
        self.pooled_ranks = keep_missing
        self.keep_missing = keep_missing
        self.window = window
        self.margin = margin
        self.last_position = video.positions - 1
        self.video_dim_reduce = nn.ModuleDict(
            {name: ReduceDim(length, width) for name, length in self.experts.items()}
        )
        self.vid_bert = Bert(video)
        self.txt_bert = Bert(text)
        initialise(self.vid_bert)
        initialise(self.txt_bert)
        self.text_GU = nn.ModuleDict(
            {name: GatedEmbeddingUnit(text.width, width) for name in self.experts}
        )
        self.moe_txt_dropout = nn.Dropout(text.dropout)
        self.moe_fc_txt = nn.ModuleDict({name: nn.Linear(text.width, 1) for name in self.experts})

    def encode_video(self, clips: Tensor | ExpertFeatures, mask: Tensor | None = None) -> Features:
        """Streams of B videos to one unit vector an expert.

        ``tokens`` (B, M, D), experts in alphabetical order; ``mask`` (B, M) True: the expert saw
        something. ``pooled`` (B, M * D) holds the same one after another.
        """
        if not isinstance(clips, ExpertFeatures):
            raise ValueError(
                f"MMT takes no pixels, got {tuple(clips.shape)}: run the experts "
                f"({', '.join(self.experts)}) and give their vectors as ExpertFeatures"
            )
        if mask is not None:
            raise ValueError("MMT has a mask for each expert: put it into the ExpertStream")
        unknown = sorted(set(clips.streams) - set(self.experts))
        if unknown:
            raise ValueError(
                f"this MMT has no expert {unknown[0]!r}; it has {', '.join(self.experts)}"
            )
        states, seen = self._contextualise(clips)
        tokens = F.normalize(states, dim=-1)
        return Features(rearrange(tokens, "b m d -> b (m d)"), tokens, seen)

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Ids (B, L), [CLS] first, to one vector an expert, as long as the expert's weight.

        ``tokens`` (B, M, D), ``pooled`` (B, M * D) the same one after another. ``mask`` None: 0
        is padding.
        """
        words = self.txt_bert(ids, ids.ne(0) if mask is None else mask)[:, 0]
        each = torch.stack([self.text_GU[name](words) for name in self.experts], dim=1)
        tokens = each * rearrange(self.weights(words), "b m -> b m 1")
        return Features(rearrange(tokens, "b m d -> b (m d)"), tokens)

    def weights(self, words: Tensor) -> Tensor:
        """[CLS] of texts (B, E) to how much each expert counts (B, M); they sum to one."""
        dropped = self.moe_txt_dropout(words)
        scores = torch.cat([self.moe_fc_txt[name](dropped) for name in self.experts], dim=-1)
        return scores.softmax(dim=-1)

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): the weighted sum of the experts' cosines, in [-1, 1]."""
        if self.keep_missing:
            return text.pooled @ video.pooled.T
        assert text.tokens is not None
        assert video.tokens is not None
        assert video.mask is not None
        seen = video.mask.to(video.tokens.dtype)
        products = torch.einsum("qmd,vmd,vm->qv", text.tokens, video.tokens, seen)
        counted = text.tokens.norm(dim=-1) @ seen.T
        return products / torch.where(counted == 0, torch.full_like(counted, 1e-5), counted)

    def forward(  # a stream in place of pixels
        self,
        clips: Tensor | ExpertFeatures,
        ids: Tensor,
        video_mask: Tensor | None = None,
        text_mask: Tensor | None = None,
    ) -> Tensor:
        """Similarities (texts, videos) of a batch."""
        text = self.encode_text(ids, text_mask)
        return self.similarity(text, self.encode_video(clips, video_mask))

    def loss(self, similarity: Tensor) -> Tensor:
        """The hinge over both directions, averaged over all pairs but the diagonal."""
        return max_margin(similarity, self.margin)

    def _contextualise(self, videos: ExpertFeatures) -> tuple[Tensor, Tensor]:
        """The experts' tokens after the transformer (B, M, D), and who saw something (B, M)."""
        some = next(iter(videos.streams.values())).features
        batch = some.shape[0]  # len() would tie an exported network to this batch
        vectors = [some.new_zeros(batch, 1, self.embed_dim // len(self.experts))]  # [CLS]
        types, places, masks, seen, whole = [0], [some.new_zeros(batch, 1).long()], [], [], []
        masks.append(torch.ones(batch, 1, dtype=torch.bool, device=some.device))
        for name, length in self.experts.items():
            stream = videos.streams.get(name) or ExpertStream(some.new_zeros(batch, 0, length))
            if stream.features.shape[2] != length:
                raise ValueError(
                    f"vectors of {name} have {length} numbers, got {tuple(stream.features.shape)}"
                )
            real = stream.real()
            seen.append(real.any(dim=1))
            whole.append(len(types))
            largest = rearrange(stream.largest(), "b d -> b 1 d")
            vectors.append(
                self.video_dim_reduce[name](torch.cat([largest, stream.features], dim=1))
            )
            types += [EXPERT_TYPES[name]] * (1 + stream.features.shape[1])
            places += [some.new_zeros(batch, 1).long(), self._positions(stream, real)]
            masks += [seen[-1][:, None], real]
        states = self.vid_bert.encode(
            torch.cat(vectors, dim=1),
            torch.cat(masks, dim=1),
            torch.cat(places, dim=1),
            torch.tensor([types], device=some.device),
        )
        return states[:, whole], torch.stack(seen, dim=1)

    def _positions(self, stream: ExpertStream, real: Tensor) -> Tensor:
        """Rows of the table of positions (B, N) int64: one a second, the last for all later."""
        if stream.times is None:
            return torch.full_like(real, _UNTIMED, dtype=torch.int64)
        known = real & ~stream.times.isnan()
        seconds = torch.where(known, stream.times, torch.zeros_like(stream.times))
        rows = (seconds / self.window + _FIRST_SECOND).clamp(min=0, max=self.last_position)
        return torch.where(known, rows.long(), torch.full_like(rows.long(), _UNTIMED))


def mmt_msrvtt(
    experts: Mapping[str, int] = MSRVTT_EXPERTS,
    keep_missing: bool = True,
    num_positions: int = 32,
    num_types: int = 19,
    vocabulary: int = 28_996,
    dropout: float = 0.1,
) -> MMT:
    """The published network of MSR-VTT: seven experts, bert-base-cased for the words."""
    return MMT(
        experts=experts,
        video=BertSize(
            width=512,
            layers=4,
            heads=4,
            hidden=3072,
            vocabulary=None,
            positions=num_positions,
            types=num_types,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        text=BertSize(vocabulary=vocabulary, dropout=dropout, attention_dropout=dropout),
        keep_missing=keep_missing,
    )


def mmt_tiny(
    experts: Mapping[str, int] | None = None,
    keep_missing: bool = True,
    vocabulary: int = 1000,
    dropout: float = 0.0,
) -> MMT:
    """Two layers of 64 dimensions on both sides; three experts unless others are named."""
    return MMT(
        experts=experts or {"rgb": 48, "s3d": 32, "vggish": 16},
        video=BertSize(
            width=64,
            layers=2,
            heads=4,
            hidden=128,
            vocabulary=None,
            positions=32,
            types=19,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        text=BertSize(
            width=64,
            layers=2,
            heads=4,
            hidden=128,
            vocabulary=vocabulary,
            positions=64,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        keep_missing=keep_missing,
    )


_REDUCE = re.compile(r"video_dim_reduce\.(\w+)\.fc\.weight")


def _identify(state: State, _config: Config) -> Identified | None:
    experts = {
        match[1]: int(value.shape[1])
        for key, value in state.items()
        if (match := _REDUCE.fullmatch(key))
    }
    places = state["vid_bert.embeddings.position_embeddings.weight"]
    types = state["vid_bert.embeddings.token_type_embeddings.weight"]
    words = state["txt_bert.embeddings.word_embeddings.weight"]
    if places.shape[1] != 512 or words.shape[1] != 768:
        return None
    return Identified(
        "mmt_msrvtt",
        {
            "experts": experts,
            "num_positions": int(places.shape[0]),
            "num_types": int(types.shape[0]),
            "vocabulary": int(words.shape[0]),
        },
    )


LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"video_dim_reduce\.\w+\.fc\.weight",
            r"vid_bert\.embeddings\.position_embeddings\.weight",
            r"vid_bert\.embeddings\.token_type_embeddings\.weight",
            r"txt_bert\.embeddings\.word_embeddings\.weight",
        ),
        identify=_identify,
        # nothing reads the poolers, and the ids of positions count from 0
        ignore=(r".*_bert\.pooler\..*", r".*_bert\.embeddings\.position_ids"),
        renames=((r"^(vid_bert\..*)\.layer_norm\.", r"\1.LayerNorm."),),
    ),
)
