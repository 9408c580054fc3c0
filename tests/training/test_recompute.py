"""Blocks that are computed twice: the same gradients, the same running figures, less memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from scenewise.errors import TrainingError
from scenewise.models.registry import create_model
from scenewise.training.recompute import recompute_blocks


def passed(model: nn.Module, clips: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Gradients and state after one training pass whose chance is fixed."""
    model.train()
    torch.manual_seed(3)
    torch.autograd.backward(model(clips).square().mean())
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return found, model.state_dict()


@pytest.mark.parametrize(
    ("name", "patterns", "options", "shape"),
    [
        ("timesformer_tiny", ("auto",), {"dropout": 0.2}, (2, 8, 3, 64, 64)),
        ("timesformer_tiny", ("blocks.*",), {}, (2, 8, 3, 64, 64)),
        ("resnet3d_tiny", ("auto",), {}, (2, 8, 3, 64, 64)),
        ("video_swin_tiny", ("auto",), {}, (2, 8, 3, 64, 64)),
    ],
)
def test_gradients_and_running_figures_are_the_same(
    name: str, patterns: tuple[str, ...], options: dict[str, float], shape: tuple[int, ...]
) -> None:
    """Dropout draws the same again; a batch norm counts a batch once."""
    torch.manual_seed(0)
    clips = torch.randn(shape)
    plain = create_model(name)
    other = create_model(name)
    other.load_state_dict(plain.state_dict())
    for model in (plain, other):
        for part in model.modules():
            if isinstance(part, nn.Dropout):
                part.p = options.get("dropout", part.p)
    assert recompute_blocks(other, patterns)
    (expected, before), (found, after) = passed(plain, clips), passed(other, clips)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_it_is_off_where_nothing_is_learned() -> None:
    model = create_model("timesformer_tiny").eval()
    clips = torch.randn(1, 8, 3, 64, 64)
    with torch.no_grad():
        before = model(clips)
        recompute_blocks(model, ("auto",))
        assert torch.equal(model(clips), before)


@pytest.mark.parametrize(
    ("name", "patterns", "words"),
    [
        ("c3d_tiny", ("auto",), "repeats no block"),
        ("timesformer_tiny", ("block.*",), r"no name fits 'block\.\*'; near it are .*blocks"),
        ("timesformer_tiny", ("blocks",), "a list of modules is no block"),
    ],
)
def test_what_does_not_fit_is_said(name: str, patterns: tuple[str, ...], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        recompute_blocks(create_model(name), patterns)


_MEASURE = """
import json, torch
from torch import nn
from scenewise.models.peak_memory import _give_back, _peak, _start
from scenewise.training.recompute import recompute_blocks
torch.set_num_threads(1)

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.other = nn.Linear(64, 64), nn.Linear(64, 64)
    def forward(self, x):
        return x + self.other(self.layer(x).tanh()).tanh()

def high(recompute):
    model = nn.Sequential(*[Block() for _ in range(8)]).train()
    if recompute:
        recompute_blocks(model, ("auto",))
    x = torch.randn(16384, 64)  # 4 MB, and each block keeps three such
    model(x).sum().backward()  # kernels are loaded, gradients are there
    _give_back()
    before, how = _start()
    model(x).sum().backward()
    return _peak(how) - before, how

print(json.dumps([high(True), high(False)]))
"""


def test_the_peak_of_memory_is_lower() -> None:
    """Of a row of 8 blocks that keep about 12 MB each, measured in a process of its own."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE],
        capture_output=True,
        text=True,
        # large blocks of memory go back to the system when they are freed
        env={
            **os.environ,
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
            "MALLOC_MMAP_THRESHOLD_": "1000000",
        },
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (low, how), (high, _) = json.loads(done.stdout)
    if how != "VmHWM":
        pytest.skip("this system does not tell the highest memory of a stretch of time")
    assert 0 < low < high / 2
