"""The verbs that search a library: search, similar, cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from scenewise.encoders.audio import AudioEncoder, AudioQuery
from scenewise.errors import UsageError
from scenewise.index.reader import IndexReader
from scenewise.index.track_plan import SETTING, TrackPlan
from scenewise.library.core import LibraryCore
from scenewise.tasks.cut import Cuttable, cut_hits
from scenewise.tasks.filters import Filters
from scenewise.tasks.hits import Group
from scenewise.tasks.query import When, normalise
from scenewise.tasks.search import (
    SearchOptions,
    Wish,
    nothing_found,
    search_classified,
    search_image,
    search_text,
)
from scenewise.tasks.senses import MODALITIES, Ears
from scenewise.tasks.similar import similar_to
from scenewise.types import Modality, SearchResult


class Searching(LibraryCore):
    """Verbs of ``Library`` that find moments."""

    _audio_encoder: tuple[str, AudioEncoder] | None = None  # the one that was asked last

    def close(self) -> None:
        """Release the database and the encoders."""
        if self._audio_encoder is not None:
            self._audio_encoder[1].close()
            self._audio_encoder = None
        super().close()

    def search(
        self,
        query: str | None = None,
        *,
        image: str | Path | None = None,
        classifier: str | None = None,
        modalities: Sequence[Modality] = MODALITIES,
        then: str | Sequence[str] = (),
        within_seconds: float | None = None,
        without: str | Sequence[str] = (),
        all_occurrences: bool = False,
        top_k: int | None = None,
        min_match: float | None = None,
        video: str | Path | Sequence[str | Path] | None = None,
        path: str | None = None,
        after: When | None = None,
        before: When | None = None,
        min_duration: float | None = None,
        max_duration: float | None = None,
        group: Group = "moment",
        include_missing: bool = False,
    ) -> SearchResult:
        """Find moments by words, by a picture file or by a named classifier, best first.

        ``modalities`` says where words are looked for: what is seen, read and heard (all, at
        first); without "visual" no network for pictures is loaded. ``then`` names one or several
        things that have to follow in the same video, each at most ``within_seconds`` (60) after
        the one before has ended. ``without`` pushes moments away (with ``group`` "video", videos)
        in which something is. ``classifier`` is ``"NAME"`` or ``"NAME=LABEL"``: alone it finds
        its label; with words or a picture both have to hold.

        ``all_occurrences`` gives every moment that is probable enough (``min_match``, else the
        match from which something counts as found), with ``count`` and ``videos`` in the result.
        ``top_k`` None means 10, and all with ``all_occurrences``. ``min_match`` cuts hits that
        are less probable. ``video`` names one or several by path, id, beginning of an id, or file
        name; ``path`` is a pattern for paths or file names; ``after`` and ``before`` are about
        the file's date (ISO text, date, or seconds since 1970); durations are in seconds.
        ``group`` "video" gives each video once, with its best moment.

        Raises UsageError, EncoderError, EncoderMismatchError.

        >>> result = library.search("a cat", top_k=3, min_duration=10)    # doctest: +SKIP
        >>> result.found, result.hits[0].start                            # doctest: +SKIP
        (True, 12.5)
        """
        filters = Filters(video, path, after, before, min_duration, max_duration, include_missing)
        wish = Wish(
            top_k=top_k,
            min_match=min_match,
            group=group,
            filters=filters,
            modalities=modalities,
            then=(then,) if isinstance(then, str) else tuple(then),
            within_seconds=within_seconds,
            all_occurrences=all_occurrences,
            without=(without,) if isinstance(without, str) else tuple(without),
            classifier=classifier,
        )
        if query is not None and image is not None:
            raise UsageError(
                "words and a picture exclude each other: give query or image, one of them."
            )
        if query is None and image is None and classifier is None:
            raise UsageError("a search needs words or a picture or a classifier; give one of them.")
        if query is not None:
            normalise(query)
        reader = self._current()
        if reader is None:
            return nothing_found(query or "", self._encoder_label(), counted=all_occurrences)
        encoder = calibrator = None
        if wish.sees and not (query is None and image is None and not (wish.then or wish.without)):
            encoder = self._source.of(reader.generation)
            calibrator = self._source.calibrator(encoder)
        ears = self._ears(reader)
        if image is not None:
            return search_image(reader, encoder, calibrator, image, wish, ears)
        if query is not None:
            return search_text(reader, encoder, calibrator, query, wish, ears)
        return search_classified(reader, encoder, calibrator, wish, ears)

    def _ears(self, reader: IndexReader) -> Ears | None:
        """Words to an audio encoder's query, where the library's sound was embedded by one."""
        name = TrackPlan.from_setting(reader.catalog.setting(SETTING)).audio_encoder
        if name is None or not reader.catalog.audio_tracks(reader.generation.id, None):
            return None

        def listen(text: str) -> AudioQuery:
            from scenewise.encoders.load_audio import load_audio_encoder

            with self._guard:
                if self._audio_encoder is None or self._audio_encoder[0] != name:
                    encoder = load_audio_encoder(
                        name,
                        device=self._settings.device,
                        threads=self._settings.threads or 1,
                        cache_dir=self._settings.cache,
                    )
                    if self._audio_encoder is not None:
                        self._audio_encoder[1].close()
                    self._audio_encoder = (name, encoder)
                return self._audio_encoder[1].encode_text(text)

        return listen

    def search_many(
        self, queries: Sequence[str], **options: Unpack[SearchOptions]
    ) -> list[SearchResult]:
        """``search`` for each of several queries, with the same options."""
        return [self.search(query, **options) for query in queries]

    def similar(
        self, video: str | Path, *, time: float | None = None, top_k: int = 10
    ) -> SearchResult:
        """Other videos that look like this one or, with ``time`` in seconds, like that instant.

        Of each other video the moments that come nearest; the video itself is not among them.

        >>> library.similar("holiday.mp4", time=12.5).hits[0].path       # doctest: +SKIP
        """
        reader = self._current()
        if reader is None:
            self._existing().resolve(str(video))
            return nothing_found(str(video), self._encoder_label())
        return similar_to(reader, str(video), time=time, top_k=top_k)

    def cut(
        self,
        hits: Sequence[Cuttable],
        folder: str | Path,
        *,
        exact: bool = True,
        padding: float = 0.0,
        reel: str | Path | None = None,
    ) -> list[Path]:
        """Write hits as mp4 clips into a folder and return their paths.

        A hit is a Moment, or ``"VIDEO@START-END"``. ``exact`` re-encodes from frame to frame;
        otherwise whole groups of pictures are copied. ``padding`` seconds are added on both
        sides; ``reel`` is one more film with all clips, which comes last.

        >>> library.cut(["dog.mp4@00:02-00:04.5"], "clips")              # doctest: +SKIP
        """
        return cut_hits(
            self._existing(), hits, Path(folder), exact=exact, padding=padding, reel=reel
        )
