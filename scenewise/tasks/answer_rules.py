"""One rule for each form of question: from what a witness says to an answer.

Every rule may say that it cannot tell, and then says why; none writes a sentence that no evidence
supports. It knows questions, moments and probabilities; no file, no library and no model.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from scenewise.index.calibration import FOUND_FROM
from scenewise.index.footage import Footage
from scenewise.tasks.caption import gather, pieces, windows_of
from scenewise.tasks.choices import rank_choices
from scenewise.tasks.questions import Question
from scenewise.tasks.witness import (
    MOST_EVIDENCE,
    Witness,
    alike,
    beside,
    cannot_tell,
    capital,
    found_hits,
    moment_of,
    places,
    said_moment,
    too_weak,
    whole_video,
)
from scenewise.tasks.wording import CERTAIN, COLOURS, PROBABLE, Wording, hedged, with_article
from scenewise.types import Answer, Moment, Segment, SoundKind, Why, clock

YES_FROM = 0.5  # match from which a thing is taken to be there
NO_BELOW = 0.1  # match under which it is taken not to be
OCCURRENCES = 100  # that are looked for when they are counted
_SOUNDS: tuple[tuple[SoundKind, frozenset[str]], ...] = (
    ("music", frozenset({"music", "song", "melody"})),
    (
        "speech",
        frozenset({"speech", "talk", "talking", "talks", "speak", "speaks", "speaking", "voice"}),
    ),
    ("silence", frozenset({"silence", "silent", "quiet"})),
    ("onset", frozenset({"bang", "crash", "knock"})),
)


def _say_whether(question: Question, witness: Witness) -> Answer:
    heard = _sound_asked(question.sentence)
    if heard is not None:
        return _say_whether_heard(question, witness, heard)
    seen = list(witness.seen(question.sentence, OCCURRENCES))
    said = list(witness.said(question.sentence, MOST_EVIDENCE))
    best = seen[0].match if seen else 0.0
    if best >= YES_FROM:
        hits = alike(seen)
        doubt = "Yes" if best >= CERTAIN else "Probably yes"
        if witness.wording.unknown(question.sentence):
            doubt = "Perhaps, something like it is seen"
        return Answer(question.text, f"{doubt}: {places(hits, witness)}.", best, tuple(hits))
    if said and said[0].match >= YES_FROM:
        quote = said[0].why[0].detail
        text = f"It is not seen for sure, but spoken of: “{quote}” {places(said[:1], witness)}."
        return Answer(question.text, text, said[0].match, tuple(said))
    if best <= NO_BELOW and not said and witness.wording.knows(question.sentence):
        return Answer(
            question.text, "No: nothing that is seen looks like it.", 1 - best, tuple(seen[:1])
        )
    if best <= NO_BELOW and not said:
        why = "nothing looks like it, but this encoder may not know it"
        return cannot_tell(question, why, seen[:1])
    return cannot_tell(question, too_weak(best), seen[:1])


def _say_whether_heard(question: Question, witness: Witness, kind: SoundKind) -> Answer:
    footage = witness.footage
    if footage is None:
        hits = list(witness.seen(question.sentence, MOST_EVIDENCE))
        if hits and hits[0].match >= YES_FROM:
            return Answer(
                question.text, f"Yes: {places(hits, witness)}.", hits[0].match, tuple(hits)
            )
        return cannot_tell(question, "sounds of a whole library do not tell; name one video", hits)
    moments = [
        moment_of(
            footage,
            Segment(sound.start, sound.end),
            sound.strength,
            Why("sound", kind, sound.start, sound.end),
        )
        for sound in footage.sounds
        if sound.kind == kind
    ]
    if not moments:
        why = f"no {kind} was noticed" if footage.sounds else "its sound was not listened to"
        return cannot_tell(question, why)
    best = max(moment.match for moment in moments)
    if best < YES_FROM:
        return cannot_tell(question, f"there may be {kind}, but it is not clear", moments)
    return Answer(question.text, f"Yes: {places(moments, witness)}.", best, tuple(moments))


def _say_what(question: Question, witness: Witness) -> Answer:
    kind = question.kind
    if kind and not witness.wording.of_kind(kind).any():
        return cannot_tell(question, f"no kinds of {kind} are among the words of this encoder")
    if witness.footage is not None and question.sentence in ("", kind):
        span, match, footage = (
            _best_stretch(witness.footage, witness.wording, kind),
            1.0,
            (witness.footage),
        )
        hits: list[Moment] = []
    else:
        hits = found_hits(witness.seen(question.sentence or question.text, MOST_EVIDENCE))
        if not hits:
            return cannot_tell(question, "what the question speaks of was not found")
        footage, match = witness.look(hits[0]), hits[0].match
        span = hits[0].segment
    asked = _without(witness.wording, question.sentence.removeprefix(kind))
    probabilities = witness.wording.probabilities(windows_of(footage, span))
    probabilities[asked] = 0
    things = witness.wording.choose(probabilities, kind=kind, limit=1 if kind else 2)
    if not things:
        return cannot_tell(question, "what is seen there has no name that is likely", hits)
    text = " and ".join(hedged(thing) for thing in things)
    confidence = min(1.0, match * things[0].probability)
    why = Why("concept", f"{things[0].name} {things[0].probability:.2f}")
    moments = hits or [moment_of(footage, span, things[0].probability, why)]
    return Answer(question.text, f"{capital(text)}.", confidence, tuple(moments))


def _say_where(question: Question, witness: Witness) -> Answer:
    hits = found_hits(witness.seen(question.sentence, MOST_EVIDENCE))
    if not hits:
        return cannot_tell(question, "it was not found")
    footage = witness.look(hits[0])
    probabilities = witness.wording.probabilities(windows_of(footage, hits[0].segment))
    probabilities[_without(witness.wording, question.sentence)] = 0
    scene = [
        thing
        for thing in witness.wording.choose(probabilities, limit=1)
        if thing.probability >= PROBABLE
    ]
    where = capital(places(alike(hits), witness))
    text = f"{where}, where {hedged(scene[0])} is seen, too." if scene else f"{where}."
    notes = ("when it is seen is known; where in the picture or the world, this encoder does not",)
    return Answer(question.text, text, hits[0].match, tuple(alike(hits)), notes=notes)


def _say_when(question: Question, witness: Witness) -> Answer:
    seen = list(witness.seen(question.sentence, OCCURRENCES))
    hits = alike(found_hits(seen))
    said = [hit for hit in witness.said(question.sentence, MOST_EVIDENCE) if hit.match >= YES_FROM]
    if said and (not hits or said[0].match > hits[0].match):
        hits = said
    if not hits:
        return cannot_tell(question, too_weak(seen[0].match if seen else 0.0), seen[:1])
    text = f"{capital(places(hits, witness))}."
    return Answer(question.text, text, hits[0].match, tuple(hits))


def _say_how_often(question: Question, witness: Witness) -> Answer:
    seen = list(witness.seen(question.sentence, OCCURRENCES))
    hits = alike(found_hits(seen))
    if not hits:
        best = seen[0].match if seen else 0.0
        if best <= NO_BELOW and witness.wording.knows(question.sentence):
            return Answer(question.text, "Not once, as far as is seen.", 1 - best, ())
        return cannot_tell(question, too_weak(best), seen[:1])
    times = "Once" if len(hits) == 1 else f"{len(hits)} times"
    confidence = float(np.mean([hit.match for hit in hits]))
    notes = ("moments apart are counted; what goes on without a break counts once",)
    text = f"{times}: {places(hits, witness)}."
    return Answer(question.text, text, confidence, tuple(hits), notes=notes)


def _say_how_many(question: Question, witness: Witness) -> Answer:
    footage = witness.footage
    if footage is not None and question.kind.rstrip("s") in ("shot", "scene", "cut"):
        cuts = max(0, len(footage.shots) - 1)
        count = cuts if question.kind.startswith("cut") else cuts + 1
        return Answer(question.text, f"{count}.", 1.0, (whole_video(footage),))
    hits = found_hits(witness.seen(question.sentence, MOST_EVIDENCE))
    return cannot_tell(
        question, "the encoder does not count things in a picture; only separate moments", hits
    )


def _say_how_long(question: Question, witness: Witness) -> Answer:
    footage = witness.footage
    if not question.sentence:
        if footage is None:
            return cannot_tell(question, "name the video, as scenewise ask VIDEO QUESTION")
        return Answer(question.text, f"{footage.duration:.1f} s.", 1.0, (whole_video(footage),))
    hits = alike(found_hits(witness.seen(question.sentence, OCCURRENCES)))
    if not hits:
        return cannot_tell(question, "it was not found")
    seconds = sum(hit.end - hit.start for hit in hits)
    text = f"About {seconds:.1f} s: {places(hits, witness)}."
    return Answer(question.text, text, hits[0].match, tuple(hits))


def _say_what_happens(question: Question, witness: Witness) -> Answer:
    hits = found_hits(witness.seen(question.sentence, 1))
    if not hits:
        return cannot_tell(question, f"{question.sentence!r} was not found")
    footage = witness.look(hits[0])
    later = question.form == "after"
    span = beside(footage, hits[0], later)
    if span is None:
        text = "Nothing: there the video ends." if later else "Nothing: so the video begins."
        return Answer(question.text, text, hits[0].match, tuple(hits))
    facts = gather(footage, witness.wording, span)
    known = [part for part in (facts.seen, *facts.rest) if part]
    why = Why("concept", "; ".join(known) or "without a name")
    moments = [moment_of(footage, span, hits[0].match, why), *hits]
    if not known:
        return cannot_tell(question, "what is seen there has no name that is likely", moments)
    certainty = facts.things[0].probability if facts.things else 1.0
    text = f"{capital('; '.join(known))} ({clock(span.start)}-{clock(span.end)})."
    return Answer(question.text, text, hits[0].match * certainty, tuple(moments))


def _say_in_which_order(question: Question, witness: Witness) -> Answer:
    first = found_hits(witness.seen(question.sentence, OCCURRENCES))
    second = found_hits(witness.seen(question.second, OCCURRENCES))
    if witness.footage is None:
        return cannot_tell(question, "an order is that of one video; name it", first[:1])
    if not first or not second:
        missing = question.second if first else question.sentence
        return cannot_tell(question, f"{missing!r} was not found", (first or second)[:1])
    one = min(alike(first), key=lambda hit: hit.start)
    two = min(alike(second), key=lambda hit: hit.start)
    if math.isclose(one.start, two.start, abs_tol=1e-3):
        return cannot_tell(question, "both begin at the same time", [one, two])
    word = "Yes" if one.start < two.start else "No"
    text = f"{word}: the one {places([one], witness)}, the other {places([two], witness)}."
    return Answer(question.text, text, one.match * two.match, (one, two))


def _say_what_is_said(question: Question, witness: Witness) -> Answer:
    if question.sentence:
        lines = list(witness.said(question.sentence, MOST_EVIDENCE))
        lines = [line for line in lines if line.match >= FOUND_FROM]
    elif witness.footage is not None:
        lines = [said_moment(witness.footage, line, 1.0) for line in witness.footage.texts]
    else:
        lines = []
    if not lines:
        why = "no text of it was read or heard: index --text ocr,speech reads and listens"
        if witness.footage is not None and witness.footage.texts:
            why = "no line that was read or heard speaks of it"
        return cannot_tell(question, why)
    some = lines[:MOST_EVIDENCE]
    quotes = " … ".join(f"“{' '.join(line.why[0].detail.split())}”" for line in some)
    return Answer(question.text, quotes, some[0].match, tuple(some))


def _say_attribute(question: Question, witness: Witness) -> Answer:
    lines = witness.said(f"{question.kind} {question.sentence}", 1)
    if lines and lines[0].match >= YES_FROM:
        text = f"This may tell: “{lines[0].why[0].detail}” {places(lines, witness)}."
        # a line that speaks of it need not answer
        return Answer(question.text, text, lines[0].match / 2, tuple(lines))
    hits = found_hits(witness.seen(question.sentence, MOST_EVIDENCE))
    concepts = hits and witness.look(hits[0]).features.concepts is not None
    if question.kind in ("colour", "color") and hits and not concepts:
        return _say_colour(question, witness, hits)
    what = {"who": "who somebody is", "why": "reasons"}.get(question.kind, question.kind)
    return cannot_tell(question, f"pictures do not tell this encoder: {what}", hits)


def _say_colour(question: Question, witness: Witness, hits: list[Moment]) -> Answer:
    """Encoders that learnt from captions know colours; the concept encoder does not."""
    thing = question.sentence.removeprefix("the ").removeprefix("a ")
    statements = [f"{with_article(colour)} {thing}" for colour in COLOURS]
    features = windows_of(witness.look(hits[0]), hits[0].segment)
    ranked = rank_choices(features, witness.encoder, witness.calibrator, statements, COLOURS)
    if ranked[0].probability < PROBABLE:
        return cannot_tell(question, "no colour stands out", hits)
    confidence = hits[0].match * ranked[0].probability
    return Answer(question.text, f"{capital(ranked[0].name)}.", confidence, tuple(hits))


def _say_open(question: Question, witness: Witness) -> Answer:
    hits = found_hits(witness.seen(question.sentence, MOST_EVIDENCE))
    said = [hit for hit in witness.said(question.sentence, 1) if hit.match >= FOUND_FROM]
    return cannot_tell(
        question,
        "this is no question in a form that is known; ask Is there, What, Where, When, How many "
        "times, What happens after, or name a language model by --model",
        [*hits, *said],
    )


RULES: dict[str, Callable[[Question, Witness], Answer]] = {
    "yes_no": _say_whether,
    "what": _say_what,
    "where": _say_where,
    "when": _say_when,
    "times": _say_how_often,
    "count": _say_how_many,
    "length": _say_how_long,
    "after": _say_what_happens,
    "before": _say_what_happens,
    "order": _say_in_which_order,
    "said": _say_what_is_said,
    "attribute": _say_attribute,
    "open": _say_open,
}


def _sound_asked(sentence: str) -> SoundKind | None:
    words = set(sentence.casefold().split())
    return next((kind for kind, names in _SOUNDS if words & names), None)


def _best_stretch(footage: Footage, wording: Wording, kind: str) -> Segment:
    """The part of a video that shows most of a kind; without a kind, what is surest."""

    def strength(span: Segment) -> float:
        probabilities = wording.probabilities(windows_of(footage, span))
        if kind:
            return float(probabilities[wording.of_kind(kind)].sum())
        return float(probabilities.max())

    return max(pieces(footage), key=strength)


def _without(wording: Wording, sentence: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(C,) words that the question itself says, which are no answer to it."""
    said = np.zeros(len(wording.vocabulary), dtype=bool)
    for word in sentence.casefold().split():
        if len(word) > 2:
            said |= wording.of_kind(word)
    return said
