"""Whether sight and sound together know what each of them alone cannot.

    python -m benchmarks.proof.runner fusion --jobs 2

Films of the generated world with sound, in eight classes: two motions with two sounds each, two
that look alike, two that sound alike. By construction the best that sight alone can do is 5 films
of 8, sound alone the same, both together all. I3D and TSM alone, both fused, the network of sound
alone, the three fused by concatenation and by a learned average, and the scores of I3D and of the
network of sound averaged after each learned by itself. All learn by ``configs/world/fusion`` and
are measured on films that nothing was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.proof.label_runs import Learnt, Row, by_name, learn, make_films, spread
from scenewise.data.rows import Split
from scenewise.data.synthetic.settings import WorldSettings, world_settings
from scenewise.data.synthetic.sound_scenes import ONE_SENSE_BEST, SOUND_CLASSES
from scenewise.metrics.classification import accuracy, confusion_matrix

FILMS: dict[Split, int] = {"train": 3200, "val": 80, "test": 480}
SMOKE_FILMS: dict[Split, int] = {"train": 32, "val": 8, "test": 16}
# a run and the most that it can know
SENSES = {
    "i3d": ONE_SENSE_BEST,
    "tsm": ONE_SENSE_BEST,
    "i3d_tsm": ONE_SENSE_BEST,
    "audio": ONE_SENSE_BEST,
    "i3d_tsm_audio": 1.0,
    "i3d_tsm_audio_average": 1.0,
    "late": 1.0,
}
LATE = ("i3d", "audio")  # whose scores are averaged
_SMOKE_STEPS = 12


def settings() -> WorldSettings:
    """The world of this experiment."""
    return world_settings(kind="sounds", frame_rate=Fraction(8), backgrounds=("plain", "gradient"))


def prepare(work: Path, *, smoke: bool = False, workers: int | None = None) -> None:
    """Films, and their decoded frames."""
    make_films(work, settings(), SMOKE_FILMS if smoke else FILMS, workers=workers)


def runs(smoke: bool) -> list[str]:
    """One network each, and the late fusion of two; of the test one of each sense and both."""
    return ["audio", "i3d_tsm_audio"] if smoke else list(SENSES)


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    """Train one network, or two that are fused late, and measure them on the test films."""
    overrides = [f"seed={seed}"]
    if smoke:
        overrides += [f"train.max_steps={_SMOKE_STEPS}", "train.batch_size=8"]
    folder = work / "runs" / f"{name}-{seed}"
    if name != "late":
        return figures_of([learn(f"fusion/{name}", folder, work, device, overrides)])
    return figures_of(
        [learn(f"fusion/{part}", folder / part, work, device, overrides) for part in LATE]
    )


def figures_of(learnt: Sequence[Learnt]) -> dict[str, Any]:
    """Figures of one network, or of the mean of the probabilities of several."""
    first = learnt[0]
    shares = late_fusion([one.scores for one in learnt])
    predicted = shares.argmax(axis=1)
    confusion = confusion_matrix(first.truth, predicted, len(first.classes))
    return {
        "accuracy": first.accuracy if len(learnt) == 1 else accuracy(first.truth, predicted),
        "by_class": {
            name: float(confusion[number, number] / max(1, confusion[number].sum()))
            for number, name in enumerate(first.classes)
        },
        "first_loss": first.first_loss,
        "last_loss": first.last_loss,
        "steps": sum(one.steps for one in learnt),
        "seconds_learning": round(sum(one.seconds_learning for one in learnt), 1),
        "films": len(first.truth),
        "classes": list(first.classes),
        "confusion": confusion.tolist(),
    }


def late_fusion(scores: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """The mean of probabilities (N, K), of logits (N, K) of each network."""
    import torch

    from scenewise.models.fusion import LateFusion

    streams = {
        str(number): torch.from_numpy(one).softmax(dim=1) for number, one in enumerate(scores)
    }
    fused: npt.NDArray[np.float32] = LateFusion(list(streams))(streams).numpy()
    return fused


def report(rows: Sequence[Row]) -> str:
    """Two tables: the networks with what they can know at most, and how well each knows a class."""
    grouped = by_name(rows)
    order = [name for name in SENSES if name in grouped]
    lines = [
        "| network | accuracy | at most, by construction | chance | steps | seconds a run | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in order:
        given = [row["figures"] for row in grouped[name]]
        steps = ", ".join(sorted({str(one["steps"]) for one in given}))
        seconds = np.mean([row["seconds"] for row in grouped[name]])
        devices = ", ".join(sorted({row["device"] for row in grouped[name]}))
        lines.append(
            f"| {name} | {spread([one['accuracy'] for one in given])} | {SENSES[name]:.3f} | "
            f"{1 / len(SOUND_CLASSES):.3f} | {steps} | {seconds:.0f} | {devices} |"
        )
    seeds = sorted({row["seed"] for row in rows})
    lines += [
        "",
        f"Mean ± deviation over seeds {seeds}; {FILMS['test']} films that were not seen in "
        "training.",
        "",
        f"| class | {' | '.join(order)} |",
        f"|---|{'---|' * len(order)}",
    ]
    for label in SOUND_CLASSES:
        cells = [
            f"{np.mean([row['figures']['by_class'][label] for row in grouped[name]]):.2f}"
            for name in order
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)
