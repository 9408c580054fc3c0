"""Words as ids: in training as in a search by the trained network."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from scenewise.data.text_tokens import FileTokens, write_byte_tokenizer, write_word_tokenizer
from scenewise.encoders.tokens import TextTokens, write_plain_tokenizer
from scenewise.errors import DataError, EncoderError
from scenewise.models.registry import create_model
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.models.weights.own import save_pretrained

CAPTIONS = ["A red ball rolls left.", "A blue ball rests", "red box"]


def bytes_of(folder: Path, length: int = 16) -> FileTokens:
    return FileTokens(write_byte_tokenizer(folder / "tokenizer.json"), length=length, lower=True)


def test_bytes_are_their_own_numbers(tmp_path: Path) -> None:
    tokens = bytes_of(tmp_path)
    ids, mask = tokens(["A Dog", "größer ✓", ""])
    for row, text in enumerate(("a dog", "größer ✓", "")):
        expected = list(text.encode("utf-8"))
        assert ids[row].tolist() == expected + [0] * (16 - len(expected))
        assert int(mask[row].sum()) == len(expected)
    assert (tokens.largest_id, tokens.pad_id, tokens.length) == (255, 0, 16)


def test_every_byte_has_its_place(tmp_path: Path) -> None:
    tokens = bytes_of(tmp_path, 4)
    # characters of one to four bytes reach 0x01 to 0xF4, all but those that UTF-8 never has
    for text in ("\x01", "\x7f", "\x80", "ÿ", "߿", "ࠀ", "\uffff", "\U0010ffff"):
        expected = list(text.encode("utf-8"))
        assert tokens([text])[0][0].tolist() == expected + [0] * (4 - len(expected))


def test_long_texts_are_cut(tmp_path: Path) -> None:
    ids, mask = bytes_of(tmp_path, 4)(["abcdefgh"])
    assert ids.tolist() == [list(b"abcd")]
    assert bool(mask.all())


def test_words_by_frequency_then_alphabet(tmp_path: Path) -> None:
    path = write_word_tokenizer(tmp_path / "t.json", CAPTIONS, size=6)
    tokens = FileTokens(path, length=5)
    # [PAD] [UNK] a ball red . and no room for blue, box, left, rests, rolls
    ids, mask = tokens(["Red ball", "a blue ball."])
    assert ids.tolist() == [[4, 3, 0, 0, 0], [2, 1, 3, 5, 0]]
    assert mask.sum(1).tolist() == [2, 4]
    assert tokens.largest_id == 5
    again = write_word_tokenizer(tmp_path / "u.json", CAPTIONS, size=6)
    assert again.read_bytes() == path.read_bytes()


def test_captions_without_a_word(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no word"):
        write_word_tokenizer(tmp_path / "t.json", ["", "  "])


def test_a_length_is_needed(tmp_path: Path) -> None:
    path = write_word_tokenizer(tmp_path / "t.json", CAPTIONS)
    with pytest.raises(EncoderError, match="how many tokens"):
        FileTokens(path)


def test_a_search_reads_the_same_ids(tmp_path: Path) -> None:
    path = write_word_tokenizer(tmp_path / "t.json", CAPTIONS)
    tokens = FileTokens(path, length=8, lower=True)
    settings = tokens.text_settings()
    write_plain_tokenizer(path, tmp_path / "search.json", length=8, lower=True, pad_id=0)
    search = TextTokens(tmp_path / "search.json")
    assert settings == {"lower": True, "pad_id": 0, "length": 8}
    for text in (*CAPTIONS, "something ELSE, and much longer than eight tokens", ""):
        assert tokens([text])[0].tolist() == search(text).ids.tolist()


def test_ids_fit_the_tiny_network_and_its_folder(tmp_path: Path) -> None:
    tokens = bytes_of(tmp_path)
    network = create_model("dual_encoder_tiny")
    assert isinstance(network, VideoTextModel)
    ids, mask = tokens(CAPTIONS)
    with torch.no_grad():
        named = network.encode_text(ids, mask).pooled
        found = network.encode_text(ids).pooled
    torch.testing.assert_close(named, found)  # padding is what the network takes for it
    save_pretrained(network, tmp_path / "run", tokenizer=tokens.path, text=tokens.text_settings())
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == tokens.path.read_bytes()


def test_tokens_travel_to_other_processes(tmp_path: Path) -> None:
    tokens = bytes_of(tmp_path)
    again = pickle.loads(pickle.dumps(tokens))
    assert torch.equal(again(["a dog"])[0], tokens(["a dog"])[0])
