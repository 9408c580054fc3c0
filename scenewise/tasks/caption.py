"""A video or its shots in plain words: what is seen, how it moves, what is read and heard.

The words are evidence put side by side, and each says how sure it is; nobody's style is imitated.
With a language model the sentence is the model's, and the times are still those of the shots.
It knows one video's windows, and where to get motion words and frames; it writes no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scenewise.encoders.spec import WindowFeatures
from scenewise.index.arrays import select
from scenewise.index.footage import Footage
from scenewise.tasks.language.frames import spread
from scenewise.tasks.language.model import FrameImage, VideoLanguageModel
from scenewise.tasks.wording import Wording, told
from scenewise.types import Caption, Label, Segment, SoundKind

LONGEST_PIECE_SECONDS = 10.0  # a longer shot is looked at in pieces, which merge where alike
FRAMES_PER_SHOT = 4  # that a model is shown
MOST_SCENES = 3  # of a caption of a whole video
_LONGEST_TEXT = 80  # characters of what is read
_HEARD_SHARE = 0.5  # of a span, from which a sound is said of it
NOTHING_NAMED = "nothing that can be named for sure"
_HEARD: dict[SoundKind, str] = {
    "silence": "silence",
    "speech": "someone speaks",
    "music": "music",
}
_INSTRUCTION = (
    "You describe what a stretch of a video shows. Answer with one plain sentence in English about "
    "what is seen in the frames. Say nothing that the frames or the notes do not show, and name no "
    "times."
)

# words for how each of some spans moves, which follow one another; read as they are asked for
Motion = Callable[[Sequence[Segment]], Iterator[Sequence[str]]]
ReadFrames = Callable[[Sequence[float]], list[FrameImage]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of [start, end) seconds of a video."""

    span: Segment
    things: tuple[Label, ...] = ()
    circumstances: tuple[Label, ...] = ()  # where, and what goes on
    motion: tuple[str, ...] = ()
    read: tuple[str, ...] = ()  # on-screen text and subtitles, each once
    said: tuple[str, ...] = ()  # speech
    heard: tuple[str, ...] = ()  # sounds

    def sentence(self) -> str:
        """The facts in words: "probably a tabby cat; slow; text: “…”"."""
        return "; ".join([self.seen or NOTHING_NAMED, *self.rest])

    @property
    def seen(self) -> str:
        """What is seen, as part of a sentence; empty where nothing has a name."""
        return told(self.things, self.circumstances)

    @property
    def rest(self) -> list[str]:
        """What is known beside what is seen, each part of a sentence."""
        parts = [_motion_words(self.motion)] if self.motion else []
        parts += [f"text: “{text}”" for text in self.read]
        parts += [f"speech: “{text}”" for text in self.said]
        return [*parts, *self.heard]


def caption_video(
    footage: Footage,
    wording: Wording,
    *,
    dense: bool = False,
    motion: Motion | None = None,
    model: VideoLanguageModel | None = None,
    read_frames: ReadFrames | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Caption, ...]:
    """Captions in order of time: of the shots (``dense``), or one of the whole video.

    With ``model`` its sentences, about frames that ``read_frames`` gets; ``progress`` is told how
    many spans are done, and of how many. Raises ModelError, MediaError.
    """
    spans = pieces(footage) if dense else [Segment(0.0, footage.duration)]
    captions = []
    moves = motion(spans) if motion is not None and model is None and dense else None
    for number, span in enumerate(spans):
        if model is not None and read_frames is not None:
            captions.append(_by_model(footage, wording, span, model, read_frames, whole=not dense))
        elif dense:
            facts = gather(footage, wording, span, motion=next(moves) if moves else ())
            captions.append(_caption(span, facts.sentence()))
        else:
            captions.append(_caption(span, _whole(footage, wording, motion)))
        if progress is not None:
            progress(number + 1, len(spans))
    return merged(captions)


def gather(
    footage: Footage, wording: Wording, span: Segment, *, motion: Sequence[str] = ()
) -> Facts:
    """What is known of a span; ``motion`` are words for how it moves."""
    windows = windows_of(footage, span)
    lines = [line for line in footage.texts if _overlap(span, line.start, line.end) > 0]
    return Facts(
        span,
        tuple(wording.things(windows)),
        tuple(wording.scenery(windows)),
        tuple(motion),
        _once(line.text for line in lines if line.kind != "speech"),
        _once(line.text for line in lines if line.kind == "speech"),
        tuple(_heard(footage, span)),
    )


def windows_of(footage: Footage, span: Segment) -> WindowFeatures:
    """The windows whose frames lie in a span; the nearest one where none does."""
    inside = np.flatnonzero((footage.times >= span.start) & (footage.times < span.end))
    if not len(inside):
        middle = (span.start + span.end) / 2
        inside = np.array([int(np.abs(footage.times - middle).argmin())])
    return select(footage.features, inside)


def pieces(footage: Footage) -> list[Segment]:
    """The shots, the long ones in equal pieces."""
    found = []
    for shot in footage.shots or (Segment(0.0, footage.duration),):
        count = max(1, int(np.ceil(shot.duration / LONGEST_PIECE_SECONDS - 1e-9)))
        edges = [shot.start + shot.duration * number / count for number in range(count)]
        found += [
            Segment(start, end) for start, end in zip(edges, [*edges[1:], shot.end], strict=True)
        ]
    return found


def merged(captions: Iterable[Caption]) -> tuple[Caption, ...]:
    """Neighbours with the same words become one."""
    found: list[Caption] = []
    for caption in captions:
        if found and found[-1].text == caption.text:
            last = found.pop()
            caption = Caption(last.start, caption.end, caption.text, caption.source)
        found.append(caption)
    return tuple(found)


def _whole(footage: Footage, wording: Wording, motion: Motion | None) -> str:
    """The scenes that last longest, in order of time, and what holds for the whole.

    A shot is looked at as one: what holds all the time is surer than what a moment shows.
    """
    # how one camera moves says nothing of a film that was cut together
    span = Segment(0.0, footage.duration)
    moves = next(motion([span])) if motion is not None and len(footage.shots) <= 1 else ()
    facts = gather(footage, wording, span, motion=moves)
    seconds: dict[str, float] = {}  # in order of first sight
    best: dict[str, Label] = {}
    for span in footage.shots if len(footage.shots) > 1 else ():
        for label in wording.things(windows_of(footage, span), limit=1):
            seconds[label.name] = seconds.get(label.name, 0.0) + span.duration
            known = best.get(label.name, label)
            best[label.name] = max(known, label, key=lambda label: label.probability)
    longest = sorted(seconds, key=lambda name: -seconds[name])[:MOST_SCENES]
    scenes = [best[name] for name in seconds if name in longest]
    if len(scenes) < 2:
        return facts.sentence()
    seen = ", then ".join(told([label]) for label in scenes)
    where = told([], facts.circumstances)
    return "; ".join([seen, *([where] if where else []), *facts.rest])


def _by_model(
    footage: Footage,
    wording: Wording,
    span: Segment,
    model: VideoLanguageModel,
    read_frames: ReadFrames,
    *,
    whole: bool,
) -> Caption:
    notes = gather(footage, wording, span).sentence()
    count = 2 * FRAMES_PER_SHOT if whole else FRAMES_PER_SHOT
    times = spread([] if whole else [span], footage.shots, footage.duration, count)
    # the last frame of a film may be shown before the end of its last shot
    prompt = (
        "Describe this stretch of a video in one sentence.\n"
        f"Notes of a simple recogniser, which may be wrong: {notes}."
    )
    text = model.reply(prompt, read_frames(times), instruction=_INSTRUCTION)
    return Caption(span.start, span.end, " ".join(text.split()), model.name)


def _caption(span: Segment, text: str) -> Caption:
    return Caption(span.start, span.end, text[:1].upper() + text[1:], "concepts")


def _motion_words(words: Sequence[str]) -> str:
    """("slow", "pans left") as "slow, camera pans left"."""
    camera = ("pans", "tilts", "zooms", "rolls", "shakes")
    told: list[str] = []
    for word in words:
        if word.startswith(camera):
            first = not any(other.startswith("camera ") for other in told)
            told.append(f"camera {word}" if first else word)
        elif word.startswith("moves"):
            told.append(f"something {word}")
        else:
            told.append(word)
    return ", ".join(told)


def _heard(footage: Footage, span: Segment) -> list[str]:
    found = []
    for kind, words in _HEARD.items():
        share = sum(_overlap(span, s.start, s.end) for s in footage.sounds if s.kind == kind)
        if span.duration > 0 and share >= _HEARD_SHARE * span.duration:
            found.append(words)
    if any(s.kind == "onset" and span.start <= s.start < span.end for s in footage.sounds):
        found.append("a sudden sound")
    return found


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    """All texts as one, each line once and cut where they are long; empty where there are none."""
    joined = " / ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    if len(joined) > _LONGEST_TEXT:
        joined = joined[: _LONGEST_TEXT - 1].rstrip() + "…"
    return (joined,) if joined else ()


def _overlap(span: Segment, start: float, end: float) -> float:
    """Seconds that two spans share."""
    return max(0.0, min(span.end, end) - max(span.start, start))
