"""CLIP's two towers: a vision transformer for pictures, a causal transformer for words.

Alec Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021
(https://arxiv.org/abs/2103.00020). The names of the parameters are those of OpenAI's code, so
that its checkpoints load as they are; ``from_huggingface`` turns the names of transformers'
CLIPModel into them. The product of attention is torch's fused one. Pictures alone: it knows
neither time nor how videos are compared with words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.models.layers.attention import QuickGELU
from scenewise.models.weights.checkpoint import State

HEAD_WIDTH = 64  # of every attention head of every published size


@dataclass(frozen=True, slots=True)
class ClipSize:
    """Widths and depths of the two towers."""

    embed_dim: int
    image_size: int  # pixels, a square
    patch_size: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    context_length: int = 77
    vocab_size: int = 49_408


VIT_B_32 = ClipSize(
    embed_dim=512,
    image_size=224,
    patch_size=32,
    vision_width=768,
    vision_layers=12,
    text_width=512,
    text_layers=12,
)
VIT_B_16 = ClipSize(
    embed_dim=512,
    image_size=224,
    patch_size=16,
    vision_width=768,
    vision_layers=12,
    text_width=512,
    text_layers=12,
)
VIT_L_14 = ClipSize(
    embed_dim=768,
    image_size=224,
    patch_size=14,
    vision_width=1024,
    vision_layers=24,
    text_width=768,
    text_layers=12,
)
TINY = ClipSize(
    embed_dim=64,
    image_size=64,
    patch_size=16,
    vision_width=128,
    vision_layers=2,
    text_width=128,
    text_layers=2,
    context_length=32,
    vocab_size=512,
)
SIZES = {"ViT-B/32": VIT_B_32, "ViT-B/16": VIT_B_16, "ViT-L/14": VIT_L_14}


class Encoded(NamedTuple):
    """What a tower makes of B examples."""

    pooled: Tensor  # (B, E), projected into the common space, not of unit length
    hidden: Tensor  # (B, N, D), all tokens after the last norm, ahead of the projection


class SelfAttention(nn.Module):
    """Tokens (B, N, D) to (B, N, D), with the keys of torch's MultiheadAttention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """``mask`` is added to the scores or, bool, True where a token may be looked at.

        Its shape is (B or 1, heads or 1, N, N); ``causal`` lets a token see none after itself.
        """
        query, key, value = rearrange(
            F.linear(tokens, self.in_proj_weight, self.in_proj_bias),
            "b n (three h d) -> three b h n d",
            three=3,
            h=self.heads,
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
        output: Tensor = self.out_proj(rearrange(mixed, "b h n d -> b n (h d)"))
        return output


class FeedForward(nn.Module):
    """(…, D) to (…, D) through four times the width, with the keys ``c_fc.*`` and ``c_proj.*``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.gelu = QuickGELU()
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token by token."""
        output: Tensor = self.c_proj(self.gelu(self.c_fc(tokens)))
        return output


class ResidualBlock(nn.Module):
    """Attention and feed-forward, a norm ahead of each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Tokens (B, N, D) to (B, N, D); ``mask`` and ``causal`` as of SelfAttention."""
        tokens = tokens + self.attn(self.ln_1(tokens), mask, causal)
        output: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return output


class Transformer(nn.Module):
    """A row of blocks, with the keys ``resblocks.N.*``."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.resblocks = nn.ModuleList(ResidualBlock(width, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Tokens (B, N, D) to (B, N, D); ``mask`` and ``causal`` as of SelfAttention."""
        for block in self.resblocks:
            tokens = block(tokens, mask, causal)
        return tokens

    def initialise(self) -> None:
        """OpenAI's normals of the text tower; the vision tower keeps torch's own values."""
        deep = self.width**-0.5 * (2 * len(self.resblocks)) ** -0.5
        for block in self.resblocks:
            assert isinstance(block, ResidualBlock)
            nn.init.normal_(block.attn.in_proj_weight, std=self.width**-0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=deep)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * self.width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=deep)


class VisionTower(nn.Module):
    """Pictures (B, 3, H, W) to one vector each, read at the class token."""

    def __init__(self, size: ClipSize) -> None:
        super().__init__()
        width = size.vision_width
        self.size = size.image_size
        patches = (size.image_size // size.patch_size) ** 2
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, size.patch_size, size.patch_size, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(patches + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, size.vision_layers, width // HEAD_WIDTH)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, size.embed_dim))

    def patches(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to (B, H / P * W / P, D)."""
        tokens: Tensor = rearrange(self.conv1(images), "b d h w -> b (h w) d")
        return tokens

    def embed(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to what the first block reads (B, 1 + N, D)."""
        if images.ndim != 4 or images.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"this CLIP takes pictures of 3 x {self.size} x {self.size}, "
                f"got {tuple(images.shape[1:])}"
            )
        patches = self.patches(images)
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens: Tensor = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)
        return tokens

    def forward(self, images: Tensor) -> Encoded:
        """Pictures (B, 3, H, W) to (B, E) and tokens (B, 1 + N, D)."""
        hidden = self.ln_post(self.transformer(self.embed(images)))
        return Encoded(hidden[:, 0] @ self.proj, hidden)


class CLIP(nn.Module):
    """Both towers, with the keys of OpenAI's checkpoints."""

    def __init__(self, size: ClipSize) -> None:
        super().__init__()
        self.visual = self._vision(size)
        self.transformer = Transformer(
            size.text_width, size.text_layers, size.text_width // HEAD_WIDTH
        )
        self.token_embedding = nn.Embedding(size.vocab_size, size.text_width)
        self.positional_embedding = nn.Parameter(torch.empty(size.context_length, size.text_width))
        self.ln_final = nn.LayerNorm(size.text_width)
        self.text_projection = nn.Parameter(torch.empty(size.text_width, size.embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=size.text_width**-0.5)
        self.transformer.initialise()

    def _vision(self, size: ClipSize) -> VisionTower:
        """The picture tower; a network for clips may put its own here."""
        return VisionTower(size)

    def encode_image(self, images: Tensor) -> Encoded:
        """Pictures (B, 3, H, W) to (B, E) and tokens (B, 1 + N, D)."""
        encoded: Encoded = self.visual(images)
        return encoded

    def encode_text(self, ids: Tensor) -> Encoded:
        """Token ids (B, L) to (B, E), read at the end mark, and tokens (B, L, D).

        The end mark has the highest id of all, so what stands behind it has no part.
        """
        hidden = self.text_hidden(ids)
        return Encoded(at_end_mark(hidden, ids) @ self.text_projection, hidden)

    def text_hidden(self, ids: Tensor) -> Tensor:
        """Token ids (B, L) to (B, L, D), after the last norm."""
        length = ids.shape[-1]
        if ids.ndim != 2 or length > len(self.positional_embedding):
            raise ValueError(
                f"this CLIP takes (B, L) ids with L up to {len(self.positional_embedding)}, "
                f"got {tuple(ids.shape)}"
            )
        tokens = self.token_embedding(ids) + self.positional_embedding[:length]
        hidden: Tensor = self.ln_final(self.transformer(tokens, causal=True))
        return hidden


def at_end_mark(hidden: Tensor, ids: Tensor) -> Tensor:
    """Of tokens (B, L, D) the one whose id is the highest, (B, D)."""
    # shape[0], not len: a traced program with a batch of any size knows the first alone
    return hidden[torch.arange(ids.shape[0], device=ids.device), ids.argmax(dim=-1)]


# entries of OpenAI's scripted files that are numbers, no weights
IGNORED = ("input_resolution", "context_length", "vocab_size")

# of one transformer block, transformers' names to OpenAI's; q, k and v are joined before
BLOCK_RENAMES = (
    (r"\bself_attn\.", "attn."),
    (r"\blayer_norm1\.", "ln_1."),
    (r"\blayer_norm2\.", "ln_2."),
    (r"\bmlp\.fc1\.", "mlp.c_fc."),
    (r"\bmlp\.fc2\.", "mlp.c_proj."),
)
HUGGINGFACE_RENAMES = (
    *BLOCK_RENAMES,
    (r"\btext_model\.embeddings\.token_embedding\.", "token_embedding."),
    (r"\btext_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"\btext_model\.encoder\.layers\.", "transformer.resblocks."),
    (r"\btext_model\.final_layer_norm\.", "ln_final."),
    (r"\btext_projection\.weight$", "text_projection"),
    (r"\bvision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"\bvision_model\.embeddings\.patch_embedding\.", "visual.conv1."),
    (r"\bvision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"\bvision_model\.encoder\.layers\.", "visual.transformer.resblocks."),
    (r"\bvision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"\bvision_model\.post_layernorm\.", "visual.ln_post."),
    (r"\bvisual_projection\.weight$", "visual.proj"),
)
HUGGINGFACE_IGNORED = (r".*\.position_ids",)
PROJECTIONS = (r"(.*\.)?(text|visual)_projection\.weight",)


def join_query_key_value(state: State) -> State:
    """``X.q_proj.weight``, ``k_proj`` and ``v_proj`` become ``X.in_proj_weight``; biases too."""
    joined: State = {}
    for key, value in state.items():
        match = re.fullmatch(r"(.*\.)([qkv])_proj\.(weight|bias)", key)
        if match is None:
            joined[key] = value
        elif match[2] == "q":
            others = [state[f"{match[1]}{which}_proj.{match[3]}"] for which in "kv"]
            joined[f"{match[1]}in_proj_{match[3]}"] = torch.cat([value, *others])
    return joined


def transpose_projections(state: State, names: Sequence[str] = PROJECTIONS) -> State:
    """Linear layers' weights (out, in) as the matrices (in, out) that OpenAI multiplies by."""
    fits = [re.compile(name) for name in names]
    return {
        key: value.T if any(pattern.fullmatch(key) for pattern in fits) else value
        for key, value in state.items()
    }


def rename(key: str, renames: Sequence[tuple[str, str]] = HUGGINGFACE_RENAMES) -> str:
    """One key after all renames, in their order."""
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


def from_huggingface(state: State) -> State:
    """Tensors of transformers' CLIPModel by OpenAI's names."""
    ignored = [re.compile(pattern) for pattern in HUGGINGFACE_IGNORED]
    kept = {
        key: value for key, value in state.items() if not any(p.fullmatch(key) for p in ignored)
    }
    joined = transpose_projections(join_query_key_value(kept))
    return {rename(key): value for key, value in joined.items()}


def clip_size(state: State, prefix: str = "") -> ClipSize | None:
    """The size of towers by OpenAI's names behind ``prefix``; None where a tower is absent."""
    needed = (
        "visual.conv1.weight",
        "visual.positional_embedding",
        "token_embedding.weight",
        "positional_embedding",
        "text_projection",
    )
    if any(prefix + name not in state for name in needed):
        return None
    conv, places, words, positions, projection = (state[prefix + name] for name in needed)
    return ClipSize(
        embed_dim=projection.shape[1],
        image_size=math.isqrt(places.shape[0] - 1) * conv.shape[-1],
        patch_size=conv.shape[-1],
        vision_width=conv.shape[0],
        vision_layers=blocks(state, f"{prefix}visual.transformer.resblocks."),
        text_width=words.shape[1],
        text_layers=blocks(state, f"{prefix}transformer.resblocks."),
        context_length=positions.shape[0],
        vocab_size=words.shape[0],
    )


def blocks(state: State, prefix: str) -> int:
    """How many numbered blocks have keys behind ``prefix``."""
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})
