"""The two sides of a CLAP network as they are exported: spectra or token ids to unit vectors.

It knows torch and transformers, and is imported at preparation only.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from torch.nn import functional as F

from scenewise.encoders.clap_features import ClapConfig
from scenewise.encoders.hub import Checkpoint
from scenewise.encoders.pretrained import load_pretrained
from scenewise.errors import EncoderError


def load_network(checkpoint: Checkpoint, config: ClapConfig) -> Any:
    """The network of transformers with the checkpoint's weights, in fp32 and ready to run.

    Raises EncoderError where a weight is missing, has another shape, or cannot be read.
    """
    network = load_pretrained(transformers.ClapModel, checkpoint, "its sound side")
    pairs = [
        ("vocab_size", config.vocabulary_size, network.config.text_config.vocab_size),
        ("projection_dim", config.dimension, network.config.projection_dim),
    ]
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise EncoderError(
                f"{checkpoint.name}: config.json gives {name} = {ours}, but the network was built "
                f"with {theirs}; correct config.json."
            )
    return network.eval()


class AudioTower(nn.Module):
    """Log-mel windows (B, frames, mel bins) to unit vectors (B, D)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.audio = network.audio_model
        self.projection = network.audio_projection

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """``spectra`` (B, frames, mel bins) float32; returns (B, D) float32 of length 1."""
        pooled = self.audio(input_features=spectra[:, None]).pooler_output
        return F.normalize(self.projection(pooled), dim=-1)


class TextTower(nn.Module):
    """Token ids (B, L) int64, without padding, to unit vectors (B, D)."""

    def __init__(self, network: Any, config: ClapConfig) -> None:
        super().__init__()
        self.text = network.text_model
        self.projection = network.text_projection
        # RoBERTa numbers positions from behind the id of its pad token
        self.positions = nn.Buffer(
            torch.arange(config.text_length, dtype=torch.long)[None] + config.pad_id + 1
        )

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """``input_ids`` (B, L) int64; returns (B, D) float32 of length 1."""
        positions = self.positions[:, : input_ids.shape[1]].expand_as(input_ids)
        kinds = torch.zeros_like(input_ids)
        pooled = self.text(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            position_ids=positions,
            token_type_ids=kinds,
        ).pooler_output
        return F.normalize(self.projection(pooled), dim=-1)


def convert_tokenizer(folder: Path, path: Path) -> None:
    """``tokenizer.json`` from the checkpoint's own, or made from ``vocab.json`` and ``merges.txt``.

    Raises EncoderError where there is neither.
    """
    source = folder / "tokenizer.json"
    if source.is_file():
        shutil.copyfile(source, path)
        return
    if not all((folder / name).is_file() for name in ("vocab.json", "merges.txt")):
        raise EncoderError(
            f"{folder} holds no tokenizer: allowed are tokenizer.json, or vocab.json and "
            "merges.txt; complete the folder."
        )
    made = transformers.RobertaTokenizer.from_pretrained(folder, local_files_only=True)
    made.backend_tokenizer.save(str(path))
