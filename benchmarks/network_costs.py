"""What more frames cost: time, peak memory and counted multiply-adds, from 8 frames to 128.

    python -m benchmarks.network_costs [--size 112] [--threads 2] [--most 128]

One network of each kind: 3D convolution, divided, joint and windowed attention. Each number of
frames runs in a fresh process, one clip, forward alone, the faster of two passes. What grows is
compared, not one kind with another: the networks differ in size. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks.machine import describe_machine
from benchmarks.networks import memory
from scenewise.models import create_model
from scenewise.models.flops import multiply_adds

FRAMES = (8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to mix frames, by a network that does."""

    what: str
    network: str
    options: dict[str, Any] = field(default_factory=dict)
    counts_frames: bool = True  # its builder is told how many frames there will be


KINDS = (
    Kind("3D convolution", "i3d_rgb", counts_frames=False),
    Kind("divided attention", "timesformer_base", {"attention": "divided_space_time"}),
    Kind("joint attention", "timesformer_base", {"attention": "joint_space_time"}),
    Kind("windowed attention", "video_swin_t", counts_frames=False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=FRAMES[-1])
    parser.add_argument("--child", nargs=2, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        torch.set_num_threads(given.threads)
        print(json.dumps(measure(KINDS[int(given.child[0])], int(given.child[1]), given.size)))
        return
    print(f"{describe_machine()}, torch {torch.__version__}, {given.threads} threads, ")
    print(f"{given.size} x {given.size} pixels\n")
    print("| kind | network | frames | multiply-adds, 10^9 | x | time, s | x | memory, MB | x |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, kind in enumerate(KINDS):
        before: dict[str, float] | None = None
        for frames in (count for count in FRAMES if count <= given.most):
            command = [sys.executable, "-m", "benchmarks.network_costs", "--child"]
            command += [str(number), str(frames), "--size", str(given.size)]
            command += ["--threads", str(given.threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
            cells = [kind.what, kind.network, str(frames)]
            for name, value in found.items():
                cells += [f"{value:.3g}", f"{value / before[name]:.2f}" if before else ""]
            print(f"| {' | '.join(cells)} |", flush=True)
            before = found


def measure(kind: Kind, frames: int, size: int) -> dict[str, float]:
    """One clip of so many frames."""
    options = dict(kind.options)
    if kind.counts_frames:
        options |= {"num_frames": frames, "size": size}
    shape = (1, frames, 3, size, size)
    count = multiply_adds(lambda: create_model(kind.network, **options), shape)
    network = create_model(kind.network, **options).eval()
    clip = torch.rand(shape)

    def forward() -> None:
        with torch.inference_mode():
            network(clip)

    grown = memory({"forward": forward})["forward"]
    took = []
    for _ in range(2):
        before = time.perf_counter()
        forward()
        took.append(time.perf_counter() - before)
    return {"multiply_adds": count / 1e9, "seconds": min(took), "megabytes": grown}


if __name__ == "__main__":
    main()
