"""X3D beside SlowFast, whose first shortcut has a norm that PyTorchVideo's lacks.

Its imports want fvcore, iopath, PyTorchVideo and more on the path, some as empty modules.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.x3d import call_ours, clips
from scenewise.models import create_model

REPOSITORY = "facebookresearch/SlowFast"


def reference() -> nn.Module:
    """The published network over small clips; its softmax is taken off."""
    settings: Any = module("slowfast.config.defaults").get_cfg()
    settings.MODEL.ARCH = "x3d"
    settings.MODEL.MODEL_NAME = "X3D"
    settings.MODEL.NUM_CLASSES = 10
    settings.RESNET.TRANS_FUNC = "x3d_transform"
    settings.RESNET.STRIDE_1X1 = False
    settings.X3D.WIDTH_FACTOR = 2.0
    settings.X3D.DEPTH_FACTOR = 2.2
    settings.X3D.BOTTLENECK_FACTOR = 2.25
    settings.X3D.DIM_C1 = 12
    settings.X3D.DIM_C5 = 2048
    settings.DATA.NUM_FRAMES = 4
    settings.DATA.TRAIN_CROP_SIZE = 64
    settings.DATA.INPUT_CHANNEL_NUM = [3]
    network: Any = module("slowfast.models.video_model_builder").X3D(settings)
    network.head.act = nn.Identity()
    made: nn.Module = network
    return made


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {
        f"logits{number}": network([rearrange(clip, "b t c h w -> b c t h w")])
        for number, clip in enumerate(inputs)
    }


CASES = (
    Case(
        name="x3d_slowfast",
        repository=REPOSITORY,
        reference=reference,
        ours=partial(create_model, "x3d_xs", size=64, num_classes=10, shortcut_norm=True),
        inputs=partial(clips, (2, 4, 3, 64, 64), (1, 5, 3, 64, 100)),
        call_reference=call,
        call_ours=call_ours,
        scales={r"se\.fc1\.bias": 0.5, r"se\.fc\d\.weight": 0.6, r"projection\.weight": 0.1},
    ),
)
