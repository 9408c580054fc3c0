"""Numbers that official code gave, kept beside the tests, and how ours are compared with them.

    tests/golden/NAME.npz       what came out, and "meta": repository, commit, seed, scales
    tests/golden/NAME.keys.txt  names, types and shapes of the official network's tensors
    tests/golden/NAME.full.txt  the same of the published size, without numbers

``python -m benchmarks.reference_outputs`` writes them; a module of ``benchmarks/reference`` says
how the official network is built and called.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from seeded import seeded_state, uniform
from torch import Tensor, nn

from scenewise.models.registry import created_as, model_card
from scenewise.models.weights.load import convert_state

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """One comparison."""

    name: str
    meta: dict[str, Any]
    outputs: dict[str, npt.NDArray[np.float32]]

    def state(self) -> dict[str, Tensor]:
        """The official network's tensors, made again from their names."""
        shapes = {
            key: shape for key, (kind, shape) in read_keys(self.name).items() if "float" in kind
        }
        return seeded_state(shapes, seed=self.meta["seed"], scales=self.meta["scales"])


def golden(name: str) -> Golden:
    """The numbers of this name."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    meta = json.loads(str(arrays.pop("meta")))
    return Golden(name, meta, arrays)


def read_keys(name: str, suffix: str = "keys") -> dict[str, tuple[str, tuple[int, ...]]]:
    """Official names with type and shape."""
    found = {}
    for line in (GOLDEN / f"{name}.{suffix}.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            key, kind, shape = line.split(" ")
            found[key] = (kind, tuple(int(size) for size in shape.split("x") if size))
    return found


def load_official(network: nn.Module, state: dict[str, Tensor]) -> str:
    """Put tensors by official names into a network of ours, whole; the layout's name."""
    converted = convert_state(model_card(created_as(network).name), state)
    assert converted is not None, "no layout knows these keys"
    layout, ours = converted
    own = network.state_dict()
    # counters of batch norms and tables of indices are no weights: official code has some too
    weights = {key for key, value in own.items() if value.is_floating_point()}
    assert sorted(weights - ours.keys()) == []
    assert sorted(key for key in ours.keys() - own.keys() if ours[key].is_floating_point()) == []
    network.load_state_dict({key: ours[key] for key in own if key in ours}, strict=False)
    return layout


def assert_takes_keys(network: nn.Module, name: str, suffix: str = "full") -> None:
    """A network on the device "meta" takes the official names and shapes, nothing left over."""
    state = {
        key: torch.empty(shape, device="meta", dtype=getattr(torch, kind))
        for key, (kind, shape) in read_keys(name, suffix).items()
    }
    converted = convert_state(model_card(created_as(network).name), state)
    assert converted is not None, "no layout knows these keys"
    ours = {key: tuple(value.shape) for key, value in converted[1].items()}
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key for key, value in network.state_dict().items() if value.is_floating_point()}
    assert {key: ours.get(key) for key in weights} == {key: own[key] for key in weights}
    assert sorted(ours.keys() - own.keys()) == []


def largest_difference(ours: Tensor, theirs: npt.NDArray[np.float32] | Tensor) -> float:
    """The largest absolute difference; the shapes must agree."""
    expected = theirs if isinstance(theirs, Tensor) else torch.from_numpy(theirs)
    assert ours.shape == expected.shape
    return float((ours.detach() - expected.detach()).abs().max())


def perturbed_groups(network: nn.Module) -> list[str]:
    """Names of parameter groups: the parameters' own names without the numbers of blocks."""
    groups: dict[str, str] = {}
    for name, _ in network.named_parameters():
        groups.setdefault(
            "".join("#" if part.isdigit() else part for part in name.split(".")), name
        )
    return list(groups.values())


def perturb(network: nn.Module, name: str, by: float = 0.1) -> None:
    """Change one parameter by a tenth of its own size, in directions that its name gives.

    Directions in a pattern would shift all channels alike, which a layer norm takes away again.
    """
    parameter = network.get_parameter(name)
    with torch.no_grad():
        flat = parameter.view(-1)
        signs = torch.from_numpy(np.sign(uniform(f"perturb {name}", tuple(flat.shape))))
        flat += signs * by * flat.abs().mean().clamp(min=1e-3)
