"""Every network beside its reference: forward, training step and peak memory, in one run.

    python -m benchmarks.networks --checkouts DIR [--only NAME] [--threads 2] [--rounds 3]

DIR holds the official repositories as folders ``owner+name``; a case whose repository is not there
is named and left out. References inside pip packages need none,
or lie unpacked in ``pip+name``. Each case has a process of its
own, in which both networks take turns (ours, reference, ours, …); given are medians of wall time
and of the pairs' ratios. Memory is what a fresh process grows by in one forward and in one
training step (SGD), at its peak, beyond network and input. Both sides have random weights, and
nothing is measured but cost. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import torch
from torch import Tensor

import benchmarks.reference
from benchmarks.machine import describe_machine
from benchmarks.reference.case import Case, Outputs, checkout_on_path

LEAST_ROUNDS = 3
SIDES = ("ours", "reference")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checkouts", type=Path, default=Path())
    parser.add_argument("--only", default=None, help="case names with this in them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS)
    parser.add_argument("--child", nargs=2, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.child is not None:
        name, what = given.child
        print(json.dumps(measure(find(name), what, given.checkouts, given.rounds)))
        return
    print(f"{describe_machine()}, torch {torch.__version__}, {given.threads} threads\n")
    print("| network | reference | forward, s | x | step, s | x | forward, MB | step, MB |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases():
        if given.only is None or given.only in case.name:
            print(row(case, given), flush=True)


def cases() -> Iterator[Case]:
    """Every timed case, family by family."""
    for module in iter_modules(benchmarks.reference.__path__):
        for case in getattr(import_module(f"benchmarks.reference.{module.name}"), "CASES", ()):
            if case.timed:
                yield case


def find(name: str) -> Case:
    return next(case for case in cases() if case.name == name)


def row(case: Case, given: argparse.Namespace) -> str:
    """One line of the table; what cannot be measured is said in it."""
    what = f"{case.repository}{'' if case.fused else ' (attention by hand)'}"
    if not case.repository.startswith("pip:") and not checkout(case, given.checkouts).is_dir():
        return f"| {case.name} | {what}: not at hand, left out | | | | | | |"
    found: dict[str, Any] = {}
    for part in ("time", *SIDES):
        command = [sys.executable, "-m", "benchmarks.networks", "--child", case.name, part]
        command += ["--checkouts", str(given.checkouts), "--threads", str(given.threads)]
        command += ["--rounds", str(given.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"| {case.name} | {what}: {part} failed: {reason} | | | | | | |"
        found[part] = json.loads(done.stdout.strip().splitlines()[-1])
    times, ours, theirs = found["time"], found["ours"], found["reference"]
    return (
        f"| {case.name} | {what} "
        f"| {times['forward'][0]:.3g} : {times['forward'][1]:.3g} | {times['forward'][2]:.2f} "
        f"| {times['step'][0]:.3g} : {times['step'][1]:.3g} | {times['step'][2]:.2f} "
        f"| {ours['forward']:.0f} : {theirs['forward']:.0f} "
        f"| {ours['step']:.0f} : {theirs['step']:.0f} |"
    )


def checkout(case: Case, folder: Path) -> Path:
    """Where a case's official code lies; a package of pip is installed, or lies there unpacked."""
    return folder / case.repository.replace("/", "+").replace(":", "+")


def measure(case: Case, what: str, checkouts: Path, rounds: int) -> dict[str, Any]:
    """Times of both sides (medians, and the median ratio), or one side's memory."""
    pip = case.repository.startswith("pip:")
    place = (
        contextlib.nullcontext() if pip else checkout_on_path(checkout(case, checkouts).resolve())
    )
    with place, contextlib.redirect_stdout(sys.stderr):
        inputs = case.inputs()
        if what == "time":
            runs = {side: steps(case, side, inputs) for side in SIDES}
            return {
                mode: compare(runs["ours"][mode], runs["reference"][mode], rounds)
                for mode in ("forward", "step")
            }
        return memory(steps(case, what, inputs))


def steps(case: Case, side: str, inputs: tuple[Tensor, ...]) -> dict[str, Callable[[], None]]:
    """One forward pass in eval mode, and one training step."""
    torch.manual_seed(0)
    network = case.ours() if side == "ours" else case.reference()
    call = case.call_ours if side == "ours" else case.call_reference
    trained = [item for item in network.parameters() if item.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-6)

    def forward() -> None:
        network.eval()
        with torch.inference_mode():
            call(network, inputs)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(call(network, inputs))
        torch.autograd.backward(loss)
        optimizer.step()

    return {"forward": forward, "step": step}


def loss_of(outputs: Outputs) -> Tensor:
    """Any loss that reaches all outputs: the cost of a step does not depend on which."""
    parts = [value.float().square().mean() for value in outputs.values() if value.requires_grad]
    return torch.stack(parts).sum()


def compare(
    ours: Callable[[], None], reference: Callable[[], None], rounds: int
) -> tuple[float, float, float]:
    """Medians of both, and the median of the pairs' ratios (reference over ours)."""
    pairs = []
    for number in range(rounds + 1):
        # who comes first changes from round to round
        order = (ours, reference) if number % 2 == 0 else (reference, ours)
        took = {}
        for run in order:
            before = time.perf_counter()
            run()
            took[run] = time.perf_counter() - before
        if number:  # the first round warms up
            pairs.append((took[ours], took[reference]))
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(theirs / mine for mine, theirs in pairs),
    )


def memory(runs: dict[str, Callable[[], None]]) -> dict[str, float]:
    """MB that the process grows by at its peak, for each mode, beyond what it holds before."""
    found = {}
    for mode, run in runs.items():
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux)
        before = resident("VmRSS")
        run()
        found[mode] = resident("VmHWM") - before
    return found


def resident(what: str) -> float:
    """MB of this process: VmRSS now, VmHWM at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {what}")


if __name__ == "__main__":
    main()
