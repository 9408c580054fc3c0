"""Words become the ids that the published tokenizers give, at the length the network has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tokenizers

from scenewise.encoders.huggingface_config import CheckpointConfig, Family
from scenewise.encoders.tokens import TextTokens, write_tokenizer
from scenewise.errors import EncoderError
from scenewise.media.target import Target

TEXTS = (
    "a photo of a cat",
    "Two DOGS run,  after a red ball!",
    "the temple's lake — zwölf",
    "a",
    "a cat " * 100,
)


def config_of(family: Family, vocabulary: int, length: int) -> CheckpointConfig:
    return CheckpointConfig(
        family=family,
        dimension=8,
        target=Target(32, 32),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        patch_size=16,
        frames=1,
        text_length=length,
        vocabulary_size=vocabulary,
        multilingual=False,
        window_bytes=1,
    )


@pytest.mark.parametrize("family", ["clip", "xclip"])
def test_clip_ids_are_those_of_transformers(
    family: Family, write_clip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    from transformers import CLIPTokenizer

    size = write_clip_tokenizer(tmp_path)
    write_tokenizer(tmp_path, config_of(family, size, 77), tmp_path / "made.json")
    ours = TextTokens(tmp_path / "made.json")
    theirs = CLIPTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        wanted = theirs(text, padding="max_length", truncation=True, max_length=77)["input_ids"]
        assert ours(text).ids.tolist() == [wanted], text


def test_siglip2_ids_are_those_of_transformers(
    write_siglip2_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    from transformers import Siglip2Tokenizer

    size = write_siglip2_tokenizer(tmp_path)
    write_tokenizer(tmp_path, config_of("siglip", size, 64), tmp_path / "made.json")
    ours = TextTokens(tmp_path / "made.json")
    theirs = Siglip2Tokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        wanted = theirs(text, padding="max_length", truncation=True, max_length=64)["input_ids"]
        assert ours(text).ids.tolist() == [wanted], text
    ids = ours("a cat").ids[0]
    assert ids[-1] == 0, "<pad> on the right: the last position is the one that is pooled"
    assert ours("A CAT").ids[0].tolist() == ids.tolist()


def test_siglip_reads_lower_case_without_punctuation(
    write_siglip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    size = write_siglip_tokenizer(tmp_path)
    raw = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    write_tokenizer(tmp_path, config_of("siglip", size, 64), tmp_path / "made.json")
    ours = TextTokens(tmp_path / "made.json")
    plain = raw.encode("two dogs run after a red ball").ids
    assert plain[-1] == 1
    assert raw.encode("Two DOGS, run after a red ball!").ids != plain
    for text in ("two dogs run after a red ball", " Two  DOGS, run\tafter a (red) ball! "):
        ids = ours(text).ids
        assert ids.shape == (1, 64)
        assert ids[0, : len(plain)].tolist() == plain
        assert set(ids[0, len(plain) :].tolist()) == {1}, "padded with </s>, as published"


def test_a_long_query_is_cut_and_says_so(
    write_clip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    size = write_clip_tokenizer(tmp_path)
    write_tokenizer(tmp_path, config_of("clip", size, 77), tmp_path / "made.json")
    ours = TextTokens(tmp_path / "made.json")
    fits = " ".join(["cat"] * 75)  # with the two marks exactly 77
    assert ours(fits).notes == ()
    assert ours(fits).text == fits
    cut = ours(f"{fits} by the temple")
    assert cut.text == fits
    assert cut.notes == ("the query was cut after 77 tokens: 'by the temple' was not read",)
    end = tokenizers.Tokenizer.from_file(str(tmp_path / "made.json")).token_to_id("<|endoftext|>")
    assert cut.ids.shape == (1, 77)
    assert cut.ids[0, -1] == end, "the end mark is kept: the network pools there"
    assert ours(fits).ids.tolist() == cut.ids.tolist()


def test_a_pad_token_that_is_not_the_end_mark_is_used(
    write_clip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    size = write_clip_tokenizer(tmp_path)
    settings_path = tmp_path / "tokenizer_config.json"
    settings = json.loads(settings_path.read_text("utf-8")) | {"pad_token": {"content": "!"}}
    settings_path.write_text(json.dumps(settings), "utf-8")
    write_tokenizer(tmp_path, config_of("clip", size, 20), tmp_path / "made.json")
    mark = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).token_to_id("!")
    assert TextTokens(tmp_path / "made.json")("a cat").ids[0, 4:].tolist() == [mark] * 16


def test_vocab_and_merges_give_the_same_ids_as_tokenizer_json(
    write_clip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    size = write_clip_tokenizer(tmp_path)
    config = config_of("clip", size, 77)
    write_tokenizer(tmp_path, config, tmp_path / "made.json")
    old = tmp_path / "old"
    old.mkdir()
    model = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["model"]
    (old / "vocab.json").write_text(json.dumps(model["vocab"]), "utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (old / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    write_tokenizer(old, config, old / "made.json")
    for text in TEXTS:
        assert (
            TextTokens(old / "made.json")(text).ids.tolist()
            == TextTokens(tmp_path / "made.json")(text).ids.tolist()
        ), text


def test_spiece_model_gives_the_same_ids_as_tokenizer_json(
    write_siglip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    from transformers.convert_slow_tokenizer import import_protobuf

    config = config_of("siglip", write_siglip_tokenizer(tmp_path), 64)
    write_tokenizer(tmp_path, config, tmp_path / "made.json")
    model = import_protobuf().ModelProto()
    model.trainer_spec.model_type = model.trainer_spec.UNIGRAM
    vocabulary = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    for piece, score in vocabulary:
        kind = {"<unk>": 2, "</s>": 3, "<pad>": 3}.get(piece, 1)
        model.pieces.add(piece=piece, score=score, type=kind)
    old = tmp_path / "old"
    old.mkdir()
    (old / "spiece.model").write_bytes(model.SerializeToString())
    write_tokenizer(old, config, old / "made.json")
    for text in TEXTS:
        assert (
            TextTokens(old / "made.json")(text).ids.tolist()
            == TextTokens(tmp_path / "made.json")(text).ids.tolist()
        ), text


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_no_tokenizer_is_one_sentence(family: Family, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"holds no .*tokenizer") as caught:
        write_tokenizer(tmp_path, config_of(family, 10, 77), tmp_path / "made.json")
    assert "\n" not in str(caught.value)


def test_a_damaged_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(EncoderError, match="not a readable tokenizer"):
        write_tokenizer(tmp_path, config_of("clip", 10, 77), tmp_path / "made.json")


def test_a_tokenizer_of_another_network_is_refused(
    write_clip_tokenizer: Callable[[Path], int], tmp_path: Path
) -> None:
    size = write_clip_tokenizer(tmp_path)
    config = replace(config_of("clip", size, 77), vocabulary_size=size - 1)
    with pytest.raises(EncoderError, match=f"ids up to {size - 1}, but the network knows"):
        write_tokenizer(tmp_path, config, tmp_path / "made.json")


def test_reading_tokens_imports_neither_torch_nor_transformers() -> None:
    program = (
        "import sys, scenewise.encoders.tokens\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
