"""X-CLIP of Ni et al. beside its official code, the folder X-CLIP of microsoft/VideoX."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from einops import reduce
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.video_text.clip_towers import TINY, VIT_B_32, ClipSize

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "microsoft/VideoX"
# embeddings count beside what they are added to, attention is not even, prompts change a text
SCALES = {
    r"embedding": 0.5,
    r"in_proj_weight|[qk]_proj\.weight": 0.2,
    r"logit_scale": 3.0,
    r"alpha": 1.0,
}


def stub_imports() -> None:
    """The folder on the path; without its tokenizer and downloads, and timm's normals as torch's.

    Its package ``clip`` would import these; a package without code leads to its modules.
    """
    places = [Path(entry) / "X-CLIP" for entry in sys.path] + [Path(entry) for entry in sys.path]
    folder = next(place for place in places if (place / "models" / "xclip.py").is_file())
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    for name in ("timm", "timm.models", "timm.models.layers", "clip"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["timm.models.layers"].__dict__["trunc_normal_"] = nn.init.trunc_normal_
    sys.modules["clip"].__path__ = [str(folder / "clip")]


def reference(size: ClipSize, frames: int) -> nn.Module:
    stub_imports()
    network: nn.Module = module("models.xclip").XCLIP(
        size.embed_dim,
        size.image_size,
        size.vision_layers,
        size.vision_width,
        size.patch_size,
        size.context_length,
        size.vocab_size,
        size.text_width,
        size.text_width // 64,
        size.text_layers,
        T=frames,
        mit_layers=1,
        prompts_alpha=0.1,
        prompts_layers=2,
        use_cache=False,
    )
    return network


def inputs(frames: int, side: int, length: int, vocab: int, clips: int) -> tuple[Tensor, ...]:
    """Clips and the ids of three classes, whose names end at different places."""
    ids = seeded_ids("ids", (3, length), vocab - 2)
    for number in range(3):
        ids[number, length // 2 + number] = vocab - 1
        ids[number, length // 2 + number + 1 :] = 0
    return seeded_input("clips", (clips, frames, 3, side, side)), ids


def call(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids = given
    video, patches = network.encode_video(clips)
    return {
        "logits": network(clips, ids),
        "video": video / video.norm(dim=-1, keepdim=True),
        "patches": reduce(patches, "b t n d -> b n d", "mean"),
        "text": network.encode_text(ids),
    }


def call_ours(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    clips, ids = given
    text, video = network.encode_text(ids), network.encode_video(clips)
    return {
        "logits": network.similarity(text, video).T,
        "video": video.pooled,
        "patches": video.tokens,
        "text": text.tokens[:, 0],
    }


def call_once(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    """For the clock: one pass."""
    return {"logits": network(*given)}


def call_ours_once(network: Any, given: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*given).T}


CASES = (
    Case(
        name="xclip_recognition",
        repository=REPOSITORY,
        reference=partial(reference, TINY, 4),
        ours=partial(create_model, "xclip_recognition_tiny", num_frames=4),
        inputs=partial(inputs, 4, 64, TINY.context_length, TINY.vocab_size, 2),
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
    ),
    Case(
        name="xclip_b32_8f",
        repository=REPOSITORY,
        reference=partial(reference, VIT_B_32, 8),
        ours=partial(create_model, "xclip_b32_8f"),
        inputs=partial(inputs, 8, 224, 77, VIT_B_32.vocab_size, 1),
        call_reference=call_once,
        call_ours=call_ours_once,
        scales=SCALES,
        golden=False,
        full=True,
        timed=True,
        fused=False,  # the prompts' attention is computed by hand
    ),
)
