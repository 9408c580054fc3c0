"""The verb that writes down what is known of each video of a folder: annotate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.config import expand_user
from scenewise.encoders.spec import Encoder
from scenewise.errors import MediaError, ModelError, ScenewiseError, UsageError
from scenewise.index.discover import discover
from scenewise.index.records import FileStamp
from scenewise.index.windows import Sampling
from scenewise.library.answering import Answering, motion_words
from scenewise.library.core import Seen
from scenewise.types import Failure, Label, Progress

if TYPE_CHECKING:  # who searches needs none of these: the verb imports its own
    from scenewise.index.indexer import ProgressCallback
    from scenewise.tasks.annotate import AnnotateReport, AnnotateSettings, Annotation, Folder
    from scenewise.tasks.classify import ZeroShot
    from scenewise.tasks.labels import LabelList
    from scenewise.tasks.language.model import VideoLanguageModel

Within = Callable[[int, int], None]  # is told how many captions of a film are done, of how many
_LABELS = 5  # best ones that are kept of each video
_MODEL_FAILURES = 3  # in a row, after which an endpoint is not asked any more


class Annotating(Answering):
    """Verbs of ``Library`` that write files about videos."""

    def annotate(
        self,
        paths: Sequence[str | Path] | str | Path,
        *,
        output: str | Path | None = None,
        labels: Sequence[str] | str | None = None,
        label_set: str | Path | None = None,
        motion: bool = True,
        model: str | VideoLanguageModel | None = None,
        recursive: bool = True,
        overwrite: bool = False,
        progress: ProgressCallback | None = None,
    ) -> AnnotateReport:
        """Write what is known of each video as JSON beside it (or into ``output``), and one CSV.

        Captions of the video and its shots, text, sounds and shots; with ``labels`` or a
        ``label_set`` (see ``classify``) also labels. Videos that are not in the library are looked
        at now. A sidecar of the same content and settings is left as it is; ``overwrite`` makes
        it anew. Ctrl-C keeps what was written, and the next run goes on there.

        Raises UsageError, StorageError, EncoderError; ModelError where the endpoint fails again
        and again. Files that cannot be read are in ``failed``.

        >>> library.annotate("~/Videos", labels="indoors,outdoors").written   # doctest: +SKIP
        12
        """
        from scenewise.tasks.annotate import Folder, check_output

        if labels is not None and label_set is not None:
            raise UsageError("give the labels, or a set of them, not both.")
        chosen = _chosen(labels, label_set)
        roots = [paths] if isinstance(paths, str | Path) else list(paths)
        found = discover(roots, recursive=recursive)
        target = None if output is None else expand_user(output)
        check_output(target, found.roots)
        if not found.files and not found.problems:
            raise UsageError(
                f"no video was found in {', '.join(found.roots)}; name a folder with videos, or a "
                "file itself."
            )
        folder = Folder(found.roots, target, overwrite)
        folder.prepare()
        opened = self._language_model(model)
        try:
            work = _Work(self, folder, chosen, motion, opened)
            return work.run(found.files, found.problems, progress)
        finally:
            if opened is not None and opened is not model:
                opened.close()

    def _annotated_by(self) -> tuple[Encoder, str]:
        """The encoder that looks, and its sampling as text."""
        reader = self._current()
        if reader is not None:
            return self._source.of(reader.generation), reader.generation.sampling
        from scenewise.tasks.fill import choose_sampling

        encoder = self._source.get(self._encoder_label(), self._settings.runtime)
        sampling = choose_sampling(Sampling(), encoder.spec, self._settings.fps)
        return encoder, str(sampling)

    def _known_files(self) -> dict[str, tuple[str, int, int]]:
        """Video id, size and date (milliseconds) of each file that the library knows."""
        catalog = self._opened()
        if catalog is None:
            return {}
        return {
            video.path: (video.video_id, video.size, round(video.modified * 1000))
            for video in catalog.videos()
            if video.video_id is not None and video.state == "ready"
        }

    def _tracks(self, video_id: str) -> tuple[str, ...]:
        """Which text and sounds the library has of a video, and what made them."""
        catalog = self._opened()
        specs = {} if catalog is None else catalog.track_specs(video_id)
        return tuple(sorted(f"{kind} {spec}".strip() for kind, spec in specs.items()))

    def _seen_now(self, stamp: FileStamp, known: bool) -> Seen:
        """A file as it is now: what the library has of a file that changed since does not count."""
        if known:
            return self._footage(stamp.path)
        encoder, _ = self._annotated_by()
        return Seen(self._look_at(Path(stamp.path), encoder), encoder, self._calibrator(encoder))


class _Work:
    """One run over a folder."""

    def __init__(
        self,
        library: Annotating,
        folder: Folder,
        labels: LabelList | None,
        motion: bool,
        model: VideoLanguageModel | None,
    ) -> None:
        from scenewise.tasks.annotate import AnnotateSettings

        self._library = library
        self._folder = folder
        self._labels = labels
        self._motion = motion
        self._model = model
        encoder, sampling = library._annotated_by()
        self._settings = AnnotateSettings(
            encoder.spec.name,
            encoder.spec.digest(),
            sampling,
            labels.names if labels is not None else (),
            motion,
            model.name if model is not None else None,
        )
        self._known = library._known_files()
        self._zero_shot: ZeroShot | None = None

    def run(
        self,
        files: Sequence[FileStamp],
        problems: Sequence[Failure],
        progress: ProgressCallback | None,
    ) -> AnnotateReport:
        """All files, one after the other; the table is written however it ends."""
        from scenewise.tasks.annotate import AnnotateReport

        begun = time.monotonic()
        failed, written, unchanged, seconds = list(problems), 0, 0, 0.0
        model_failures, interrupted = 0, False

        def tell(files_done: int, current: str = "", done: int = 0, total: int = 1) -> None:
            if progress is not None:
                passed = time.monotonic() - begun
                last = files[files_done - 1].path if files_done else ""
                counted = (files_done, len(files), seconds, passed, last, len(failed))
                progress(Progress(*counted, current, done / total))

        try:
            for number, stamp in enumerate(files):
                try:
                    new, duration = self._one(stamp, partial(tell, number, stamp.path))
                    written, unchanged = written + new, unchanged + (not new)
                    seconds, model_failures = seconds + new * duration, 0
                except (MediaError, UsageError, OSError) as error:
                    failed.append(_failure(stamp, error))
                except ModelError as error:
                    model_failures += 1
                    failed.append(_failure(stamp, error))
                    if model_failures == _MODEL_FAILURES:
                        raise
                tell(number + 1)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            for failure in failed:
                self._folder.add_failure(failure)
            self._folder.write_table()
        return AnnotateReport(
            written, unchanged, tuple(failed), str(self._folder.table), interrupted
        )

    def _one(self, stamp: FileStamp, within: Within) -> tuple[bool, float]:
        """Whether a sidecar was written, and the seconds of its video."""
        video_id, size, modified = self._known.get(stamp.path, ("", 0, 0))
        known = (size, modified) == (stamp.size, round(stamp.modified_ns / 1e6))
        tracks = self._library._tracks(video_id) if known else ()
        settings = replace(self._settings, tracks=tracks)
        shape = self._folder.up_to_date(stamp, settings)
        new = shape is None
        if shape is None:
            shape = self._folder.write(self._describe(stamp, settings, known, within))
        self._folder.add_row(stamp.path, shape)
        return new, float(shape["video"]["duration"])

    def _describe(
        self, stamp: FileStamp, settings: AnnotateSettings, known: bool, within: Within
    ) -> Annotation:
        from scenewise.tasks.annotate import Annotation
        from scenewise.tasks.caption import caption_video
        from scenewise.tasks.classify import ZeroShot
        from scenewise.tasks.language.frames import read_frames

        seen = self._library._seen_now(stamp, known)
        words = partial(
            caption_video,
            seen.footage,
            self._library._wording(seen.encoder),
            motion=motion_words(Path(stamp.path)) if self._motion else None,
            model=self._model,
            read_frames=partial(read_frames, stamp.path),
        )
        (whole,) = words(dense=False)
        labels: tuple[Label, ...] = ()
        if self._labels is not None:
            if self._zero_shot is None:
                self._zero_shot = ZeroShot(self._labels, seen.encoder, seen.calibrator)
            labels = self._zero_shot.classify(seen.footage, top_k=_LABELS).labels
        shots = words(dense=True, progress=within)
        return Annotation(seen.footage, stamp, settings, whole, shots, labels)


def _chosen(labels: Sequence[str] | str | None, named: str | Path | None) -> LabelList | None:
    from scenewise.tasks.labels import label_set, typed_labels

    if labels is not None:
        return typed_labels(labels)
    return label_set(named) if named is not None else None


def _failure(stamp: FileStamp, error: ScenewiseError | OSError) -> Failure:
    reason = str(error)
    if isinstance(error, OSError):
        reason = f"cannot be read: {(error.strerror or str(error)).lower()}"
    return Failure(stamp.path, reason.removeprefix(f"{stamp.path}: "))
