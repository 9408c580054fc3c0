"""The verbs that answer in words: ask, caption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.encoders.spec import Encoder
from scenewise.errors import UsageError
from scenewise.library.searching import Searching
from scenewise.types import Answer, Captioned, Moment, Segment

if TYPE_CHECKING:  # who searches needs none of these: each verb imports its own
    from scenewise.tasks.language.model import VideoLanguageModel
    from scenewise.tasks.questions import Question
    from scenewise.tasks.witness import Witness
    from scenewise.tasks.wording import Wording

_LIBRARY_HITS = 100  # of one search, that an answer looks at


class Answering(Searching):
    """Verbs of ``Library`` that say something in words."""

    def ask(
        self,
        question: str,
        video: str | Path | None = None,
        *,
        choices: Sequence[str] | None = None,
        model: str | VideoLanguageModel | None = None,
    ) -> Answer:
        """Answer a question about one video, or without one about the whole library.

        ``video`` is any file, or a video of the library by path, file name or id. ``choices`` are
        two or more answers to choose from. ``model`` is the name of a language model at the
        endpoint of the settings, or an object of your own; evidence and its times come from the
        library all the same. ``text`` of the answer is None where it cannot be told.

        Raises UsageError, MediaError, EncoderError, ModelError.

        >>> library.ask("Is there a dog?", "park.mp4").text               # doctest: +SKIP
        'Yes: at 02:15.0-02:18.5.'
        """
        from scenewise.tasks.ask import answer, choose
        from scenewise.tasks.choices import check_choices
        from scenewise.tasks.query import readable
        from scenewise.tasks.questions import parse_question

        parsed = parse_question(question)
        wanted = check_choices(choices) if choices is not None else ()
        opened = self._language_model(model)
        try:
            witness = self._witness(video)
            found = choose(parsed, wanted, witness) if wanted else answer(parsed, witness)
            if opened is not None:
                from scenewise.tasks.ask_model import answer_by_model
                from scenewise.tasks.language.frames import read_frames

                found = self._with_evidence(parsed, found, witness)
                found = answer_by_model(parsed, found, witness, opened, read_frames, wanted)
            damage = () if witness.footage is None else witness.footage.warnings
            asked = " ".join(readable(question).split())  # as it was put, with its question mark
            return replace(found, question=asked, notes=(*found.notes, *damage))
        finally:
            if opened is not None and opened is not model:
                opened.close()

    def caption(
        self,
        video: str | Path,
        *,
        dense: bool = False,
        motion: bool = True,
        model: str | VideoLanguageModel | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Captioned:
        """Describe a video in one sentence, or with ``dense`` each of its shots, with times.

        ``motion`` looks into the file once more, for how things move; a file that is gone is
        captioned without. ``model`` as for ``ask``. ``progress`` is told how many captions are
        made, of how many.

        Raises UsageError, MediaError, EncoderError, ModelError.

        >>> library.caption("park.mp4").captions[0].text                  # doctest: +SKIP
        'Probably a French bulldog; slow, camera pans left'
        """
        from scenewise.tasks.caption import caption_video
        from scenewise.tasks.language.frames import read_frames

        opened = self._language_model(model)
        try:
            seen = self._footage(video)
            path = Path(seen.footage.path)
            captions = caption_video(
                seen.footage,
                self._wording(seen.encoder),
                dense=dense,
                motion=motion_words(path) if motion and path.is_file() else None,
                model=opened,
                read_frames=partial(read_frames, path),
                progress=progress,
            )
            footage = seen.footage
            return Captioned(
                footage.video_id, footage.path, footage.duration, captions, footage.warnings
            )
        finally:
            if opened is not None and opened is not model:
                opened.close()

    # what the verbs stand on
    def _language_model(self, model: str | VideoLanguageModel | None) -> VideoLanguageModel | None:
        if not isinstance(model, str):
            return model
        from scenewise.tasks.language.load import open_language_model

        return open_language_model(model, self._settings)

    def _wording(self, encoder: Encoder) -> Wording:
        from scenewise.tasks.wording import Wording

        return Wording(encoder, cache=self._settings.cache)

    def _witness(self, video: str | Path | None) -> Witness:
        """One video, or the whole library, as something that can be asked."""
        if video is None:
            return self._library_witness()
        from scenewise.tasks.locate import locate
        from scenewise.tasks.quotes import find_quotes
        from scenewise.tasks.witness import Witness, said_moment

        seen = self._footage(video)
        footage = seen.footage

        def said(sentence: str, limit: int) -> list[Moment]:
            quotes = find_quotes(footage.texts, sentence, limit=limit)
            return [said_moment(footage, quote.line, quote.match) for quote in quotes]

        def shown(sentence: str, limit: int) -> Sequence[Moment]:
            located = locate(footage, seen.encoder, seen.calibrator, sentence, limit=limit)
            return located.hits

        return Witness(
            shown,
            said,
            lambda _: footage,
            seen.encoder,
            seen.calibrator,
            self._wording(seen.encoder),
            footage,
        )

    def _library_witness(self) -> Witness:
        reader = self._current()
        if reader is None:
            self._existing()  # says so where there is no library
            raise UsageError(
                f"the library {self._directory} is empty; fill it with scenewise index FOLDER, or "
                "name a video."
            )
        from scenewise.tasks.witness import Witness

        encoder = self._source.of(reader.generation)

        @cache  # what is seen and what is said come from one search
        def hits(sentence: str) -> tuple[Moment, ...]:
            return self.search(sentence, top_k=_LIBRARY_HITS).hits

        def is_read(hit: Moment) -> bool:
            return bool(hit.why) and all(why.modality == "text" for why in hit.why)

        return Witness(
            lambda sentence, limit: [hit for hit in hits(sentence) if not is_read(hit)][:limit],
            lambda sentence, limit: [hit for hit in hits(sentence) if is_read(hit)][:limit],
            lambda hit: self._footage(hit.video_id).footage,
            encoder,
            self._calibrator(encoder),
            self._wording(encoder),
        )

    def _with_evidence(self, question: Question, found: Answer, witness: Witness) -> Answer:
        """For a model that is to look: where the rules found nothing, the nearest moments."""
        if found.evidence or witness.footage is not None:
            return found
        nearest = tuple(witness.seen(question.sentence or question.text, 3))
        return Answer(found.question, None, 0.0, nearest, choices=found.choices)


def motion_words(path: Path) -> Callable[[Sequence[Segment]], Iterator[Sequence[str]]]:
    """What tells how spans of a file move, in words, in one pass over it."""
    from scenewise.media.camera_words import describe_motions

    def words(spans: Sequence[Segment]) -> Iterator[Sequence[str]]:
        moving = [(span.start, span.end) for span in spans if span.duration > 0]
        told = describe_motions(path, moving)
        return (next(told).words() if span.duration > 0 else () for span in spans)

    return words
