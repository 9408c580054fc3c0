"""Numbers of official code for the tests: run it with seeded weights, keep what comes out.

    python -m benchmarks.reference_outputs c3d --checkout DIR [--only NAME]

``c3d`` is a module of benchmarks/reference, DIR the official repository at some commit (a clone
or an unpacked archive with its commit in ``--commit``). Writes tests/golden/NAME.npz and the
names and shapes of its tensors. No code of theirs is kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.reference.case import Case, checkout_on_path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(ROOT / "tests" / "doubles"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("family")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--commit", default=None)
    parser.add_argument("--only", default=None)
    given = parser.parse_args()
    commit = given.commit or commit_of(given.checkout)
    cases: tuple[Case, ...] = import_module(f"benchmarks.reference.{given.family}").CASES
    for case in cases:
        if given.only in (None, case.name):
            with checkout_on_path(given.checkout.resolve()):
                write(case, commit)


def commit_of(checkout: Path) -> str:
    """The commit that a clone stands at."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(case: Case, commit: str) -> None:
    """The files of one case."""
    header = f"# {case.repository} {commit}\n"
    if case.full:
        with torch.device("meta"):
            text = keys(case.reference())
        (GOLDEN / f"{case.name}.full.txt").write_text(header + text, "utf-8")
        print(f"{case.name}: {text.count(chr(10))} names")
    if not case.golden:
        return
    from seeded import seeded_state

    network = case.reference().eval()
    (GOLDEN / f"{case.name}.keys.txt").write_text(header + keys(network), "utf-8")
    own = network.state_dict()
    shapes = {key: tuple(value.shape) for key, value in own.items() if value.is_floating_point()}
    network.load_state_dict(seeded_state(shapes, seed=case.seed, scales=case.scales), strict=False)
    with torch.no_grad():
        outputs = case.call_reference(network, case.inputs())
    meta = {
        "repository": case.repository,
        "commit": commit,
        "seed": case.seed,
        "scales": dict(case.scales),
        "torch": torch.__version__,
    }
    arrays: dict[str, Any] = {
        name: value.numpy().astype(np.float32) for name, value in outputs.items()
    }
    arrays_and_meta = {"meta": np.array(json.dumps(meta)), **arrays}
    np.savez_compressed(GOLDEN / f"{case.name}.npz", **arrays_and_meta)
    for name, array in arrays.items():
        print(f"{case.name}: {name} {array.shape}, deviation {array.std():.3g}")


def keys(network: torch.nn.Module) -> str:
    """A line for each tensor: name, type, shape."""
    lines = []
    for key, value in network.state_dict().items():
        kind = str(value.dtype).removeprefix("torch.")
        lines.append(f"{key} {kind} {'x'.join(str(size) for size in value.shape)}\n")
    return "".join(lines)


if __name__ == "__main__":
    main()
