"""AST beside transformers' implementation."""

from __future__ import annotations

import sys
from pathlib import Path

import transformers
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "pip:transformers"


def reference() -> nn.Module:
    network: nn.Module = transformers.ASTForAudioClassification(
        transformers.ASTConfig(num_labels=527)
    )
    return network


def ours() -> nn.Module:
    return create_model("ast_base")


def spectra() -> tuple[Tensor, ...]:
    return (seeded_input("spectra", (1, 128, 1024)),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b m t -> b t m")).logits}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    logits: Tensor = network(*inputs)
    return {"logits": logits}


CASES = (
    Case(
        name="ast",
        repository=REPOSITORY,
        reference=reference,
        ours=ours,
        inputs=spectra,
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        timed=True,
    ),
)
