"""InternVideo2's small sizes beside their official code, OpenGVLab/InternVideo.

Its modules import flash_attn, timm, torchvision and open_clip without calling them at these
settings: small stubs stand in. Fused kernels are off.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.backbones.internvideo2 import SIZES, InternVideo2
from scenewise.models.backbones.internvideo2_align import (
    InternVideo2Alignment,
    TeacherOptions,
)
from scenewise.models.video_text.internvideo2 import InternVideo2VideoText

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "OpenGVLab/InternVideo"
SINGLE, MULTI = "InternVideo2.single_modality.models", "InternVideo2.multi_modality"
PLAIN: dict[str, Any] = {"use_flash_attn": False, "use_fused_rmsnorm": False}
PLAIN |= {"use_fused_mlp": False, "drop_path_rate": 0.0}
SMALL = {
    "patch_size": 16,
    "img_size": 64,
    "embed_dim": 64,
    "depth": 3,
    "num_heads": 4,
    "mlp_ratio": 4,
    "attn_pool_num_heads": 4,
    "clip_embed_dim": 64,
}
SCALES = {r"pos_embed$|positional_embedding": 0.5, r"cls_token": 0.5, r"embedding_layer": 0.5}
# one layer of each decoder would hide in which order the blocks are taken
TEACHERS = TeacherOptions(width=40, pooled_width=24, layers=2, masked_width=32, masked_layers=2)


def stub_modules() -> None:
    """What the official modules import and do not call at these settings."""

    def fake(name: str, **members: Any) -> None:
        made = sys.modules.setdefault(name, ModuleType(name))
        for key, value in members.items():
            setattr(made, key, value)

    class Untouched:
        def __init__(self, *_args: Any, **_options: Any) -> None:
            raise NotImplementedError

    for name in ("timm", "timm.models", "flash_attn", "flash_attn.modules", "flash_attn.ops"):
        fake(name)
    fake(
        "timm.models.layers",
        DropPath=nn.Identity,  # changes nothing outside training
        to_2tuple=lambda value: value if isinstance(value, tuple) else (value, value),
        trunc_normal_=nn.init.trunc_normal_,
        drop_path=None,
    )
    fake("timm.models.registry", register_model=lambda builder: builder)
    fake("flash_attn.modules.mlp", FusedMLP=Untouched)
    fake("flash_attn.ops.rms_norm", DropoutAddRMSNorm=Untouched)
    fake("flash_attn.flash_attn_interface", flash_attn_varlen_qkvpacked_func=None)
    fake("flash_attn.bert_padding", unpad_input=None, pad_input=None)
    fake("open_clip", get_tokenizer=None)
    picture = SimpleNamespace(BICUBIC=None)
    nothing = dict.fromkeys(("Compose", "Resize", "Lambda", "Normalize"), lambda *_a, **_k: None)
    fake("torchvision")
    fake("torchvision.transforms", InterpolationMode=picture, **nothing)
    fake("torchvision.ops", StochasticDepth=Untouched)
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]


def bare_package(name: str, checkout: Path) -> ModuleType:
    """A package of the checkout without what its ``__init__`` imports."""
    made = ModuleType(name)
    made.__path__ = [str(checkout.joinpath(*name.split(".")))]
    sys.modules[name] = made
    return made


def official(name: str) -> Any:
    """One module of the single-modality models."""
    stub_modules()
    bare_package(SINGLE, Path(sys.path[0]))
    return module(f"{SINGLE}.{name}")


def encoder() -> nn.Module:
    network: nn.Module = official("internvideo2").InternVideo2(**SMALL, **PLAIN, num_classes=10)
    return network


def encoder_s14() -> nn.Module:
    with torch.device("cpu"):  # its initialisation reads numbers back
        build = official("internvideo2").internvideo2_small_patch14_224
        network: nn.Module = build(num_classes=400, **PLAIN)
    return network


def alignment() -> nn.Module:
    network: nn.Module = official("internvideo2_pretrain").PretrainInternVideo2(
        **SMALL,
        **PLAIN,
        clip_teacher_embed_dim=TEACHERS.width,
        clip_teacher_final_dim=TEACHERS.pooled_width,
        clip_return_layer=TEACHERS.layers,
        mae_teacher_embed_dim=TEACHERS.masked_width,
        mae_return_layer=TEACHERS.masked_layers,
    )
    return network


def our_alignment() -> nn.Module:
    return InternVideo2Alignment(SIZES["tiny"], TEACHERS)


def video_text(options: dict[str, Any], text: dict[str, Any], align: int) -> nn.Module:
    """The official model itself, without the reading of its three files."""
    stub_modules()
    checkout = Path(sys.path[0])
    for name in ("", ".models", ".models.backbones"):
        bare_package(MULTI + name, checkout)
    place = f"{MULTI}.models.backbones.internvideo2"
    package: Any = bare_package(place, checkout)
    bare_package(f"{place}.mobileclip", checkout)
    bare_package(f"{MULTI}.utils", checkout)
    distributed: Any = bare_package(f"{MULTI}.utils.distributed", checkout)
    distributed.get_rank, distributed.get_world_size = (lambda: 0), (lambda: 1)
    easy: Any = bare_package(f"{MULTI}.utils.easydict", checkout)
    easy.EasyDict = dict
    helper: Any = bare_package(f"{MULTI}.models.utils", checkout)
    helper.allgather_wgrad = None
    package.InternVideo2 = module(f"{place}.internvideo2_clip_vision").InternVideo2
    transformer = module(f"{place}.mobileclip.text_encoder").TextTransformer
    package.TextTransformer = lambda cfg, width: transformer({**cfg, **text}, width)
    package.ClipTokenizer = lambda _settings: None
    build: Any = module(f"{MULTI}.models.internvideo2_clip_small").InternVideo2_CLIP_small
    build.load_checkpoint = lambda *_files: None
    vision = SimpleNamespace(
        **{"in_chans": 3, "qkv_bias": False, "head_drop_path_rate": 0.0},
        **{"init_values": 0.1, "qk_normalization": True, "fused_mlp_heuristic": 1},
        **{"layerscale_no_force_fp32": True, "num_frames": 8, "tubelet_size": 1},
        **{"sep_pos_embed": False, "use_checkpoint": False, "checkpoint_num": 0},
        **{"align_dim": align, **options, **PLAIN},
    )
    model = SimpleNamespace(
        vision_encoder=vision,
        text_encoder=SimpleNamespace(name="mobileclip_b"),
        **{"temp": 0.01, "temp_min": 0.01, "freeze_vision": False, "freeze_text": False},
        **{"vision_ckpt_path": "", "text_ckpt_path": "", "get": lambda _key, default: default},
    )
    before = Path.cwd()
    os.chdir(checkout / "InternVideo2" / "multi_modality")  # it opens a file from there
    try:
        network: nn.Module = build(SimpleNamespace(model=model))
    finally:
        os.chdir(before)
    return network


def small_video_text() -> nn.Module:
    text = {"dim": 64, "n_heads_per_layer": 4, "n_transformer_layers": 3, "vocab_size": 500}
    network: Any = video_text(SMALL, text, 64)
    network.text_encoder.projection_layer = nn.Parameter(torch.empty(64, 64))
    return cast("nn.Module", network)


def video_text_s14() -> nn.Module:
    options = {"patch_size": 14, "img_size": 224, "embed_dim": 384, "depth": 12}
    options |= {"num_heads": 6, "mlp_ratio": 4, "attn_pool_num_heads": 16, "clip_embed_dim": 768}
    with torch.device("cpu"):
        return video_text(options, {}, 512)


def clips(size: int = 64) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: (seeded_input("clips", (2 if size == 64 else 1, 8, 3, size, size)),)


def hidden() -> Tensor:
    """A quarter of the patches of 2 clips is visible, others in each."""
    mask = seeded_input("hidden", (2, 8 * 16)).argsort(dim=1).argsort(dim=1) >= 32
    return torch.cat([torch.zeros(2, 1, dtype=torch.bool), mask], dim=1)


def clips_and_mask() -> tuple[Tensor, ...]:
    return (*clips()(), hidden())


def clips_and_ids(size: int = 64, below: int = 500) -> tuple[Tensor, ...]:
    ids = seeded_ids("ids", (2, 77), below - 1)
    ids[0, 9], ids[1, 76] = below - 1, below - 1  # the last mark of either row
    return (*clips(size)(), ids[: 2 if size == 64 else 1])


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*inputs)}


def call_with_tables(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Also its table of positions for other numbers of frames and sizes, every eighth channel."""
    stub_modules()
    bare_package(f"{MULTI}.models.backbones.internvideo2", Path(sys.path[0]))
    resize = module(
        f"{MULTI}.models.backbones.internvideo2.pos_embed"
    ).interpolate_pos_embed_internvideo2_new
    found = call(network, inputs)
    for frames, side in ((4, 4), (12, 4), (8, 6), (16, 3)):
        state = {"pos_embed": network.get_parameter("pos_embed").detach()}
        places = SimpleNamespace(num_patches=frames * side * side)
        wanted = SimpleNamespace(
            patch_embed=places,
            pos_embed=torch.empty(1, 1 + places.num_patches, 64),
            num_frames=frames,
            tubelet_size=1,
        )
        resize(state, wanted, orig_t_size=8)
        found[f"table_{frames}_{side}"] = state["pos_embed"][..., ::8]
    return found


def call_ours_with_tables(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, InternVideo2)
    found = call_ours(network, inputs)
    for frames, side in ((4, 4), (12, 4), (8, 6), (16, 3)):
        table = network.positions(frames, (side, side))
        found[f"table_{frames}_{side}"] = table[..., ::8]
    return found


def call_alignment(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    tokens, pooled, masked = network(rearrange(inputs[0], "b t c h w -> b c t h w"), inputs[1])
    return {"tokens": tokens, "pooled": pooled, "masked": masked}


def call_our_alignment(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, InternVideo2Alignment)
    found = network.align(*inputs)
    assert found.pooled is not None
    assert found.masked is not None
    return {"tokens": found.tokens, "pooled": found.pooled, "masked": found.masked}


def call_video_text(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Both sides, that of a single picture, and the loss; two rows of one film are told apart."""
    model: Any = network
    video, text = model.encode_vision(inputs[0]), model.encode_text(inputs[1])
    picture = model.encode_vision(inputs[0][:, :1])
    apart = model.clip_loss.vtc_loss(video, text, torch.arange(len(text)), model.temp, False)
    return {"video": video, "picture": picture, "text": text, "loss": apart}


def call_our_video_text(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, InternVideo2VideoText)
    video, text = network.encode_video(inputs[0]), network.encode_text(inputs[1])
    picture = network.encode_video(inputs[0][:, :1])
    loss = network.loss(network.similarity(text, video))
    return {"video": video.pooled, "picture": picture.pooled, "text": text.pooled, "loss": loss}


def call_sides(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    model: Any = network
    return {"video": model.encode_vision(inputs[0]), "text": model.encode_text(inputs[1])}


def call_our_sides(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, InternVideo2VideoText)
    video, text = network.encode_video(inputs[0]), network.encode_text(inputs[1])
    return {"video": video.pooled, "text": text.pooled}


CASES = (
    Case(
        name="internvideo2_encoder",
        repository=REPOSITORY,
        reference=encoder,
        ours=lambda: create_model("internvideo2_encoder_tiny"),
        inputs=clips(),
        call_reference=call_with_tables,
        call_ours=call_ours_with_tables,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="internvideo2_encoder_s14",
        repository=REPOSITORY,
        reference=encoder_s14,
        ours=lambda: create_model("internvideo2_encoder_s14"),
        inputs=clips(224),
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
    Case(
        name="internvideo2_alignment",
        repository=REPOSITORY,
        reference=alignment,
        ours=our_alignment,
        inputs=clips_and_mask,
        call_reference=call_alignment,
        call_ours=call_our_alignment,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="internvideo2_video_text",
        repository=REPOSITORY,
        reference=small_video_text,
        ours=lambda: create_model("internvideo2_tiny", vocabulary=500),
        inputs=clips_and_ids,
        call_reference=call_video_text,
        call_ours=call_our_video_text,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="internvideo2_s14",
        repository=REPOSITORY,
        reference=video_text_s14,
        ours=lambda: create_model("internvideo2_s14"),
        inputs=lambda: clips_and_ids(224, 49_408),
        call_reference=call_sides,
        call_ours=call_our_sides,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
)
