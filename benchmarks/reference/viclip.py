"""ViCLIP beside its official code, OpenGVLab/InternVideo (InternVideo1/Pretrain/ViCLIP).

The official module reads CLIP's weights while it builds; here its parts are built without, by the
same classes and at the same sizes, and put into the official model.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.internvideo2 import bare_package, stub_modules
from scenewise.models import create_model
from scenewise.models.video_text.viclip import ViCLIP

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "OpenGVLab/InternVideo"
PLACE = "InternVideo1/Pretrain/ViCLIP"
SCALES = {r"positional_embedding|class_embedding|token_embedding": 0.5}


def official(vision: dict[str, Any], text: dict[str, Any]) -> nn.Module:
    """The official model with parts of these sizes."""
    stub_modules()
    checkout = Path(sys.path[0]) / PLACE
    for name in ("models", "models.backbones", "models.backbones.clip", "utils"):
        bare_package(name, checkout)
    helper: Any = bare_package("models.utils", checkout)
    helper.load_temp_embed_with_mismatch = helper.allgather_wgrad = None
    distributed: Any = bare_package("utils.distributed", checkout)
    distributed.get_rank, distributed.get_world_size = (lambda: 0), (lambda: 1)
    easy: Any = bare_package("utils.easydict", checkout)
    easy.EasyDict = dict
    old: Any = sys.modules.setdefault("pkg_resources", ModuleType("pkg_resources"))
    old.packaging = None
    words: Any = bare_package("models.backbones.clip.simple_tokenizer", checkout)
    words.SimpleTokenizer = lambda: None
    sides = module("models.backbones.clip.clip_vision"), module("models.backbones.clip.clip_text")
    build: Any = module("models.viclip").ViCLIP
    build.build_vision_encoder = lambda _self: sides[0].VisionTransformer(**vision)
    build.build_text_encoder = lambda _self: sides[1].CLIP_TEXT(**text, checkpoint_num=0)
    nothing = SimpleNamespace(d_model=0, masking_prob=0.0)
    model = SimpleNamespace(
        **{"vision_encoder": nothing, "text_encoder": nothing, "embed_dim": 0},
        **{"temp": 0.01, "temp_min": 0.01, "freeze_text": False},
    )
    network = build(SimpleNamespace(model=model), tokenizer=None)
    return cast("nn.Module", network)


def small() -> nn.Module:
    vision = {"input_resolution": 64, "patch_size": 16, "width": 128, "layers": 2, "heads": 2}
    text = {"embed_dim": 64, "context_length": 32, "vocab_size": 500, "transformer_width": 128}
    text |= {"transformer_heads": 2, "transformer_layers": 2}
    return official({**vision, "output_dim": 64}, text)


def large() -> nn.Module:
    vision = {"input_resolution": 224, "patch_size": 14, "width": 1024, "layers": 24, "heads": 16}
    text = {"embed_dim": 768, "context_length": 32, "vocab_size": 49408, "transformer_width": 768}
    text |= {"transformer_heads": 12, "transformer_layers": 12}
    with torch.device("cpu"):  # its initialisation reads numbers back
        return official({**vision, "output_dim": 768}, text)


def inputs(size: int = 64, below: int = 500) -> tuple[Tensor, ...]:
    batch = 2 if size == 64 else 1
    ids = seeded_ids("ids", (2, 32), below - 1)
    ids[0, 9], ids[1, 31] = below - 1, below - 1  # the last mark of either row
    return seeded_input("clips", (batch, 8, 3, size, size)), ids[:batch]


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Both sides, that of one picture, that of a clip of which much is left out, and the loss."""
    model: Any = network
    video, text = model.encode_vision(inputs[0]), model.text_encoder(inputs[1])
    picture = model.encode_vision(inputs[0][:, :1])
    torch.manual_seed(0)
    moved = inputs[0].permute(0, 2, 1, 3, 4)
    partly = model.vision_encoder(moved, masking_prob=0.75)
    loss = model.clip_loss.vtc_loss(video, text, torch.zeros(2), model.temp, all_gather=False)
    return {"video": video, "picture": picture, "partly": partly, "text": text, "loss": loss}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, ViCLIP)
    video, text = network.encode_video(inputs[0]), network.encode_text(inputs[1])
    picture = network.encode_video(inputs[0][:, :1])
    tower = network.vision_encoder
    torch.manual_seed(0)
    tower.masking = 0.75
    tower.train()
    partly = tower(inputs[0])
    tower.eval()
    loss = network.loss(network.similarity(text, video), torch.zeros(2))
    return {
        "video": video.pooled,
        "picture": picture.pooled,
        "partly": partly,
        "text": text.pooled,
        "loss": loss,
    }


def call_sides(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    model: Any = network
    return {"video": model.encode_vision(inputs[0]), "text": model.text_encoder(inputs[1])}


def call_our_sides(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, ViCLIP)
    video, text = network.encode_video(inputs[0]), network.encode_text(inputs[1])
    return {"video": video.pooled, "text": text.pooled}


CASES = (
    Case(
        name="viclip",
        repository=REPOSITORY,
        reference=small,
        ours=lambda: create_model("viclip_tiny", vocabulary=500),
        inputs=inputs,
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
    ),
    Case(
        name="viclip_l14",
        repository=REPOSITORY,
        reference=large,
        ours=lambda: create_model("viclip_l14", masking=0.0, drop_path=0.0),
        inputs=lambda: inputs(224, 49_408),
        call_reference=call_sides,
        call_ours=call_our_sides,
        golden=False,
        full=True,
        timed=True,
    ),
)
