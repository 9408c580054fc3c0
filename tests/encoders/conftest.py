"""Small tokenizers in the layouts that published checkpoints have; built here, from these words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
