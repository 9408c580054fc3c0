"""What a network costs, by counting.

Counted are multiply-adds of convolutions and matrix products; papers call them FLOPs. The network
is built and run on torch's device "meta", where shapes pass through and nothing is computed: on a
processor torch's own counter does not see its fused attention. Norms, activations and additions
are not counted, nor are lookups in tables. Formulas are in ``attention_flops``, memory is
measured in ``peak_memory``. It knows operations, not processors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from scenewise.errors import NetworkError, UsageError, first_line
from scenewise.models.cards.card import Card
from scenewise.models.registry import create_model, model_card, options_of

Shape = tuple[int, ...]
_CHANNELS: dict[str, int] = {"rgb": 3, "bgr": 3, "flow": 2, "rgb+flow": 5}
# products of activations with activations; those with weights are addmm, mm and convolution
_PRODUCTS = ("bmm", "baddbmm", "_scaled_dot_product")


@dataclass(frozen=True, slots=True)
class ModuleCost:
    """One module of a network, with all that is inside."""

    name: str  # as in named_modules; "" is the network
    kind: str  # its class
    parameters: int
    multiply_adds: int
    attention_products: int  # of these: queries with keys, and weights with values


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """One network at one input."""

    name: str
    frames: int
    size: int
    parameters: int
    multiply_adds: int
    modules: tuple[ModuleCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def multiply_adds(build: Callable[[], nn.Module], *shapes: Shape) -> int:
    """Multiply-adds of one forward pass, in eval mode, of inputs of these shapes."""
    return count_modules(build, lambda: [torch.zeros(shape) for shape in shapes])[0].multiply_adds


def parameters(network: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_modules(
    build: Callable[[], nn.Module], inputs: Callable[[], Sequence[Tensor]]
) -> tuple[ModuleCost, ...]:
    """The network and each of its modules that is called or has parameters, in their order.

    ``build`` and ``inputs`` are called on the device "meta". What a module does with a child's
    weights without calling the child is counted as the module's own.
    """
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        # a layer for too small a clip has no weights, and torch warns before the network refuses
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        network = build().eval()
        given = inputs()
        with counter:
            network(*given)
    root = type(network).__name__
    counts = {str(name): found for name, found in counter.get_flop_counts().items()}
    costs = []
    for name, module in network.named_modules():
        found = counts.get("Global" if not name else f"{root}.{name}", {})
        by_name = {str(operation): int(flops) // 2 for operation, flops in found.items()}
        cost = ModuleCost(
            name,
            type(module).__name__,
            parameters(module),
            sum(by_name.values()),
            sum(count for operation, count in by_name.items() if _is_product(operation)),
        )
        if not name or cost.multiply_adds or (cost.parameters and _called(module)):
            costs.append(cost)
    return tuple(costs)


def network_cost(
    name: str, *, frames: int | None = None, size: int | None = None, **options: Any
) -> NetworkCost:
    """A network of the registry at its card's input, or at other ``frames`` and ``size``.

    Where the network has options ``num_frames`` and ``size``, it is built for them. Raises
    UsageError where it cannot take them, NetworkError where its card names no input.
    """
    card = model_card(name)
    if card.input is None:
        raise NetworkError(f"The card of {name} names no input, so its cost cannot be counted.")
    build = builder_at(name, frames, size, options)
    try:
        modules = count_modules(build, lambda: example_inputs(card, frames, size))
    except (ValueError, RuntimeError) as error:  # networks refuse clips, torch refuses shapes
        if frames is None and size is None:
            raise NetworkError(f"{name} cannot be counted: {first_line(error)}.") from error
        raise UsageError(
            f"{name} does not take {frames or card.input.frames} frames of "
            f"{size or card.input.size} pixels: {first_line(error)}; its own are "
            f"{card.input.frames} of {card.input.size}."
        ) from error
    return NetworkCost(
        name,
        frames or card.input.frames,
        size or card.input.size,
        modules[0].parameters,
        modules[0].multiply_adds,
        modules,
    )


def builder_at(
    name: str, frames: int | None, size: int | None, options: dict[str, Any]
) -> Callable[[], nn.Module]:
    """Builds the network for an input, as far as it has options for that."""
    allowed = options_of(name)
    wanted = {"num_frames": frames, "size": size}
    fitting = {key: value for key, value in wanted.items() if value is not None and key in allowed}
    return lambda: create_model(name, **{**fitting, **options})


def example_inputs(card: Card, frames: int | None, size: int | None) -> list[Tensor]:
    """One example of zeros as the card says: clips (1, T, C, H, W), then ids (1, L) of a text.

    An audio network's are spectra (1, bins, T): ``size`` bins and ``frames``.
    """
    assert card.input is not None  # looked at by the callers
    frames, size = frames or card.input.frames, size or card.input.size
    if card.input.channels == "mel":
        return [torch.zeros(1, size, frames)]
    clips = torch.zeros(1, frames, _CHANNELS[card.input.channels], size, size)
    if card.text_length is None:
        return [clips]
    return [clips, torch.zeros(1, card.text_length, dtype=torch.long)]


def convolution_multiply_adds(
    inputs: int, outputs: int, kernel: Sequence[int], places: Sequence[int], *, groups: int = 1
) -> int:
    """Of a convolution from ``inputs`` to ``outputs`` channels that gives ``places`` (T, H, W).

    Each of the outputs at each place reads ``inputs / groups`` channels under the kernel.
    """
    return outputs * (inputs // groups) * math.prod(kernel) * math.prod(places)


def linear_multiply_adds(inputs: int, outputs: int, tokens: int) -> int:
    """Of a linear layer over so many tokens."""
    return inputs * outputs * tokens


def _is_product(operation: str) -> bool:
    return operation.removeprefix("aten.").startswith(_PRODUCTS)


def _called(module: nn.Module) -> bool:
    return not isinstance(module, nn.ModuleList | nn.ModuleDict)
