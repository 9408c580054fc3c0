"""Answers to questions about one video or a library, from evidence that is located in it.

It knows which rule answers which question, and how choices are weighed; where moments come from
(one video, a library), a ``Witness`` knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scenewise.index.footage import Footage
from scenewise.tasks.answer_rules import NO_BELOW, RULES
from scenewise.tasks.caption import windows_of
from scenewise.tasks.choices import rank_choices
from scenewise.tasks.questions import Question
from scenewise.tasks.witness import (
    MOST_EVIDENCE,
    Witness,
    beside,
    cannot_tell,
    found_hits,
    ranked_anew,
)
from scenewise.types import Answer, Label, Segment

UNSEEN_WORDS = 0.5  # what confidence is worth where the encoder lacks a word of the sentence


def answer(question: Question, witness: Witness) -> Answer:
    """The answer by the rule of the question's form; ``text`` None where it cannot be told."""
    rule = _say_which if question.form == "either" else RULES[question.form]
    found = rule(question, witness)
    found = replace(found, evidence=ranked_anew(found.evidence[:MOST_EVIDENCE]))
    return _with_doubt(question, found, witness)


def choose(question: Question, choices: Sequence[str], witness: Witness) -> Answer:
    """The choice that fits best, all with probabilities, and moments that show it.

    Where a question is about a stretch ("after X"), that stretch is looked at; in a library, the
    video that fits the question best.
    """
    by_word = {choice.casefold(): choice for choice in choices}
    if set(by_word) == {"yes", "no"} and question.form in ("yes_no", "order"):
        return _yes_or_no(question, witness, by_word)
    statements = [question.statement(choice) for choice in choices]
    footage, span = _stretch(question, witness)
    if footage is None or span is None:
        return cannot_tell(question, "nothing that the question speaks of was found")
    features = windows_of(footage, span)
    ranked = rank_choices(features, witness.encoder, witness.calibrator, statements, choices)
    best = statements[list(choices).index(ranked[0].name)]
    hits = [
        hit
        for hit in witness.seen(best, MOST_EVIDENCE)
        if hit.video_id == footage.video_id and hit.end > span.start and hit.start < span.end
    ]
    notes: tuple[str, ...] = ()
    if not hits or hits[0].match < NO_BELOW:
        notes = ("none of the choices stands out: the first is only the least unlikely",)
    return Answer(
        question.text,
        ranked[0].name,
        ranked[0].probability,
        ranked_anew(hits[:MOST_EVIDENCE]),
        choices=ranked,
        notes=notes,
    )


def _with_doubt(question: Question, found: Answer, witness: Witness) -> Answer:
    """Half the confidence where the sentence says more than the encoder has words for."""
    sentence = f"{question.sentence.removeprefix(question.kind)} {question.second}"
    unseen = witness.wording.unknown(sentence)
    modalities = {why.modality for moment in found.evidence for why in moment.why}
    no = found.text is not None and found.text.startswith(("No:", "Not once"))
    if found.text is None or no or not unseen or "visual" not in modalities:
        return found
    words = ", ".join(f"“{word}”" for word in dict.fromkeys(unseen))
    note = f"this encoder sees kinds of things; it has no word for {words}"
    return replace(found, confidence=found.confidence * UNSEEN_WORDS, notes=(*found.notes, note))


def _yes_or_no(question: Question, witness: Witness, by_word: dict[str, str]) -> Answer:
    told = answer(question, witness)
    if told.text is None:
        return told
    if all(why.modality == "text" for moment in told.evidence for why in moment.why):
        return replace(told, text=None, confidence=0.0, notes=(f"cannot tell: {told.text}",))
    yes = not told.text.startswith("No")
    words = ("yes", "no") if yes else ("no", "yes")
    ranked = (
        Label(by_word[words[0]], told.confidence),
        Label(by_word[words[1]], 1 - told.confidence),
    )
    return replace(told, text=by_word[words[0]], choices=ranked)


def _stretch(question: Question, witness: Witness) -> tuple[Footage | None, Segment | None]:
    """The video and the span of it that a question with choices is about."""
    if question.form in ("after", "before"):
        hits = found_hits(witness.seen(question.sentence, 1))
        if not hits:
            return None, None
        footage = witness.look(hits[0])
        return footage, beside(footage, hits[0], question.form == "after")
    if witness.footage is not None:
        return witness.footage, Segment(0.0, witness.footage.duration)
    hits = list(witness.seen(question.sentence or question.text, 1))
    if not hits:
        return None, None
    footage = witness.look(hits[0])
    return footage, Segment(0.0, footage.duration)


def _say_which(question: Question, witness: Witness) -> Answer:
    return choose(replace(question, form="what"), question.alternatives, witness)
