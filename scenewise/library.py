"""Library, the face that people import: joins the index and the tasks, one method a verb.

It knows which parts a verb needs and when they are opened; how each works, the floors below know.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from scenewise.config import Settings, expand_user, load_settings
from scenewise.encoders.load import load_encoder
from scenewise.errors import LibraryNotFoundError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.encoder_source import EncoderLoader, EncoderSource, check_name
from scenewise.index.indexer import ProgressCallback
from scenewise.index.naming import named
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.vectors import AnnKind, built_kind, refresh
from scenewise.index.windows import Sampling
from scenewise.tasks import fill
from scenewise.tasks.cut import Cuttable, cut_hits
from scenewise.tasks.filters import Filters
from scenewise.tasks.hits import Group
from scenewise.tasks.query import When, normalise
from scenewise.tasks.search import (
    SearchOptions,
    Wish,
    nothing_found,
    search_image,
    search_text,
)
from scenewise.tasks.similar import similar_to
from scenewise.types import IndexReport, LibraryStats, SearchResult, Video


class Library:
    """A folder that holds what was indexed, for one encoder. Nothing is loaded before its use.

    >>> from scenewise import Library
    >>> with Library.open("films.library") as library:          # doctest: +SKIP
    ...     report = library.index("~/Videos")
    ...     for hit in library.search("a dog on a skateboard").hits:
    ...         print(hit.path, hit.start, hit.end, hit.match)

    Threads may share it for reading.
    """

    def __init__(
        self, directory: Path, settings: Settings, encoder: str | None, source: EncoderSource
    ) -> None:
        """Use ``Library.open``."""
        self._directory = directory
        self._settings = settings
        self._wanted_encoder = encoder
        self._source = source
        self._catalog: Catalog | None = None
        self._reader: IndexReader | None = None
        self._cache = FeatureCache()
        self._guard = threading.RLock()

    @classmethod
    def open(
        cls,
        directory: str | Path | None = None,
        *,
        encoder: str | None = None,
        create: bool = True,
        settings: Settings | None = None,
        load: EncoderLoader = load_encoder,
    ) -> Library:
        """Open the library in a folder; None is the one of the settings.

        ``encoder`` None means the encoder that the library belongs to, and for a new library that
        of the settings. With ``create``, a library that is not there is made by the first
        ``index``. ``load`` makes encoders from names: your own function for a network of yours.

        Raises LibraryNotFoundError, LibraryDamagedError, StorageError, EncoderMismatchError.
        """
        settings = settings or load_settings()
        folder = expand_user(directory if directory is not None else settings.library)
        library = cls(folder, settings, encoder, EncoderSource(settings, load))
        try:
            catalog = library._opened()
            if catalog is None and not create:
                raise LibraryNotFoundError(
                    f"there is no library in {folder}; make one with "
                    f"scenewise index FOLDER --library {folder}, or name another."
                )
            generation = catalog.active() if catalog is not None else None
            if generation is not None and encoder is not None:
                check_name(encoder, generation)
        except BaseException:
            library.close()
            raise
        return library

    @property
    def directory(self) -> Path:
        """The library's folder."""
        return self._directory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database and the encoder."""
        with self._guard:
            self._reader = None
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None
            self._source.close()

    # filling
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
        dry_run: bool = False,
        progress: ProgressCallback | None = None,
    ) -> IndexReport:
        """Index videos; what is known and unchanged costs nothing.

        ``fps`` frames per second make a window each, or ``frames`` uniform ones make the only
        window of a video; a library has one sampling, chosen when it is first filled (default:
        that of the settings, 2 frames per second). ``workers`` processes, one per core if None.
        ``ann`` says how vectors are searched from now on; None leaves it, at first "auto".
        ``dry_run`` writes nothing and counts the files that would be looked at as ``indexed``.
        Ctrl-C lets the running videos finish, and a second one ends at once.

        Raises UsageError, EncoderError, LibraryLockedError, StorageError, and ScenewiseError
        where there is no video at all.

        >>> report = library.index("~/Videos", workers=4)       # doctest: +SKIP
        >>> report.indexed, report.failed                       # doctest: +SKIP
        (12, ())
        """
        return fill.index_paths(
            self._filling(workers, progress),
            self._beginning(),
            _as_list(paths),
            Sampling(fps, frames),
            recursive=recursive,
            retry_failed=retry_failed,
            ann=ann,
            dry_run=dry_run,
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
        report = fill.reindex(
            self._filling(workers, progress),
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
        folders = _as_list(paths)

        def run() -> IndexReport:
            return fill.index_paths(
                self._filling(workers, progress, stop),
                self._beginning(),
                folders,
                Sampling(fps, frames),
                recursive=recursive,
                may_be_empty=True,
            )

        return fill.watch(run, folders, stop, recursive=recursive)

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

    # asking
    def search(
        self,
        query: str | None = None,
        *,
        image: str | Path | None = None,
        top_k: int = 10,
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
        """Find moments by words or by a picture file, best first.

        ``min_match`` cuts hits that are less probable. ``video`` names one or several by path,
        id, beginning of an id, or file name; ``path`` is a pattern for paths or file names;
        ``after`` and ``before`` are about the file's date (ISO text, date, or seconds since 1970);
        durations are in seconds. ``group`` "video" gives each video once, with its best moment.

        Raises UsageError, EncoderError, EncoderMismatchError.

        >>> result = library.search("a cat", top_k=3, min_duration=10)    # doctest: +SKIP
        >>> result.found, result.hits[0].start                            # doctest: +SKIP
        (True, 12.5)
        """
        filters = Filters(video, path, after, before, min_duration, max_duration, include_missing)
        wish = Wish(top_k=top_k, min_match=min_match, group=group, filters=filters)
        if (query is None) == (image is None):
            raise UsageError("a search needs words or a picture: give query or image, one of them.")
        if query is not None:
            normalise(query)
        reader = self._current()
        if reader is None:
            return nothing_found(query or "", self._encoder_label())
        encoder = self._source.of(reader.generation)
        calibrator = self._source.calibrator(encoder)
        if image is not None:
            return search_image(reader, encoder, calibrator, image, wish)
        return search_text(reader, encoder, calibrator, query or "", wish)

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
        )

    # what is open
    def _opened(self) -> Catalog | None:
        """The catalogue to read, or None where there is no library yet."""
        with self._guard:
            if self._catalog is None:
                try:
                    self._catalog = Catalog.open(self._directory)
                except LibraryNotFoundError:
                    return None
            return self._catalog

    def _existing(self) -> Catalog:
        return self._opened() or Catalog.open(self._directory)

    def _current(self) -> IndexReader | None:
        """The generation that answers, as it is now; None where nothing was indexed."""
        with self._guard:
            catalog = self._opened()
            if catalog is None:
                return None
            if self._reader is None or self._reader.state != catalog.state():
                generation = catalog.active()
                if generation is None:
                    return None
                self._reader = IndexReader(catalog, generation, self._cache, self._reader)
            return self._reader

    def _encoder_label(self) -> str:
        return self._wanted_encoder or self._settings.encoder

    def _filling(
        self,
        workers: int | None,
        progress: ProgressCallback | None,
        stop: threading.Event | None = None,
    ) -> fill.Filling:
        count = workers if workers is not None else self._settings.workers
        if stop is None:
            return fill.Filling(self._directory, self._source, count, progress)
        return fill.Filling(self._directory, self._source, count, progress, stop.is_set)

    def _beginning(self) -> fill.Beginning:
        settings = self._settings
        return fill.Beginning(self._encoder_label(), settings.runtime, settings.fps)


def _as_list(names: Sequence[str | Path] | str | Path) -> list[str | Path]:
    return [names] if isinstance(names, str | Path) else list(names)
