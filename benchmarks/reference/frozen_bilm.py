"""FrozenBiLM beside its official code, antoyang/FrozenBiLM, at a reduced size.

The official module was written for transformers 4.17 and an older numpy; what has gone since is
put back while it runs. Its decoder of words, kept there for its name alone, is taken off.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.internvideo2 import bare_package
from scenewise.models import create_model
from scenewise.models.video_text.frozen_bilm import FrozenBiLM

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "antoyang/FrozenBiLM"
SMALL = {"vocabulary": 300, "num_answers": 5}
# attention and adapters as large as the residual, so that none of them hides
SCALES = {
    r"word_embeddings": 0.3,
    r"position_embeddings|rel_embeddings": 1.0,
    r"(query|key)_proj\.weight": 0.3,
    r"answer_embeddings": 0.2,
}


def official(config: Any, answers: int) -> nn.Module:
    """The official network of these settings, without its initialisation."""
    bare_package("model", Path(sys.path[0]))
    setattr(np, "int", int)  # noqa: B010 - its stubs know that it is gone
    made: Any = module("model.deberta")
    # torch asks for a type today where it asked for a tensor of that type
    made._softmax_backward_data = lambda gradient, output, axis, like: torch._softmax_backward_data(
        gradient, output, axis, like.dtype
    )
    made.BaseModelOutput = dataclass(made.BaseModelOutput)  # newer versions insist on it
    made.DebertaV2PreTrainedModel.init_weights = lambda _self: None
    return cast("nn.Module", made.DebertaV2ForMaskedLM(config, n_ans=answers))


def small() -> nn.Module:
    ours = create_model("frozen_bilm_tiny", **SMALL)
    assert isinstance(ours, FrozenBiLM)
    network: Any = official(ours.deberta.config, ours.num_answers)
    del network.lm_predictions.lm_head.decoder
    return cast("nn.Module", network)


def large() -> nn.Module:
    with torch.device("meta"):
        ours = create_model("frozen_bilm")
    assert isinstance(ours, FrozenBiLM)
    return official(ours.deberta.config, 0)


def inputs() -> tuple[Tensor, ...]:
    """Two questions, the second with fewer words and frames; [MASK] is 4."""
    ids = seeded_ids("ids", (2, 20), 300)
    ids[ids == 4] = 5
    ids[0, 12] = ids[1, 7] = 4
    mask = torch.ones(2, 20, dtype=torch.int64)
    mask[1, 14:] = 0
    ids[1, 14:] = 0
    frame_mask = torch.ones(2, 10, dtype=torch.int64)
    frame_mask[1, 6:] = 0
    return seeded_input("frames", (2, 10, 768)), ids, mask, frame_mask


def answers() -> Tensor:
    """Five answers of one to three words."""
    ids = seeded_ids("answers", (5, 3), 300)
    ids[1, 1:] = ids[3, 2] = 0
    return ids


def long_inputs() -> tuple[Tensor, ...]:
    ids = seeded_ids("ids", (1, 64), 128_100)
    return seeded_input("frames", (1, 10, 768)), ids, torch.ones_like(ids), ids.new_ones(1, 10)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Scores of words and answers at real words, the loss, and answers set from their words."""
    model: Any = network
    frames, ids, mask, frame_mask = inputs
    labels = torch.where(ids == 4, 77, -100)
    given: dict[str, Any] = {"return_dict": True, "output_attentions": False}
    given |= {"video": frames, "video_mask": frame_mask}
    given |= {"input_ids": ids, "attention_mask": mask}
    found = model(**given, mlm=True, labels=labels)
    scores = found["logits"][:, 10:] * mask[:, :, None]
    chosen = model(**given)["logits"][:, 10:] * mask[:, :, None]
    model.set_answer_embeddings(answers())
    again = model(**given)["logits"][:, 10:][ids == 4].softmax(-1)
    return {"words": scores[..., ::4], "answers": chosen, "loss": found["loss"], "set": again}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, FrozenBiLM)
    frames, ids, mask, frame_mask = inputs
    labels = torch.where(ids == 4, 77, -100)
    chosen = network(frames, ids, mask, frame_mask) * mask[:, :, None]
    kept, network.num_answers = network.num_answers, 0
    scores = network(frames, ids, mask, frame_mask)
    network.num_answers = kept
    loss = network.loss(scores, labels)
    embeddings = network.answer_embeddings.weight.detach().clone()
    bias = network.answer_bias.detach().clone()
    network.set_answers(answers())
    again = network.answer_scores(frames, ids, mask, frame_mask, mask_id=4)
    with torch.no_grad():
        network.answer_embeddings.weight.copy_(embeddings)
        network.answer_bias.copy_(bias)
    words = (scores * mask[:, :, None])[..., ::4]
    return {"words": words, "answers": chosen, "loss": loss, "set": again}


def call_words(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    model: Any = network
    frames, ids, mask, frame_mask = inputs
    given = {"video": frames, "video_mask": frame_mask, "input_ids": ids, "attention_mask": mask}
    found = model(**given, return_dict=True, output_attentions=False)
    return {"words": found["logits"][:, 10:]}


def call_our_words(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"words": network(*inputs)}


CASES = (
    Case(
        name="frozen_bilm_tiny",
        repository=REPOSITORY,
        reference=small,
        ours=lambda: create_model("frozen_bilm_tiny", **SMALL),
        inputs=inputs,
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="frozen_bilm",
        repository=REPOSITORY,
        reference=large,
        ours=lambda: create_model("frozen_bilm", dropout=0.0),
        inputs=long_inputs,
        call_reference=call_words,
        call_ours=call_our_words,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
)
