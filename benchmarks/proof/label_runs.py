"""Labelled films of the generated world, and one run over them by the product's own way.

``make_films`` writes a world and keeps its decoded frames, in parallel; ``learn`` reads a config,
trains by ``scenewise.training.train`` and measures the last network on the test split. It knows
films, configs and scores; what a score means, the experiments know.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.data.clip_cache import ClipCache
from scenewise.data.rows import Split
from scenewise.data.stretch import Interpolation, Scale
from scenewise.data.synthetic.files import write_world
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.metrics.classification import confusion_matrix

CONFIGS = Path(__file__).parents[2] / "configs" / "world"
_CHUNK = 200  # films that a process decodes at once
Row = Mapping[str, Any]  # of the runner


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a network says of the test split after its last step."""

    classes: tuple[str, ...]
    truth: npt.NDArray[np.int64]  # (N,)
    scores: npt.NDArray[np.float32]  # (N, K) logits
    accuracy: float  # as the product measures it
    first_loss: float
    last_loss: float
    steps: int
    seconds_learning: float

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """(K, K): row c counts what films of class c were taken for."""
        return confusion_matrix(self.truth, self.scores.argmax(axis=1), len(self.classes))


def make_films(
    work: Path,
    settings: WorldSettings,
    films: Mapping[Split, int],
    *,
    workers: int | None = None,
    interpolation: Interpolation = "bilinear",
) -> None:
    """Write a world below ``work`` and fill the cache of frames; what is there stays.

    ``workers`` None: a process for each core. ``interpolation`` is that of the networks, as frames
    are kept by it too: networks for video and text have bicubic.
    """
    workers = workers or len(os.sched_getaffinity(0))
    write_world(work / "world", settings, films, workers=workers)
    count = int(settings.seconds * settings.frame_rate)
    jobs = [
        (
            work / "cache" / split,
            count,
            Scale(settings.size, interpolation),
            paths[first : first + _CHUNK],
        )
        for split in films
        for paths in (sorted((work / "world" / "videos" / split).rglob("*.mp4")),)
        for first in range(0, len(paths), _CHUNK)
    ]
    if workers == 1:
        for job in jobs:
            _keep(job)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_keep, jobs))


def _keep(job: tuple[Path, int, Scale, Sequence[Path]]) -> None:
    place, count, scale, paths = job
    cache = ClipCache(place, count)
    # as all tiny networks ask for frames: their own size, where nothing is cut off
    for path in paths:
        with cache.open(path, None, scale):
            pass


def learn(
    recipe: str, folder: Path, work: Path, device: str, overrides: Sequence[str] = ()
) -> Learnt:
    """Train the recipe ``configs/world/RECIPE.toml`` on the films below ``work``.

    The run is written to ``folder``, where nothing of a run of before is left.
    """
    from scenewise.training import read_config, train

    shutil.rmtree(folder, ignore_errors=True)
    world = work / "world"
    places = [
        f'data.annotations="{world / "labels"}"',
        f'data.videos="{world / "videos"}"',
        f'data.cache="{work / "cache"}"',
    ]
    config = read_config(CONFIGS / f"{recipe}.toml", [*places, *overrides])
    losses: list[float] = []
    start = time.perf_counter()
    report = train(
        config,
        folder,
        device=device,
        progress=lambda state: None if state.evaluating else losses.append(state.loss),
    )
    seconds = time.perf_counter() - start
    if report.ended == "interrupted":
        raise KeyboardInterrupt
    classes, truth, scores, accuracy = _measured(config, folder / "final", device)
    return Learnt(
        classes,
        truth,
        scores,
        accuracy,
        losses[0],
        float(np.mean(losses[-5:])),
        report.steps,
        seconds,
    )


def _measured(
    config: Any, network_folder: Path, device: str
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.float32], float]:
    """Classes, truth (N,), logits (N, K) and accuracy on the test split, in one pass."""
    import torch

    from scenewise.models import load_pretrained
    from scenewise.models.registry import model_card
    from scenewise.training.distributed import Place
    from scenewise.training.evaluation import LabelEvaluation
    from scenewise.training.loading import find_rows, make_batches

    data = config.data.model_copy(update={"val_split": "test"})
    config = config.model_copy(update={"data": data})
    found = find_rows(config)
    assert found.val is not None  # the world has a test split
    card = model_card(config.model.name)
    batches = make_batches(config, card, found, None, torch.device(device), Place())
    assert batches.val is not None
    network = load_pretrained(str(network_folder)).to(device).eval()
    said: list[torch.Tensor] = []
    hook = network.register_forward_hook(lambda _module, _input, out: said.append(out.cpu()))
    figures = LabelEvaluation(batches.val)(network)
    hook.remove()
    classes = tuple(found.train.classes)
    truth = np.array([classes.index(row.labels[0]) for row in found.val.rows])
    return classes, truth, torch.cat(said).float().numpy(), figures["top_1"]


def spread(values: Sequence[float | None]) -> str:
    """``0.970 ± 0.010``: mean and population deviation over seeds that have a value; else ``–``."""
    known = [value for value in values if value is not None]
    return f"{mean(known):.3f} ± {pstdev(known):.3f}" if known else "–"


def by_name(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each run, in the order in which names come first."""
    names = dict.fromkeys(row["name"] for row in rows)
    return {name: [row for row in rows if row["name"] == name] for name in names}
