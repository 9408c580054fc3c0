"""The verbs that make classifiers: train-classifier, teach, and the list of what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenewise.config import expand_user
from scenewise.encoders.spec import Encoder, FloatArray
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.reader import IndexReader
from scenewise.index.records import EncodedVideo
from scenewise.index.window_files import WindowFiles, Windows
from scenewise.index.windows import Sampling
from scenewise.library.core import LibraryCore
from scenewise.tasks.cut import Cuttable, parse_hit
from scenewise.types import Moment

if TYPE_CHECKING:  # who searches needs none of these: each verb imports its own
    from scenewise.tasks.classifiers import Classifier
    from scenewise.tasks.teach import Taught
    from scenewise.tasks.train_classifier import Progress, TrainingOptions
    from scenewise.tasks.training_report import TrainingReport


class Training(LibraryCore):
    """Verbs of ``Library`` that make classifiers and look after them."""

    def train_classifier(
        self,
        name: str,
        source: str | Path,
        *,
        options: TrainingOptions | None = None,
        regression: bool = False,
        replace: bool = False,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Train a classifier on examples and keep it under a name; return how good it is.

        ``source`` is a folder with one subfolder for each label, or a CSV file with the columns
        video, label, and perhaps start and end. Videos of the library are not decoded again;
        others are encoded once and kept in the cache. ``regression`` takes the labels as numbers.
        ``replace`` allows to replace a classifier of this name. What is reported comes from
        cross-validation in which no video is in both halves.

        Raises UsageError, also for too few examples, EncoderError, LibraryLockedError.

        >>> report = library.train_classifier("weather", "clips")      # doctest: +SKIP
        >>> report.figures["accuracy"]                                 # doctest: +SKIP
        0.91
        """
        from scenewise.tasks.classifiers import check_name
        from scenewise.tasks.examples import read_examples
        from scenewise.tasks.train_classifier import TrainingOptions, gather, train

        name, options = check_name(name), options or TrainingOptions()
        self._check_free(name, replace)
        if regression and options.head not in ("ridge", "logistic"):
            raise UsageError(f"a regression has the head ridge, not {options.head}; leave it out.")
        if regression:
            options = TrainingOptions("ridge", options.folds, options.neighbours, options.seed)
        examples = read_examples(source)
        see, encoder = self._windows_of_files()
        gathered = gather(examples, see, progress)
        recipe = {
            "verb": "train-classifier",
            "source": str(expand_user(source).resolve()),
            "head": options.head,
            "folds": options.folds,
            "neighbours": options.neighbours,
            "seed": options.seed,
        }
        classifier, report = train(name, gathered, encoder.spec, options, recipe)
        self._keep(classifier)
        return report

    def teach(
        self,
        name: str,
        *,
        good: Sequence[Cuttable] = (),
        bad: Sequence[Cuttable] = (),
        forget: Sequence[Cuttable] = (),
        remake: bool = False,
    ) -> Classifier:
        """Teach a yes/no classifier by moments of the library, and keep it under a name.

        A moment is a Moment of a search, or ``"VIDEO@START-END"``. One that was taught before
        learns these in addition; a moment that it knows is called anew, and ``forget`` takes
        moments out. ``remake`` makes it again from what it was taught, after a reindex.

        Raises UsageError, EncoderError, LibraryLockedError.

        >>> hits = library.search("a door").hits                          # doctest: +SKIP
        >>> library.teach("my door", good=hits[:2], bad=hits[2:4])        # doctest: +SKIP
        """
        from scenewise.tasks.classifiers import KIND, Classifier, check_name
        from scenewise.tasks.teach import revise, taught_moments, teach

        name = check_name(name)
        reader = self._current()
        if reader is None:
            self._existing()
            raise UsageError("this library is empty; index videos first, then teach from them.")
        kept = reader.catalog.kept(KIND, name)
        known = () if kept is None else taught_moments(Classifier.from_kept(kept))
        if not (good or bad or forget or remake):
            raise UsageError("nothing to learn from; name moments with --good and --bad.")
        new = [self._taught(reader, hit, True) for hit in good]
        new += [self._taught(reader, hit, False) for hit in bad]
        gone = [self._taught(reader, hit, True) for hit in forget]
        moments = revise(known, new, gone)
        encoder = self._source.of(reader.generation)
        classifier = teach(
            name,
            moments,
            lambda moment: _vectors_of(reader, moment),
            _background(reader, moments),
            encoder.spec,
        )
        self._keep(classifier)
        return classifier

    def classifiers(self) -> list[Classifier]:
        """All classifiers of this library, by name."""
        from scenewise.tasks.classifiers import KIND, find_classifier

        catalog = self._opened()
        names = [] if catalog is None else catalog.kept_names(KIND)
        return [find_classifier(catalog, name) for name in names]

    def remove_classifier(self, name: str) -> None:
        """Forget a classifier. Raises UsageError where there is none of this name."""
        from scenewise.tasks.classifiers import KIND, find_classifier

        catalog = self._opened()
        if catalog is None or name.strip() not in catalog.kept_names(KIND):
            find_classifier(catalog, name)  # says which there are
        with Catalog.open(self._directory, write=True) as writer:
            writer.drop_kept(KIND, name.strip())

    def _keep(self, classifier: Classifier) -> None:
        from scenewise.tasks.classifiers import save_classifier

        with Catalog.open(self._directory, write=True, create=True) as writer:
            save_classifier(writer, classifier)

    def _check_free(self, name: str, replace: bool) -> None:
        from scenewise.tasks.classifiers import KIND

        catalog = self._opened()
        if not replace and catalog is not None and catalog.kept(KIND, name) is not None:
            raise UsageError(
                f"there is a classifier {name!r} already; choose another name, or replace it "
                "(--yes)."
            )

    def _windows_of_files(self) -> tuple[Callable[[str], Windows], Encoder]:
        """What gives the windows of any video, of the library or not, and their encoder."""
        from scenewise.index.encode_video import encode_video, hash_file
        from scenewise.tasks.fill import choose_sampling

        reader = self._current()
        if reader is not None:
            encoder = self._source.of(reader.generation)
            sampling = Sampling.parse(reader.generation.sampling)
        else:
            encoder = self._source.get(self._encoder_label(), self._settings.runtime)
            sampling = Sampling()
        if reader is None or sampling.frames is not None:
            sampling = choose_sampling(Sampling(), encoder.spec, self._settings.fps)
            reader = None
        files = WindowFiles(self._settings.cache)

        def see(video: str) -> Windows:
            path = expand_user(video)
            if not path.is_file() and reader is not None:
                return _of_library(reader, reader.catalog.resolve(video))
            if not path.is_file():
                raise UsageError(f"{video} is neither a file nor a video of the library.")
            content = hash_file(path)
            if reader is not None and reader.catalog.has_content(reader.generation.id, content):
                return _of_library(reader, content[:16])
            found = files.get(content, encoder.spec, sampling)
            if found is None:
                encoded = encode_video(path, encoder, sampling)
                assert isinstance(encoded, EncodedVideo)  # nobody said that it is not wanted
                found = Windows(
                    content[:16],
                    encoded.duration,
                    encoded.starts,
                    encoded.ends,
                    encoded.times,
                    encoded.features.vectors,
                )
                files.put(content, encoder.spec, sampling, found)
            return found

        return see, encoder

    def _taught(self, reader: IndexReader, hit: Cuttable, good: bool) -> Taught:
        """A moment of the library; UsageError where it has no such video or time."""
        from scenewise.tasks.teach import Taught

        if isinstance(hit, Moment):
            return Taught(hit.video_id, hit.path, hit.start, hit.end, good)
        if isinstance(hit, str):
            hit = parse_hit(hit)
        video_id = reader.catalog.resolve(hit.video)
        chunk_id = reader.catalog.chunk_of(reader.generation.id, video_id)
        chunk = None if chunk_id is None else reader.chunks([chunk_id]).get(chunk_id)
        if chunk is None:
            raise UsageError(f"{hit.video} is not indexed; index it, or name another moment.")
        if hit.start >= chunk.duration:
            raise UsageError(
                f"{hit} begins behind the end of {chunk.path}, which is {chunk.duration:.1f} s "
                "long."
            )
        return Taught(video_id, chunk.path, hit.start, min(hit.end, chunk.duration), good)


def _of_library(reader: IndexReader, video_id: str) -> Windows:
    chunk_id = reader.catalog.chunk_of(reader.generation.id, video_id)
    chunk = None if chunk_id is None else reader.chunks([chunk_id]).get(chunk_id)
    if chunk is None:
        raise UsageError(f"{video_id} is not indexed.")
    vectors = reader.features(chunk.id).vectors
    return Windows(video_id, chunk.duration, chunk.starts, chunk.ends, chunk.times, vectors)


def _vectors_of(reader: IndexReader, moment: Taught) -> FloatArray | None:
    """The windows of a moment: those whose frame is in it, else the nearest one."""
    chunk_id = reader.catalog.chunk_of(reader.generation.id, moment.video_id)
    chunk = None if chunk_id is None else reader.chunks([chunk_id]).get(chunk_id)
    if chunk is None:
        return None
    rows = np.flatnonzero((chunk.times >= moment.start) & (chunk.times < moment.end))
    if not len(rows):
        rows = np.array([np.abs(chunk.times - (moment.start + moment.end) / 2).argmin()])
    return reader.windows(chunk.id, rows).vectors


def _background(
    reader: IndexReader, moments: Sequence[Taught]
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Windows from all over the library that no moment touches, and the video of each."""
    from scenewise.tasks.teach import background_of

    ids = reader.rows.ids.tolist()
    sizes = dict(zip(ids, reader.rows.windows.tolist(), strict=True))
    vectors, videos = [], []
    for chunk_id, rows in background_of(sizes).items():
        chunk = reader.chunks([chunk_id]).get(chunk_id)
        if chunk is None:
            continue
        free = np.ones(len(rows), dtype=bool)
        for moment in moments:
            if moment.video_id == chunk.video_id:
                free &= (chunk.ends[rows] <= moment.start) | (chunk.starts[rows] >= moment.end)
        if free.any():
            vectors.append(reader.windows(chunk_id, rows[free]).vectors)
            videos.append(np.full(int(free.sum()), chunk_id, np.int64))
    if not vectors:
        return np.zeros((0, reader.generation.spec.dimension), np.float32), np.zeros(0, np.int64)
    return np.concatenate(vectors), np.concatenate(videos)
