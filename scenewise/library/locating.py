"""The verb that finds moments inside one video: locate."""

from __future__ import annotations

from pathlib import Path

from scenewise.library.core import LibraryCore
from scenewise.tasks import locate as locating
from scenewise.tasks.locate import Located


class Locating(LibraryCore):
    """Verbs of ``Library`` that look into one video."""

    def locate(
        self,
        video: str | Path,
        sentence: str,
        *,
        limit: int = 5,
        min_match: float | None = None,
    ) -> Located:
        """The moments of one video that a sentence describes, and the curve behind them.

        ``video`` is any file, or a video of the library by path, file name or id.

        Raises UsageError, MediaError, EncoderError.

        >>> located = library.locate("holiday.mp4", "a dog in the snow")   # doctest: +SKIP
        >>> [(hit.start, hit.end) for hit in located.hits]                # doctest: +SKIP
        [(12.0, 17.5)]
        """
        seen = self._footage(video)
        return locating.locate(
            seen.footage,
            seen.encoder,
            seen.calibrator,
            sentence,
            limit=limit,
            min_match=min_match,
        )
