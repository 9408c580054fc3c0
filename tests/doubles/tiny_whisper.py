"""A Whisper of two layers with random weights, as a folder that faster-whisper loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "de", "fr")


def write_tiny_whisper(folder: Path) -> Path:
    """Make the checkpoint in Hugging Face layout, convert it, and return the converted folder."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    source, target = folder / "source", folder / "converted"
    source.mkdir(parents=True)
    tokens = _write_tokenizer(source)
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokens),
        num_mel_bins=80,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        bos_token_id=tokens["<|endoftext|>"],
        eos_token_id=tokens["<|endoftext|>"],
        pad_token_id=tokens["<|endoftext|>"],
        decoder_start_token_id=tokens["<|startoftranscript|>"],
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.lang_to_id = {
        f"<|{code}|>": tokens[f"<|{code}|>"] for code in LANGUAGES
    }
    model.generation_config.alignment_heads = [[0, 0], [1, 0]]
    model.generation_config.suppress_tokens = []
    model.generation_config.begin_suppress_tokens = [tokens["<|endoftext|>"]]
    model.generation_config.no_timestamps_token_id = tokens["<|notimestamps|>"]
    model.save_pretrained(source)
    shape: dict[str, Any] = {"feature_size": 80, "sampling_rate": 16_000, "n_fft": 400}
    shape |= {
        "hop_length": 160,
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
    }
    (source / "preprocessor_config.json").write_text(json.dumps(shape))
    TransformersConverter(
        str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]
    ).convert(str(target))
    return target


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """Bytes as tokens, and Whisper's marks in their order: languages, tasks, times."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    marks += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    marks += ["<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    tokenizer.add_tokens([AddedToken(mark, special=False) for mark in times])
    tokenizer.save(str(folder / "tokenizer.json"))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    ).save_pretrained(folder)
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return vocabulary
