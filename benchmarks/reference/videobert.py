"""VideoBERT beside transformers' BERT whose vocabulary is the joint one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs
from scenewise.models import create_model
from scenewise.models.video_text.videobert import JointTokens, VideoBERT

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 64,
}
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


def theirs(vocabulary: int, **sizes: int) -> nn.Module:
    """BERT with both of its pretraining heads."""
    from transformers import BertConfig, BertForPreTraining

    network: nn.Module = BertForPreTraining(BertConfig(vocab_size=vocabulary, **sizes))
    return network


def joint_state(ours: VideoBERT) -> dict[str, Tensor]:
    """Our weights by transformers' names: the tables of text and video become one."""
    state = {key: value for key, value in ours.state_dict().items() if "video_words" not in key}
    words = "bert.embeddings.word_embeddings.weight"
    state[words] = torch.cat([state[words], state.pop("video_embeddings.weight")])
    biases = ("cls.predictions.bias", "cls.predictions.video_bias")
    state[biases[0]] = torch.cat([state[biases[0]], state.pop(biases[1])])
    state["cls.predictions.decoder.weight"] = state[words]
    state["cls.predictions.decoder.bias"] = state[biases[0]]
    return {key.replace("pooler.", "bert.pooler."): value for key, value in state.items()}


def tokens_of(inputs: tuple[Tensor, ...]) -> JointTokens:
    return JointTokens(*inputs)


def call_theirs(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    ids, mask, types = inputs
    output = network(input_ids=ids, attention_mask=mask.long(), token_type_ids=types)
    return {"words": output.prediction_logits, "alignment": output.seq_relationship_logits}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, VideoBERT)
    states = network.states(tokens_of(inputs))
    return {"words": network.word_logits(states), "alignment": network.alignment_logits(states)}


def large_inputs() -> tuple[Tensor, ...]:
    """One sequence of 30 words and 30 video words."""
    ids = torch.cat(
        [seeded_ids("ids", (1, 30), 30_522), 30_522 + seeded_ids("v", (1, 30), 20_736)], dim=1
    )
    return ids, torch.ones_like(ids, dtype=torch.bool), (torch.arange(60) >= 30).long()[None]


CASES = (
    Case(
        name="videobert_large",
        repository="pip:transformers",
        reference=lambda: theirs(30_522 + 20_737, **LARGE),
        ours=lambda: create_model("videobert_large"),
        inputs=large_inputs,
        call_reference=call_theirs,
        call_ours=call_ours,
        golden=False,
        timed=True,
    ),
)
