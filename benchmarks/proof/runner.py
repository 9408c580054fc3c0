"""Runs experiments on the generated world, one process a run, and keeps what each gave.

    python -m benchmarks.proof.runner actions --seeds 3 --jobs 2 --device cpu --out figures.jsonl

An experiment is a module of this folder with three functions:

    prepare(work)      makes the films and whatever all runs share below ``work``, once; no torch
    runs(smoke)        the names of its runs, which say all but the seed; ``smoke``: the test's
    run(name, seed, work, device, smoke) -> dict   one run: its figures, plain JSON numbers
    report(rows)       a Markdown table of the rows {"name", "seed", "figures", "seconds", "device"}

A row that is in the file already is not run again, so that a run that was cut goes on, and two
machines can share the work. It knows processes and rows; it knows no experiment.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a thread each")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", type=Path, default=Path(".cache/proof"))
    parser.add_argument("--out", type=Path, default=Path(".cache/proof/figures.jsonl"))
    parser.add_argument("--only", default="", help="runs whose name holds this")
    given = parser.parse_args()
    print(describe_machine())
    for experiment in given.experiments:
        module = import_module(f"benchmarks.proof.{experiment}")
        work = (given.work / experiment).resolve()
        work.mkdir(parents=True, exist_ok=True)
        module.prepare(work)
    done = read_rows(given.out)
    waiting = [
        (experiment, name, seed)
        for seed in range(given.seeds)
        for experiment in given.experiments
        for name in import_module(f"benchmarks.proof.{experiment}").runs(False)
        if given.only in name and (experiment, name, seed) not in done
    ]
    for row in _all(waiting, given.work, given.device, given.jobs):
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    for experiment in given.experiments:
        rows = [row for key, row in read_rows(given.out).items() if key[0] == experiment]
        print(
            f"\n## {experiment}\n\n{import_module(f'benchmarks.proof.{experiment}').report(rows)}"
        )


def read_rows(path: Path) -> dict[tuple[str, str, int], Row]:
    """What was run before, by experiment, name and seed."""
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    return {(row["experiment"], row["name"], row["seed"]): row for row in rows}


def _all(waiting: list[tuple[str, str, int]], work: Path, device: str, jobs: int) -> Iterator[Row]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = {
            pool.submit(_one, *key, str((work / key[0]).resolve()), device): key for key in waiting
        }
        for future in as_completed(futures):
            error = future.exception()
            if error is not None:
                print(f"{futures[future]}: {type(error).__name__}: {error}", flush=True)
                continue
            yield future.result()


def _one(experiment: str, name: str, seed: int, work: str, device: str) -> Row:
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    start = time.perf_counter()
    module = import_module(f"benchmarks.proof.{experiment}")
    figures = module.run(name, seed, Path(work), device, False)
    return {
        "experiment": experiment,
        "name": name,
        "seed": seed,
        "figures": figures,
        "seconds": round(time.perf_counter() - start, 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu, 1 thread",
    }


if __name__ == "__main__":
    main()
