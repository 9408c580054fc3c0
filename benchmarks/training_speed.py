"""Clips a second of a training step at published sizes, beside pip's networks, in one process.

    python -m benchmarks.training_speed [--device cuda] [--only NAME] [--seconds 10] [--tiny]

A step is the trainer's own: ``Learner`` forward, loss, backward, gradient norm, AdamW, on random
pixels that lie on the device (no decoding). The reference (transformers, torchvision, where they
are installed) is put into the same learner, objective and step, so that networks alone differ; both
sides take turns, given are medians over the turns. fp32 has TF32 off everywhere, tf32 has it on in
matrix products and convolutions, bf16 is autocast. Memory is the peak of the allocator from before
the network was built, on a GPU alone. A network that cannot be measured prints why, and the rest
goes on. ``--seconds`` is what one network gets in all, building left out. Prints Markdown.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.machine import describe_machine
from scenewise.data.batch import Batch
from scenewise.errors import ScenewiseError, first_line
from scenewise.models import create_model, model_card
from scenewise.training.freezing import train_mode
from scenewise.training.learner import Learner
from scenewise.training.objectives.classification import Classification
from scenewise.training.objectives.registry import default_objective, make_objective
from scenewise.training.optimizers import make_optimizer
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.settings import OptimizerSettings, PrecisionName, TrainSettings
from scenewise.training.step import Stepper

Kind = Literal["fp32", "tf32", "bf16"]
KINDS: tuple[Kind, ...] = ("fp32", "tf32", "bf16")
WARM_STEPS = 2
LEAST_TURNS = 3
CLASSES = 400
FAILURES = (ScenewiseError, ImportError, RuntimeError, TypeError, ValueError, AttributeError)


class ChannelsFirst(nn.Module):
    """A network of torchvision, which takes (B, C, T, H, W), called as ours are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (B, K)."""
        logits: Tensor = self.network(rearrange(clips, "b t c h w -> b c t h w"))
        return logits


class WithLogits(nn.Module):
    """A network of transformers, which answers with a record."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (B, K)."""
        logits: Tensor = self.network(pixel_values=clips).logits
        return logits


def transformers_timesformer(tiny: bool) -> nn.Module:
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    small: dict[str, Any] = {
        "image_size": 64,
        "hidden_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "intermediate_size": 384,
    }
    config = TimesformerConfig(num_frames=8, num_labels=CLASSES, **(small if tiny else {}))
    return WithLogits(TimesformerForVideoClassification(config))


def transformers_videomae(tiny: bool) -> nn.Module:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    small: dict[str, Any] = {
        "image_size": 64,
        "num_frames": 8,
        "hidden_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "intermediate_size": 384,
    }
    config = VideoMAEConfig(num_labels=CLASSES, **(small if tiny else {}))
    return WithLogits(VideoMAEForVideoClassification(config))


def torchvision_video(name: str) -> Callable[[bool], nn.Module]:
    def build(tiny: bool) -> nn.Module:
        if tiny:
            raise ImportError("torchvision has no tiny size")
        from torchvision.models import video  # type: ignore[import-not-found, unused-ignore]

        return ChannelsFirst(getattr(video, name)(weights=None, num_classes=CLASSES))

    return build


@dataclass(frozen=True, slots=True)
class Case:
    """One network, and what does the same in a package of pip."""

    name: str
    tiny: str
    batch: int
    options: dict[str, Any] = field(default_factory=dict)  # so that both sides do the same
    reference: Callable[[bool], nn.Module] | None = None
    package: str = ""


CASES = (
    Case(
        "timesformer_base",
        "timesformer_tiny",
        8,
        {"drop_path": 0.0},
        transformers_timesformer,
        "transformers",
    ),
    Case("videomae_base", "videomae_tiny", 8, {}, transformers_videomae, "transformers"),
    Case(
        "video_swin_t",
        "video_swin_tiny",
        8,
        {"dropout": 0.0},
        torchvision_video("swin3d_t"),
        "torchvision",
    ),
    Case("r3d_18", "r2plus1d_tiny", 16, {}, torchvision_video("r3d_18"), "torchvision"),
    Case("r2plus1d_18", "r2plus1d_tiny", 16, {}, torchvision_video("r2plus1d_18"), "torchvision"),
    Case("i3d_rgb", "i3d_tiny", 8),
    Case("x3d_m", "x3d_tiny", 16),
    Case("tsm_resnet50", "tsm_tiny", 16),
    Case("clip4clip_mean_pool", "clip4clip_tiny", 32),
)


@dataclass(frozen=True, slots=True)
class Side:
    """A network that takes steps, and what it needed."""

    step: Callable[[], None]
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Clips a second, and GiB at the peak; None where nobody counts."""

    rate: float
    peak: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", default="", help="networks with this in their names")
    parser.add_argument("--seconds", type=float, default=10.0, help="of one network, all kinds")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, batches of 2")
    given = parser.parse_args()
    device = torch.device(given.device)
    print(f"{describe_machine()}, {describe_device(device)}\n")
    for line in table(given.only, device, given.seconds, tiny=given.tiny):
        print(line, flush=True)


def describe_device(device: torch.device) -> str:
    """What computes, and by which torch."""
    if device.type != "cuda":
        return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    name = torch.cuda.get_device_name(device)
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {cudnn}"


def table(only: str, device: torch.device, seconds: float, *, tiny: bool) -> Iterator[str]:
    """Lines of Markdown, as they become known."""
    yield (
        "| network | clip | batch | kind | clips/s | peak, GiB "
        "| reference | its clips/s | ours : its | its peak, GiB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for case in CASES:
        if only not in case.name:
            continue
        for kind in KINDS:
            if device.type != "cuda" and kind == "tf32":
                continue  # of GPUs alone
            yield row(case, kind, device, seconds / len(KINDS), tiny=tiny)


def row(case: Case, kind: Kind, device: torch.device, seconds: float, *, tiny: bool) -> str:
    """One line; what cannot be measured is said in it."""
    name, batch = (case.tiny, 2) if tiny else (case.name, case.batch)
    found = model_card(name).input
    assert found is not None
    begins = f"| {name} | {found.frames} x {found.size} px | {batch} | {kind} |"
    try:
        ours, reference, why = measure(case, kind, device, seconds, tiny=tiny)
    except FAILURES as error:
        return f"{begins} failed: {type(error).__name__}: {first_line(error)} | | | | | |"
    if reference is None:
        return f"{begins} {ours.rate:.1f} | {_peak(ours)} | {why} | | | |"
    return (
        f"{begins} {ours.rate:.1f} | {_peak(ours)} | {case.package} | {reference.rate:.1f} "
        f"| {ours.rate / reference.rate:.2f} | {_peak(reference)} |"
    )


def _peak(measured: Measured) -> str:
    return "" if measured.peak is None else f"{measured.peak:.2f}"


def measure(
    case: Case, kind: Kind, device: torch.device, seconds: float, *, tiny: bool
) -> tuple[Measured, Measured | None, str]:
    """Ours, the reference, and why there is none."""
    name, size = (case.tiny, 2) if tiny else (case.name, case.batch)
    with matrix_products(kind):
        torch.manual_seed(0)
        batch = random_batch(name, size, device)
        options = _options(name, case.options)
        sides = [make_side(lambda: create_model(name, **options), batch, kind, device)]
        why = ""
        if (build := case.reference) is not None:
            try:
                sides.append(make_side(lambda: build(tiny), batch, kind, device))
            except FAILURES as error:
                why = f"{case.package}: {type(error).__name__}: {first_line(error)}"
        times = take_turns([side.step for side in sides], device, seconds)
    measured = [
        Measured(
            size / statistics.median(taken),
            None if side.peak_bytes is None else side.peak_bytes / 2**30,
        )
        for side, taken in zip(sides, times, strict=True)
    ]
    return measured[0], measured[1] if len(measured) > 1 else None, why


def _options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    classes = {} if model_card(name).kind == "video-text" else {"num_classes": CLASSES}
    return {**options, **classes}


@contextmanager
def matrix_products(kind: Kind) -> Iterator[None]:
    """TF32 on for tf32 alone, and as it was afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = kind == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def random_batch(name: str, size: int, device: torch.device) -> Batch:
    """Clips of the card's frames and pixels, with classes, or with sentences for video-text."""
    card = model_card(name)
    assert card.input is not None
    pixels = card.input.size
    batch = Batch(
        rows=torch.arange(size), clips=torch.randn(size, card.input.frames, 3, pixels, pixels)
    )
    if card.kind != "video-text":
        return Batch(
            rows=batch.rows, clips=batch.clips, targets=torch.randint(CLASSES, (size,))
        ).to(device)
    length = card.text_length or 32
    return Batch(
        rows=batch.rows,
        clips=batch.clips,
        clip_mask=torch.ones(size, card.input.frames, dtype=torch.bool),
        ids=torch.randint(1, 500, (size, length)),
        text_mask=torch.ones(size, length, dtype=torch.bool),
    ).to(device)


def make_side(
    build: Callable[[], nn.Module], batch: Batch, kind: Kind, device: torch.device
) -> Side:
    """The network in the trainer's step, warm; its memory is counted from here."""
    gc.collect()
    before = 0
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    with device:  # drawn there, which is quicker
        network = build()
    ours = "created_as" in network.__dict__
    objective = make_objective(default_objective(network), network) if ours else Classification()
    learner = Learner(network, objective).to(device)
    precision: PrecisionName = "bf16" if kind == "bf16" else "fp32"
    stepper = Stepper(
        learner,
        make_optimizer(learner, OptimizerSettings(lr=1e-6)),
        TrainSettings(precision=precision),
        Precision(precision, device),
        Processes(),
    )
    train_mode(learner)
    source = repeat(batch)

    def step() -> None:
        stepper.step(source, 1, 1)

    for _ in range(WARM_STEPS):
        step()
    if device.type != "cuda":
        return Side(step, None)
    torch.cuda.synchronize(device)
    return Side(step, torch.cuda.max_memory_allocated(device) - before)


def take_turns(
    steps: list[Callable[[], None]], device: torch.device, seconds: float
) -> list[list[float]]:
    """Seconds a step of each, turn by turn, for about ``seconds`` and three turns at least."""
    times: list[list[float]] = [[] for _ in steps]
    counts = [1 for _ in steps]
    end = time.perf_counter() + seconds
    turn = 0
    while turn <= LEAST_TURNS or time.perf_counter() < end:
        order = range(len(steps)) if turn % 2 == 0 else reversed(range(len(steps)))
        for number in order:
            began = _now(device)
            for _ in range(counts[number]):
                steps[number]()
            taken = (_now(device) - began) / counts[number]
            if turn:  # the first one says how many steps are long enough to be timed
                times[number].append(taken)
            else:
                share = seconds / (2 * LEAST_TURNS * len(steps))
                counts[number] = max(1, min(50, int(share / taken)))
        turn += 1
    return times


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
