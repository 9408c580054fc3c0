"""Facts about the sentence network: what its folder must say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scenewise.errors import EncoderError
from scenewise.models.language.sentence_encoder import (
    SentenceEncoder,
    load_sentence_encoder,
    longest_input,
)
from scenewise.models.weights.packaged import MINILM_L6_V2


class Given(nn.Module):
    """A transformer whose hidden states are given."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.last_hidden_state = hidden

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Given:
        return self


def test_pooling_is_the_mean_of_unmasked_tokens_at_unit_length() -> None:
    hidden = torch.tensor([[[3.0, 0.0], [3.0, 8.0], [100.0, -100.0]]])
    vector = SentenceEncoder(Given(hidden))(torch.zeros(1, 3).long(), torch.tensor([[1, 1, 0]]))
    torch.testing.assert_close(vector, torch.tensor([[0.6, 0.8]]))  # (3, 4) at unit length


def test_texts_are_cut_where_the_checkpoint_says() -> None:
    assert longest_input(MINILM_L6_V2.locate().parent) == 256


@pytest.mark.parametrize(
    ("modules", "mode"),
    [
        (["Transformer", "Pooling", "Normalize"], "pooling_mode_cls_token"),
        (["Transformer", "Pooling"], "pooling_mode_mean_tokens"),
        (["Transformer", "Pooling", "Dense", "Normalize"], "pooling_mode_mean_tokens"),
    ],
)
def test_other_poolings_are_refused(tmp_path: Path, modules: list[str], mode: str) -> None:
    entries = [{"type": f"sentence_transformers.models.{name}"} for name in modules]
    (tmp_path / "modules.json").write_text(json.dumps(entries))
    (tmp_path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 384, "pooling_mode_max_tokens": False, mode: True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(EncoderError, match=f"pools with {mode} after Transformer, Pooling.*only"):
        load_sentence_encoder(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"modules\.json cannot be read"):
        load_sentence_encoder(tmp_path)
