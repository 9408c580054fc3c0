"""An open library: which parts there are, and when they are opened and closed.

It knows the catalogue, the encoder and videos as verbs take them; the verbs are its neighbours'.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scenewise.config import Settings, expand_user, load_settings
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Encoder
from scenewise.errors import LibraryNotFoundError, UnreadableMediaError, UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Catalog, Chunk
from scenewise.index.discover import stamp as stamp_of
from scenewise.index.encoder_source import EncoderLoader, EncoderSource, check_name
from scenewise.index.footage import ID_DIGITS, Footage
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import EncodedVideo, FileStamp
from scenewise.index.windows import Sampling

_FILES_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A video, the encoder that looked at it, and what turns this encoder's scores to match."""

    footage: Footage
    encoder: Encoder
    calibrator: Calibrator


class LibraryCore:
    """What every verb stands on."""

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
        self._looked_at: dict[FileStamp, Footage] = {}
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
    ) -> Self:
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

    # a video, as verbs take it
    def _footage(self, video: str | Path) -> Seen:
        """A video of the library, or any file, with the encoder that looked at it.

        ``video`` is a path, a file name or (the beginning of) an id of the library; a file that
        is not in the library is looked at now. So is one of a library that keeps a single vector
        of each video. Raises UsageError where there is no such video, MediaError, EncoderError.
        """
        reader = self._current()
        found = None if reader is None else _in_library(reader, str(video))
        if reader is not None and found is not None:
            encoder = self._source.of(reader.generation)
            if Sampling.parse(reader.generation.sampling).frames is None:
                return Seen(Footage.of_chunk(reader, found), encoder, self._calibrator(encoder))
            video = found.path
        path = self._checked_file(video)
        encoder = self._encoder()
        return Seen(self._look_at(path, encoder), encoder, self._calibrator(encoder))

    def _file_of(self, video: str | Path) -> tuple[Path, str]:
        """The file of a video of the library, or any file, and the id of its content.

        Raises UsageError where there is no such video, UnreadableMediaError.
        """
        reader = self._current()
        found = None if reader is None else _in_library(reader, str(video))
        if found is not None:
            return self._checked_file(found.path), found.video_id
        from scenewise.index.encode_video import hash_file

        path = self._checked_file(video)
        return path, hash_file(path)[:ID_DIGITS]

    def _checked_file(self, video: str | Path) -> Path:
        path = expand_user(video)
        if path.is_dir():
            raise UsageError(f"{video} is a folder, where one video is meant; name a file in it.")
        if not path.is_file():
            raise UsageError(
                f"{video} is neither a file nor a video of the library {self._directory}; "
                "give a path, or a file name or id that scenewise list shows."
            )
        return path

    def _encoder(self) -> Encoder:
        """The library's encoder, and where nothing was indexed that of the settings."""
        reader = self._current()
        if reader is not None:
            return self._source.of(reader.generation)
        return self._source.get(self._encoder_label(), self._settings.runtime)

    def _look_at(self, path: Path, encoder: Encoder) -> Footage:
        """A file encoded now; the last few are remembered while the library is open."""
        stamp = stamp_of(path)
        if stamp is None:
            raise UnreadableMediaError(f"{path} is not a regular file.")
        with self._guard:
            known = self._looked_at.get(stamp)
        if known is not None:
            return known
        from scenewise.index.encode_video import encode_video
        from scenewise.tasks.fill import choose_sampling

        sampling = choose_sampling(Sampling(), encoder.spec, self._settings.fps)
        encoded = encode_video(path, encoder, sampling)
        assert isinstance(encoded, EncodedVideo)  # nobody said that it is not wanted
        footage = Footage.of_encoded(encoded)
        with self._guard:
            while len(self._looked_at) >= _FILES_REMEMBERED:
                del self._looked_at[next(iter(self._looked_at))]
            self._looked_at[stamp] = footage
        return footage

    def _calibrator(self, encoder: Encoder) -> Calibrator:
        return self._source.calibrator(encoder)

    def _encoder_label(self) -> str:
        return self._wanted_encoder or self._settings.encoder


def _in_library(reader: IndexReader, video: str) -> Chunk | None:
    """The chunk of a video that the library knows; None for a file that it does not."""
    catalog = reader.catalog
    try:
        video_id = catalog.resolve(video)
    except UsageError:
        if expand_user(video).is_file():
            return None
        raise
    chunk_id = catalog.chunk_of(reader.generation.id, video_id)
    return None if chunk_id is None else reader.chunks([chunk_id]).get(chunk_id)
