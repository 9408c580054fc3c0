"""Facts about the X-CLIP that recognises: official numbers, both layouts, prompts, loss."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
)
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.flops import parameters
from scenewise.models.video_text.clip_towers import (
    CLIP,
    TINY,
    VIT_B_16,
    ResidualBlock,
    from_huggingface,
)
from scenewise.models.video_text.xclip import XCLIP
from scenewise.models.video_text.xclip_layouts import LAYOUTS
from scenewise.models.weights.load import convert_state

SCALES = {
    r"embedding": 0.5,
    r"[qk]_proj\.weight": 0.2,
    r"logit_scale": 3.0,
    r"alpha": 1.0,
}


@functools.cache
def inputs() -> tuple[Tensor, Tensor]:
    """As the golden numbers had them: two clips, three classes."""
    ids = seeded_ids("ids", (3, 32), TINY.vocab_size - 2)
    for number in range(3):
        ids[number, 16 + number] = TINY.vocab_size - 1
        ids[number, 17 + number :] = 0
    return seeded_input("clips", (2, 4, 3, 64, 64)), ids


def tiny() -> XCLIP:
    network = create_model("xclip_recognition_tiny", num_frames=4).eval()
    assert isinstance(network, XCLIP)
    return network


def official() -> XCLIP:
    network = tiny()
    assert load_official(network, golden("xclip_recognition").state()) == "official"
    return network


@torch.no_grad()
def outputs(network: XCLIP) -> dict[str, Tensor]:
    clips, ids = inputs()
    text, video = network.encode_text(ids), network.encode_video(clips)
    assert text.tokens is not None
    assert video.tokens is not None
    return {
        "logits": network.similarity(text, video).T,
        "video": video.pooled,
        "patches": video.tokens,
        "text": text.tokens[:, 0],
    }


def differences(network: XCLIP) -> dict[str, float]:
    wanted = golden("xclip_recognition").outputs
    return {key: largest_difference(value, wanted[key]) for key, value in outputs(network).items()}


def test_parity_with_the_official_code() -> None:
    found = differences(official())
    assert max(found.values()) < 1e-4, found


def test_parity_is_lost_by_any_change() -> None:
    network = official()
    for first in perturbed_groups(network):
        # the class token enters the first block alike in all frames, and so do its messages:
        # what looks from one to another counts from the second on
        group = first.replace("vision_model.encoder.layers.0.", "vision_model.encoder.layers.1.")
        if group.endswith("k_proj.bias"):
            continue  # a softmax over keys takes it away, here and there
        kept = network.get_parameter(group).detach().clone()
        perturb(network, group, by=0.3)
        assert max(differences(network).values()) > 1e-4, group
        with torch.no_grad():
            network.get_parameter(group).copy_(kept)


@pytest.fixture(scope="module")
def transformers_own() -> Any:
    """XCLIPModel with seeded weights; attention by transformers' plain product."""
    from transformers import XCLIPModel

    config = tiny().xclip.config
    network = XCLIPModel._from_config(config, attn_implementation="eager").eval()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, scales=SCALES))
    return network


def test_parity_with_transformers(transformers_own: Any) -> None:
    network = tiny()
    assert load_official(network, transformers_own.state_dict()) == "huggingface"
    clips, ids = inputs()
    with torch.no_grad():
        theirs = transformers_own(input_ids=ids, pixel_values=clips)
    found = outputs(network)
    assert largest_difference(found["logits"], theirs.logits_per_video) < 1e-4
    assert largest_difference(found["video"], theirs.video_embeds) < 1e-5


def test_it_takes_the_official_names_of_the_published_size() -> None:
    with torch.device("meta"):
        network = create_model("xclip_b32_8f")
    assert_takes_keys(network, "xclip_b32_8f")


@pytest.mark.parametrize("name", ["xclip_b32_8f", "xclip_b16_8f", "xclip_b16_16f", "xclip_l14_8f"])
def test_published_sizes(name: str) -> None:
    with torch.device("meta"):
        network = create_model(name)
    assert parameters(network) == model_card(name).parameters
    state = {key.removeprefix("xclip."): value for key, value in network.state_dict().items()}
    layout = LAYOUTS[1]
    found = layout.identify(state, {})
    assert layout.fits(state)
    assert found is not None
    assert found.name == name


def test_larger_pictures_are_an_option() -> None:
    with torch.device("meta"):
        network = create_model("xclip_l14_8f", num_frames=16, image_size=336)
    found = LAYOUTS[2].identify(network.state_dict(), {})
    assert found is not None
    assert found.name == "xclip_l14_8f"
    assert found.options == {"num_frames": 16, "image_size": 336}


def test_a_checkpoint_says_which_network_it_is(tmp_path: Path, transformers_own: Any) -> None:
    state = golden("xclip_recognition").state()
    torch.save({"model": state, "epoch": 29}, tmp_path / "official.pth")
    transformers_own.save_pretrained(tmp_path / "folder")
    assert json.loads((tmp_path / "folder" / "config.json").read_text())["model_type"] == "xclip"
    own = official()
    torch.save(own.state_dict(), tmp_path / "own.pth")
    for place in ("official.pth", "own.pth", "folder"):
        loaded = load_pretrained(tmp_path / place)
        assert isinstance(loaded, XCLIP)
        if place != "folder":
            assert torch.equal(outputs(loaded)["logits"], outputs(own)["logits"])


def test_the_two_x_clips_never_load_into_one_another(tmp_path: Path) -> None:
    torch.save(golden("xclip_retrieval_seq_transformer").state(), tmp_path / "finds.pth")
    torch.save(golden("xclip_recognition").state(), tmp_path / "recognises.pth")
    finds = create_model("xclip_retrieval_tiny", num_frames=6)
    for strict in (True, False):
        with pytest.raises(NetworkError, match="does not belong to xclip_recognition_tiny"):
            load_weights(tiny(), tmp_path / "finds.pth", strict=strict)
        with pytest.raises(NetworkError, match="does not belong to xclip_retrieval_tiny"):
            load_weights(finds, tmp_path / "recognises.pth", strict=strict)


def test_plain_clip_weights_fill_the_towers() -> None:
    with torch.device("meta"):
        network, clip = create_model("xclip_b16_8f"), CLIP(VIT_B_16).state_dict()
    converted = convert_state(model_card("xclip_b16_8f"), clip)
    assert converted is not None
    layout, state = converted
    assert layout == "openai"
    assert state.keys() <= network.state_dict().keys()
    absent = network.state_dict().keys() - state.keys()
    new = ("mit.", "prompts_", "vision_model.encoder.layers")
    assert all(key.removeprefix("xclip.").startswith(new) for key in absent)
    assert all("message_" in key for key in absent if "encoder.layers" in key and "mit" not in key)


def test_plain_clip_weights_of_transformers_are_the_same(tmp_path: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    sizes = {"num_hidden_layers": 2, "hidden_size": 128, "intermediate_size": 512}
    places = {"vocab_size": TINY.vocab_size, "max_position_embeddings": TINY.context_length}
    state = CLIPModel(
        CLIPConfig(
            text_config={**sizes, **places, "num_attention_heads": 2},
            vision_config={**sizes, "num_attention_heads": 2, "image_size": 64, "patch_size": 16},
            projection_dim=TINY.embed_dim,
        )
    ).state_dict()
    card = model_card("xclip_recognition_tiny")
    theirs, openai = convert_state(card, state), convert_state(card, from_huggingface(state))
    assert theirs is not None
    assert openai is not None
    assert (theirs[0], openai[0]) == ("huggingface-clip", "openai")
    assert theirs[1].keys() == openai[1].keys() <= tiny().state_dict().keys()
    assert all(torch.equal(value, openai[1][key]) for key, value in theirs[1].items())
    torch.save(state, tmp_path / "clip.pth")
    network = tiny()
    assert not load_weights(network, tmp_path / "clip.pth", strict=False).unexpected
    assert torch.equal(network.xclip.text_projection.weight, state["text_projection.weight"])


def test_the_initialisation_is_published() -> None:
    torch.manual_seed(0)
    network = tiny().xclip
    generator = network.prompts_generator
    layer, message = network.mit.encoder.layers[0], network.vision_model.encoder.layers[1]
    deviations = (
        (network.mit.position_embedding, 0.02),
        (layer.mlp.fc1.weight, 0.02),
        (layer.self_attn.out_proj.weight, 0.02),
        (generator.decoder[1].cross_attn.v_proj.weight, 0.02),
        (network.prompts_visual_projection, 1.0),
        (network.text_model.embeddings.token_embedding.weight, 0.02),
        (network.text_model.embeddings.position_embedding.weight, 0.01),
        (network.text_model.encoder.layers[0].self_attn.q_proj.weight, 128**-0.5),
        # what torch's own MultiheadAttention has at this width
        (layer.self_attn.q_proj.weight, ResidualBlock(128, 2).attn.in_proj_weight.detach().std()),
        (message.message_attn.k_proj.weight, 512**-0.5 * 2**0.5),
    )
    for parameter, deviation in deviations:
        assert float(parameter.detach().std()) == pytest.approx(float(deviation), rel=0.1)
    assert bool((generator.alpha == 0.1).all())
    assert not bool(message.message_attn.q_proj.bias.any())


def test_prompts_change_texts_by_the_clip() -> None:
    network = official()
    clips, ids = inputs()
    with torch.no_grad():
        text, video = network.encode_text(ids), network.encode_video(clips)
        prompted = network.similarity(text, video)
        network.xclip.prompts_generator.alpha.zero_()
        plain = network.similarity(text, video)
        cosines = network.xclip.logit_scale.exp() * text.pooled @ video.pooled.T
    assert torch.allclose(plain, cosines, atol=1e-5)
    assert float((prompted - plain).abs().max()) > 0.1
    assert not network.pooled_ranks
    assert network.index_note


def test_the_loss_takes_shares_of_classes() -> None:
    network = tiny()
    similarity = torch.tensor([[2.0, 0.0], [1.0, 3.0]])  # (texts, videos)
    logs = similarity.T.log_softmax(dim=1)
    shares = torch.tensor([[0.7, 0.3], [0.0, 1.0]])
    by_hand = -(0.7 * logs[0, 0] + 0.3 * logs[0, 1] + logs[1, 1]) / 2
    assert float(network.loss(similarity, shares)) == pytest.approx(float(by_hand))
    smoothed = torch.tensor([[0.95, 0.05], [0.05, 0.95]])
    found = network.loss(similarity)
    assert float(found) == pytest.approx(float(network.loss(similarity, smoothed)))


def test_what_it_cannot_take_is_refused() -> None:
    with pytest.raises(ValueError, match="clips of 4 x 3 x 64 x 64"):
        tiny().encode_video(torch.zeros(1, 8, 3, 64, 64))
    with pytest.raises(ValueError, match="L up to 32"):
        tiny().encode_text(torch.ones(1, 33, dtype=torch.int64))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = tiny()
    # a shift of all keys leaves a softmax as it is, and the first block's messages are alike
    unfelt = re.compile(r".*k_proj\.bias|.*vision.*layers\.0\.message_attn\.[qk]_proj\..*")
    names = [name for name, _ in network.named_parameters() if unfelt.fullmatch(name)]
    assert_gradients_flow(network, *inputs(), except_for=names)


def test_it_exports() -> None:
    torch.manual_seed(0)
    assert_exports(tiny(), *inputs())


def test_it_runs_in_bfloat16_with_one_example() -> None:
    torch.manual_seed(0)
    clips, ids = inputs()
    assert_runs_in_bfloat16(tiny(), clips[:1], ids[:1])
