"""What an English question asks for, by its form: what to look for, and what to say of it.

Small rules on words, in a fixed order; no network and no grammar beyond them. A question in no
known form is "open": what is looked for is then the question itself. It knows no video.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from scenewise.tasks.query import normalise

Form = Literal[
    "yes_no",  # is there X, does X happen
    "either",  # is it X or Y
    "what",  # what is on the table; which animal
    "where",
    "when",
    "times",  # how many times
    "count",  # how many X: things side by side in one picture
    "length",  # how long does X last, how long is the video
    "after",  # what happens after X
    "before",
    "order",  # does X happen before Y
    "said",  # what is said or written
    "attribute",  # a colour, a name, a reason: what pictures of kinds of things do not tell
    "open",
]


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart. ``sentence`` is empty where the whole video is meant."""

    text: str
    form: Form
    sentence: str = ""  # what to look for
    second: str = ""  # of "order": what the first comes before
    kind: str = ""  # of "what": the noun asked for, as in "which animal"; of "attribute": of what
    alternatives: tuple[str, ...] = ()  # of "either"

    def statement(self, answer: str) -> str:
        """The question with an answer put into it, as a sentence to look for.

        >>> parse_question("What animal is on the table?").statement("a cat")
        'a cat on the table'
        """
        if self.form in ("after", "before") or not self.sentence:
            return answer
        if _key(answer) in _key(self.sentence):
            return self.sentence
        if self.form == "what":
            if self.kind and _key(self.sentence).startswith(_key(self.kind)):
                return f"{answer}{self.sentence[len(self.kind) :]}"
            if _PREPOSITION.match(self.sentence):
                return f"{answer} {self.sentence}"
        if self.form == "where":
            joint = "" if _PREPOSITION.match(answer) else "in "
            return f"{self.sentence} {joint}{answer}"
        return f"{self.sentence} {answer}"


_BE = r"(?:is|are|was|were|'s)"
_AUX = r"(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|'s)"
_FILM = r"(?:video|film|movie|clip|footage|recording|scene|picture|library)s?"
_THE_FILM = rf"(?:the|this|that|my|these|any|a|all|of|the whole|\s)+{_FILM}"
_PREPOSITION = re.compile(
    r"(?:on|in|at|under|below|above|over|beside|behind|near|inside|outside|between|by|with|"
    r"next to|in front of|on top of|around|along|across|through|against|into|onto)\b",
    re.I,
)
_LEAD = re.compile(
    r"^(?:please|hey|hi|ok|so|and|but|well|now|can you (?:tell me|say|see if)|could you tell me|"
    r"do you know|tell me|say|i (?:want|would like) to know|i wonder)[\s,:]+",
    re.I,
)
_INDIRECT = re.compile(r"^(?:if|whether) (?P<what>.+)$", re.I)
_IN_THE_FILM = re.compile(
    rf",?\s*(?:(?:any|some)where\s)?\b(?:in|during|of|on|at any (?:time|point) in)\s{_THE_FILM}$",
    re.I,
)
_BARE_WHAT = re.compile(rf"^what(?:'s|\s+{_AUX})?$", re.I)
_APPEARS = re.compile(
    r"\s+(?:(?:is|are|was|were)\s+)?(?:appears?|appeared|appearing|shown?|showed|seen|"
    r"visible|present|come up|comes up|occurs?|occurred|happens?|happened|"
    r"to be seen|on screen|in sight|there)$",
    re.I,
)
_SEEN_BY = re.compile(
    rf"^(?:(?:you|we|i|one|people|anyone)\s+(?:ever\s+)?(?:see|find|spot|notice|recognise|recognize"
    rf"|watch)\s+|{_THE_FILM}\s+(?:show|contain|have|include|feature)s?\s+|there\s+(?:(?:be|is|are|was|were)\s+)?"
    r"(?:ever\s+)?)",
    re.I,
)
_QUANTITY = re.compile(r"^(?:any|some|ever|also|really|actually)\s+", re.I)
_READ_THINGS = (
    r"(?:sign|title|text|screen|caption|label|board|subtitle|poster|banner|headline|page|note|"
    r"letter|book|card|slide|website|message|credit|plate|menu)s?"
)
_ATTRIBUTES = (
    "colou?r|name|number|price|score|date|year|brand|make|model|age|size|height|weight|speed|"
    "temperature|address|phone number|title|word|language|nationality|mood|emotion|gender|"
    "distance|price|cost|value|reason|purpose|meaning|relationship|job|profession"
)
_WHOLE = re.compile(
    rf"^(?:(?:it|this|that|there|happening|going on|shown|seen|visible|here|happens|"
    rf"{_THE_FILM}(?:\s+about|\s+shows?)?)\s*)*$",
    re.I,
)


def parse_question(text: str) -> Question:
    """Take a question apart. Raises UsageError where it holds no words.

    >>> parse_question("Is there a dog in the video?")
    Question(text='Is there a dog in the video', form='yes_no', sentence='a dog', ...)
    """
    asked = normalise(text, "the question")
    words = asked
    while shorter := _LEAD.match(words):
        words = words[shorter.end() :]
    words = _IN_THE_FILM.sub("", words).strip() or asked
    indirect = _INDIRECT.match(words)
    if indirect is not None:
        return Question(asked, "yes_no", _clause(indirect["what"]))
    if words != asked and _BARE_WHAT.match(words):  # "what is in the video"
        return Question(asked, "what")
    for rule in _RULES:
        found = rule(words)
        if found is not None:
            return replace(found, text=asked)
    return Question(asked, "open", _clause(words))


def _length(words: str) -> Question | None:
    if re.match(
        rf"^(?:how long {_BE} (?:it|{_THE_FILM})|(?:what {_BE}|what's) the (?:length|duration|"
        rf"running time)(?: of (?:it|{_THE_FILM}))?)$",
        words,
        re.I,
    ):
        return Question(words, "length")
    found = re.match(
        rf"^(?:for )?how long {_AUX} (?P<what>.+?)(?:\s+(?:last|take|go on))?$", words, re.I
    )
    return found and Question(words, "length", _clause(found["what"]))


def _neighbour(words: str) -> Question | None:
    """What happens after X, what comes before X, after X what happens."""
    adverb = r"(?:right|just|directly|immediately|shortly|straight)?\s*"
    found = re.match(r"^(?P<side>after|before) (?P<event>.+?),? what\b.*$", words, re.I)
    found = found or re.match(
        rf"^what\b.*?\b{adverb}(?P<side>after|before) (?P<event>.+)$", words, re.I
    )
    if found is None:
        found = re.match(
            r"^what (?P<side>follows|comes next after|precedes|leads up to) (?P<event>.+)$",
            words,
            re.I,
        )
    if found is None:
        return None
    form: Form = (
        "before" if found["side"].lower() in ("before", "precedes", "leads up to") else ("after")
    )
    return Question(words, form, _clause(found["event"]))


def _order(words: str) -> Question | None:
    found = re.match(rf"^{_AUX} (?P<one>.+?) (?P<side>before|after) (?P<two>.+)$", words, re.I)
    if found is None:
        return None
    one = _clause(
        re.sub(r"\s+(?:come|happen|occur|appear|take place)s?$", "", found["one"], flags=re.I)
    )
    two = _clause(found["two"])
    if found["side"].lower() == "after":
        one, two = two, one
    return Question(words, "order", one, second=two)


def _how_many(words: str) -> Question | None:
    found = re.match(rf"^how (?:many times|often) (?:{_AUX} )?(?P<what>.+)$", words, re.I)
    if found is not None:
        return Question(words, "times", _clause(found["what"]))
    found = re.match(
        rf"^how (?:many|much) (?P<noun>.+?)(?: (?:{_AUX}|appear|come|stand|sit|run)\b"
        r"(?P<rest>.*))?$",
        words,
        re.I,
    )
    if found is None:
        return None
    noun, rest = found["noun"], (found["rest"] or "").strip()
    rest = re.sub(r"^(?:you|we|i|one) (?:see|find|count|spot)\b\s*", "", rest, flags=re.I)
    rest = "" if _WHOLE.match(rest) else _clause(rest)
    return Question(words, "count", f"{noun} {rest}".strip(), kind=noun)


def _when(words: str) -> Question | None:
    found = re.match(
        rf"^(?:when(?:ever)?|(?:at|on|in) (?:what|which) (?:time|moment|point|second|minute)s?|"
        rf"since when|until when) (?:{_AUX} )?(?P<what>.+)$",
        words,
        re.I,
    )
    return found and Question(words, "when", _clause(found["what"]))


def _where(words: str) -> Question | None:
    found = re.match(
        rf"^(?:where|in (?:what|which) (?:place|room|location|{_FILM})) ?(?:{_AUX} )?(?P<what>.+)$",
        words,
        re.I,
    )
    return found and Question(words, "where", _clause(found["what"]))


def _said(words: str) -> Question | None:
    found = re.match(
        r"^what (?:do|does|did) (?P<who>.+?) (?:say|read|state|announce|talk about)"
        r"(?: about (?P<topic>.+))?$",
        words,
        re.I,
    )
    if found is not None:
        who = found["who"] if re.search(_READ_THINGS, found["who"], re.I) else ""
        return Question(words, "said", _clause(found["topic"] or who))
    found = re.match(
        rf"^what (?:text |words? )?{_BE} (?:written|said|spoken|printed|being said)"
        r"(?: (?:about|on|in|at) (?P<topic>.+))?$",
        words,
        re.I,
    )
    return found and Question(words, "said", _clause(found["topic"] or ""))


def _attribute(words: str) -> Question | None:
    found = re.match(
        rf"^(?:what|which) (?P<kind>{_ATTRIBUTES})s? (?:{_AUX} )?(?P<what>.+)$", words, re.I
    )
    found = found or re.match(
        rf"^what(?: {_BE}|'s) the (?P<kind>{_ATTRIBUTES})s? (?:of|on|for|in)\s(?P<what>.+)$",
        words,
        re.I,
    )
    found = found or re.match(rf"^what (?P<kind>time) {_BE} (?P<what>it)(?P<rest>.*)$", words, re.I)
    if found is not None:
        return Question(words, "attribute", _clause(found["what"]), kind=found["kind"].lower())
    found = re.match(
        rf"^(?P<kind>who(?:se|m)?|why|how(?! (?:many|much|often|long)\b)(?: \w+)?)(?: {_AUX}|'s)? "
        r"(?P<what>.+)$",
        words,
        re.I,
    )
    if found is None:
        found = re.match(rf"^what {_BE} (?P<what>.+) (?P<kind>called|named)$", words, re.I)
    return found and Question(
        words, "attribute", _clause(found["what"]), kind=found["kind"].lower()
    )


def _what(words: str) -> Question | None:
    found = re.match(
        rf"^(?:what|which) (?:kind|type|sort|breed|species|variety) of (?P<kind>[\w-]+(?: [\w-]+)?)"
        rf" {_AUX}(?P<rest> .*)?$",
        words,
        re.I,
    )
    found = found or re.match(
        rf"^(?:what|which) (?P<kind>(?!{_AUX}\b|can\b|happens?\b)[\w-]+(?: [\w-]+)??) "
        rf"(?:{_AUX}\b|(?=appear|stand|sit|run|lie))(?P<rest>.*)?$",
        words,
        re.I,
    )
    if found is not None:
        rest = (found["rest"] or "").strip()
        rest = "" if _WHOLE.match(rest) else _clause(rest)
        return Question(words, "what", f"{found['kind']} {rest}".strip(), kind=found["kind"])
    found = re.match(r"^which (?P<kind>[\w-]+) (?P<rest>.+)$", words, re.I)
    if found is not None:
        sought = _clause(f"{found['kind']} {found['rest']}")
        return Question(words, "what", sought, kind=found["kind"])
    found = re.match(rf"^what(?:'s|\s+{_AUX})?\s+(?P<what>.+)$", words, re.I) or re.match(
        r"^(?:describe|name|list)\s+(?P<what>.+)$", words, re.I
    )
    if found is None:
        return None
    what = re.sub(r"^(?:be seen|be found)\s*", "", found["what"], flags=re.I)
    what = re.sub(r"^(?:you|we|i|one)\s+(?:see|find)\s*", "", what, flags=re.I)
    what = re.sub(r"\s+(?:doing|do|happening|like)$", "", what, flags=re.I)
    return Question(words, "what", "" if _WHOLE.match(what) else _clause(what))


def _yes_no(words: str) -> Question | None:
    found = re.match(rf"^{_AUX}(?:n't)? (?P<what>.+)$", words, re.I)
    if found is None:
        return None
    what = found["what"]
    choice = re.match(
        r"^(?:it|this|that|there|he|she|they)\s+(?P<one>.+?),? or (?P<two>.+)$", what, re.I
    )
    if choice is not None:
        parts = [*re.split(r",\s*", choice["one"]), choice["two"]]
        return Question(words, "either", alternatives=tuple(map(_clause, parts)))
    return Question(words, "yes_no", _clause(re.sub(r"^(?:it|this|that)\s+", "", what)))


_RULES = (
    _length,
    _neighbour,
    _order,
    _how_many,
    _when,
    _where,
    _said,
    _attribute,
    _what,
    _yes_no,
)


def _clause(text: str) -> str:
    """Words to look for: without what only says that they are seen.

    >>> _clause("you see any dogs in the video")
    'dogs'
    """
    words = text.strip(" ,.?!")
    while True:
        shorter = _IN_THE_FILM.sub("", words)
        shorter = _SEEN_BY.sub("", shorter)
        shorter = _APPEARS.sub("", shorter)
        shorter = _QUANTITY.sub("", shorter)
        shorter = shorter.strip(" ,.?!")
        if not shorter or shorter == words:
            return words
        words = shorter


def _key(text: str) -> str:
    return re.sub(r"^(?:a|an|the|any|some) ", "", text.casefold().strip())
