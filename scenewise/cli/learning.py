"""``scenewise train``: a network learns from videos, as a config says.

It reads options and prints; ``scenewise.training`` learns, and is loaded when the command runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.options import (
    DeviceOption,
    DryRunOption,
    JsonOption,
    QuietOption,
    VerboseOption,
)
from scenewise.cli.output import Output, byte_size, printable, rough_duration, shell_quoted, warn
from scenewise.cli.reading import whole_number

if TYPE_CHECKING:
    from scenewise.training.config import ReadConfig
    from scenewise.training.dry_run import DryRun
    from scenewise.training.report import TrainProgress
    from scenewise.training.search import SearchReport

INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 5.0

ConfigArgument = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A TOML, YAML or JSON file.", show_default=False),
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Where the run's files go."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another value for a key of the config, such as optimizer.lr=1e-4; repeatable.",
        show_default=False,
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the run that lies in --out.")
]
OverfitOption = Annotated[
    bool,
    typer.Option(
        "--overfit-batch",
        help="Train on the first batch alone and write nothing: the loss should come near 0.",
    ),
]
SearchOption = Annotated[
    Path | None,
    typer.Option(
        "--search",
        metavar="SPACE",
        help="Try settings from this space instead of one run; needs the extra train.",
        show_default=False,
    ),
]
TrialsOption = Annotated[
    int | None,
    typer.Option(
        "--trials",
        parser=whole_number(1),
        metavar="N",
        help="Of --search: how many there should be in the end. Default: as SPACE says.",
        show_default=False,
    ),
]


def train(
    config: ConfigArgument,
    out: OutOption = Path("run"),
    overrides: SetOption = None,
    resume: ResumeOption = False,
    overfit_batch: OverfitOption = False,
    dry_run: DryRunOption = False,
    search: SearchOption = None,
    trials: TrialsOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a network on videos, as a config says.

    The run's folder then holds the networks best and final, which classify --model and index
    --encoder read, and their figures. Under torchrun several processes learn as one.
    """
    first = os.environ.get("RANK", "0") == "0"
    output = Output.start(json=json, quiet=quiet or not first, verbose=verbose)
    _only_one_way(resume, overfit_batch, dry_run, search, trials)
    from scenewise.training.config import read_with_sources

    read = read_with_sources(config, overrides or ())
    if dry_run:
        _show_plan(output, read, first)
    elif search is not None:
        _search(output, read, search, out, trials, device or "auto", resume)
    elif overfit_batch:
        _overfit(output, read, device or "auto")
    else:
        _run(output, read, out, resume, device or "auto", first)


def _only_one_way(
    resume: bool, overfit_batch: bool, dry_run: bool, search: Path | None, trials: int | None
) -> None:
    chosen = [
        name
        for name, given in (
            ("--dry-run", dry_run),
            ("--overfit-batch", overfit_batch),
            ("--search", search is not None),
        )
        if given
    ]
    if resume and chosen and chosen != ["--search"]:
        chosen.append("--resume")
    if len(chosen) > 1:
        from scenewise.errors import UsageError

        raise UsageError(f"{' and '.join(chosen)} do not go together; give one of them.")
    if trials is not None and search is None:
        from scenewise.errors import UsageError

        raise UsageError("--trials belongs to --search SPACE; give that too, or leave it out.")


def _run(
    output: Output,
    read: ReadConfig,
    out: Path,
    resume: bool,
    device: str,
    first: bool,
) -> None:
    from scenewise.training.run import train as run

    report = run(
        read.config,
        out,
        resume=resume,
        device=device,
        files=read.files,
        overrides=read.overrides,
        progress=None if output.quiet else ShownSteps(),
        say=output.note,
    )
    if report.ended == "interrupted":
        if first:
            # the resolved config has what --set and the files said
            resolved = shell_quoted(out / "config.resolved.json")
            again = f"scenewise train {resolved} --out {shell_quoted(out)} --resume"
            warn(f"interrupted after step {report.steps}; go on with: {again}")
        raise typer.Exit(INTERRUPTED)
    if not first:
        return
    if output.json:
        output.document(report.to_dict())
        return
    figures = "".join(f", {name} {value:.4f}" for name, value in report.figures.items())
    output.result(f"{report.steps} steps, loss {report.loss:.4f}{figures}: {printable(out)}")


def _overfit(output: Output, read: ReadConfig, device: str) -> None:
    from scenewise.training.run import overfit_batch

    report = overfit_batch(read.config, device=device, say=output.note)
    if output.json:
        output.document(report.to_dict())
        return
    output.result(
        f"{report.steps} steps on one batch: loss {report.first_loss:.4f} to {report.last_loss:.4f}"
    )


class ShownSteps:
    """A line on stderr when some seconds have passed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._shown_at = now()

    def __call__(self, progress: TrainProgress) -> None:
        """Show it, where it is time."""
        if self._now() - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._shown_at = self._now()
            warn(describe(progress))


def describe(progress: TrainProgress) -> str:
    """``step 12/40, epoch 1/2, loss 0.5312, 0.12 s a step, about 3 s left``."""
    steps, epochs = progress.steps, progress.epochs
    epoch = progress.epoch + 1 if epochs is None else min(progress.epoch + 1, epochs)
    parts = [
        f"step {progress.step}" + ("" if steps is None else f"/{steps}"),
        f"epoch {epoch}" + ("" if epochs is None else f"/{epochs}"),
        f"loss {progress.loss:.4f}",
    ]
    if progress.evaluating:
        parts.append("measuring")
    elif progress.seconds_per_step > 0:
        parts.append(f"{progress.seconds_per_step:.2f} s a step")
        if steps is not None and steps > progress.step:
            left = (steps - progress.step) * progress.seconds_per_step
            parts.append(f"about {rough_duration(left)} left")
    return ", ".join(parts)


def _show_plan(output: Output, read: ReadConfig, first: bool) -> None:
    from scenewise.training.dry_run import dry_run

    found = dry_run(read.config)
    if not first:
        return
    if output.json:
        output.document(found.to_dict())
        return
    for note in found.notes:
        output.note(note)
    for line in _plan_lines(found):
        output.result(line)
    output.table(
        ("block", "kind", "takes", "gives", "parameters", "trained"),
        [
            (
                block.name,
                block.kind,
                ", ".join(block.inputs),
                ", ".join(block.outputs),
                f"{block.parameters:,}",
                f"{block.trained:,}",
            )
            for block in found.blocks
        ],
        figures=True,
    )


def _plan_lines(found: DryRun) -> list[str]:
    rows = ", ".join(f"{count} of {split}" for split, count in found.rows.items())
    missing = f", {len(found.missing)} missing" if found.missing else ""
    lines = [
        f"{printable(found.network)} learns {found.objective}",
        f"rows: {rows}; videos: {found.videos}{missing}",
        f"steps: {found.steps}; batches of an epoch: {found.batches_per_epoch}",
        "batch: " + ", ".join(f"{name} {shape}" for name, shape in found.batch.items()),
        f"parameters: {found.parameters:,}, trained: {found.trained:,}",
    ]
    if found.multiply_adds is not None:
        lines.append(f"multiply-adds: {found.multiply_adds:,} a clip")
    for group in found.groups:
        decay = "" if group.weight_decay is None else f", weight decay {group.weight_decay:g}"
        lines.append(f"learning rate: {group.lr:g} of {group.parameters:,} parameters{decay}")
    memory = found.memory
    if memory is not None:
        parts = ", ".join(
            f"{name} {byte_size(count)}"
            for name, count in memory.to_dict().items()
            if name != "peak"
        )
        lines.append(f"memory of a step: {byte_size(memory.peak)} at most at once ({parts})")
    if found.figure is not None:
        lines.append(f"best by: {found.figure}")
    return lines


def _search(
    output: Output,
    read: ReadConfig,
    space: Path,
    out: Path,
    trials: int | None,
    device: str,
    resume: bool,
) -> None:
    from scenewise.training.search import search

    try:
        report = search(
            read, space, out, trials=trials, device=device, resume=resume, say=output.note
        )
    except KeyboardInterrupt:
        warn("interrupted; the same command with --resume goes on.")
        raise
    _show_search(output, report, out)


def _show_search(output: Output, report: SearchReport, out: Path) -> None:
    if output.json:
        output.document(report.to_dict())
        return
    names = list(report.keys)
    output.table(
        ("trial", "state", report.figure, *names),
        [
            (
                str(trial.number),
                trial.state,
                "-" if trial.value is None else f"{trial.value:.4f}",
                *(str(trial.values.get(name, "-")) for name in names),
            )
            for trial in report.trials
        ],
        figures=True,
    )
    if report.best is not None:
        output.note(f"trial {report.best} is the best: {printable(out / 'best.toml')}")
