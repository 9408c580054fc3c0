"""S3D beside antoine77340/S3D_HowTo100M."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.backbones.s3d import S3D

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "antoine77340/S3D_HowTo100M"


def reference(*, fold: bool = True, text: bool = False) -> nn.Module:
    """The official network, which wants a file of words; without its text side unless ``text``."""
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words.npy"
        np.save(words, np.array(["word"]))
        network: nn.Module = module("s3dg").S3D(str(words), 512, space_to_depth=fold)
    if not text:
        del network.text_module
    return network


def clips(size: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (seeded_input("clips", size).abs(),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    found = network(rearrange(inputs[0], "b t c h w -> b c t h w"))
    return {"output": found["video_embedding"], "features": found["mixed_5c"]}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, S3D)
    return {"output": network(inputs[0]), "features": network.features(inputs[0])}


def call_once(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """For the clock: their one pass gives both, ours would make two."""
    return {"output": network(rearrange(inputs[0], "b t c h w -> b c t h w"))["video_embedding"]}


def call_ours_once(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(inputs[0])}


def case(name: str, size: tuple[int, ...], **options: bool) -> Case:
    fold = options.get("fold", True)
    timed = name.endswith("published")
    return Case(
        name=name,
        repository=REPOSITORY,
        reference=partial(reference, fold=fold, text=timed),
        ours=partial(create_model, "s3d_howto100m", stem="space_to_depth" if fold else "joint"),
        inputs=partial(clips, size),
        call_reference=call_once if timed else call,
        call_ours=call_ours_once if timed else call_ours,
        # half of what a ReLU takes comes back, and gates are not all near a half
        scales={r"bn\d\.weight$": 1.6, r"gating.*fc": 1.0},
        golden=not timed,
        full=timed,
        timed=timed,
    )


CASES = (
    case("s3d_howto100m", (1, 6, 3, 38, 46)),
    case("s3d_joint", (1, 7, 3, 37, 45), fold=False),
    case("s3d_howto100m_published", (1, 32, 3, 224, 224)),
)
