"""A question put to a language model, together with what the library has located.

The model is shown frames of the evidence and the evidence in words, and gives a sentence. The
moments of the answer are the library's: whatever times the model writes, they stay words of its
sentence. It knows prompts and answers; it knows no protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from scenewise.tasks.language.frames import MOST_FRAMES, spread
from scenewise.tasks.language.model import FrameImage, VideoLanguageModel
from scenewise.tasks.questions import Question
from scenewise.tasks.quotes import find_quotes
from scenewise.tasks.witness import Witness
from scenewise.types import Answer, Moment, Segment, clock

ReadFrames = Callable[[str, Sequence[float]], list[FrameImage]]  # path and times

MOST_VIDEOS = 3  # of a library, whose frames are shown
MOST_LINES = 20  # of text that go along
CANNOT_TELL = "CANNOT TELL"
_INSTRUCTION = (
    "You answer a question about a video from its frames and from notes. Answer in one or two "
    "plain sentences. Use only what the frames and the notes show. If they do not suffice, answer "
    f"{CANNOT_TELL} and nothing else."
)
_CHOOSE = "Answer with the text of exactly one of the choices and nothing else."


def answer_by_model(
    question: Question,
    by_evidence: Answer,
    witness: Witness,
    model: VideoLanguageModel,
    read_frames: ReadFrames,
    choices: Sequence[str] = (),
) -> Answer:
    """The model's sentence on the evidence of ``by_evidence``. Raises ModelError, MediaError.

    ``confidence`` is that of the best moment of the evidence: a model says nothing reliable of its
    own. A choice that the model names is looked for among the choices; where it names none, the
    answer is None.
    """
    frames = _frames(by_evidence, witness, read_frames)
    prompt = _prompt(question, by_evidence, witness, choices)
    instruction = f"{_INSTRUCTION} {_CHOOSE}" if choices else _INSTRUCTION
    reply = " ".join(model.reply(prompt, frames, instruction=instruction).split())
    confidence = max((moment.match for moment in by_evidence.evidence), default=0.0)
    told = replace(by_evidence, text=reply, confidence=confidence, source=model.name, notes=())
    if CANNOT_TELL in reply.upper():
        return replace(told, text=None, notes=(f"cannot tell: so says {model.name}",))
    if choices:
        chosen = pick_choice(reply, choices)
        note = f"cannot tell: {model.name} named none of the choices, but said: {reply}"
        return replace(told, text=chosen, notes=() if chosen is not None else (note,))
    return told


def pick_choice(reply: str, choices: Sequence[str]) -> str | None:
    """The choice that a reply names: itself, its letter or number, or the only one that it holds.

    >>> pick_choice("B) a dog.", ["a cat", "a dog"])
    'a dog'
    """
    plain = reply.casefold().strip(" .:!\"'“”`*")
    for choice in choices:
        if plain == choice.casefold().strip(" ."):
            return choice
    label = re.fullmatch(r"\(?([a-z]|\d{1,2})[).:]?(?:\s+.*)?", plain)
    held = [
        choice
        for choice in choices
        if re.search(rf"(?<!\w){re.escape(choice.casefold())}(?!\w)", plain)
    ]
    if len(held) == 1:
        return held[0]
    if label is not None and not held and (len(plain) <= 3 or plain[len(label[1])] in ").:"):
        name = label[1]
        place = int(name) - 1 if name.isdigit() else ord(name) - ord("a")
        return choices[place] if 0 <= place < len(choices) else None
    return None


def _frames(by_evidence: Answer, witness: Witness, read_frames: ReadFrames) -> list[FrameImage]:
    """Frames around the evidence; of the whole video where there is none."""
    footage = witness.footage
    if footage is not None:
        spans = [moment.segment for moment in by_evidence.evidence]
        return read_frames(footage.path, spread(spans, footage.shots, footage.duration))
    by_path: dict[str, list[Segment]] = {}
    for moment in by_evidence.evidence:
        if moment.path in by_path or len(by_path) < MOST_VIDEOS:
            by_path.setdefault(moment.path, []).append(moment.segment)
    each = MOST_FRAMES // max(1, len(by_path))
    frames: list[FrameImage] = []
    for path, spans in by_path.items():
        frames += read_frames(path, spread(spans, (), 0.0, each))
    return frames


def _prompt(
    question: Question, by_evidence: Answer, witness: Witness, choices: Sequence[str]
) -> str:
    lines = [f"Question: {question.text}?"]
    if choices:
        lines.append("Choices:")
        lines += [f"- {choice}" for choice in choices]
    if by_evidence.evidence:
        lines.append("Moments that a simple recogniser found, which may be wrong:")
        lines += [_note(moment, witness) for moment in by_evidence.evidence]
    footage = witness.footage
    if footage is not None and footage.texts:
        quotes = [quote.line for quote in find_quotes(footage.texts, question.text, limit=10)]
        some = list(dict.fromkeys([*quotes, *footage.texts]))[:MOST_LINES]
        lines.append("Text that is shown or spoken:")
        lines += [
            f"- {clock(line.start)} {line.kind}: {' '.join(line.text.split())}"
            for line in sorted(some, key=lambda line: line.start)
        ]
    return "\n".join(lines)


def _note(moment: Moment, witness: Witness) -> str:
    what = ", ".join(f"{why.kind} {why.detail}" for why in moment.why) or "something alike"
    where = "" if witness.footage is not None else f" of {moment.path.rsplit('/', 1)[-1]}"
    return f"- {clock(moment.start)}-{clock(moment.end)}{where}: {what} (sure: {moment.match:.2f})"
