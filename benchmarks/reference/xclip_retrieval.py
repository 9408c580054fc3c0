"""X-CLIP of Ma et al. beside its official code, xuguohai/X-CLIP, with each head over frames."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.clip4clip import (
    SCALES,
    clip_state,
    cross_config,
    inputs,
    settings,
    stub_downloads,
)
from scenewise.models import create_model
from scenewise.models.video_text.clip_towers import TINY, VIT_B_32, ClipSize

REPOSITORY = "xuguohai/X-CLIP"


def reference(
    head: str, size: ClipSize, layers: int, frames: int = 12, words: int = 32
) -> nn.Module:
    stub_downloads()
    told = settings(head, layers, "2d")
    told.max_words, told.max_frames = words, frames
    network: nn.Module = module("modules.modeling_xclip").XCLIP(
        cross_config(size, layers), clip_state(size), told
    )
    return network.float()  # half precision is meant for graphics cards


def call(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    ones = torch.ones_like(ids)
    network.training = False  # of this module alone: it would gather from other processes
    (sentence, words), frames = network.get_sequence_visual_output(
        ids,
        torch.zeros_like(ids),
        ones,
        rearrange(clips, "b t c h w -> (b t) c h w"),
        mask.float(),
        shaped=True,
        video_frame=clips.shape[1],
    )
    similarity, _ = network.get_similarity_logits(
        sentence, words, frames, ones, mask.float(), shaped=True, loose_type=True
    )
    fine = network._attenion_over_fine_grained_sim_matrix(
        words / words.norm(dim=-1, keepdim=True), frames / frames.norm(dim=-1, keepdim=True)
    )
    loss = (network.loss_fct(similarity) + network.loss_fct(similarity.T)) / 2
    return {"similarity": similarity, "fine": fine, "loss": loss}


def call_ours(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    text, video = network.encode_text(ids), network.encode_video(clips, mask)
    similarity = network.similarity(text, video)
    fine = network._words_and_frames(text.tokens, video.tokens)
    return {"similarity": similarity, "fine": fine, "loss": network.loss(similarity)}


CASES = (
    *(
        Case(
            name=f"xclip_retrieval_{head}",
            repository=REPOSITORY,
            reference=partial(reference, head, TINY, 2, 6, 16),
            ours=partial(create_model, "xclip_retrieval_tiny", head=head, num_frames=6),
            inputs=partial(inputs, 6, 64, 16, TINY.vocab_size, 3),
            call_reference=call,
            call_ours=call_ours,
            scales=SCALES,
        )
        for head in ("mean_pool", "seq_lstm", "seq_transformer")
    ),
    Case(
        name="xclip_retrieval_b32",
        repository=REPOSITORY,
        reference=partial(reference, "seq_transformer", VIT_B_32, 4),
        ours=partial(create_model, "xclip_retrieval_b32"),
        inputs=partial(inputs, 12, 224, 32, VIT_B_32.vocab_size, 1),
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
        golden=False,
        full=True,
        timed=True,
    ),
)
