"""A sentence encoder: a transformer, the mean over its tokens, unit length.

Nils Reimers and Iryna Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
2019 (https://arxiv.org/abs/1908.10084). It reads a checkpoint folder in the layout of
sentence-transformers; it knows no tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import EncoderError


class SentenceEncoder(nn.Module):
    """Tokens of B sentences to B unit vectors."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, L) int64 twice to (B, D); the mask is 1 for tokens and 0 for padding."""
        hidden = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        mask = rearrange(attention_mask, "b l -> b l 1").to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)
        return F.normalize(mean, dim=-1)


def load_sentence_encoder(folder: Path) -> SentenceEncoder:
    """Build the network of a folder and read its weights.

    Raises EncoderError where the folder's pooling is not the mean followed by normalisation.
    """
    import transformers

    modules = [entry["type"].rsplit(".", 1)[-1] for entry in _read(folder / "modules.json")]
    pooling = _read(folder / "1_Pooling" / "config.json")
    modes = [name for name, on in pooling.items() if name.startswith("pooling_mode") and on is True]
    if modules != ["Transformer", "Pooling", "Normalize"] or modes != ["pooling_mode_mean_tokens"]:
        raise EncoderError(
            f"{folder} pools with {', '.join(modes) or 'nothing'} after {', '.join(modules)}; "
            "only the mean over tokens, normalised, is supported."
        )
    transformers.utils.logging.disable_progress_bar()
    transformer: Any = transformers.AutoModel.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    )
    return SentenceEncoder(transformer).eval()


def longest_input(folder: Path) -> int:
    """The number of tokens after which texts are cut, the special ones among them."""
    return int(_read(folder / "sentence_bert_config.json")["max_seq_length"])


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read: {error}.") from error
