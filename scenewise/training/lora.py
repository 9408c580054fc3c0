"""LoRA: a frozen linear layer and a small product of matrices beside it.

Edward Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021
(https://arxiv.org/abs/2106.09685): W x + alpha / rank * B A x, A (rank, in) by chance and B (out,
rank) zero, so that training begins with the network as it was. B A can be added to W, and then
costs nothing. It knows linear layers; it knows no network and no loss.

The layer keeps the names ``weight`` and ``bias``, and ``layer.weight`` gives the sum with the
update, for owners that read the weight instead of calling the layer (TimeSformer's attention).
Projections that are bare parameters (CLIP's ``in_proj_weight``, nn.MultiheadAttention) are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from scenewise.errors import TrainingError
from scenewise.training.extra_files import put_in, read_extra, write_extra
from scenewise.training.frozen import (
    ParameterCount,
    count_parameters,
    find_linear,
    find_modules,
    freeze,
    usual,
)
from scenewise.training.objective_settings import LoraSettings

ATTENTION = (  # queries, keys and values by their names in the registry's networks
    "qkv",
    "qkv_proj",
    "query",
    "key",
    "value",
    "q_proj",
    "k_proj",
    "v_proj",
    "query_proj",
    "key_proj",
    "value_proj",
    "attn.q",
    "attn.k",
    "attn.v",
)
_SLOTS = {"q": 0, "k": 1, "v": 2}  # places in a fused layer, as rows
_FUSED = 3
FORM = "lora"


class LoraLinear(nn.Linear):
    """A linear layer with its update; takes over the weight and bias of ``own``.

    ``slots`` names thirds of the outputs that have an update, each its own (fused q, k and v);
    None: one update for all outputs.
    """

    def __init__(
        self,
        own: nn.Linear,
        *,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        slots: tuple[int, ...] | None = None,
    ) -> None:
        nn.Module.__init__(self)  # no fresh weights
        self.in_features, self.out_features = own.in_features, own.out_features
        self._parameters["weight"] = own.get_parameter("weight")
        self._parameters["bias"] = own.bias
        self.scale = alpha / rank
        self.slots = slots
        self.merged = False
        self.dropout = nn.Dropout(dropout)
        groups, rows = (1, own.out_features)
        if slots is not None:
            groups, rows = len(slots), own.out_features // _FUSED
        fresh = own.weight.new_empty(groups, rank, own.in_features)
        for each in fresh:
            nn.init.kaiming_uniform_(each, a=math.sqrt(5))
        self.lora_a = nn.Parameter(fresh)  # (groups, rank, in)
        self.lora_b = nn.Parameter(own.weight.new_zeros(groups, rows, rank))

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """(out, in) with the update, for who reads it; dropout of inputs has no place in it."""
        own = self.own_weight
        if self.merged or isinstance(own, DTensor):  # a shard, which FSDP moves about
            return own
        if self.training and self.dropout.p:
            raise TrainingError(
                "A layer of this network is not called, its weight is read, so LoRA cannot drop "
                "its inputs; set lora.dropout = 0."
            )
        return own + self.update()

    @property
    def own_weight(self) -> Tensor:
        """The parameter itself (out, in)."""
        own = self._parameters["weight"]
        assert own is not None
        return own

    def update(self) -> Tensor:
        """alpha / rank * B A, (out, in)."""
        each = self.scale * einsum(self.lora_b, self.lora_a, "g o r, g r i -> g o i")
        return rearrange(self._spread(each, 0), "g o i -> (g o) i")

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        output = F.linear(x, self.own_weight, self.bias)
        if self.merged:
            return output
        low = einsum(self.dropout(x), self.lora_a, "... i, g r i -> ... g r")
        each = self.scale * einsum(low, self.lora_b, "... g r, g o r -> ... g o")
        return output + rearrange(self._spread(each, -2), "... g o -> ... (g o)")

    @torch.no_grad()
    def merge(self, on: bool = True) -> None:
        """Add the update to the weight, or take it out again."""
        if on != self.merged:
            self.own_weight.add_(self.update(), alpha=1.0 if on else -1.0)
            self.merged = on

    def _spread(self, each: Tensor, dim: int) -> Tensor:
        """Updates of some slots among zeros for the others, along ``dim``."""
        if self.slots is None:
            return each
        shape = list(each.shape)
        shape[dim] = _FUSED
        places = torch.tensor(self.slots, device=each.device)
        return each.new_zeros(shape).index_copy(dim, places, each)


def add_lora(network: nn.Module, settings: LoraSettings | None = None) -> ParameterCount:
    """Give linear layers an update, in place; from here on that alone learns, and ``also``.

    Without targets, all projections to queries, keys and values get one. Raises TrainingError for
    names that the network does not have, and where there is LoRA already.
    """
    settings = settings or LoraSettings()
    if lora_layers(network):
        raise TrainingError("The network has LoRA already: fold_lora(network) ends the first.")
    targets = settings.targets or usual(network, ATTENTION, "attention")
    layers = find_linear(network, targets)
    also = find_modules(network, settings.also)
    made = {name: _updated(name, layer, settings) for name, layer in layers.items()}
    freeze(network)
    for name, layer in made.items():
        owner, _, last = name.rpartition(".")
        setattr(network.get_submodule(owner), last, layer)
    for module in also.values():
        module.requires_grad_(True)
    network.__dict__[FORM] = settings
    return count_parameters(network)


def lora_layers(network: nn.Module) -> dict[str, LoraLinear]:
    """The layers that have an update, by name."""
    return {
        name: module for name, module in network.named_modules() if isinstance(module, LoraLinear)
    }


def merge_lora(network: nn.Module, on: bool = True) -> None:
    """Add all updates to their weights, which costs nothing afterwards; ``on`` False: take out."""
    for layer in lora_layers(network).values():
        layer.merge(on)


def fold_lora(network: nn.Module) -> None:
    """Merge for good: plain linear layers again, that ``save_pretrained`` writes as always."""
    for name, layer in lora_layers(network).items():
        layer.merge()
        plain = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
        plain.weight = nn.Parameter(layer.own_weight.detach())
        plain.bias = layer.bias
        owner, _, last = name.rpartition(".")
        setattr(network.get_submodule(owner), last, plain.train(layer.training))
    network.__dict__.pop(FORM, None)


def lora_names(network: nn.Module) -> set[str]:
    """Keys of the network's state that LoRA learned: updates, and modules of ``also``."""
    names = {f"{name}.lora_{side}" for name in lora_layers(network) for side in "ab"}
    for name, module in find_modules(network, _settings(network).also).items():
        names |= {f"{name}.{key}" for key in module.state_dict()}
    return names


def save_lora(
    network: nn.Module, folder: str | Path, *, state: Mapping[str, Tensor] | None = None
) -> Path:
    """Write what LoRA learned, without the network: ``lora.json`` and ``lora.safetensors``.

    ``state`` is the network's whole state where its parameters are sharded; None: its own.
    """
    settings = _settings(network)
    given = network.state_dict() if state is None else state
    kept = {name: given[name] for name in sorted(lora_names(network))}
    return write_extra(network, folder, FORM, settings.model_dump(mode="json"), kept)


def load_lora(network: nn.Module, folder: str | Path) -> ParameterCount:
    """Give a network the LoRA of a folder. Raises TrainingError where it does not fit."""
    settings, state = read_extra(network, folder, FORM)
    count = add_lora(network, LoraSettings.model_validate(settings))
    put_in(network, state, lora_names(network), folder)
    return count


def _settings(network: nn.Module) -> LoraSettings:
    settings = network.__dict__.get(FORM)
    if not isinstance(settings, LoraSettings):
        raise TrainingError(f"{type(network).__name__} has no LoRA; add_lora gives it one.")
    return settings


def _updated(name: str, layer: nn.Linear, settings: LoraSettings) -> LoraLinear:
    slots = None
    if settings.parts is not None and name.rpartition(".")[2].startswith("qkv"):
        if layer.out_features != _FUSED * layer.in_features:
            raise TrainingError(
                f"{name} has {layer.out_features} outputs of {layer.in_features} inputs, so its "
                "parts are not thirds; leave out lora.parts."
            )
        slots = tuple(sorted({_SLOTS[part] for part in settings.parts}))
    return LoraLinear(
        layer, rank=settings.rank, alpha=settings.alpha, dropout=settings.dropout, slots=slots
    ).train(layer.training)
