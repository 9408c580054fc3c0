"""Where networks repeat themselves, as their papers count it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scenewise.models.registry import create_model
from scenewise.training.blocks import rows_of_blocks


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("timesformer_base", {"blocks": 12}),
        ("videomae_base", {"videomae.encoder.layer": 12}),
        # 2 + 2 + 6 + 2 blocks in four stages
        ("video_swin_t", {"layers.*.blocks": 12}),
        # 3 + 4 + 6 + 3 bottlenecks
        ("tsm_resnet50", {"base_model.layer*": 16}),
        ("x3d_s", {"blocks.*.res_blocks": 26}),
        (
            "clip4clip_mean_pool",
            {"clip.visual.transformer.resblocks": 12, "clip.transformer.resblocks": 12},
        ),
        ("c3d_tiny", {}),
    ],
)
def test_rows_of_the_registry(name: str, rows: dict[str, int]) -> None:
    with torch.device("meta"):
        found = rows_of_blocks(create_model(name))
    assert {row.pattern: len(row.blocks) for row in found} == rows


def test_blocks_are_in_the_order_of_the_network() -> None:
    with torch.device("meta"):
        (row,) = rows_of_blocks(create_model("timesformer_base"))
    assert row.blocks == tuple(f"blocks.{number}" for number in range(12))


def test_single_layers_are_no_blocks() -> None:
    assert rows_of_blocks(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))) == []
