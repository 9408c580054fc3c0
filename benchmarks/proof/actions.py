"""Whether the networks for clips learn actions, twins in reversed time among them.

    python -m benchmarks.proof.runner actions --jobs 2

Films of the generated world (64 pixels, 8 frames), twelve actions, which are six pairs: a film of
one, shown backwards, is a film of the other. So what sees frames without their order can know the
pair and no more, 6 films of 12. Six networks that see motion, and two that do not as controls:
TSM whose channels are not shifted, which is a CNN whose frames are averaged, and TimeSformer that
attends to space alone. All learn by ``configs/world/actions`` and are measured on films that
nothing was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.proof.label_runs import Row, by_name, learn, make_films, spread
from scenewise.data.rows import Split
from scenewise.data.synthetic.actions import TWINS
from scenewise.data.synthetic.settings import WorldSettings, world_settings

FILMS: dict[Split, int] = {"train": 24000, "val": 240, "test": 600}
SMOKE_FILMS: dict[Split, int] = {"train": 48, "val": 12, "test": 24}
# what is shown and its twin, one after the other
CLASSES = tuple(name for pair in TWINS for name in pair)
NETWORKS = ("c3d", "i3d", "tsm", "x3d", "timesformer", "video_swin")
CONTROLS = ("tsm_unshifted", "timesformer_space_only")
_SMOKE_STEPS = 12


def settings() -> WorldSettings:
    """The world of this experiment: large things on backgrounds that stand still.

    Turning is the hardest to learn. Things are 24 to 31 pixels across, of what turns one half is
    dark, and from one frame to the next, an eighth of a second, it turns by 30 to 42 degrees.
    """
    return world_settings(
        kind="actions",
        classes=CLASSES,
        backgrounds=("plain", "gradient"),
        radius=(190, 240),
        textures=("plain", "halved"),
        turning=(240, 340),
    )


def prepare(work: Path, *, smoke: bool = False, workers: int | None = None) -> None:
    """Films, and their decoded frames."""
    make_films(work, settings(), SMOKE_FILMS if smoke else FILMS, workers=workers)


def runs(smoke: bool) -> list[str]:
    """One network each; of the test one that sees motion and one that does not."""
    return ["tsm", "tsm_unshifted"] if smoke else [*NETWORKS, *CONTROLS]


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    """Train one network and measure it on the test films."""
    overrides = [f"seed={seed}"]
    if smoke:
        overrides += [f"train.max_steps={_SMOKE_STEPS}", "train.batch_size=8"]
    learnt = learn(f"actions/{name}", work / "runs" / f"{name}-{seed}", work, device, overrides)
    return {
        "accuracy": learnt.accuracy,
        **twin_figures(learnt.confusion, learnt.classes),
        "first_loss": learnt.first_loss,
        "last_loss": learnt.last_loss,
        "steps": learnt.steps,
        "seconds_learning": round(learnt.seconds_learning, 1),
        "films": len(learnt.truth),
        "classes": list(learnt.classes),
        "confusion": learnt.confusion.tolist(),
    }


def twin_figures(confusion: npt.NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """From a confusion matrix (K, K): the share whose pair is right, and among these of twins.

    ``within_twins`` is the share of right ones among the films that were taken for their own
    class or its twin; guessing gives 0.5. ``by_pair`` has it for each pair, with how many they
    are; None where there are none.
    """
    pair_right = right = 0
    by_pair: dict[str, dict[str, Any]] = {}
    for one, other in TWINS:
        places = [classes.index(one), classes.index(other)]
        block = confusion[np.ix_(places, places)]
        own, both = int(np.trace(block)), int(block.sum())
        by_pair[f"{one} / {other}"] = {"within": own / both if both else None, "films": both}
        right, pair_right = right + own, pair_right + both
    return {
        "pair_accuracy": pair_right / int(confusion.sum()),
        "within_twins": right / pair_right if pair_right else None,
        "without_turning": without_turning(confusion, classes),
        "by_pair": by_pair,
    }


def without_turning(confusion: npt.NDArray[np.int64], classes: Sequence[str]) -> float:
    """The share that is right of all films but those in which something turns.

    Turning is by far the hardest pair: whether it was learned shows beside how the others were.
    """
    kept = [number for number, name in enumerate(classes) if not name.startswith("turn")]
    return float(np.diag(confusion)[kept].sum() / confusion[kept].sum())


def report(rows: Sequence[Row]) -> str:
    """Two tables: the networks, and how well each tells the twins of each pair apart."""
    grouped = by_name(rows)
    order = [name for name in (*NETWORKS, *CONTROLS) if name in grouped]
    lines = [
        "| network | accuracy | but for turning | pair | within twins | chance | steps "
        "| seconds a run | on |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in order:
        given = [row["figures"] for row in grouped[name]]
        means = [
            spread([one[key] for one in given])
            for key in ("accuracy", "without_turning", "pair_accuracy", "within_twins")
        ]
        what = f"{name} (sees no order)" if name in CONTROLS else name
        chance = f"{1 / len(CLASSES):.3f}; within 0.5"
        steps = ", ".join(sorted({str(one["steps"]) for one in given}))
        seconds = np.mean([row["seconds"] for row in grouped[name]])
        devices = ", ".join(sorted({row["device"] for row in grouped[name]}))
        lines.append(
            f"| {what} | {' | '.join(means)} | {chance} | {steps} | {seconds:.0f} | {devices} |"
        )
    seeds = sorted({row["seed"] for row in rows})
    lines += [
        "",
        f"Mean ± deviation over seeds {seeds}; films that were not seen in training, "
        f"{FILMS['test']} of {len(CLASSES)} classes.",
        "",
        f"| within twins | {' | '.join(order)} |",
        f"|---|{'---|' * len(order)}",
    ]
    for one, other in TWINS:
        pair = f"{one} / {other}"
        cells = []
        for name in order:
            found = [row["figures"]["by_pair"][pair]["within"] for row in grouped[name]]
            known = [value for value in found if value is not None]
            cells.append(f"{np.mean(known):.2f}" if known else "–")
        lines.append(f"| {pair} | {' | '.join(cells)} |")
    return "\n".join(lines)
