"""Whether a dual encoder finds films by sentences that join what training never joined.

    python -m benchmarks.proof.runner retrieval --jobs 2

Films of the generated world (64 pixels, 8 frames), eleven actions of one thing, which has one of
eight colours, six shapes and three textures. A sentence names all four. No colour and shape of
test was ever seen with its action in training, nor with its twin, while each part was. Test has
200 films, each sentence fits exactly one of them, and most come with a film of a like thing that
does the twin: the one's frames in reverse could be the other's. So what sees frames without their
order finds the two and has to guess. Such a network is one control, an untrained one the other;
the rest see motion.

All learn by ``configs/world/retrieval`` through ``scenewise.training.train``, which measures them
on the test films after the last step; nothing is chosen by these.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.proof.label_runs import CONFIGS, Row, by_name, make_films, spread
from scenewise.data.rows import Split
from scenewise.data.synthetic.actions import ACTIONS, TWINS
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import WorldSettings, world_settings
from scenewise.data.synthetic.statements import Statement, statement
from scenewise.data.synthetic.world import World

if TYPE_CHECKING:
    from scenewise.training.config import Config
    from scenewise.training.run import Plan

FILMS: dict[Split, int] = {"train": 16500, "test": 200}
SMOKE_FILMS: dict[Split, int] = {"train": 44, "test": 22}
# what is shown and its twin, one after the other, and what never changes
CLASSES = (*(name for pair in TWINS for name in pair if ACTIONS[name].things == 1), "rest")
TEXTURES = ("plain", "striped", "halved")
PARTS = ("colour", "shape", "texture", "action", "pair")  # pair: the action or its twin
NETWORKS = ("i3d", "tsm")
CONTROL, UNTRAINED = "frames", "untrained"
WAYS = {"text_to_video": "text → video", "video_to_text": "video → text"}
_RIGHT = {"text_to_video": 1, "video_to_text": 4}  # candidates that are right: four sentences
_SMOKE_STEPS = 6
_SHOWN = ("recall_1", "recall_5", "recall_10", "median_rank")
_COUNTED = 200  # batches in which films are counted that fit one sentence


def settings() -> WorldSettings:
    """The world: 8 frames over two seconds, on backgrounds that stand still.

    Things are 24 to 31 pixels across; what turns does so by 30 to 42 degrees from frame to frame.
    """
    return world_settings(
        kind="actions",
        classes=CLASSES,
        textures=TEXTURES,
        radius=(190, 240),
        turning=(120, 170),
        seconds=2.0,
        frame_rate=Fraction(4),
        backgrounds=("plain", "gradient"),
        compositional=True,
        told_apart=True,
    )


def prepare(work: Path, *, smoke: bool = False, workers: int | None = None) -> None:
    """Films, and their decoded frames."""
    films = SMOKE_FILMS if smoke else FILMS
    make_films(work, settings(), films, workers=workers, interpolation="bicubic")


def runs(smoke: bool) -> list[str]:
    """One video side each; of the test one that sees motion and the untrained one."""
    return ["tsm", UNTRAINED] if smoke else [*NETWORKS, CONTROL, UNTRAINED]


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    """Train one network and measure it on the test films."""
    from scenewise.models import load_pretrained
    from scenewise.training import train
    from scenewise.training.distributed import Place
    from scenewise.training.run import make_plan

    config = _config(name, seed, work, smoke)
    folder = work / "runs" / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    learnt: dict[str, Any] = {"steps": 0}
    if name == UNTRAINED:
        folder.mkdir(parents=True)
        plan = make_plan(config, folder, device=device, place=Place())
        assert plan.evaluate is not None  # there is a test split
        network, figures = plan.learner.model, plan.learner.within(plan.evaluate)
    else:
        losses: list[float] = []
        start = time.perf_counter()
        report = train(
            config,
            folder,
            device=device,
            progress=lambda state: None if state.evaluating else losses.append(state.loss),
        )
        if report.ended == "interrupted":
            raise KeyboardInterrupt
        figures = report.figures
        learnt = {
            "steps": report.steps,
            "first_loss": losses[0],
            "last_loss": float(np.mean(losses[-5:])),
            "seconds_learning": round(time.perf_counter() - start, 1),
        }
        network = load_pretrained(str(folder / "final"))
        plan = make_plan(config, folder, device=device, place=Place())
    try:
        similarity, owners = similarities(network, plan)
        together = collisions(plan, _scenes("train", smoke), 4 if smoke else _COUNTED)
    finally:
        plan.batches.close()
    found = part_figures(similarity, owners, _scenes("test", smoke))
    if abs(found["recall_1"] - figures["text_to_video_recall_1"]) > 1e-6:
        raise AssertionError(f"{name}: the kept network finds {found['recall_1']}, not {figures}")
    return {**figures, **learnt, "films": len(similarity.T), "right": found, **together}


def _config(name: str, seed: int, work: Path, smoke: bool) -> Config:
    from scenewise.training import read_config

    world = work / "world"
    overrides = [
        f'data.annotations="{world / "captions"}"',
        f'data.videos="{world / "videos"}"',
        f'data.cache="{work / "cache"}"',
        f"seed={seed}",
    ]
    if smoke:
        overrides += [f"train.max_steps={_SMOKE_STEPS}", "train.batch_size=8"]
    recipe = NETWORKS[0] if name == UNTRAINED else name
    return read_config(CONFIGS / "retrieval" / f"{recipe}.toml", overrides)


def _scenes(split: Split, smoke: bool) -> list[Scene]:
    """The truth, in the order of the rows."""
    return list(World(settings()).scenes(split, (SMOKE_FILMS if smoke else FILMS)[split]))


def similarities(network: Any, plan: Plan) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Of every sentence and film of test (M, N), and which film each sentence is of (M,)."""
    import torch

    on = next(plan.learner.parameters()).device
    network = network.to(on).eval()
    assert plan.batches.val is not None
    assert plan.batches.texts is not None
    with torch.inference_mode():
        films = torch.cat([network.encode_video(b.clips).pooled for b in plan.batches.val])
        texts, owners = [], []
        for batch in plan.batches.texts:
            texts.append(network.encode_text(batch.ids, batch.text_mask).pooled)
            owners.append(batch.rows)
        cosines = torch.cat(texts) @ films.T
    return cosines.cpu().numpy(), torch.cat(owners).cpu().numpy()


def part_figures(
    similarity: npt.NDArray[np.float32], owners: npt.NDArray[np.int64], scenes: Sequence[Scene]
) -> dict[str, float]:
    """How often the nearest film of a sentence has each part right; ``twin``: it is the twin's.

    The share of all sentences, (M, N) to numbers from 0 to 1; ``recall_1`` is that of all parts.
    """
    parts = [_parts(scene) for scene in scenes]
    nearest = similarity.argmax(axis=1)
    found = {
        name: float(
            np.mean(
                [
                    parts[film][name] == parts[own][name]
                    for film, own in zip(nearest, owners, strict=True)
                ]
            )
        )
        for name in PARTS
    }
    rest = [{name: one[name] for name in PARTS if name != "action"} for one in parts]
    alike = [rest[film] == rest[own] for film, own in zip(nearest, owners, strict=True)]
    found["recall_1"] = float(np.mean(nearest == owners))
    found["twin"] = float(np.mean(np.array(alike) & (nearest != owners)))
    return found


def _parts(scene: Scene) -> dict[str, str]:
    (thing,) = scene.things
    twin = ACTIONS[scene.label].twin
    return {
        "colour": thing.colour,
        "shape": thing.shape,
        "texture": thing.texture,
        "action": scene.label,
        "pair": min(scene.label, twin),
    }


def without_order(scenes: Sequence[Scene]) -> float:
    """The best R@1 of who sees all but the order of frames: of two twins that are alike, half."""
    told = {statement(scene) for scene in scenes}
    return float(np.mean([0.5 if _twin(statement(scene)) in told else 1.0 for scene in scenes]))


def _twin(claim: Statement) -> Statement | None:
    """The same of the twin; None for what is its own."""
    ((fact,),) = claim
    twin = ACTIONS[fact.action].twin
    if twin == fact.action:
        return None
    return (frozenset({replace(fact, action=twin)}),)


def collisions(plan: Plan, scenes: Sequence[Scene], batches: int) -> dict[str, float]:
    """``fitting_two``: the share of films of a batch that fit the sentence of another of it."""
    told = [statement(scene) for scene in scenes]
    sampler = plan.batches.train.sampler  # type: ignore[attr-defined] # a Loader
    shares: list[float] = []
    epoch = 0
    while len(shares) < batches:
        sampler.set_epoch(epoch)
        for places in islice(sampler, batches - len(shares)):
            claims = [told[place.number] for place in places]
            shares.append(float(np.mean([claims.count(claim) > 1 for claim in claims])))
        epoch += 1
    return {"fitting_two": float(np.mean(shares))}


def report(rows: Sequence[Row]) -> str:
    """Three tables: text to video, video to text, and what is right in the films that are found."""
    grouped = by_name(rows)
    order = [name for name in (*NETWORKS, CONTROL, UNTRAINED) if name in grouped]
    films = rows[0]["figures"]["films"]
    lines: list[str] = []
    for way, what in WAYS.items():
        lines += [
            f"| {what} | R@1 | R@5 | R@10 | median rank | steps | seconds a run | on |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name in order:
            given = [row["figures"] for row in grouped[name]]
            means = " | ".join(spread([one[f"{way}_{key}"] for one in given]) for key in _SHOWN)
            steps = ", ".join(sorted({str(one["steps"]) for one in given}))
            seconds = np.mean([row["seconds"] for row in grouped[name]])
            devices = ", ".join(sorted({row["device"] for row in grouped[name]}))
            lines.append(f"| {_title(name)} | {means} | {steps} | {seconds:.0f} | {devices} |")
        found = [by_chance(films, k, _RIGHT[way]) for k in range(1, films + 1)]
        recalls = " | ".join(f"{found[k - 1]:.3f}" for k in (1, 5, 10))
        median = 1 + sum(share < 0.5 for share in found)
        lines += [f"| chance | {recalls} | {median} | | | |", ""]
    lines += [
        f"| the nearest film has right | {' | '.join((*PARTS, 'all but the twin'))} |",
        f"|---|{'---|' * (len(PARTS) + 1)}",
    ]
    for name in order:
        given = [row["figures"]["right"] for row in grouped[name]]
        cells = [spread([one[part] for one in given]) for part in PARTS]
        twins = spread([one["recall_1"] + one["twin"] for one in given])
        lines.append(f"| {_title(name)} | {' | '.join(cells)} | {twins} |")
    bound = without_order(list(World(settings()).scenes("test", films)))
    fitting = np.mean([row["figures"]["fitting_two"] for row in rows])
    lines += [
        "",
        f"Mean ± deviation over seeds {sorted({row['seed'] for row in rows})}; {films} films of "
        "test, four sentences each, of combinations that training did not have. Who sees all but "
        f"the order of frames has an R@1 of {bound:.3f} at best. In training {fitting:.1%} of the "
        "films of a batch fit the sentence of another one of it.",
    ]
    return "\n".join(lines)


def by_chance(films: int, k: int, each: int) -> float:
    """How often one of ``each`` right ones is among the first ``k`` of ``each * films``."""
    candidates = films * each
    return 1 - math.comb(candidates - each, k) / math.comb(candidates, k)


def _title(name: str) -> str:
    return {CONTROL: f"{CONTROL} (sees no order)"}.get(name, name)
