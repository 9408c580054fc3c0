"""From many tokens to one vector.

It knows tokens and masks; it knows no network.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor


def masked_mean(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Tokens (B, N, D) to their mean (B, D); ``mask`` (B, N) True: a real token.

    What a masked token holds, nan included, changes nothing; a row without any real token gives
    zeros.
    """
    if mask is None:
        return tokens.mean(dim=1)
    real = rearrange(mask, "b n -> b n 1")
    kept = torch.where(real, tokens, torch.zeros_like(tokens))
    return kept.sum(dim=1) / real.sum(dim=1).clamp(min=1).to(tokens.dtype)
