"""All metrics beside pycocoevalcap and the published figures; what is said of bad input."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scenewise.errors import UsageError
from scenewise.metrics.captioning import (
    METRICS,
    Scored,
    bleu,
    cider,
    evaluate,
    meteor,
    pair_up,
    rouge_l,
    score,
    tokenize,
)

TOLERANCE = 1e-6
Captions = tuple[dict[str, str], dict[str, list[str]]]

# nlg-eval's own test figures, as its repository gives them
NLG_EVAL = {
    "bleu1": 0.55,
    "bleu2": 0.428174,
    "bleu3": 0.284043,
    "bleu4": 0.201143,
    "meteor": 0.295797,
    "rouge_l": 0.522104,
    "cider": 1.242192,
    "cider_d": 1.242192,
}
NLG_EVAL_SINGLE = {
    "bleu1": 0.799999,
    "bleu2": 0.632455,
    "bleu3": 0.5108729,
    "bleu4": 0.0000903602,
    "meteor": 0.44434387,
    "rouge_l": 0.9070631,
    "cider": 0.0,  # one video: nothing is rare among one
    "cider_d": 0.0,
}
SINGLE: Captions = (
    {"a": "this is a good test"},
    {"a": ["this is a test", "this is also a test"]},
)


def test_the_single_sentence_of_nlg_eval(java: str) -> None:
    assert evaluate(*SINGLE) == pytest.approx(NLG_EVAL_SINGLE, abs=TOLERANCE)


def test_the_single_sentence_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = evaluate(*SINGLE, without=("meteor",))
    expected = {name: value for name, value in NLG_EVAL_SINGLE.items() if name != "meteor"}
    assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.shared
def test_the_two_sentences_of_nlg_eval(shared_dir: Path, java: str) -> None:
    folder = shared_dir / "metrics" / "nlg_eval"
    lines = [(folder / f"{name}.txt").read_text().splitlines() for name in ("hyp", "ref1", "ref2")]
    predictions = {str(n): text for n, text in enumerate(lines[0])}
    references = {str(n): [one, two] for n, (one, two) in enumerate(zip(*lines[1:], strict=True))}
    assert evaluate(predictions, references) == pytest.approx(NLG_EVAL, abs=TOLERANCE)


def test_parity_on_generated_captions(captions: Captions) -> None:
    """Each metric and each video, by pycocoevalcap's scorers on our tokens."""
    _assert_parity(*captions)


@pytest.mark.shared
def test_parity_on_msvd(shared_dir: Path) -> None:
    _assert_parity(*_msvd(shared_dir))


def _msvd(shared_dir: Path) -> Captions:
    folder = shared_dir / "metrics" / "msvd_captions"
    references: dict[str, list[str]] = {}
    for line in (folder / "references.txt").read_text(encoding="utf-8").splitlines():
        video, text = line.split("\t")
        references.setdefault(video, []).append(text)
    predictions = {}
    for line in (folder / "predicted_sentences.txt").read_text(encoding="utf-8").splitlines():
        _, video, text = line.split("\t")
        predictions[video] = text
    return predictions, {video: references[video] for video in predictions}


def _assert_parity(predictions: dict[str, str], references: dict[str, list[str]]) -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    pairs = pair_up(predictions, references)
    truth, found = _as_pycocoevalcap(predictions, references)
    whole, single = Bleu(4).compute_score(truth, found, verbose=0)
    for n, ours in enumerate(bleu(pairs)):
        _assert_same(ours, whole[n], single[n])
    _assert_same(cider(pairs), *Cider().compute_score(truth, found))
    # of an empty caption pycocoevalcap's ROUGE-L can be 1, ours is 0: see its test
    full = [one for one, tokens in found.items() if tokens[0]]
    pairs = pair_up({one: predictions[one] for one in full}, {one: references[one] for one in full})
    whole, single = Rouge().compute_score(
        {one: truth[one] for one in full}, {one: found[one] for one in full}
    )
    _assert_same(rouge_l(pairs), whole, single)


def _as_pycocoevalcap(
    predictions: dict[str, str], references: dict[str, list[str]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """References and predictions, as its scorers take them: tokens with blanks between."""
    return (
        {one: [" ".join(words) for words in tokenize(texts)] for one, texts in references.items()},
        {one: [" ".join(tokenize([text])[0])] for one, text in predictions.items()},
    )


def _assert_same(ours: Scored, corpus: float, single: Any) -> None:
    assert ours.corpus == pytest.approx(float(corpus), abs=TOLERANCE)
    assert list(ours.by_id.values()) == pytest.approx([float(one) for one in single], abs=TOLERANCE)
    assert len(set(ours.by_id.values())) > 1  # something was compared


def test_parity_of_meteor(captions: Captions, java: str) -> None:
    from pycocoevalcap.meteor.meteor import Meteor

    chosen = list(captions[0])[:60]
    predictions = {one: captions[0][one] for one in chosen}
    references = {one: captions[1][one] for one in chosen}
    predictions |= {
        "words": "a dog is running quickly",
        "accents": "un café “très” chaud, ça va 😀",
    }
    references |= {
        "words": ["the dogs run fast", "a puppy ran"],
        "accents": ["un café chaud", "le café, c’est chaud"],
    }
    predictions["bars"], references["bars"] = "a ||| b ||| c", ["a ||| b", "c |||"]
    truth, found = _as_pycocoevalcap(predictions, references)
    reference = Meteor()
    try:
        corpus, single = reference.compute_score(truth, found)
    finally:  # it leaves its pipes open
        reference.meteor_p.kill()
        for pipe in (
            reference.meteor_p.stdin,
            reference.meteor_p.stdout,
            reference.meteor_p.stderr,
        ):
            pipe.close()
    ours = meteor(pair_up(predictions, references))
    _assert_same(ours, corpus, single)
    assert ours.by_id["v3"] == 0.0  # an empty caption
    assert ours.by_id["words"] > 0  # no word is shared: stems and synonyms were matched


def test_tokens_and_scores_of_all_of_pycocoevalcap(captions: Captions, jar_tokens: Any) -> None:
    """Nothing of ours on the other side: raw captions through the jar into its scorers."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    predictions, references = captions
    flat = [*predictions.values(), *(text for texts in references.values() for text in texts)]
    tokens = iter([" ".join(one) for one in jar_tokens(flat)])
    joined = {one: [next(tokens)] for one in predictions}
    truth = {one: [next(tokens) for _ in texts] for one, texts in references.items()}
    ours = evaluate(predictions, references, without=("meteor",))
    expected = Bleu(4).compute_score(truth, joined, verbose=0)[0]
    assert [ours[f"bleu{n}"] for n in range(1, 5)] == pytest.approx(expected, abs=TOLERANCE)
    assert ours["cider"] == pytest.approx(Cider().compute_score(truth, joined)[0], abs=TOLERANCE)


def test_keys_and_scores_of_each_video(captions: Captions) -> None:
    found = score(*captions, without=("meteor",))
    assert list(found) == [name for name in METRICS if name != "meteor"]
    for one in found.values():
        assert list(one.by_id) == list(captions[0])
        assert all(math.isfinite(value) for value in one.by_id.values())
    assert found["cider"] == found["cider_d"]
    for name in ("rouge_l", "cider"):
        mean = sum(found[name].by_id.values()) / len(captions[0])
        assert found[name].corpus == pytest.approx(mean)
    assert evaluate(*captions, without=METRICS) == {}


def test_ids_may_come_in_any_order(captions: Captions) -> None:
    predictions, references = captions
    other = dict(reversed(references.items()))
    without = ("meteor",)
    assert evaluate(predictions, other, without=without) == evaluate(
        predictions, references, without=without
    )


@pytest.mark.parametrize("empty", ["", "   ", "\n", "...", "!,;", "😀"])
def test_an_empty_caption_scores_nothing(empty: str) -> None:
    references = {"a": ["a man runs", "!"], "b": ["a dog barks loudly now"]}
    found = score({"a": empty, "b": "a dog barks loudly now"}, references, without=("meteor",))
    for name, one in found.items():
        assert one.by_id["a"] == pytest.approx(0, abs=1e-12), name
        assert one.by_id["b"] > 0, name
    alone = evaluate({"a": empty}, {"a": references["a"]}, without=("meteor",))
    assert alone == pytest.approx(dict.fromkeys(alone, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ({}, {}, "there are none"),
        ({"a": "x"}, {}, r"1 id \('a'\) without references"),
        ({}, {"a": ["x"]}, r"1 id \('a'\) without a prediction"),
        (
            dict.fromkeys("abcde", "x"),
            {"z": ["x"]},
            r"1 id \('z'\) without a prediction, 5 ids \('a', 'b', 'c', \.\.\.\) without ref",
        ),
        ({"a": "x"}, {"a": []}, r"1 id \('a'\) with empty references"),
        ({"a": "x"}, {"a": ["", " \n"]}, r"1 id \('a'\) with empty references"),
        ({"a": None}, {"a": ["x"]}, r"1 id \('a'\) with a caption that is no text"),
        ({"a": "x"}, {"a": ["x", 5]}, r"1 id \('a'\) with a caption that is no text"),
        ({"a": "x"}, {"a": "x"}, "a list of captions for each id, not 'x'"),
        ({"a": "x"}, {"a": None}, "a list of captions for each id, not 'None'"),
    ],
)
def test_what_does_not_pair_up(predictions: Any, references: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        evaluate(predictions, references, without=("meteor",))
    assert "\n" not in str(caught.value)


def test_an_unknown_metric() -> None:
    with pytest.raises(UsageError, match="no captioning metric is named blue; there are bleu1"):
        evaluate(*SINGLE, without=("blue", "meteor"))


def test_nothing_heavy_is_imported() -> None:
    heavy = "{'torch', 'nltk', 'pycocoevalcap'}"
    code = f"import sys, scenewise.metrics.captioning; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
