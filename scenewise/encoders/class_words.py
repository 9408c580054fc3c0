"""Names of classes as a video-text network reads them: what its classifier compares videos with.

A run that learned from the names of classes leaves labels, a tokenizer and ``text.template`` in
its folder. It knows such a folder, tokens and torch, and is imported at preparation only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import tokenizers
import torch
from torch import Tensor

from scenewise.encoders.network_folder import TOKENIZER, NetworkFolder
from scenewise.encoders.network_towers import all_options
from scenewise.encoders.tokens import write_plain_tokenizer
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.zero_shot import encode_texts


def text_of_classes(own: NetworkFolder, network: VideoTextModel) -> Features:
    """The features of one text for each label, in their order, as they were in training.

    Raises EncoderError where the folder's tokenizer cannot be read.
    """
    texts = [own.text.template.replace("{}", label) for label in own.labels or ()]
    options = all_options(own.network, dict(own.options))
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / TOKENIZER
        write_plain_tokenizer(
            own.folder / TOKENIZER,
            written,
            length=own.text.length or options.get("text_length") or own.card.text_length,
            lower=own.text.lower,
            pad_id=own.text.pad_id,
        )
        tokenizer = tokenizers.Tokenizer.from_file(str(written))

    def tokenize(some: Sequence[str]) -> tuple[Tensor, Tensor]:
        each = [tokenizer.encode(text) for text in some]
        ids = torch.tensor([one.ids for one in each], dtype=torch.int64)
        return ids, torch.tensor([one.attention_mask for one in each], dtype=torch.bool)

    return encode_texts(network, texts, tokenize)
