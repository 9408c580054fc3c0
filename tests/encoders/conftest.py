"""Small tokenizers and random networks, on disk in the layouts that published checkpoints have.

torch and transformers are imported where a fixture is used, so that other tests do not pay.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

WORDS = (
    *("a", "photo", "of", "cat", "two", "dogs", "run", "after", "red", "ball"),
    *("temple", "by", "the", "lake", "check"),
)


@pytest.fixture(scope="session")
def write_clip_tokenizer() -> Callable[[Path], int]:
    """Byte pairs with the marks of CLIP as the last two ids, as published; returns the size."""
    return _write_clip_tokenizer


@pytest.fixture(scope="session")
def write_siglip_tokenizer() -> Callable[[Path], int]:
    """Sentence pieces that know capitals and marks: only the family's cleaning removes them."""
    return _write_siglip_tokenizer


@pytest.fixture(scope="session")
def write_siglip2_tokenizer() -> Callable[[Path], int]:
    """The layout of Gemma: byte fallback, <pad> 0, <eos> 1, spaces as ▁."""
    return _write_siglip2_tokenizer


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random network of each family on disk: weights, config, tokenizer, processor."""
    from transformers import (
        CLIPImageProcessorPil,
        Siglip2ImageProcessorPil,
        SiglipImageProcessorPil,
    )

    root = tmp_path_factory.mktemp("checkpoints")
    made: dict[str, Path] = {}

    def write(name: str, tokenizer: Callable[[Path], int], build: Any, processor: Any) -> None:
        folder = root / name
        folder.mkdir()
        _scaled(build(tokenizer(folder)), seed=len(made)).save_pretrained(folder)
        if processor is not None:
            processor.save_pretrained(folder)
        made[name] = folder

    size, crop = {"shortest_edge": 36}, {"height": 32, "width": 32}
    square = {"height": 32, "width": 32}
    cropping = CLIPImageProcessorPil(size=size, crop_size=crop)
    write("clip", _write_clip_tokenizer, lambda n: _clip_network(n, n - 1), cropping)
    write("siglip", _write_siglip_tokenizer, _siglip_network, SiglipImageProcessorPil(size=square))
    naflex = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=20)
    write("siglip2", _write_siglip2_tokenizer, _naflex_network, naflex)
    write("xclip", _write_clip_tokenizer, _xclip_network, None)
    # transformers 5 nests the settings in one file of the whole processor
    nested = {"image_processor": cropping.to_dict() | {"image_mean": [0.485, 0.456, 0.406]}}
    (root / "xclip" / "processor_config.json").write_text(json.dumps(nested), "utf-8")
    (root / "siglip" / "README.md").write_text("---\nlicense: apache-2.0\n---\nA card.\n", "utf-8")
    return made


@pytest.fixture(scope="session")
def encoder_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests that change no checkpoint: exporting costs seconds."""
    return tmp_path_factory.mktemp("cache")


def _merges(parts: list[str]) -> list[tuple[tuple[str, str], str]]:
    """The steps in which a word grows from its left, and what each makes."""
    steps = []
    while len(parts) > 1:
        pair = (parts[0], parts[1])
        parts = [parts[0] + parts[1], *parts[2:]]
        steps.append((pair, parts[0]))
    return steps


def _write_clip_tokenizer(folder: Path) -> int:
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    steps = [step for word in WORDS for step in _merges([*word[:-1], f"{word[-1]}</w>"])]
    merges = list(dict.fromkeys(pair for pair, _ in steps))
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *(made for _, made in steps)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    tokenizer.save_pretrained(folder)
    return len(vocabulary)


def _write_siglip_tokenizer(folder: Path) -> int:
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), ("▁", -4.0)]
    pieces += [(letter, -9.0) for letter in letters] + [(f"▁{word}", -3.0) for word in WORDS]
    tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "SiglipTokenizer",
        "do_lower_case": True,
        "model_max_length": 64,
        "pad_token": "</s>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return len(pieces)


def _write_siglip2_tokenizer(folder: Path) -> int:
    from transformers import Siglip2Tokenizer

    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += ["▁", *(chr(code) for code in range(33, 127))]
    steps = [step for word in WORDS for step in _merges(["▁", *word])]
    merges = list(dict.fromkeys(pair for pair, _ in steps))
    pieces += [made for _, made in steps]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Siglip2Tokenizer(
        vocab=vocabulary, merges=merges, padding_side="right", model_max_length=64
    )
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    # as published: the file itself does not lower the case, and the settings name Gemma
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.save_pretrained(folder)
    settings_path = folder / "tokenizer_config.json"
    settings = json.loads(settings_path.read_text("utf-8")) | {"tokenizer_class": "GemmaTokenizer"}
    settings_path.write_text(json.dumps(settings), "utf-8")
    return len(vocabulary)


def _scaled(network: Any, seed: int) -> Any:
    """Weights of a size that lets every term count, the same for the same seed."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.startswith("logit_"):
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        scales = parameter.dim() == 1 and name.endswith("weight")  # of a layer norm
        width = parameter.shape[-1] if parameter.dim() > 1 else 4
        parameter.data = 1 + 0.3 * noise if scales else noise * 1.5 / width**0.5
    return network.eval()


_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
_VISION = {**_TEXT, "hidden_size": 40, "patch_size": 8}


def _clip_network(vocabulary: int, end: int) -> Any:
    import transformers

    config = transformers.CLIPConfig(
        text_config={
            **_TEXT,
            "vocab_size": vocabulary,
            "eos_token_id": end,
            "bos_token_id": end - 1,
        },
        vision_config={**_VISION, "image_size": 32},
        projection_dim=24,
    )
    return transformers.CLIPModel(config)


def _siglip_network(vocabulary: int) -> Any:
    import transformers

    config = transformers.SiglipConfig(
        text_config={**_TEXT, "vocab_size": vocabulary, "projection_size": 40},
        vision_config={**_VISION, "image_size": 32},
    )
    return transformers.SiglipModel(config)


def _naflex_network(vocabulary: int) -> Any:
    import transformers

    config = transformers.Siglip2Config(
        text_config={**_TEXT, "vocab_size": vocabulary, "projection_size": 40},
        vision_config={**_VISION, "num_patches": 16},
    )
    return transformers.Siglip2Model(config)


def _xclip_network(vocabulary: int) -> Any:
    import transformers

    config = transformers.XCLIPConfig(
        text_config={**_TEXT, "vocab_size": vocabulary, "eos_token_id": 2},
        vision_config={
            **_VISION,
            "image_size": 32,
            "num_frames": 4,
            "mit_hidden_size": 24,
            "mit_intermediate_size": 32,
            "mit_num_attention_heads": 4,
        },
        projection_dim=24,
        prompt_num_attention_heads=4,
    )
    return transformers.XCLIPModel(config)
