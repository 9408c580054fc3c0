"""MMT beside the official code, gabeur/mmt.

Its text side is transformers' BERT, its data loading needs packages that nothing here uses: both
are stood for by small modules while it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.layers.bert import BertSize
from scenewise.models.video_text.expert_features import ExpertFeatures, ExpertStream
from scenewise.models.video_text.mmt import EXPERT_TYPES, MMT, MSRVTT_EXPERTS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input, uniform

REPOSITORY = "gabeur/mmt"
SMALL_EXPERTS = {"face": 12, "rgb": 20, "s3d": 16, "vggish": 8}
SMALL_VIDEO = BertSize(
    width=64, layers=2, heads=4, hidden=128, vocabulary=None, positions=32, types=19
)
SMALL_TEXT = BertSize(width=64, layers=2, heads=4, hidden=128, vocabulary=60, positions=64)
FULL_VIDEO = BertSize(
    width=512, layers=4, heads=4, hidden=3072, vocabulary=None, positions=32, types=19
)
FULL_TEXT = BertSize(vocabulary=28_996)


@contextmanager
def stubs(text: BertSize) -> Iterator[None]:
    """What the official module imports and this comparison does without."""
    from transformers import BertConfig, BertModel

    class TextBert:
        @staticmethod
        def from_pretrained(_name: str, **_options: Any) -> nn.Module:
            config = BertConfig(
                vocab_size=text.vocabulary,
                hidden_size=text.width,
                num_hidden_layers=text.layers,
                num_attention_heads=text.heads,
                intermediate_size=text.hidden,
                max_position_embeddings=text.positions,
            )
            network: nn.Module = BertModel(config)
            return network

    contents: dict[str, dict[str, Any]] = {
        "base": {"BaseModel": nn.Module},
        "utils": {},
        "utils.util": {"get_len_sequences": None},
        "model.lstm": {"LSTMModel": None},
        "model.net_vlad": {"NetVLAD": None},
        "model.txt_embeddings": {"TxtEmbeddings": None},
        "transformers.modeling_bert": {"BertModel": TextBert},
    }
    before = {name: sys.modules.get(name) for name in contents}
    for name, attributes in contents.items():
        stub = ModuleType(name)
        stub.__dict__.update(attributes)
        sys.modules[name] = stub
    try:
        yield
    finally:
        for name, known in before.items():
            if known is None:
                del sys.modules[name]
            else:
                sys.modules[name] = known


def official(
    experts: Mapping[str, int], video: BertSize, text: BertSize, keep_missing: bool = True
) -> nn.Module:
    """The network of the published configuration of MSR-VTT."""
    with stubs(text):
        network: nn.Module = module("model.model").CENet(
            l2renorm=False,
            expert_dims={
                name: {"dim": length, "idx": EXPERT_TYPES[name]}
                for name, length in sorted(experts.items())
            },
            tokenizer=None,
            keep_missing_modalities=keep_missing,
            test_caption_mode="indep",
            txt_inp="bertftn",
            txt_agg="bertftn",
            txt_wgh="emb",
            txt_pro="gbn",
            vid_wgh="none",
            vid_cont="bert",
            vid_inp="both",
            pos_enc="tint",
            out_tok="mxp",
            same_dim=video.width,
            vid_bert_params={
                "hidden_size": video.width,
                "num_hidden_layers": video.layers,
                "num_attention_heads": video.heads,
                "intermediate_size": video.hidden,
                "hidden_act": "gelu",
                "hidden_dropout_prob": 0.1,
                "attention_probs_dropout_prob": 0.1,
                "max_position_embeddings": video.positions,
                "type_vocab_size": video.types,
                "initializer_range": 0.02,
                "layer_norm_eps": 1e-12,
            },
            txt_bert_params={"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
        )
    return network


def small_inputs() -> tuple[Tensor, ...]:
    """Three videos and texts: an expert that one video lacks, untimed vectors, late ones."""
    return inputs_of(SMALL_EXPERTS, batch=3, vectors=5, words=7, vocabulary=60, seconds=45.0)


def full_inputs() -> tuple[Tensor, ...]:
    """Two videos and texts of the published lengths: in training, batch norm takes no one alone."""
    return inputs_of(MSRVTT_EXPERTS, batch=2, vectors=30, words=30, vocabulary=28_996, seconds=30.0)


def inputs_of(
    experts: Mapping[str, int],
    *,
    batch: int,
    vectors: int,
    words: int,
    vocabulary: int,
    seconds: float,
) -> tuple[Tensor, ...]:
    """Ids and their mask; then vectors, times and mask of each expert."""
    made = [seeded_ids("ids", (batch, words), vocabulary)]
    made.append(torch.arange(words)[None] < words - torch.arange(batch)[:, None])
    for number, (name, length) in enumerate(experts.items()):
        mask = torch.arange(vectors)[None] < vectors - torch.arange(batch)[:, None]
        mask[batch - 1] &= bool(number)  # the last video lacks the first expert
        times = (torch.from_numpy(uniform(f"t {name}", (batch, vectors))) + 1) / 2 * seconds
        if name in ("face", "ocr", "speech"):
            times = torch.full_like(times, float("nan"))
        made += [seeded_input(name, (batch, vectors, length)), times, mask]
    return tuple(made)


def experts_of(network: nn.Module, inputs: tuple[Tensor, ...]) -> ExpertFeatures:
    """The streams of ``inputs``, for our network."""
    assert isinstance(network, MMT)
    return ExpertFeatures(
        {
            name: ExpertStream(*inputs[2 + 3 * number : 5 + 3 * number])
            for number, name in enumerate(network.experts)
        }
    )


def given(network: Any, inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """The official network's own inputs, anew: it changes them."""
    streams = {
        name: inputs[2 + 3 * number : 5 + 3 * number]
        for number, name in enumerate(network.modalities)
    }
    largest = {
        name: torch.where(
            mask.any(1)[:, None],
            vectors.masked_fill(~mask[..., None], float("-inf")).amax(1),
            torch.zeros(()),
        )
        for name, (vectors, _, mask) in streams.items()
    }
    return {
        "token_ids": torch.stack([inputs[0], inputs[1].long()], dim=-1)[:, None],
        "features": {name: (v * m[..., None]).clone() for name, (v, _, m) in streams.items()},
        # as its loader has it: two seconds on, 1 where there is no time
        "features_t": {
            name: torch.where(mask & ~times.isnan(), times + 2, torch.ones(()))
            for name, (_, times, mask) in streams.items()
        },
        "features_ind": {name: mask.float() for name, (_, _, mask) in streams.items()},
        "features_avgpool": dict(largest),
        "features_maxpool": largest,
        "query_masks": None,
        "device": inputs[0].device,
    }


def call_official(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """Embeddings and weights by one call, the matrix by another."""
    parts = network(**given(network, inputs), out="embds")
    return {
        "video": parts["vid_embds"],
        "text": parts["text_embds"][:, :, 0],
        "weights": parts["text_weights"][:, 0],
        **call_official_once(network, inputs),
    }


def call_official_once(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """For the clock: one pass, ending in similarities."""
    whole = network(**given(network, inputs), out="conf")
    return {"similarity": whole["cross_view_conf_matrix"]}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, MMT)
    text = network.encode_text(inputs[0], inputs[1])
    video = network.encode_video(experts_of(network, inputs))
    assert text.tokens is not None
    assert video.tokens is not None
    weights = text.tokens.norm(dim=-1)
    return {
        "video": video.tokens,
        "text": text.tokens / weights[..., None],
        "weights": weights,
        "similarity": network.similarity(text, video),
    }


def call_ours_once(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    similarity: Tensor = network(experts_of(network, inputs), inputs[0], text_mask=inputs[1])
    return {"similarity": similarity}


def small(keep_missing: bool = True) -> nn.Module:
    """Ours at the size of the small case."""
    return create_model("mmt_tiny", experts=SMALL_EXPERTS, vocabulary=60, keep_missing=keep_missing)


CASES = (
    Case(
        name="mmt",
        repository=REPOSITORY,
        reference=lambda: official(SMALL_EXPERTS, SMALL_VIDEO, SMALL_TEXT),
        ours=small,
        inputs=small_inputs,
        call_reference=call_official,
        call_ours=call_ours,
    ),
    Case(
        name="mmt_seen",
        repository=REPOSITORY,
        reference=lambda: official(SMALL_EXPERTS, SMALL_VIDEO, SMALL_TEXT, keep_missing=False),
        ours=lambda: small(keep_missing=False),
        inputs=small_inputs,
        call_reference=call_official,
        call_ours=call_ours,
    ),
    Case(
        name="mmt_msrvtt",
        repository=REPOSITORY,
        reference=lambda: official(MSRVTT_EXPERTS, FULL_VIDEO, FULL_TEXT),
        ours=lambda: create_model("mmt_msrvtt"),
        inputs=full_inputs,
        call_reference=call_official_once,
        call_ours=call_ours_once,
        golden=False,
        full=True,
        timed=True,
        fused=False,  # its video side; transformers' BERT on its text side is fused
    ),
)
