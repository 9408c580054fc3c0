"""The verbs that fill a library and look after it: index, reindex, remove, backup, list, stats."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.config import expand_user
from scenewise.index.catalog import Catalog
from scenewise.index.naming import named
from scenewise.index.track_plan import TrackWish
from scenewise.index.vectors import AnnKind, built_kind, refresh
from scenewise.index.windows import Sampling
from scenewise.library.core import LibraryCore
from scenewise.types import IndexReport, LibraryStats, Video

if TYPE_CHECKING:  # who searches needs none of these: each verb imports its own
    from scenewise.index.indexer import ProgressCallback
    from scenewise.tasks.fill import Beginning
    from scenewise.tasks.fill import Filling as Means


class Filling(LibraryCore):
    """Verbs of ``Library`` that change it or count it."""

    def index(
        self,
        paths: Sequence[str | Path] | str | Path,
        *,
        fps: float | None = None,
        frames: int | None = None,
        recursive: bool = True,
        workers: int | None = None,
        retry_failed: bool = False,
        ann: AnnKind | None = None,
        text: str | Sequence[str] | None = None,
        speech_model: str | Path | None = None,
        speech_language: str | None = None,
        audio_encoder: str | Path | None = None,
        dry_run: bool = False,
        progress: ProgressCallback | None = None,
    ) -> IndexReport:
        """Index videos; what is known and unchanged costs nothing.

        ``fps`` frames per second make a window each, or ``frames`` uniform ones make the only
        window of a video; a library has one sampling, chosen when it is first filled (default:
        that of the settings, 2 frames per second). ``workers`` processes, one per core if None.
        ``ann`` says how vectors are searched from now on; None leaves it, at first "auto".
        ``text`` names what is read beside subtitles, from now on: "ocr" (on-screen text), "speech"
        (by the Whisper model ``speech_model``, a folder or a hub name; ``speech_language`` such as
        "en", else it tells), both, or "none"; videos that are known get what they lack without
        being decoded for the encoder again. None leaves it.
        ``audio_encoder`` (a folder with a CLAP checkpoint or a hub name, or "none") embeds the
        sound as well, from now on, so that any sound can be searched for in words.
        ``dry_run`` writes nothing and counts the files that would be looked at as ``indexed``.
        Ctrl-C lets the running videos finish, and a second one ends at once.

        Raises UsageError, EncoderError, LibraryLockedError, StorageError, and ScenewiseError
        where there is no video at all.

        >>> report = library.index("~/Videos", workers=4)       # doctest: +SKIP
        >>> report.indexed, report.failed                       # doctest: +SKIP
        (12, ())
        """
        from scenewise.tasks.fill import index_paths

        return index_paths(
            self._means(workers, progress),
            self._beginning(),
            _as_list(paths),
            Sampling(fps, frames),
            recursive=recursive,
            retry_failed=retry_failed,
            ann=ann,
            dry_run=dry_run,
            wish=TrackWish.of(text, speech_model, speech_language, audio_encoder),
        )

    def reindex(
        self,
        *,
        encoder: str | None = None,
        fps: float | None = None,
        frames: int | None = None,
        workers: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> IndexReport:
        """Decode all videos again for another encoder or sampling, then switch to that.

        The old filling answers meanwhile. A reindex that was stopped goes on where it was when it
        is called again, with the same arguments or with none. Raises as ``index`` does.

        >>> library.reindex(encoder="google/siglip2-base-patch16-224")   # doctest: +SKIP
        """
        from scenewise.tasks.fill import reindex

        report = reindex(
            self._means(workers, progress),
            encoder,
            self._settings.runtime,
            Sampling(fps, frames),
            self._settings.fps,
        )
        if not report.interrupted:
            self._wanted_encoder = None
        return report

    def watch_folder(
        self,
        paths: Sequence[str | Path] | str | Path,
        *,
        stop: threading.Event,
        fps: float | None = None,
        frames: int | None = None,
        recursive: bool = True,
        workers: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Iterator[IndexReport]:
        """Index now, and again after each change of the folders, until ``stop`` is set.

        Yields the report of each run, the first one at once. A folder may be empty at first.
        """
        from scenewise.tasks.fill import index_paths, watch

        folders = _as_list(paths)

        def run() -> IndexReport:
            return index_paths(
                self._means(workers, progress, stop),
                self._beginning(),
                folders,
                Sampling(fps, frames),
                recursive=recursive,
                may_be_empty=True,
            )

        return watch(run, folders, stop, recursive=recursive)

    def remove(self, videos: Sequence[str | Path] | str | Path) -> int:
        """Forget videos, named by path, id, beginning of an id, or file name; return how many.

        Files stay. A path stands for its content, wherever else that lies. Raises UsageError where
        one is not in the library; then none is removed.
        """
        with Catalog.open(self._directory, write=True) as writer:
            known = writer.videos()
            meant = [video for name in _as_list(videos) for video in named(known, str(name))]
            ids = {video.video_id for video in meant if video.video_id is not None}
            paths = {video.path for video in meant if video.video_id is None}
            count = writer.remove(ids) + writer.forget(paths)
            generation = writer.active()
            if generation is not None:
                refresh(self._directory, writer, generation.id)
        return count

    def backup(self, target: str | Path) -> Path:
        """A consistent copy of the library in a new folder, also while others write to it."""
        folder = expand_user(target)
        self._existing().backup(folder)
        return folder

    def videos(self, *, include_missing: bool = True) -> list[Video]:
        """One entry per file, sorted by path; failed ones with their reason."""
        catalog = self._opened()
        found = catalog.videos() if catalog is not None else []
        return [video for video in found if include_missing or video.state != "missing"]

    def stats(self) -> LibraryStats:
        """How much the library holds."""
        catalog = self._opened()
        generation = catalog.active() if catalog is not None else None
        totals = catalog.stats() if catalog is not None else None
        folder = self._directory
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        return LibraryStats(
            library=str(folder),
            encoder=generation.spec.name if generation else None,
            encoder_digest=generation.spec.digest() if generation else None,
            sampling=generation.sampling if generation else None,
            videos=totals.videos if totals else 0,
            windows=totals.windows if totals else 0,
            video_seconds=totals.video_seconds if totals else 0.0,
            files=totals.files if totals else 0,
            missing=totals.missing if totals else 0,
            failed=totals.failed if totals else 0,
            size_bytes=size,
            search_index=built_kind(folder, generation.id) if generation else None,
            tracks=catalog.track_counts() if catalog else {},
        )

    # what indexing stands on
    def _means(
        self,
        workers: int | None,
        progress: ProgressCallback | None,
        stop: threading.Event | None = None,
    ) -> Means:
        from scenewise.tasks.fill import Filling as Means

        count = workers if workers is not None else self._settings.workers
        if stop is None:
            return Means(self._directory, self._source, count, progress)
        return Means(self._directory, self._source, count, progress, stop.is_set)

    def _beginning(self) -> Beginning:
        from scenewise.tasks.fill import Beginning

        settings = self._settings
        return Beginning(self._encoder_label(), settings.runtime, settings.fps)


def _as_list(names: Sequence[str | Path] | str | Path) -> list[str | Path]:
    return [names] if isinstance(names, str | Path) else list(names)
