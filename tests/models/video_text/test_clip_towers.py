"""Facts about CLIP's towers: transformers' own numbers, OpenAI's names, sizes and gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from golden import largest_difference, perturb, perturbed_groups
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.models.flops import parameters
from scenewise.models.video_text.clip_towers import (
    CLIP,
    SIZES,
    TINY,
    ResidualBlock,
    clip_size,
    from_huggingface,
)

SCALES = {r"embedding": 0.5, r"in_proj_weight|[qk]_proj\.weight": 0.2, r"logit_scale": 1.0}


@pytest.fixture(scope="module")
def theirs() -> Any:
    """transformers' CLIPModel of the tiny size, with weights of which every term counts."""
    from transformers import CLIPConfig, CLIPModel

    sizes = {"num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 512}
    network = CLIPModel(
        CLIPConfig(
            text_config={
                **sizes,
                "vocab_size": TINY.vocab_size,
                "max_position_embeddings": TINY.context_length,
                "eos_token_id": TINY.vocab_size - 1,
            },
            vision_config={**sizes, "image_size": 64, "patch_size": 16},
            projection_dim=TINY.embed_dim,
        )
    ).eval()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, scales=SCALES))
    return network


@pytest.fixture
def ours(theirs: Any) -> CLIP:
    network = CLIP(TINY).eval()
    network.load_state_dict(from_huggingface(theirs.state_dict()))
    return network


def images() -> Tensor:
    return seeded_input("images", (2, 3, 64, 64))


def ids() -> Tensor:
    """Two texts of 10 and 16 tokens; end marks, then zeros."""
    found = seeded_ids("ids", (2, 16), TINY.vocab_size - 2)
    found[0, 9:], found[1, 15] = 0, TINY.vocab_size - 1
    found[0, 9] = TINY.vocab_size - 1
    return found


@torch.no_grad()
def differences(ours: CLIP, theirs: Any) -> dict[str, float]:
    text = theirs.text_model(input_ids=ids())
    image = theirs.vision_model(pixel_values=images())
    hidden = theirs.vision_model.post_layernorm(image.last_hidden_state)
    words, pictures = ours.encode_text(ids()), ours.encode_image(images())
    both = (
        ("text", words.pooled, theirs.text_projection(text.pooler_output)),
        ("words", words.hidden, text.last_hidden_state),
        ("image", pictures.pooled, theirs.visual_projection(image.pooler_output)),
        ("patches", pictures.hidden, hidden),
    )
    return {name: largest_difference(mine, other) for name, mine, other in both}


def test_parity_with_transformers(ours: CLIP, theirs: Any) -> None:
    found = differences(ours, theirs)
    assert max(found.values()) < 1e-4, found
    assert torch.equal(ours.logit_scale, theirs.logit_scale)


def test_parity_is_lost_by_any_change(ours: CLIP, theirs: Any) -> None:
    for name in perturbed_groups(ours):
        if name == "logit_scale":
            continue
        kept = ours.get_parameter(name).detach().clone()
        perturb(ours, name)
        assert max(differences(ours, theirs).values()) > 1e-4, name
        with torch.no_grad():
            ours.get_parameter(name).copy_(kept)


@pytest.mark.parametrize(
    ("name", "count"),
    # the sums that OpenAI's files have
    [("ViT-B/32", 151_277_313), ("ViT-B/16", 149_620_737), ("ViT-L/14", 427_616_513)],
)
def test_published_sizes(name: str, count: int) -> None:
    with torch.device("meta"):
        network = CLIP(SIZES[name])
    assert parameters(network) == count
    assert clip_size(network.state_dict()) == SIZES[name]


def test_the_initialisation_is_openais() -> None:
    torch.manual_seed(0)
    network = CLIP(TINY)
    block = network.transformer.resblocks[1]
    assert isinstance(block, ResidualBlock)
    deep = 128**-0.5 * 4**-0.5
    wanted = (
        (network.token_embedding.weight, 0.02),
        (network.positional_embedding, 0.01),
        (network.text_projection, 128**-0.5),
        (block.attn.in_proj_weight, 128**-0.5),
        (block.attn.out_proj.weight, deep),
        (block.mlp.c_fc.weight, 256**-0.5),
        (block.mlp.c_proj.weight, deep),
        (network.visual.proj, 128**-0.5),
        (network.visual.positional_embedding, 128**-0.5),
    )
    for parameter, deviation in wanted:
        assert float(parameter.detach().std()) == pytest.approx(deviation, rel=0.1)
    assert float(network.logit_scale.detach().exp()) == pytest.approx(1 / 0.07)
    assert not bool(block.attn.in_proj_bias.any())
    xavier = math.sqrt(6 / (128 + 3 * 128))
    picture = network.visual.transformer.resblocks[0]
    assert isinstance(picture, ResidualBlock)
    assert float(picture.attn.in_proj_weight.detach().abs().max()) == pytest.approx(
        xavier, rel=0.01
    )


def test_what_follows_the_end_mark_has_no_part(ours: CLIP) -> None:
    other = ids()
    other[0, 10:] = 5
    with torch.no_grad():
        before, after = ours.encode_text(ids()).pooled, ours.encode_text(other).pooled
    assert torch.allclose(before, after, atol=1e-6)


def test_what_it_cannot_take_is_refused() -> None:
    network = CLIP(TINY)
    with pytest.raises(ValueError, match="pictures of 3 x 64 x 64"):
        network.encode_image(torch.zeros(1, 3, 32, 64))
    with pytest.raises(ValueError, match="L up to 32"):
        network.encode_text(torch.zeros(1, 33, dtype=torch.int64))


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.clip = CLIP(TINY)

    def forward(self, pictures: Tensor, words: Tensor) -> Tensor:
        both = self.clip.encode_text(words).pooled * self.clip.encode_image(pictures).pooled
        return both * self.clip.logit_scale.exp()


def test_every_parameter_learns_and_it_runs_in_bfloat16() -> None:
    torch.manual_seed(0)
    assert_gradients_flow(Both(), images(), ids())
    assert_runs_in_bfloat16(Both(), images()[:1], ids()[:1])
    assert_gradients_are_right(ResidualBlock(4, 2), seeded_input("tokens", (1, 3, 4)))


def test_it_exports() -> None:
    torch.manual_seed(0)
    assert_exports(Both(), images(), ids())
