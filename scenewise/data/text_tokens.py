"""Words as token ids for training, exactly as a search by the trained network reads them later.

``FileTokens`` reads a ``tokenizer.json`` with the settings that ``config.json`` of a network's
folder has under ``text``. Two such files are made here: of bytes, and of the words of captions.
It knows tokenizers; it knows no network and no video.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from scenewise.encoders.tokens import write_plain_tokenizer
from scenewise.errors import DataError
from scenewise.media.whole_file import write_text

# texts to ids (N, L) int64 and what of them is real (N, L) bool
Tokenize = Callable[[list[str]], tuple[Tensor, Tensor]]

PAD, UNKNOWN, MASK = "[PAD]", "[UNK]", "[MASK]"


class FileTokens:
    """A ``tokenizer.json`` with one length for all texts; longer ones are cut.

    ``length`` None is the file's own, ``pad_id`` None the file's own, else 0. ``largest_id`` must
    lie below the network's vocabulary.
    """

    def __init__(
        self,
        path: Path,
        *,
        length: int | None = None,
        lower: bool = False,
        pad_id: int | None = None,
    ) -> None:
        """Read; raises EncoderError where the file is no tokenizer, or no length is known."""
        self.path = path
        self.lower = lower
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "tokenizer.json"
            self.length, self.largest_id = write_plain_tokenizer(
                path, written, length=length, lower=lower, pad_id=pad_id
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(written))
        padding = self._tokenizer.padding
        assert padding is not None  # written a line above
        self.pad_id = int(padding["pad_id"])

    def __call__(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Ids (N, L) int64 and mask (N, L) bool."""
        # one by one: a batch would start threads, which do not outlive a fork
        each = [self._tokenizer.encode(text) for text in texts]
        ids = torch.tensor([one.ids for one in each], dtype=torch.int64)
        mask = torch.tensor([one.attention_mask for one in each], dtype=torch.bool)
        shape = (len(texts), self.length)
        return ids.reshape(shape), mask.reshape(shape)

    @property
    def mask_id(self) -> int | None:
        """The id of [MASK]; None where the tokenizer has none."""
        number: int | None = self._tokenizer.token_to_id(MASK)
        return number

    def bare(self, texts: Sequence[str], length: int) -> Tensor:
        """Ids (N, ``length``) of the words alone, without marks; 0 where there is no more."""
        ids = torch.zeros(len(texts), length, dtype=torch.int64)
        for row, text in zip(ids, texts, strict=True):
            one = self._tokenizer.encode(text, add_special_tokens=False)
            words = [
                number
                for number, real in zip(one.ids, one.attention_mask, strict=True)
                if real and number != self.pad_id
            ]
            row[: len(words[:length])] = torch.tensor(words[:length], dtype=torch.int64)
        return ids

    def text_settings(self) -> dict[str, object]:
        """What ``save_pretrained`` takes as ``text``."""
        return {"lower": self.lower, "pad_id": self.pad_id, "length": self.length}


def write_byte_tokenizer(path: Path) -> Path:
    """A tokenizer of UTF-8 bytes: 256 ids, the byte's own number each; 0 is padding."""
    byte_names = _byte_names()
    made = tokenizers.Tokenizer(models.BPE(vocab=byte_names, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.enable_padding(pad_id=0, pad_token=next(iter(byte_names)))
    return write_text(path, made.to_str())


def write_word_tokenizer(
    path: Path, texts: Iterable[str], *, size: int = 1000, mask: bool = False
) -> Path:
    """A tokenizer of the ``size`` - 2 most frequent words of these texts, in lower case.

    Padding is 0, any other word 1; equally frequent words stand in the order of the alphabet.
    With ``mask`` a last id is that of [MASK].
    Raises DataError where there is no word.
    """
    lower, split = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(lower.normalize_str(text)))
    if not counts:
        raise DataError("The captions hold no word, so no tokenizer can be made of them.")
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    names = [PAD, UNKNOWN, *ranked[: max(0, size - 2)]]
    vocabulary = {word: number for number, word in enumerate(names)}
    made = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    made.normalizer = lower
    made.pre_tokenizer = split
    if mask:
        made.add_special_tokens([MASK])
    made.enable_padding(pad_id=0, pad_token=PAD)
    return write_text(path, made.to_str())


def _byte_names() -> dict[str, int]:
    """The letters by which ByteLevel names bytes: printable ones themselves, others from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    names, others = {}, 0
    for byte in range(256):
        names[chr(byte) if byte in printable else chr(256 + others)] = byte
        others += byte not in printable
    return names
