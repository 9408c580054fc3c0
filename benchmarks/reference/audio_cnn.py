"""PANNs beside the official code, from samples on. It wants torchlibrosa on the path.

The checkout is the folder ``pytorch`` of the repository.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "qiuqiangkong/audioset_tagging_cnn"


def whole(variant: str) -> nn.Module:
    """``Cnn10`` and its like at 32 kHz, its tables included, which are made of numbers."""
    with torch.device("cpu"):
        network: nn.Module = getattr(module("models"), variant.capitalize())(
            sample_rate=32_000,
            window_size=1024,
            hop_size=320,
            mel_bins=64,
            fmin=50,
            fmax=14_000,
            classes_num=527,
        )
    return network


def reference(variant: str) -> nn.Module:
    """The same without its tables among the tensors: seeded weights must not replace them."""
    network = whole(variant)
    for name in ("spectrogram_extractor", "logmel_extractor"):
        network.__dict__[name] = network._modules.pop(name)
    return network


def sound(batch: int, samples: int) -> tuple[Tensor, ...]:
    return (0.1 * seeded_input("sound", (batch, samples)),)


def call(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """The embedding; the logits, which theirs gives behind a sigmoid; the spectra in front."""
    found = network(*inputs)
    embedding = found["embedding"]
    spectra = network.logmel_extractor(network.spectrogram_extractor(*inputs))
    return {
        "embedding": embedding,
        "logits": network.fc_audioset(embedding),
        "spectra": spectra[:, 0].transpose(1, 2)[:, ::7],
    }


def call_ours(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    return {
        "embedding": network.features(*inputs),
        "logits": network(*inputs),
        "spectra": network.log_mel(*inputs)[:, ::7],
    }


def call_once(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """For the clock: one pass; what they put behind the logits costs nothing."""
    return {"logits": network(*inputs)["clipwise_output"]}


def call_ours_once(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*inputs)}


def case(variant: str) -> Case:
    return Case(
        name=f"audio_{variant}",
        repository=REPOSITORY,
        reference=partial(reference, variant),
        ours=partial(create_model, "audio_cnn", variant=variant),
        inputs=partial(sound, 2, 16_000),
        call_reference=call,
        call_ours=call_ours,
        # spectra lie at -40 dB and about, far from what seeded norms expect
        scales={r"bn0\.running_mean": 20.0},
    )


CASES = (
    case("cnn6"),
    case("cnn10"),
    case("cnn14"),
    Case(
        name="audio_cnn10_published",
        repository=REPOSITORY,
        reference=partial(reference, "cnn10"),
        ours=partial(create_model, "audio_cnn"),
        inputs=partial(sound, 1, 320_000),
        call_reference=call_once,
        call_ours=call_ours_once,
        golden=False,
        timed=True,
    ),
    Case(
        name="audio_cnn10_file",
        repository=REPOSITORY,
        reference=partial(whole, "cnn10"),
        ours=partial(create_model, "audio_cnn"),
        inputs=partial(sound, 1, 16_000),
        golden=False,
        full=True,
    ),
)
