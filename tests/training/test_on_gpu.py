"""Every objective, LoRA and adapters on a GPU: what is drawn by chance or made on the way is there.

Skipped where there is none.
"""

from __future__ import annotations

import pytest
import torch
from seeded import seeded_ids, seeded_input
from tiny_batches import TINY, experts, fitted_videobert
from torch import nn

from scenewise.data.batch import Batch
from scenewise.models import create_model
from scenewise.training.adapters import add_adapter
from scenewise.training.learner import LOSS, Learner
from scenewise.training.lora import add_lora, merge_lora
from scenewise.training.objective_settings import (
    AdapterSettings,
    AnsweringSettings,
    ArrowOfTimeSettings,
    ClassificationSettings,
    ClipOrderSettings,
    ContrastiveSettings,
    LoraSettings,
    MaskedVideoSettings,
    MaskedWordsSettings,
    ObjectiveSettings,
    RegressionSettings,
    VideoBERTSettings,
)
from scenewise.training.objectives.registry import make_objective

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU here: objectives were checked on the CPU alone"
)
ROWS = torch.arange(4)
CLIPS = seeded_input("clips", (4, 8, 3, 64, 64))
IDS = seeded_ids("ids", (4, 6), 40) + 5
MASKED = IDS.clone().index_fill(1, torch.tensor([2]), 59)
FRAMES = seeded_input("frames", (4, 4, 8))


def backbone(classes: int) -> nn.Module:
    return create_model("videomae_tiny", num_classes=classes)


def bilm(answers: int = 0) -> nn.Module:
    return create_model("frozen_bilm_tiny", num_answers=answers, feature_dim=8, vocabulary=60)


def encoder() -> nn.Module:
    return create_model("dual_encoder_tiny", num_frames=8)


def cases() -> list[tuple[ObjectiveSettings, nn.Module, Batch]]:
    pairs = Batch(ROWS, clips=CLIPS, ids=IDS)
    widths = {"rgb": 48, "s3d": 32, "vggish": 16}
    return [
        (ClassificationSettings(), backbone(4), Batch(ROWS, clips=CLIPS, targets=ROWS)),
        (
            ClassificationSettings(several=True, focal_gamma=2.0),
            backbone(4),
            Batch(ROWS, clips=CLIPS, targets=torch.eye(4)),
        ),
        (RegressionSettings(), backbone(1), Batch(ROWS, clips=CLIPS, targets=torch.rand(4))),
        (ContrastiveSettings(), encoder(), pairs),
        (ContrastiveSettings(loss="sigmoid"), encoder(), pairs),
        (ContrastiveSettings(loss="mil_nce"), encoder(), pairs),
        (
            ContrastiveSettings(),
            create_model("mmt_tiny"),
            Batch(ROWS, experts=experts(widths, 4), ids=IDS),
        ),
        (
            MaskedWordsSettings(mask_id=59, share=0.5),
            bilm(),
            Batch(ROWS, features=FRAMES, ids=IDS, text_mask=IDS > 9),
        ),
        (
            AnsweringSettings(mask_id=59),
            bilm(4),
            Batch(ROWS, features=FRAMES, ids=MASKED, targets=ROWS),
        ),
        (
            VideoBERTSettings(),
            fitted_videobert(),
            Batch(ROWS, features=seeded_input("s3d", (4, 3, 64)), ids=IDS),
        ),
        (MaskedVideoSettings(ratio=0.5), backbone(0), Batch(ROWS, clips=CLIPS)),
        (
            ArrowOfTimeSettings(),
            backbone(0),
            Batch(ROWS, clips=CLIPS, clip_mask=torch.ones(4, 8, dtype=torch.bool)),
        ),
        (
            ClipOrderSettings(clips=2, frames=8),
            backbone(0),
            Batch(ROWS, clips=torch.cat([CLIPS, CLIPS], dim=1)),
        ),
    ]


@pytest.mark.parametrize("case", range(13))
def test_an_objective(case: int) -> None:
    settings, network, batch = cases()[case]
    learner = Learner(network, make_objective(settings, network)).cuda()
    with torch.autocast("cuda", torch.bfloat16):
        figures = learner(batch.to("cuda"))
    torch.autograd.backward(figures[LOSS])
    assert all(bool(value.isfinite()) for value in figures.values())
    assert any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_lora_and_adapters() -> None:
    network = TINY["timesformer_tiny"].network().cuda().eval()
    clips = TINY["timesformer_tiny"].clips().cuda()
    before = network(clips)
    add_lora(network, LoraSettings(parts=("q", "v")))
    merge_lora(network)
    add_adapter(network, AdapterSettings(name="medical"))
    assert torch.allclose(network(clips), before, atol=1e-4)
