"""A random CLAP on disk, small and as published ones are laid out: windows of two seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors

RATE = 48_000


def write_clap(folder: Path) -> Path:
    """A checkpoint with all that belongs to it."""
    random_network(write_tokenizer(folder)).save_pretrained(folder)
    extractor().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", "utf-8")
    return folder


def write_tokenizer(folder: Path) -> int:
    """Byte pairs with the marks of RoBERTa at their published ids."""
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("a", "i"), ("r", "ai"), ("rai", "n"), ("d", "o"), ("do", "g")]
    pieces = [*marks, *letters, *("".join(pair) for pair in merges), "<mask>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    made.add_special_tokens([*marks, "<mask>"])
    # published files pad and cut by themselves, as they were last used
    made.enable_padding(length=20, pad_id=1, pad_token="<pad>")
    made.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return len(vocabulary)


def random_network(vocabulary: int, **audio: Any) -> Any:
    config = transformers.ClapConfig(
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 66,
            "projection_dim": 24,
        },
        audio_config={
            "num_mel_bins": 16,
            "spec_size": 64,
            "window_size": 4,
            "patch_embeds_hidden_size": 8,
            "hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "num_hidden_layers": 2,
            "projection_dim": 24,
            **audio,
        },
        projection_dim=24,
    )
    torch.manual_seed(3)
    network = transformers.ClapModel(config).eval()
    # large enough for every group of weights to count
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.08)
        for name, buffer in network.named_buffers():
            if "running_mean" in name:
                buffer.normal_().sub_(30)
            if "running_var" in name:
                buffer.uniform_(100, 400)
    return network


def extractor(**changes: Any) -> Any:
    settings = {
        "feature_size": 16,
        "sampling_rate": RATE,
        "hop_length": 480,
        "max_length_s": 2,
        "fft_window_size": 1024,
        "frequency_min": 50,
        "frequency_max": 14_000,
        "truncation": "rand_trunc",
        "padding": "repeatpad",
    }
    return transformers.ClapFeatureExtractor(**(settings | changes))
