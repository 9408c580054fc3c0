"""Whether a free answer is right: exact match, and the accuracy of VQA with its normalisation.

MSVD-QA, MSRVTT-QA and ActivityNet-QA count exact matches of whole answers. VQA (Antol et al.,
2015) asks ten people, and an answer that three of them gave is right. It knows strings; how near
two words are in meaning, ``wordnet`` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AGREEING = 3  # people that must have given an answer for it to be wholly right

# what the numbers of ActivityNet-QA's field ``type`` mean (Yu et al., 2019)
ACTIVITYNETQA_TYPES = (
    "motion",
    "spatial relationship",
    "temporal relationship",
    "yes/no",
    "color",
    "object",
    "location",
    "number",
    "other",
)
ACTIVITYNETQA_FREE = ACTIVITYNETQA_TYPES[3:]  # questions of any kind, by kind of answer

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")
_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS.split())}}
_ARTICLES = frozenset({"a", "an", "the"})

# The published contractions in their right spelling; each is found where it lacks one apostrophe.
# "she'd" and others are not among them, as without apostrophe they are words of their own. Those
# of "I" are left out: they are looked up in small letters, and in the published list "I" is not.
_CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's they'd
they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's
won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many were right; partly right ones count in part."""

    right: float
    total: int

    @property
    def share(self) -> float:
        """nan without any."""
        return self.right / self.total if self.total else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``None`` for the share of nothing."""
        return {"accuracy": self.share if self.total else None, "total": self.total}


def exact_match(answer: str, truths: Sequence[str]) -> bool:
    """Whether the answer is one of the right ones, letter by letter, as the sets' papers count."""
    return answer in truths


def normalised_match(answer: str, truths: Sequence[str]) -> bool:
    """The same after ``normalise_answer`` of both sides: for models that answer in sentences' form.

    It is another figure than the published exact match.
    """
    wanted = normalise_answer(answer)
    return any(normalise_answer(truth) == wanted for truth in truths)


def vqa_accuracy(answer: str, given: Sequence[str]) -> float:
    """The mean, over every set of all people but one, of min(agreeing / 3, 1); from 0 to 1.

    ``given`` are the answers of all people, two at least. As in the official evaluation answers
    are normalised only where people differ.
    """
    if len(given) < 2:
        raise ValueError(f"VQA accuracy leaves one person out of several, got {len(given)}")
    told, others = _on_one_line(answer), [_on_one_line(text) for text in given]
    if len(set(others)) > 1:
        told, others = normalise_answer(told), [normalise_answer(text) for text in others]
    agree, people = others.count(told), len(others)
    without_one_who_agrees = agree * min(1.0, (agree - 1) / AGREEING)
    without_another = (people - agree) * min(1.0, agree / AGREEING)
    return (without_one_who_agrees + without_another) / people


def normalise_answer(text: str) -> str:
    """Small letters, without punctuation and articles, with digits, contractions mended.

    The rules of VQA's evaluation, with their oddities: a sign of punctuation becomes a space where
    it stands between letters and vanishes where a space is beside it, or where the answer holds a
    number with a comma; a full stop before a digit stays.
    """
    line = _on_one_line(text)
    bare = line
    number = _COMMA_IN_NUMBER.search(line) is not None
    for sign in _PUNCTUATION:
        loose = f"{sign} " in line or f" {sign}" in line
        bare = bare.replace(sign, "" if loose or number else " ")
    words = (_DIGITS.get(word, word) for word in _FULL_STOP.sub("", bare).lower().split())
    return " ".join(_MENDED.get(word, word) for word in words if word not in _ARTICLES)


def shares_by_kind(right: Sequence[float], kinds: Sequence[str]) -> dict[str, Share]:
    """How many of each kind were right, in the order of the kinds' names."""
    if len(right) != len(kinds):
        raise ValueError(f"{len(right)} judgements for {len(kinds)} kinds")
    places: dict[str, list[int]] = {kind: [] for kind in sorted(set(kinds))}
    for place, kind in enumerate(kinds):
        places[kind].append(place)
    return {
        kind: Share(sum(right[place] for place in those), len(those))
        for kind, those in places.items()
    }


def joined_share(shares: Mapping[str, Share], kinds: Sequence[str]) -> Share:
    """Several kinds as one; those that do not occur add nothing."""
    there = [shares[kind] for kind in kinds if kind in shares]
    return Share(sum(one.right for one in there), sum(one.total for one in there))


def _on_one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _spelled_without(word: str) -> list[str]:
    """The spellings that lack one apostrophe of the word."""
    places = [place for place, letter in enumerate(word) if letter == "'"]
    return [word[:place] + word[place + 1 :] for place in places]


_MENDED = {wrong: word for word in _CONTRACTIONS.split() for wrong in _spelled_without(word)}
_MENDED["somebody'd"] = "somebodyd"  # the published list has this one the wrong way round
