"""ViViT, model 1, beside transformers' VivitForVideoClassification."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input


def reference() -> nn.Module:
    from transformers import VivitConfig, VivitForVideoClassification

    network: nn.Module = VivitForVideoClassification(VivitConfig(num_labels=400))
    return network


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(*inputs).logits}


CASES = (
    Case(
        name="vivit_base",
        repository="pip:transformers",
        reference=reference,
        ours=functools.partial(create_model, "vivit_base"),
        inputs=lambda: (seeded_input("clips", (1, 32, 3, 224, 224)),),
        call_reference=call,
        golden=False,
        timed=True,
    ),
)
