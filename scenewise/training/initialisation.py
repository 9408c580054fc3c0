"""Fresh weights scaled to how wide the layers are: ``fan_in``.

Networks of this package begin as published. Some published draws are normals of one fixed width
(0.02 in transformers, 0.01 in C3D), which suit the published layers alone: in a layer an eighth as
wide the signal shrinks from layer to layer, and a small network learns nothing for long. He et
al., "Delving Deep into Rectifiers", 2015 (https://arxiv.org/abs/1502.01852) for ReLU; LeCun et
al., "Efficient BackProp", 1998 otherwise. It knows layers; it knows no network.
"""

from __future__ import annotations

import torch
from torch import nn

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
EMBEDDING_STD = 0.5  # of positions and marks that are added to tokens of about unit size
WORD_STD = 1.0  # of such tokens where they are words; torch's own draw


@torch.no_grad()
def scale_to_fan_in(network: nn.Module) -> int:
    """Draw weights anew with the variance of their fan-in; the number of layers that it changed.

    ``gain / fan_in`` with gain 2 in networks of ReLU, else 1; biases become 0. What is all zeros
    stays so: a branch that is meant to begin closed. Embeddings of positions, instants and marks
    (parameters of the network whose names end in ``_embed`` or ``_token``) get a spread of 0.5.
    Words (``nn.Embedding``) get 1, or the positions that are added to them would hide them; a
    table that is a linear layer's too is drawn as that. Norms are left alone.
    """
    gain = (
        2.0
        if any(isinstance(part, nn.ReLU) for part in network.modules()) or _is_plain(network)
        else 1.0
    )
    changed = 0
    for layer in network.modules():
        if isinstance(layer, _LAYERS) and bool(layer.weight.any()):
            nn.init.normal_(layer.weight, std=(gain / layer.weight[0].numel()) ** 0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            changed += 1
    tied = {id(part.weight) for part in network.modules() if isinstance(part, _LAYERS)}
    for table in network.modules():
        if isinstance(table, nn.Embedding) and id(table.weight) not in tied:
            nn.init.normal_(table.weight, std=WORD_STD)
            if table.padding_idx is not None:
                nn.init.zeros_(table.weight[table.padding_idx])
    for name, value in network.named_parameters():
        if name.endswith(("_embed", "_token")):
            nn.init.normal_(value, std=EMBEDDING_STD)
    return changed


def _is_plain(network: nn.Module) -> bool:
    """Whether it has no norm at all: such networks use ReLU as a function, not as a module."""
    norms = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)
    return not any(isinstance(part, norms) for part in network.modules())
