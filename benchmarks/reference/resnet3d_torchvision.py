"""R3D, MC3 and R(2+1)D beside torchvision's code, and VMZ's, which is built of its parts.

Give a folder with the sources of both: ``torchvision`` and ``vmz``.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.torchvision_video import video_module
from scenewise.models import create_model
from scenewise.models.backbones.resnet3d import ResNet3D, ResNet3DOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

_TRAN: dict[str, Any] = {"stem_time": 3, "stem_pool": "none", "depths": (1, 1, 1, 1)}
# a block a stage; the width is not theirs to choose
SMALL = {
    "r3d": ResNet3DOptions(**_TRAN),
    "mc3": ResNet3DOptions(**_TRAN, filters="mixed"),
    "r2plus1d": ResNet3DOptions(**_TRAN, filters="split", stem_middle=45, shared_middle=True),
}
VMZ = ResNet3DOptions(**_TRAN, filters="split", stem_middle=45, norm_eps=1e-3)


def parts(name: str) -> dict[str, Any]:
    """What torchvision builds each of."""
    source = video_module("resnet")
    makers = {
        "r3d": [source.Conv3DSimple] * 4,
        "mc3": [source.Conv3DSimple] + [source.Conv3DNoTemporal] * 3,
        "r2plus1d": [source.Conv2Plus1D] * 4,
    }
    stem = source.R2Plus1dStem if name == "r2plus1d" else source.BasicStem
    return {"block": source.BasicBlock, "conv_makers": makers[name], "stem": stem}


def small(name: str) -> nn.Module:
    network: nn.Module = video_module("resnet").VideoResNet(
        layers=[1, 1, 1, 1], num_classes=10, **parts(name)
    )
    return network


def published(name: str) -> nn.Module:
    network: nn.Module = getattr(video_module("resnet"), name)(weights=None)
    return network


def _vmz() -> Any:
    """VMZ's modules, with torchvision's resnet where they look for it."""
    before = set(sys.modules)
    for package in ("torchvision", "torchvision.models", "torchvision.models.video"):
        sys.modules[package] = ModuleType(package)
    sys.modules["torchvision.models.video.resnet"] = video_module("resnet")
    try:
        return module("vmz.models.utils"), module("vmz.models.r2plus1d")
    finally:
        for left in set(sys.modules) - before:
            if left.startswith("torchvision"):
                del sys.modules[left]


def vmz_small() -> nn.Module:
    utils, _ = _vmz()
    given = {**parts("r2plus1d"), "conv_makers": [utils.Conv2Plus1D] * 4}
    network: nn.Module = utils._generic_resnet("", layers=[1, 1, 1, 1], num_classes=10, **given)
    return network


def vmz_published() -> nn.Module:
    network: nn.Module = _vmz()[1].r2plus1d_34(num_classes=400)
    return network


def ours_small(options: ResNet3DOptions) -> nn.Module:
    return ResNet3D(options, num_classes=10)


def clips(size: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (seeded_input("clips", size),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def case(name: str, reference: partial[nn.Module], ours: partial[nn.Module], frames: int) -> Case:
    """``frames`` 0: small, with numbers."""
    return Case(
        name=name,
        repository="facebookresearch/VMZ" if "34" in name or "vmz" in name else "pytorch/vision",
        reference=reference,
        ours=ours,
        inputs=partial(clips, (1, frames, 3, 112, 112) if frames else (1, 5, 3, 29, 35)),
        call_reference=call,
        golden=not frames,
        full=frames == 32 or name == "r2plus1d_18",
        timed=frames > 0,
    )


CASES = (
    *(
        case(f"{name}_small", partial(small, name), partial(ours_small, options), 0)
        for name, options in SMALL.items()
    ),
    case("r2plus1d_vmz_small", partial(vmz_small), partial(ours_small, VMZ), 0),
    *(
        case(name, partial(published, name), partial(create_model, name), 16)
        for name in ("r3d_18", "mc3_18", "r2plus1d_18")
    ),
    case("r2plus1d_34", partial(vmz_published), partial(create_model, "r2plus1d_34"), 32),
)
