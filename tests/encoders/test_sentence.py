"""Facts about sentence embeddings: equal to sentence-transformers, fast to load, honest on cuts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from scenewise.encoders.sentence import SentenceEmbedder, prepare_sentences
from scenewise.encoders.spec import FloatArray
from scenewise.errors import EncoderError
from scenewise.models.weights.packaged import MINILM_L6_V2

ROOT = Path(__file__).resolve().parents[2]

TEXTS = [
    "a cat",
    "",
    "A man in a RED coat walks two dogs along the beach at sunset.",
    "naïve café, 東京, привет",
    "word " * 100,
    "the quick brown fox " * 100,  # more than 256 word pieces
]


@pytest.fixture(scope="module")
def embedder(prepared_cache: Path) -> Iterator[SentenceEmbedder]:
    embedder = SentenceEmbedder(prepare_sentences(prepared_cache))
    yield embedder
    embedder.close()


@pytest.fixture(scope="module")
def expected() -> FloatArray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(MINILM_L6_V2.locate().parent), device="cpu")
    with torch.inference_mode():
        return np.asarray(model.encode(TEXTS, show_progress_bar=False), np.float32)


def test_equal_to_sentence_transformers(embedder: SentenceEmbedder, expected: FloatArray) -> None:
    np.testing.assert_allclose(embedder.embed(TEXTS), expected, atol=2e-6)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_alone_as_among_others(
    embedder: SentenceEmbedder, expected: FloatArray, number: int
) -> None:
    np.testing.assert_allclose(embedder.embed([TEXTS[number]])[0], expected[number], atol=2e-6)


def test_none_and_many(embedder: SentenceEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 384)
    many = embedder.embed([f"number {number}" for number in range(70)])
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(many[69], embedder.embed(["number 69"])[0], atol=2e-6)


def test_what_is_read_of_a_long_text(embedder: SentenceEmbedder) -> None:
    assert embedder.longest == 256
    assert embedder.read_part("a cat on a sofa") == "a cat on a sofa"
    # two of the 256 are the marks of beginning and end; each word is one piece
    assert embedder.read_part("word " * 254) == "word " * 254
    assert embedder.read_part("word " * 255) == ("word " * 254).rstrip()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no prepared sentence encoder"):
        SentenceEmbedder(tmp_path)


def test_a_fresh_process_needs_neither_torch_nor_transformers(
    embedder: SentenceEmbedder, prepared_cache: Path
) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scenewise.encoders.sentence import SentenceEmbedder, prepare_sentences\n"
        "vectors = SentenceEmbedder(prepare_sentences(Path(sys.argv[1]))).embed(['a cat'])\n"
        "heavy = {'torch', 'transformers', 'onnxscript', 'sentence_transformers', 'openvino'}\n"
        "print(vectors.shape, sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(prepared_cache)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "(1, 384) []"
    assert run.stderr == ""
