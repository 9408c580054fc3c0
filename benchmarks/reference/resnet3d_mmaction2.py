"""R(2+1)D beside mmaction2's, with stand-ins for the parts of mmcv and mmengine that it needs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from einops import rearrange, reduce
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.backbones.resnet3d import ResNet3D, ResNet3DOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

OPTIONS = ResNet3DOptions(
    depths=(3, 4, 6, 3),
    filters="split",
    shortcut="split",
    stem_time=3,
    stem_pool="space",
    norm_eps=1e-3,
    widen=0.125,
)


class Registry:
    """Names of classes, as ``MODELS`` keeps them."""

    def register_module(self, *_given: object, **_named: object) -> Any:
        return lambda kind: kind


def norm_layer(config: dict[str, Any], channels: int) -> tuple[str, nn.Module]:
    return "bn", nn.BatchNorm3d(channels, eps=config.get("eps", 1e-5))


class ConvModule(nn.Module):
    """A filter ``conv``, a norm ``bn``, and a ReLU where one is asked for."""

    def __init__(self, inputs: int, outputs: int, kernel_size: Any, **given: Any) -> None:
        super().__init__()
        shape: dict[str, Any] = {
            key: given[key] for key in ("stride", "padding", "dilation") if key in given
        }
        shape |= {"bias": False, "kernel_size": kernel_size}
        split = module("mmaction.models.common.conv2plus1d").Conv2plus1d
        if "dilation" in shape and set(shape["dilation"]) == {1}:
            del shape["dilation"]
        norm = given["norm_cfg"]
        self.conv = split(inputs, outputs, norm_cfg=norm, **shape)
        self.bn = norm_layer(norm, outputs)[1]
        self.act = nn.ReLU() if given.get("act_cfg", True) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class BaseModule(nn.Module):
    """mmengine's, without its initialisation."""

    def __init__(self, init_cfg: object = None) -> None:
        super().__init__()
        self.init_cfg = init_cfg


def nothing(*_given: object, **_named: object) -> None:
    return None


_STANDINS: dict[str, dict[str, Any]] = {
    "mmcv": {},
    "mmcv.cnn": {
        "ConvModule": ConvModule,
        "NonLocal3d": nn.Identity,
        "build_activation_layer": lambda _config: nn.ReLU(),
        "build_norm_layer": norm_layer,
    },
    "mmengine": {},
    "mmengine.logging": {"MMLogger": object},
    "mmengine.model": {"BaseModule": BaseModule, "Sequential": nn.Sequential},
    "mmengine.model.weight_init": {"constant_init": nothing, "kaiming_init": nothing},
    "mmengine.runner": {},
    "mmengine.runner.checkpoint": {"_load_checkpoint": nothing, "load_checkpoint": nothing},
    "mmengine.utils": {},
    "mmengine.utils.dl_utils": {},
    "mmengine.utils.dl_utils.parrots_wrapper": {"_BatchNorm": nn.BatchNorm3d},
    "mmaction": {"__path__": True},
    "mmaction.registry": {"MODELS": Registry()},
    "mmaction.utils": {"get_str_type": str, "ConfigType": dict},
    "mmaction.models": {"__path__": True},
    "mmaction.models.common": {"__path__": True},
    "mmaction.models.backbones": {"__path__": True},
}


class Recognizer(nn.Module):
    """The backbone, and the head of its configuration: a mean and a linear layer."""

    def __init__(self, base: int, classes: int) -> None:
        super().__init__()
        self.backbone = module("mmaction.models.backbones.resnet2plus1d").ResNet2Plus1d(
            depth=34,
            pretrained=None,
            pretrained2d=False,
            norm_eval=False,
            conv_cfg={"type": "Conv2plus1d"},
            norm_cfg={"type": "SyncBN", "eps": 1e-3},
            conv1_kernel=(3, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(1, 1, 1, 1),
            spatial_strides=(1, 2, 2, 2),
            temporal_strides=(1, 2, 2, 2),
            zero_init_residual=False,
            base_channels=base,
        )
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(8 * base, classes)

    def forward(self, video: Tensor) -> Tensor:
        features = reduce(self.backbone(video), "b d t h w -> b d", "mean")
        logits: Tensor = self.cls_head.get_submodule("fc_cls")(features)
        return logits


def reference(base: int, classes: int) -> nn.Module:
    root = next(place for place in sys.path if Path(place, "mmaction", "models").is_dir())
    before = set(sys.modules)
    for place, names in _STANDINS.items():
        made = ModuleType(place)
        if "__path__" in names:
            made.__path__ = [str(Path(root, *place.split(".")))]
        else:
            made.__dict__.update(names)
        sys.modules[place] = made
    try:
        return Recognizer(base, classes)
    finally:
        for left in set(sys.modules) - before:
            if left.startswith(("mmaction", "mmcv", "mmengine")):
                del sys.modules[left]


def ours_small() -> nn.Module:
    return ResNet3D(OPTIONS, num_classes=10)


def ours() -> nn.Module:
    return create_model("r2plus1d_34", variant="mmaction2")


def clips(size: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (seeded_input("clips", size),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


CASES = (
    Case(
        name="r2plus1d_mmaction2",
        repository="open-mmlab/mmaction2",
        reference=partial(reference, 8, 10),
        ours=ours_small,
        inputs=partial(clips, (1, 5, 3, 29, 35)),
        call_reference=call,
    ),
    Case(
        name="r2plus1d_34_mmaction2",
        repository="open-mmlab/mmaction2",
        reference=partial(reference, 64, 400),
        ours=ours,
        inputs=partial(clips, (1, 8, 3, 224, 224)),
        call_reference=call,
        golden=False,
        full=True,
        timed=True,
    ),
)
