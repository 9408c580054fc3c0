"""How PyTorchVideo, SlowFast and mmaction2 name the tensors of X3D.

XS, S and M have the same tensors and differ in the clip alone, so that a file cannot say which of
them it is of: it is taken for M, with a head that pools over any clip, which gives the numbers of
XS and S too. Name the network where its own clip matters. It knows names; it knows no network.
"""

from __future__ import annotations

import re

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

_LAST = re.compile(r"(?:blocks\.4\.res_blocks\.|s5\.pathway0_res|backbone\.layer4\.)(\d+)\..*")
_HEAD = re.compile(r"blocks\.5\.proj\.weight|head\.projection\.weight|cls_head\.fc2\.weight")
_FIRST_NORM = re.compile(
    r"blocks\.1\.res_blocks\.0\.branch1_norm\.weight|s2\.pathway0_res0\.branch1_bn\.weight|"
    r"backbone\.layer1\.0\.downsample\.bn\.weight"
)
_DEPTHS = {7: "x3d_m", 15: "x3d_l"}  # blocks of the last stage


def _identify(state: State, _config: Config) -> Identified | None:
    places = {int(match[1]) for key in state if (match := _LAST.fullmatch(key))}
    head = next((key for key in state if _HEAD.fullmatch(key)), None)
    name = _DEPTHS.get(len(places))
    if head is None or name is None or state[head].shape[1] != 2048:
        return None
    options = {
        "num_classes": state[head].shape[0],
        "head_pool": "adaptive",
        "shortcut_norm": any(_FIRST_NORM.fullmatch(key) for key in state),
    }
    return Identified(name, options)


def _linear_as_convolution(state: State) -> State:
    """mmaction2's ``fc1`` (2048, C) as the published filter (2048, C, 1, 1, 1)."""
    return {
        key: value[:, :, None, None, None]
        if key == "blocks.5.pool.post_conv.weight" and value.ndim == 2
        else value
        for key, value in state.items()
    }


def _stages(place: str, name: str) -> tuple[tuple[str, str], ...]:
    """A rename for each of the four stages; SlowFast counts the stem as the first."""
    return tuple(
        (place.format(stage=stage, after=stage + 1), name.format(stage=stage))
        for stage in (1, 2, 3, 4)
    )


LAYOUTS = (
    Layout(
        name="pytorchvideo",
        signature=(r"blocks\.0\.conv\.conv_t\.weight", r"blocks\.5\.pool\.post_conv\.weight"),
        identify=_identify,
    ),
    Layout(
        name="slowfast",
        signature=(r"s1\.pathway0_stem\.conv_xy\.weight", r"head\.lin_5\.weight"),
        renames=(
            (r"^s1\.pathway0_stem\.conv_xy\.", "blocks.0.conv.conv_t."),
            (r"^s1\.pathway0_stem\.conv\.", "blocks.0.conv.conv_xy."),
            (r"^s1\.pathway0_stem\.bn\.", "blocks.0.norm."),
            *_stages(r"^s{after}\.pathway0_res(\d+)\.", r"blocks.{stage}.res_blocks.\1."),
            (r"\.branch1_bn\.", ".branch1_norm."),
            (r"\.branch1\.", ".branch1_conv."),
            (r"\.branch2\.([abc])\.", r".branch2.conv_\1."),
            (r"\.branch2\.([ac])_bn\.", r".branch2.norm_\1."),
            (r"\.branch2\.b_bn\.", ".branch2.norm_b.0."),
            (r"\.branch2\.se\.fc1\.", ".branch2.norm_b.1.block.0."),
            (r"\.branch2\.se\.fc2\.", ".branch2.norm_b.1.block.2."),
            (r"^head\.conv_5\.", "blocks.5.pool.pre_conv."),
            (r"^head\.conv_5_bn\.", "blocks.5.pool.pre_norm."),
            (r"^head\.lin_5\.", "blocks.5.pool.post_conv."),
            (r"^head\.projection\.", "blocks.5.proj."),
        ),
        identify=_identify,
    ),
    Layout(
        name="mmaction2",
        signature=(r"backbone\.conv1_s\.conv\.weight", r"cls_head\.fc1\.weight"),
        renames=(
            (r"^backbone\.conv1_s\.conv\.", "blocks.0.conv.conv_t."),
            (r"^backbone\.conv1_t\.conv\.", "blocks.0.conv.conv_xy."),
            (r"^backbone\.conv1_t\.bn\.", "blocks.0.norm."),
            *_stages(r"^backbone\.layer{stage}\.(\d+)\.", r"blocks.{stage}.res_blocks.\1."),
            (r"\.downsample\.conv\.", ".branch1_conv."),
            (r"\.downsample\.bn\.", ".branch1_norm."),
            (r"\.conv1\.conv\.", ".branch2.conv_a."),
            (r"\.conv1\.bn\.", ".branch2.norm_a."),
            (r"\.conv2\.conv\.", ".branch2.conv_b."),
            (r"\.conv2\.bn\.", ".branch2.norm_b.0."),
            (r"\.conv3\.conv\.", ".branch2.conv_c."),
            (r"\.conv3\.bn\.", ".branch2.norm_c."),
            (r"\.se_module\.fc1\.", ".branch2.norm_b.1.block.0."),
            (r"\.se_module\.fc2\.", ".branch2.norm_b.1.block.2."),
            (r"^backbone\.conv5\.conv\.", "blocks.5.pool.pre_conv."),
            (r"^backbone\.conv5\.bn\.", "blocks.5.pool.pre_norm."),
            (r"^cls_head\.fc1\.", "blocks.5.pool.post_conv."),
            (r"^cls_head\.fc2\.", "blocks.5.proj."),
        ),
        after=_linear_as_convolution,
        identify=_identify,
    ),
)
