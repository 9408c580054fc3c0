"""Java and pycocoevalcap, the reference of this room; and captions made for comparison."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

import numpy as np
import pytest

References = dict[str, list[str]]
Captions = tuple[dict[str, str], References]


@pytest.fixture(scope="session")
def java() -> str:
    """The java program; skips loudly where absent."""
    found = shutil.which("java")
    if found is None:
        pytest.skip("there is no java: the comparison with pycocoevalcap's programs did not run")
    return found


@pytest.fixture(scope="session")
def jar_tokens(java: str) -> Callable[[Sequence[str]], list[list[str]]]:
    """Tokens as pycocoevalcap's own class gives them, by Stanford's jar."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    def tokens(captions: Sequence[str]) -> list[list[str]]:
        given = {number: [{"caption": caption}] for number, caption in enumerate(captions)}
        found = PTBTokenizer().tokenize(given)
        return [[word for word in found[number][0].split(" ") if word] for number in given]

    return tokens


@pytest.fixture(scope="session")
def captions() -> Captions:
    """400 videos with one to six references, from few words: much is shared, much repeated."""
    random = np.random.default_rng(0)
    words = [f"w{n}" for n in range(60)] + [
        "it's",
        "don't",
        "U.S.",
        "1,000",
        "(so)",
        "1 1/2",
        "|||",
    ]
    weight = 1 / np.arange(1, len(words) + 1)
    weight /= weight.sum()

    def sentence() -> str:
        chosen = random.choice(words, size=random.integers(1, 16), p=weight)
        return " ".join(chosen) + str(random.choice(["", ".", "!", " ."]))

    predictions, references = {}, {}
    for number in range(400):
        references[f"v{number}"] = [sentence() for _ in range(random.integers(1, 7))]
        predictions[f"v{number}"] = references[f"v{number}"][0] if number % 50 == 0 else sentence()
    predictions["v3"] = ""
    predictions["v4"] = "..."
    return predictions, references
