"""From words to token ids, exactly as a checkpoint's text side was trained to read them.

It knows tokenizers and their limits; it knows no network. At preparation everything that the
family does to a text is written into one ``tokenizer.json``: cleaning, marks, length, padding.
A query then needs that file and the package ``tokenizers``, nothing else.

    CLIP, X-CLIP  byte pairs, lower case, 77 positions; what follows the end mark is not read
    SigLIP        sentence pieces; lower case, no ASCII punctuation; always padded to 64, because
                  the last position is the one that is pooled, and without an attention mask
    SigLIP 2      the Gemma tokenizer, lower case; padded to 64 as above
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from scenewise.encoders.huggingface_config import CheckpointConfig, read_json
from scenewise.errors import EncoderError

TOKENIZER = "tokenizer.json"
_SHOWN = 60  # characters of a text that was cut, in the note about it

# the published defaults, for checkpoints whose tokenizer_config.json names no pad token
_PADS: dict[str, tuple[str, ...]] = {
    "clip": ("<|endoftext|>",),
    "xclip": ("<|endoftext|>",),
    "siglip": ("</s>", "<pad>"),
    "siglip2": ("<pad>",),
}
# !-/ :-@ [-` {-~ are the ASCII punctuation marks
_PUNCTUATION = tokenizers.Regex(r"[!-/:-@\[-`{-~]")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a text side reads."""

    ids: npt.NDArray[np.int64]  # (1, L)
    text: str  # the part of the text that they stand for
    notes: tuple[str, ...] = ()


class TextTokens:
    """A prepared tokenizer: words to token ids of one fixed length."""

    def __init__(self, path: Path) -> None:
        """Load what ``write_tokenizer`` wrote; EncoderError where it is damaged."""
        self._tokenizer = _load(path)

    def __call__(self, text: str) -> Tokens:
        """Token ids (1, L) int64, and a note where the text was cut to fit."""
        encoding = self._tokenizer.encode(text)
        ids = np.asarray([encoding.ids], dtype=np.int64)
        if not encoding.overflowing:
            return Tokens(ids, text)
        ends = [
            end
            for (_, end), mark in zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
            if not mark
        ]
        kept = text[: max(ends, default=0)].rstrip()
        rest = text[len(kept) :].strip()
        shown = rest if len(rest) <= _SHOWN else f"{rest[: _SHOWN - 1].rstrip()}…"
        note = f"the query was cut after {len(encoding.ids)} tokens: {shown!r} was not read"
        return Tokens(ids, kept, (note,))


def write_tokenizer(folder: Path, config: CheckpointConfig, path: Path) -> None:
    """Write the checkpoint's tokenizer to ``path`` with all that its family does to a text.

    ``tokenizer.json`` is taken where there is one; otherwise transformers makes it from
    ``vocab.json`` and ``merges.txt``, or from ``spiece.model``. Raises EncoderError where there
    is none, or where it does not belong to the network.
    """
    settings_path = folder / "tokenizer_config.json"
    settings = read_json(settings_path) if settings_path.is_file() else {}
    source = folder / TOKENIZER
    tokenizer = _load(source) if source.is_file() else _converted(folder, config)
    padding: dict[str, Any] = tokenizer.padding or {}
    pad_token = _pad_token(folder, config, settings, tokenizer, padding)
    side = str(padding.get("direction") or settings.get("padding_side") or "right").lower()
    _clean(tokenizer, config, settings)
    tokenizer.enable_truncation(max_length=config.text_length)
    tokenizer.enable_padding(
        length=config.text_length,
        direction=side,
        pad_id=tokenizer.token_to_id(pad_token),
        pad_token=pad_token,
    )
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values())
    if largest >= config.vocabulary_size:
        raise EncoderError(
            f"{folder}: the tokenizer gives ids up to {largest}, but the network knows "
            f"{config.vocabulary_size}; take tokenizer and weights from one checkpoint."
        )
    tokenizer.save(str(path))


def write_plain_tokenizer(
    source: Path, path: Path, *, length: int | None, lower: bool, pad_id: int | None
) -> tuple[int, int]:
    """Write ``tokenizer.json`` of a network of our own with length, padding and case fixed.

    ``length`` None is the file's own, ``pad_id`` None the file's own, else 0. Returns the length
    and the largest id. Raises EncoderError where no length is known.
    """
    tokenizer = _load(source)
    cut: dict[str, Any] = tokenizer.truncation or {}
    padding: dict[str, Any] = tokenizer.padding or {}
    positions = length or cut.get("max_length") or padding.get("length")
    if not positions:
        raise EncoderError(
            f"{source.parent}: nobody says how many tokens the text side takes; write "
            '"text": {"length": 32} into config.json.'
        )
    pad = int(padding.get("pad_id", 0)) if pad_id is None else pad_id
    if lower:
        own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    tokenizer.enable_truncation(max_length=positions)
    tokenizer.enable_padding(
        length=positions,
        direction=str(padding.get("direction") or "right").lower(),
        pad_id=pad,
        pad_token=tokenizer.id_to_token(pad) or "[PAD]",
    )
    tokenizer.save(str(path))
    return positions, max(pad, *tokenizer.get_vocab(with_added_tokens=True).values())


def _clean(
    tokenizer: tokenizers.Tokenizer, config: CheckpointConfig, settings: dict[str, Any]
) -> None:
    """Put the family's cleaning in front of the tokenizer's own; doing it twice does no harm."""
    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    steps: list[normalizers.Normalizer]
    lower = [normalizers.Lowercase()] if settings.get("do_lower_case", True) else []
    if _is_gemma(config, settings):
        steps = [normalizers.Lowercase()]
    elif config.family == "siglip":
        steps = [
            *lower,
            normalizers.Replace(_PUNCTUATION, ""),
            normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    else:
        return
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])


def _is_gemma(config: CheckpointConfig, settings: dict[str, Any]) -> bool:
    """SigLIP 2 has the tokenizer of Gemma, also where it is fixed in size ("siglip")."""
    kind = str(settings.get("tokenizer_class", ""))
    return config.family == "siglip2" or kind.startswith(("Gemma", "Siglip2"))


def _pad_token(
    folder: Path,
    config: CheckpointConfig,
    settings: dict[str, Any],
    tokenizer: tokenizers.Tokenizer,
    padding: dict[str, Any],
) -> str:
    named = settings.get("pad_token")
    if isinstance(named, dict):  # an added token with its options
        named = named.get("content")
    if not isinstance(named, str):
        special = folder / "special_tokens_map.json"
        entry = read_json(special).get("pad_token") if special.is_file() else None
        named = entry.get("content") if isinstance(entry, dict) else entry
    candidates = (named, padding.get("pad_token"), *_PADS[config.family])
    for candidate in candidates:
        if isinstance(candidate, str) and tokenizer.token_to_id(candidate) is not None:
            return candidate
    raise EncoderError(
        f"{folder}: the tokenizer has no token to pad with (looked for "
        f"{', '.join(repr(name) for name in candidates if name)}); name one as pad_token in "
        "tokenizer_config.json."
    )


def _converted(folder: Path, config: CheckpointConfig) -> tokenizers.Tokenizer:
    """A tokenizer from the older files, by transformers; only at preparation."""
    if config.family in ("clip", "xclip"):
        needed = ("vocab.json", "merges.txt")
        if all((folder / name).is_file() for name in needed):
            from transformers import CLIPTokenizer

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they speak to users of transformers
                made = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            return tokenizers.Tokenizer.from_str(made.backend_tokenizer.to_str())
        raise EncoderError(
            f"{folder} holds no tokenizer: allowed are {TOKENIZER}, or {' and '.join(needed)}; "
            "complete the folder."
        )
    if config.family == "siglip" and (folder / "spiece.model").is_file():
        return _from_sentence_pieces(folder / "spiece.model")
    raise EncoderError(
        f"{folder} holds no tokenizer: allowed are {TOKENIZER}, or for SigLIP spiece.model; "
        "complete the folder."
    )


def _from_sentence_pieces(path: Path) -> tokenizers.Tokenizer:
    """The unigram model of ``spiece.model`` (Kudo 2018) with an end mark, as SigLIP reads it."""
    from transformers.convert_slow_tokenizer import import_protobuf

    model = import_protobuf().ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's own error class differs between its versions
        raise EncoderError(f"{path} is not a sentence piece model; fetch it again.") from error
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    names = {piece: index for index, (piece, _) in enumerate(pieces)}
    unknown = [index for index, piece in enumerate(model.pieces) if piece.type == piece.UNKNOWN]
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM or "</s>" not in names:
        raise EncoderError(
            f"{path}: SigLIP needs a unigram model with the end mark </s>; add {TOKENIZER}."
        )
    made = tokenizers.Tokenizer(models.Unigram(pieces, unknown[0], byte_fallback=False))
    charsmap = model.normalizer_spec.precompiled_charsmap
    if charsmap:
        made.normalizer = normalizers.Precompiled(charsmap)
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", names["</s>"])]
    )
    return made


def _load(path: Path) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises plain Exception for any damage
        raise EncoderError(f"{path} is not a readable tokenizer: {error}; fetch it again.") from (
            error
        )
