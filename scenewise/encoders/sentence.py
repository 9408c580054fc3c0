"""Words to sentence embeddings, fast: all-MiniLM-L6-v2 through tokenizers and ONNX Runtime.

It knows one prepared folder (``prepare_sentences`` writes it): the exported network with pooling
inside, the tokenizer's table, and the length after which texts are cut. torch and transformers
serve the preparation alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenewise.encoders.cache import cached_folder
from scenewise.encoders.runtimes import batches, open_session
from scenewise.encoders.spec import FloatArray, Report
from scenewise.errors import EncoderError
from scenewise.models.weights.packaged import MINILM_L6_V2

_EXPORT_VERSION = 1  # rises when the exported graph or the files beside it change
_TOKEN_BYTES = 64 * 1024  # what one token takes on its way through the network, at most


class SentenceEmbedder:
    """Texts to unit vectors (N, 384). Loads in a third of a second, without torch."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        import tokenizers

        try:
            limits = json.loads((folder / "limits.json").read_text("utf-8"))
            self.longest: int = limits["longest_input"]
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises the base class itself
            raise EncoderError(f"{folder} holds no prepared sentence encoder: {error}") from error
        # the published table pads every text to 128 tokens, and cuts there: not the card's limit
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.longest)
        self._session = open_session(folder / "model.onnx", device="cpu", threads=threads)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """N texts to (N, 384) unit vectors; what is beyond ``longest`` tokens is not read."""
        # one by one: the tokenizer's own batching would start a thread for every core
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors = np.zeros((len(tokens), 384), np.float32)
        longest = len(tokens[order[-1]]) if tokens else 0
        for part in batches(len(order), item_bytes=longest * _TOKEN_BYTES):
            chosen = order[part]  # of similar length, so that little is padding
            width = len(tokens[chosen[-1]])
            input_ids = np.zeros((len(chosen), width), np.int64)
            attention_mask = np.zeros_like(input_ids)
            for row, index in enumerate(chosen):
                length = len(tokens[index])
                input_ids[row, :length] = tokens[index]
                attention_mask[row, :length] = 1
            (vectors[chosen],) = self._session.run(
                {"input_ids": input_ids, "attention_mask": attention_mask}
            )
        return vectors

    def read_part(self, text: str) -> str:
        """The beginning of the text that ``embed`` reads; all of it unless it is very long."""
        encoding = self._tokenizer.encode(text)
        if not encoding.overflowing:
            return text
        return text[: max(end for _, end in encoding.offsets)]

    def close(self) -> None:
        """Release the network."""
        self._session.close()


def prepare_sentences(
    cache_dir: Path,
    *,
    thorough: bool = False,
    progress: Report | None = None,
) -> Path:
    """The prepared folder, made first where it is missing or damaged (some seconds)."""

    def build(folder: Path) -> None:
        if progress is not None:
            progress("preparing all-MiniLM-L6-v2 (once, some seconds)")
        _export(folder)

    return cached_folder(cache_dir, sentences_key(), build, thorough=thorough, progress=progress)


def sentences_key() -> str:
    """The name of the prepared folder in the cache."""
    return f"all-minilm-l6-v2-{MINILM_L6_V2.sha256[:12]}-{_EXPORT_VERSION}"


def _export(folder: Path) -> None:
    import torch

    from scenewise.encoders.export import export_onnx
    from scenewise.models.language.sentence_encoder import load_sentence_encoder, longest_input

    source = MINILM_L6_V2.verify().parent
    input_ids = torch.tensor([[101, 1037, 4937, 102], [101, 1037, 102, 0]])  # "a cat" and "a"
    export_onnx(
        load_sentence_encoder(source),
        (input_ids, (input_ids != 0).long()),
        folder / "model.onnx",
        input_names=("input_ids", "attention_mask"),
        output_names=("vector",),
        dynamic_axes={"input_ids": {1: "length"}, "attention_mask": {1: "length"}},
    )
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    limits = {"longest_input": longest_input(source)}
    (folder / "limits.json").write_text(json.dumps(limits), encoding="utf-8")
