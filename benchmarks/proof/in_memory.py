"""Films of the generated world as arrays on disk, and a small training loop over them.

For experiments that ask one question of many small networks: films are drawn once, all runs map
the same file into memory, and a run is a hundred lines. Whole training runs from videos, as users
have them, are ``scenewise.training.run``'s. It knows arrays and steps; it knows no experiment.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scenewise.data.rows import Split
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.data.synthetic.world import World

if TYPE_CHECKING:  # ``prepare`` runs without torch
    from torch import Tensor, nn

Row = dict[str, Any]
Truth = Callable[[Scene], npt.NDArray[np.generic]]  # a function of a module: it goes to processes
_CHUNK = 50  # films that one process draws at a time


@dataclass(frozen=True, slots=True)
class Films:
    """The first ``count`` films of a split; ``frames`` of each, by number, or all."""

    name: str
    settings: WorldSettings
    count: int
    split: Split = "train"
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """AdamW with a warm-up and a cosine down to nothing."""

    steps: int
    lr: float
    batch: int = 32
    warmup: int = 100
    weight_decay: float = 0.02
    clip_norm: float = 1.0


@dataclass(frozen=True, slots=True)
class Arrays:
    """Films (N, T, H, W, 3) uint8, mapped from disk, and what is true of each (N, ...)."""

    frames: Any  # an array, or what is asked for its rows like one
    truth: npt.NDArray[Any]

    def first(self, count: int) -> Arrays:
        return Arrays(self.frames[:count], self.truth[:count])


class Joined:
    """Several arrays end to end, as one; nothing is copied but what is asked for."""

    def __init__(self, parts: Sequence[npt.NDArray[np.uint8]]) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, wanted: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        numbers = np.arange(len(self))[wanted] if isinstance(wanted, slice) else wanted
        whose = np.searchsorted(self._ends, numbers, side="right")
        begins = self._ends - [len(part) for part in self._parts]
        return np.stack(
            [
                self._parts[part][number - begins[part]]
                for part, number in zip(whose, numbers, strict=True)
            ]
        )


def write_films(folder: Path, wanted: Sequence[Films], truth: Truth) -> None:
    """Draw films and ``truth`` of their scenes into two files each; once: what is there stays."""
    missing = [films for films in wanted if not _truth_file(folder, films.name).is_file()]
    jobs = []
    for films in missing:
        first = _drawn(films, range(1))
        np.lib.format.open_memmap(
            _part_file(folder, films.name),
            mode="w+",
            dtype=np.uint8,
            shape=(films.count, *first.shape[1:]),
        )
        for start in range(0, films.count, _CHUNK):
            numbers = range(start, min(start + _CHUNK, films.count))
            jobs.append((folder, films, numbers, truth))
    truths: dict[str, list[npt.NDArray[Any]]] = {films.name: [] for films in missing}
    for (_, films, _, _), true in zip(jobs, _in_processes(jobs), strict=True):
        truths[films.name].append(true)
    for name, parts in truths.items():
        _part_file(folder, name).replace(folder / f"{name}.npy")
        np.save(_truth_file(folder, name), np.concatenate(parts))


def read_films(folder: Path, name: str) -> Arrays:
    """What ``write_films`` wrote."""
    frames = np.load(folder / f"{name}.npy", mmap_mode="r")
    return Arrays(frames, np.load(_truth_file(folder, name)))


def pixels(frames: npt.NDArray[np.uint8], device: str) -> Tensor:
    """Films (B, T, H, W, 3) uint8 to (B, T, 3, H, W), about -2 to 2."""
    import torch
    from einops import rearrange

    moved = torch.from_numpy(np.array(frames)).to(device)  # a copy: the file is read-only
    return rearrange(moved, "b t h w c -> b t c h w").float() / 63.75 - 2.0


def fit(
    network: nn.Module,
    films: Arrays,
    loss: Callable[[Tensor, Tensor], Tensor],
    recipe: Recipe,
    *,
    seed: int,
    device: str,
    as_inputs: Callable[[Any, str], Tensor] = pixels,
) -> list[float]:
    """Train in place; ``loss`` is called with what the network gave and the truth. All losses.

    Raises RuntimeError where the loss is no number: figures of such a network would mean nothing.
    """
    import torch

    from scenewise.training.memory_format import to_channels_last
    from scenewise.training.schedules import Schedule
    from scenewise.training.settings import ScheduleSettings

    network.to(device).train()
    to_channels_last(network)  # convolutions are up to twice as fast on a processor
    matrices = [value for value in network.parameters() if value.requires_grad and value.ndim > 1]
    vectors = [value for value in network.parameters() if value.requires_grad and value.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr)
    warmup = min(recipe.warmup, recipe.steps // 4)
    schedule = Schedule(ScheduleSettings(name="cosine", warmup_steps=warmup), recipe.steps)
    losses = []
    for step, chosen in zip(
        range(recipe.steps), _batches(len(films.truth), recipe.batch, seed), strict=False
    ):
        schedule.apply(optimizer, step)
        inputs = as_inputs(films.frames[chosen], device)
        found = loss(network(inputs), torch.from_numpy(films.truth[chosen]).to(device))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(found)
        torch.nn.utils.clip_grad_norm_([*matrices, *vectors], recipe.clip_norm)
        optimizer.step()
        losses.append(found.detach())
    values: list[float] = torch.stack(losses).tolist()
    if not all(math.isfinite(value) for value in values):
        raise RuntimeError("the loss became no number; a lower learning rate may help")
    return values


def predictions(
    network: nn.Module | Callable[[Tensor], Tensor],
    frames: Any,
    device: str,
    *,
    batch: int = 64,
    as_inputs: Callable[[Any, str], Tensor] = pixels,
) -> npt.NDArray[np.float32]:
    """What the network says of each film (N, ...), in eval mode."""
    import torch

    if isinstance(network, torch.nn.Module):
        network.to(device).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(frames), batch):
            found.append(network(as_inputs(frames[start : start + batch], device)).float().cpu())
    return np.asarray(torch.cat(found).numpy(), np.float32)


def accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[Any]) -> float:
    """Share of films whose largest logit is that of their label."""
    return float((logits.argmax(axis=1) == labels).mean())


def drop(losses: Sequence[float]) -> dict[str, float]:
    """The loss at the beginning and at the end, each a mean of up to ten steps."""
    few = min(10, max(1, len(losses) // 4))
    return {
        "first_loss": float(np.mean(losses[:few])),
        "last_loss": float(np.mean(losses[-few:])),
    }


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean and standard deviation of the seeds, as it stands in a table."""
    if not len(values):
        return "not run"
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def of_run(rows: Sequence[Row], name: str, figure: str) -> list[float]:
    """One figure of all seeds of a run."""
    return [row["figures"][figure] for row in rows if row["name"] == name]


def _batches(count: int, batch: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers of films without end, each film once an epoch."""
    lots = np.random.default_rng(seed)
    batch = min(batch, count)
    while True:
        order = lots.permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield np.sort(order[start : start + batch])


_Job = tuple[Path, Films, range, Truth]


def _in_processes(jobs: Sequence[_Job]) -> Iterator[npt.NDArray[Any]]:
    if sum(len(numbers) for _, _, numbers, _ in jobs) < 3 * _CHUNK:
        yield from map(_draw, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(jobs)), mp_context=context) as pool:
        yield from pool.map(_draw, jobs)


def _draw(job: _Job) -> npt.NDArray[Any]:
    """Draw some films into the file of all; what is true of them."""
    folder, films, numbers, truth = job
    frames = np.load(_part_file(folder, films.name), mmap_mode="r+")
    frames[numbers.start : numbers.stop] = _drawn(films, numbers)
    frames.flush()
    world = World(films.settings)
    return np.stack([truth(world.scene(films.split, number)) for number in numbers])


def _drawn(films: Films, numbers: range) -> npt.NDArray[np.uint8]:
    world, settings = World(films.settings), films.settings
    return np.stack(
        [
            render(
                world.scene(films.split, number),
                size=settings.size,
                frame_rate=settings.frame_rate,
                numbers=films.frames or None,
            )
            for number in numbers
        ]
    )


def _part_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.part.npy"


def _truth_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.truth.npy"
