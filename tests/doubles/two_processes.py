"""Two processes that learn together, and one that learns the same alone.

Both are started once, run every scenario and write what came out: gradients of the first step,
weights after three. Whoever imports this by name is a fresh process (spawn).
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models import create_model
from scenewise.models.video_text.interface import Features
from scenewise.models.video_text.videobert import VideoBERT
from scenewise.training.distributed import (
    clip_gradients,
    full_state,
    gradient_sync,
    load_full_state,
    processes,
    unwrap,
    wrap,
)
from scenewise.training.learner import LOSS, Learner
from scenewise.training.lora import add_lora
from scenewise.training.losses import hidden_words_loss
from scenewise.training.objective_settings import (
    ClassificationSettings,
    ContrastiveSettings,
    DistributedSettings,
    LoraSettings,
    ObjectiveSettings,
)
from scenewise.training.objectives import contrastive
from scenewise.training.objectives.registry import make_objective
from scenewise.training.processes import Processes
from scenewise.training.ranks import gather, over_ranks

RANKS, EACH = 2, 3
STEPS, LR = 3, 0.05
Facts = dict[str, Any]


DDP = DistributedSettings(timeout_seconds=60)
FSDP = DistributedSettings(strategy="fsdp", shard_above=1000, timeout_seconds=60)
# of VideoBERT a contrast never reads the heads that tell words
UNREAD = DistributedSettings(unused_parameters=True, timeout_seconds=60)


@dataclass(frozen=True)
class Scenario:
    """A network, what it learns, and how it is wrapped."""

    objective: ObjectiveSettings
    network: Callable[[], nn.Module]
    batch: Callable[[], Batch]  # of all processes
    distributed: DistributedSettings = DDP

    def learner(self) -> Learner:
        """Weights follow from names: alike in every process and wrapping."""
        network = self.network()
        learner = Learner(network, make_objective(self.objective, network))
        shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
        scales = {r"logit_scale": 0.5, r"qkv|query|key|value": 0.02}
        network.load_state_dict(seeded_state(shapes, scales=scales), strict=False)
        if self.objective.name == "classification":
            return learner
        return learner.eval()  # no dropout


def classifier() -> nn.Module:
    return create_model("videomae_tiny", num_classes=4, num_frames=4, size=32)


def with_lora() -> nn.Module:
    """Its attention over time reads the weight of its layer instead of calling it."""
    network = create_model("timesformer_tiny", num_classes=4, num_frames=4, size=32)
    add_lora(network, LoraSettings(rank=2, parts=("q", "v"), also=("head",)))
    return network


def clips() -> Batch:
    total = RANKS * EACH
    return Batch(
        torch.arange(total),
        clips=seeded_input("clips", (total, 4, 3, 32, 32)),
        targets=torch.arange(total) % 4,
    )


def encoder() -> nn.Module:
    return create_model("dual_encoder_tiny", num_frames=2, size=32, text_length=6)


def pairs(captions: int = 0) -> Batch:
    total = RANKS * EACH
    shape = (total, captions, 6) if captions else (total, 6)
    return Batch(
        torch.arange(total),
        clips=seeded_input("pairs", (total, 2, 3, 32, 32)),
        ids=seeded_ids("words", shape, 256),
    )


def joint() -> nn.Module:
    """Compares tokens, and its texts are of different lengths in each process."""
    network = create_model("videobert_tiny", vocabulary=50)
    assert isinstance(network, VideoBERT)
    network.video_words.level(2).copy_(seeded_input("centroids", (16, 64)))
    return network


def sentences() -> Batch:
    total = RANKS * EACH
    ids = seeded_ids("sentences", (total, 7), 45) + 4  # above the marks 2, 3 and 4
    ids[:, 0], ids[EACH:, -1] = 2, 3
    ids[:EACH, 4], ids[:EACH, 5:] = 3, 0  # the first process has shorter ones
    return Batch(torch.arange(total), features=seeded_input("s3d", (total, 3, 64)), ids=ids)


CONTRASTS = {
    loss: Scenario(
        ContrastiveSettings(loss=loss),
        encoder,
        (lambda: pairs(2)) if loss == "mil_nce" else pairs,
    )
    for loss in ("info_nce", "sigmoid", "max_margin", "mil_nce")
}
SCENARIOS = {
    "classification": Scenario(ClassificationSettings(), classifier, clips),
    "fsdp classification": Scenario(ClassificationSettings(), classifier, clips, FSDP),
    "lora": Scenario(ClassificationSettings(), with_lora, clips),
    "fsdp lora": Scenario(ClassificationSettings(), with_lora, clips, FSDP),
    **CONTRASTS,
    "fsdp sigmoid": replace(CONTRASTS["sigmoid"], distributed=FSDP),
    "fsdp info_nce": replace(CONTRASTS["info_nce"], distributed=FSDP),
    "tokens": Scenario(ContrastiveSettings(), joint, sentences, UNREAD),
}


def part(batch: Batch, number: int) -> Batch:
    """A process's share."""
    rows = slice(number * EACH, (number + 1) * EACH)
    mine: dict[str, Any] = {
        field.name: value[rows]
        for field in fields(batch)
        if isinstance(value := getattr(batch, field.name), Tensor)
    }
    if batch.features is not None and number == 0:
        mine["ids"] = mine["ids"][:, :5]  # as this process's loader would have it
    return replace(batch, **mine)


def train(scenario: Scenario, own: Callable[[Batch], Batch] = lambda batch: batch) -> Facts:
    """Three steps; gradients ahead of the first one's cut, and weights at the end."""
    wrapped = wrap(scenario.learner(), scenario.distributed)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=LR, momentum=0.9)
    batch, facts = own(scenario.batch()), Facts()
    for step in range(STEPS):
        optimizer.zero_grad()
        figures = wrapped(batch)
        torch.autograd.backward(figures[LOSS])
        if not step:
            facts["loss"] = _mean(figures[LOSS])
            facts["gradients"] = {
                name: whole(parameter.grad).reshape(-1)
                for name, parameter in unwrap(wrapped).named_parameters()
                if parameter.grad is not None
            }
        norm = clip_gradients(wrapped.parameters(), 0.5)
        facts.setdefault("norm", norm)
        optimizer.step()
    facts["weights"] = full_state(wrapped)
    return facts


def whole(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def run_both(folder: Path) -> list[Facts]:
    """Start two processes as torchrun does: the store is the starter's. What each wrote."""
    store = dist.TCPStore(  # type: ignore[attr-defined]
        "127.0.0.1", 0, is_master=True, wait_for_workers=False
    )
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_work, args=(number, store.port, str(folder)), daemon=True)
        for number in range(RANKS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=180)
        if worker.is_alive():
            worker.kill()
    return [
        torch.load(folder / f"{number}.pt", weights_only=False)
        for number in range(RANKS)
        if (folder / f"{number}.pt").is_file()
    ]


def _work(number: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(RANKS),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    facts = Facts()
    try:
        with processes(DDP):
            for name, scenario in SCENARIOS.items():
                facts[name] = train(scenario, lambda batch: part(batch, number))
            with own_gradients_alone():
                facts["dropped"] = train(CONTRASTS["info_nce"], lambda batch: part(batch, number))
            facts |= small_facts(number)
            facts["began"] = time.monotonic()
            if number:
                raise ZeroDivisionError("the second process fails on purpose")
            Processes().wait()
    except TrainingError as error:
        facts["lost"] = str(error)
    except ZeroDivisionError as error:
        facts["failed"] = str(error)
    facts["waited"] = time.monotonic() - facts.get("began", 0.0)
    torch.save(facts, Path(folder) / f"{number}.pt")


def small_facts(number: int) -> Facts:
    """What needs no training."""
    group = Processes()
    facts: Facts = {"rank": group.rank, "told": group.told(f"from {number}")}
    facts["total"] = group.total([float(number), 4.0])
    facts["least"] = [group.least(4 + number), group.least(number or None)]
    facts["bools"] = gather(torch.tensor([number == 0, True]))
    try:
        gather(torch.zeros(2 + number, 3))
    except TrainingError as error:
        facts["uneven"] = str(error)
    facts["uneven words"] = uneven_words(number)
    facts |= of_sharded(number)
    return facts


def words() -> tuple[Tensor, Tensor]:
    """Logits (4, 5, 9) and labels: of the first two examples 1 word is told, of the others 6."""
    labels = torch.full((4, 5), -100)
    labels[0, 2], labels[2:, 1:4] = 3, 7
    return seeded_input("logits", (4, 5, 9)), labels


def uneven_words(number: int) -> Tensor:
    """The gradient that averaging over processes gives, where these tell 1 word and 6."""
    logits, labels = words()
    mine = slice(2 * number, 2 * number + 2)
    scale = torch.ones((), requires_grad=True)
    own = labels[mine]
    loss = over_ranks(hidden_words_loss(scale * logits[mine], own), (own != -100).sum())
    torch.autograd.backward(loss)
    assert scale.grad is not None
    dist.all_reduce(scale.grad)
    return scale.grad / RANKS


def of_sharded(number: int) -> Facts:
    """Sharded parameters: evaluation, half precision, adding up batches, a state put back."""
    scenario, facts = SCENARIOS["fsdp classification"], Facts()
    batch = part(scenario.batch(), number)
    sharded = wrap(scenario.learner(), FSDP)
    with torch.no_grad():
        facts["evaluated"] = unwrap(sharded).within(lambda network: network(batch.clips))
    optimizer = torch.optim.AdamW(sharded.parameters())
    for last in (False, True):
        with gradient_sync(sharded, last):
            torch.autograd.backward(sharded(batch)[LOSS] / 2)
    facts["added"] = {
        name: whole(parameter.grad).reshape(-1)
        for name, parameter in sharded.named_parameters()
        if parameter.grad is not None
    }
    facts["shards"] = sum(
        parameter.to_local().numel()
        for parameter in sharded.parameters()
        if isinstance(parameter, DTensor)
    )
    before = full_state(sharded)
    optimizer.step()
    moved = full_state(sharded)
    load_full_state(sharded, before)
    after = full_state(sharded)
    if number == 0:
        facts["moved"] = max((moved[name] - before[name]).abs().max() for name in before)
        facts["put back"] = all(torch.equal(after[name], before[name]) for name in before)
    half = wrap(scenario.learner(), FSDP.model_copy(update={"param_dtype": "bfloat16"}))
    facts["half"] = _mean(half(batch)[LOSS])
    return facts


def _mean(loss: Tensor) -> float:
    """Over all processes."""
    group = Processes()
    return group.total([float(loss.detach())])[0] / group.world


@contextmanager
def own_gradients_alone() -> Iterator[None]:
    """The gather of many tutorials: features of others come without gradients."""

    def detached(features: Features) -> Features:
        parts = [torch.empty_like(features.pooled) for _ in range(RANKS)]
        dist.all_gather(parts, features.pooled.detach())
        parts[dist.get_rank()] = features.pooled
        return Features(torch.cat(parts))

    with mock.patch.object(contrastive, "gather_features", detached):
        yield
