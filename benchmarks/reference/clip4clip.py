"""CLIP4Clip beside its official code, ArrowLuo/CLIP4Clip, with each of its four heads."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.video_text.clip_towers import CLIP, TINY, VIT_B_32, ClipSize

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "ArrowLuo/CLIP4Clip"
HEADS = {
    "mean_pool": "meanP",
    "seq_lstm": "seqLSTM",
    "seq_transformer": "seqTransf",
    "tight_transformer": "tightTransf",
}
# CLIP's embeddings count beside what they are added to, and attention is not even
SCALES = {
    r"embedding": 0.5,
    r"in_proj_weight": 0.2,
    r"logit_scale": -12.0,  # of which its name makes 2.9
    r"lstm_visual\.weight": 0.3,
    r"similarity_dense\.weight": 0.2,
}


def stub_downloads() -> None:
    """The official code imports what it would download weights with; nothing is downloaded."""
    for name in ("boto3", "botocore", "botocore.exceptions"):
        if name not in sys.modules:
            absent = ModuleType(name)
            absent.__dict__["ClientError"] = OSError
            sys.modules[name] = absent


def settings(head: str, layers: int, linear_patch: str) -> Namespace:
    """What the official training program is told on its command line."""
    return Namespace(
        max_words=16,
        max_frames=12,
        loose_type=head != "tight_transformer",
        linear_patch=linear_patch,
        sim_header=HEADS[head],
        cross_num_hidden_layers=layers,
        local_rank=0,
    )


def clip_state(size: ClipSize) -> dict[str, Tensor]:
    """Names and shapes, from which the official code learns the towers' sizes."""
    with torch.device("meta"):
        return dict(CLIP(size).state_dict())


def cross_config(size: ClipSize, layers: int) -> object:
    return module("modules.module_cross").CrossConfig(
        512,
        hidden_size=size.text_width,
        num_hidden_layers=layers,
        num_attention_heads=size.text_width // 64,
        max_position_embeddings=128,
    )


def reference(head: str, size: ClipSize, layers: int, linear_patch: str = "2d") -> nn.Module:
    stub_downloads()
    network: nn.Module = module("modules.modeling").CLIP4Clip(
        cross_config(size, layers), clip_state(size), settings(head, layers, linear_patch)
    )
    return network.float()  # half precision is meant for graphics cards


def inputs(frames: int, side: int, length: int, vocab: int, examples: int) -> tuple[Tensor, ...]:
    """Clips, ids and masks; the first clip ends early, and texts end at different places."""
    clips = seeded_input("clips", (examples, frames, 3, side, side))
    ids = seeded_ids("ids", (examples, length), vocab - 2)
    for number in range(examples):
        ids[number, length - 1 - number] = vocab - 1
        ids[number, length - number :] = 0
    mask = torch.ones(examples, frames, dtype=torch.bool)
    mask[0, frames - frames // 3 :] = False
    return clips, ids, mask


def call(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    ones = torch.ones_like(ids)
    network.training = False  # of this module alone: it would gather from other processes
    sentence, frames = network.get_sequence_visual_output(
        ids,
        torch.zeros_like(ids),
        ones,
        rearrange(clips, "b t c h w -> (b t) c h w"),
        mask.float(),
        shaped=True,
        video_frame=clips.shape[1],
    )
    similarity, _ = network.get_similarity_logits(
        sentence, frames, ones, mask.float(), shaped=True, loose_type=network.loose_type
    )
    loss = (network.loss_fct(similarity) + network.loss_fct(similarity.T)) / 2
    return {"sentence": sentence, "frames": frames, "similarity": similarity, "loss": loss}


def call_ours(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    text, video = network.encode_text(ids), network.encode_video(clips, mask)
    similarity = network.similarity(text, video)
    return {
        "sentence": text.tokens,
        "frames": network.frames(clips),
        "similarity": similarity,
        "loss": network.loss(similarity),
    }


def call_once(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    """For the clock: one pass of each side, and similarities."""
    return {"similarity": call(network, given)["similarity"]}


def call_ours_once(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    return {"similarity": network(clips, ids, mask)}


def tiny(head: str, linear_patch: str = "2d") -> Case:
    make: Callable[[], nn.Module] = partial(
        create_model, "clip4clip_tiny", head=head, linear_patch=linear_patch
    )
    return Case(
        name=f"clip4clip_{head}" + ("_3d" if linear_patch == "3d" else ""),
        repository=REPOSITORY,
        reference=partial(reference, head, TINY, 2, linear_patch),
        ours=make,
        inputs=partial(inputs, 6, 64, 16, TINY.vocab_size, 3),
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
    )


def published(head: str, *, full: bool) -> Case:
    return Case(
        name=f"clip4clip_{head}_b32",
        repository=REPOSITORY,
        reference=partial(reference, head, VIT_B_32, 4),
        ours=partial(create_model, f"clip4clip_{head}"),
        inputs=partial(inputs, 12, 224, 32, VIT_B_32.vocab_size, 1),
        call_reference=call_once,
        call_ours=call_ours_once,
        scales=SCALES,
        golden=False,
        full=full,
        timed=True,
    )


def transformers_clip() -> nn.Module:
    """transformers' CLIPModel of ViT-B/32; its defaults are that size."""
    from transformers import CLIPConfig, CLIPModel

    network: nn.Module = CLIPModel(CLIPConfig())
    return network


def call_transformers(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids, mask = given
    flat = network.vision_model(pixel_values=rearrange(clips, "b t c h w -> (b t) c h w"))
    frames = network.visual_projection(flat.pooler_output)
    frames = F.normalize(rearrange(frames, "(b t) d -> b t d", t=clips.shape[1]), dim=-1)
    real = mask[..., None].float()
    video = F.normalize((frames * real).sum(1) / real.sum(1), dim=-1)
    # read at the highest id, as OpenAI does
    hidden = network.text_model(input_ids=ids).last_hidden_state
    ends = hidden[torch.arange(len(ids)), ids.argmax(dim=-1)]
    text = F.normalize(network.text_projection(ends), dim=-1)
    return {"similarity": network.logit_scale.exp() * text @ video.T}


CASES = (
    Case(
        name="clip4clip_mean_pool_transformers",
        repository="pip:transformers",
        reference=transformers_clip,
        ours=partial(create_model, "clip4clip_mean_pool"),
        inputs=partial(inputs, 12, 224, 32, VIT_B_32.vocab_size, 1),
        call_reference=call_transformers,
        call_ours=call_ours_once,
        scales={**SCALES, r"logit_scale": 3.0, r"[qk]_proj\.weight": 0.2},
        golden=False,
        timed=True,
    ),
    *(tiny(head) for head in HEADS),
    tiny("mean_pool", "3d"),
    *(published(head, full=head.endswith("transformer")) for head in HEADS),
)
