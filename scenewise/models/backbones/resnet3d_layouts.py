"""The layouts of the residual networks' weights.

official     kenshohara/3D-ResNets-PyTorch, whose names are ours. Weights of a 2D ResNet, which have
             the same names, are inflated by repetition (the first filter to 7 instants)
torchvision  r3d_18, mc3_18 and r2plus1d_18, and VMZ's r2plus1d_34, which is built of torchvision's
             parts
mmaction2    its r2plus1d_34

It knows names and shapes of tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.inflate import inflate
from scenewise.models.weights.layout import Config, Identified, Layout

_STEM_TIME = 7
_BASIC: dict[tuple[int, ...], int] = {
    (2, 2, 2, 2): 18,
    (3, 4, 6, 3): 34,
}  # layers, by blocks of each stage
_BOTTLENECK: dict[tuple[int, ...], int] = {
    (3, 4, 6, 3): 50,
    (3, 4, 23, 3): 101,
    (3, 8, 36, 3): 152,
    (3, 24, 36, 3): 200,
}


def _depths(state: Mapping[str, object], prefix: str = "") -> tuple[int, ...]:
    blocks = {
        match.groups()
        for key in state
        if (match := re.match(rf"{re.escape(prefix)}layer(\d)\.(\d+)\.", key))
    }
    return tuple(sum(stage == str(number) for stage, _ in blocks) for number in range(1, 5))


def _identify_hara(state: State, _config: Config) -> Identified | None:
    bottleneck = "layer1.0.conv3.weight" in state
    depth = (_BOTTLENECK if bottleneck else _BASIC).get(_depths(state))
    head = state.get("fc.weight")
    if depth is None or head is None or head.shape[1] != (2048 if bottleneck else 512):
        return None
    options: dict[str, object] = {"num_classes": head.shape[0]}
    split = "conv1_t.weight" in state
    if split:
        options["filters"] = "split"
    if "layer2.0.downsample.0.weight" not in state:
        options["shortcut"] = "A"
    first = state["conv1_t.weight" if split else "conv1.weight"]
    if first.ndim == 5 and first.shape[2] != _STEM_TIME:
        options["stem_time"] = first.shape[2]
    return Identified(f"resnet3d_{depth}", options, begins=first.ndim == 4)


def _identify_torchvision(state: State, _config: Config) -> Identified | None:
    options = {"num_classes": state["fc.weight"].shape[0]} if "fc.weight" in state else {}
    depth = _BASIC.get(_depths(state))
    if "stem.3.weight" in state:
        return Identified(f"r2plus1d_{depth}", options) if depth in (18, 34) else None
    if depth != 18:
        return None
    planar = state["layer2.0.conv1.0.weight"].shape[2] == 1
    return Identified("mc3_18" if planar else "r3d_18", options)


def _identify_mmaction2(state: State, _config: Config) -> Identified | None:
    if _BASIC.get(_depths(state, "backbone.")) != 34:
        return None
    head = state.get("cls_head.fc_cls.weight")
    options: dict[str, object] = {"variant": "mmaction2"}
    return Identified(
        "r2plus1d_34", options if head is None else {**options, "num_classes": head.shape[0]}
    )


def _inflated(state: State) -> State:
    """Filters of pictures get instants: 7 the first, as many as their side has the others."""
    return {
        key: inflate(value, value.shape[2] if key != "conv1.weight" else _STEM_TIME)
        if value.ndim == 4
        else value
        for key, value in state.items()
    }


def _named_as_filters(state: State) -> State:
    """The stem's first pair, and norms after a split filter, get the names of what they are."""
    split = "conv1_t.weight" in state
    made: State = {}
    for key, value in state.items():
        key = re.sub(r"^stem\.0\.", "conv1_s." if split else "conv1.", key)
        key = re.sub(r"^stem\.1\.", "bn1_s." if split else "bn1.", key)
        norm = re.fullmatch(r"(layer\d\.\d+)\.bn(\d)\.(\w+)", key)
        if norm and f"{norm[1]}.conv{norm[2]}_t.weight" in state:
            key = f"{norm[1]}.bn{norm[2]}_t.{norm[3]}"
        made[key] = value
    return made


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"conv1(_s)?\.weight", r"bn1(_s)?\.weight", r"layer1\.0\.bn2(_s)?\.weight"),
        before=_inflated,
        identify=_identify_hara,
    ),
    Layout(
        name="torchvision",
        signature=(r"stem\.0\.weight", r"layer1\.0\.conv2\.0(\.0)?\.weight"),
        renames=(
            # the split stem's fourth part is the filter of time; without it there is one filter
            (r"^stem\.3\.", "conv1_t."),
            (r"^stem\.4\.", "bn1_t."),
            (r"\.conv(\d)\.0\.0\.", r".conv\1_s."),
            (r"\.conv(\d)\.0\.1\.", r".bn\1_s."),
            (r"\.conv(\d)\.0\.3\.", r".conv\1_t."),
            (r"\.conv(\d)\.0\.", r".conv\1."),
            (r"\.conv(\d)\.1\.", r".bn\1."),
        ),
        after=_named_as_filters,
        identify=_identify_torchvision,
    ),
    Layout(
        name="mmaction2",
        signature=(r"backbone\.conv1\.conv\.conv_s\.weight", r"backbone\.layer4\.2\..*"),
        renames=(
            (r"^backbone\.", ""),
            (r"^cls_head\.fc_cls\.", "fc."),
            (r"downsample\.conv\.conv_s\.", "downsample.0."),
            (r"downsample\.conv\.bn_s\.", "downsample.1."),
            (r"downsample\.conv\.conv_t\.", "downsample.3."),
            (r"downsample\.bn\.", "downsample.4."),
            (r"conv(\d)\.conv\.conv_([st])\.", r"conv\1_\2."),
            (r"conv(\d)\.conv\.bn_s\.", r"bn\1_s."),
            (r"conv(\d)\.bn\.", r"bn\1_t."),
        ),
        identify=_identify_mmaction2,
    ),
)
