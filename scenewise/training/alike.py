"""Batches of videos that look alike to the network that learns: found anew for each epoch.

VideoCLIP's retrieval augmented training (Xu et al. 2021, https://arxiv.org/abs/2109.14084). Ahead
of every epoch but the first the training videos are encoded as the network then is, and rows of
those near each other become batches. There the first epoch's are found too, and the mean of both
sides' features stands for a video; here it is the video side's alone.

What is found depends on the weights that the epoch begins with, which a run that goes on in its
middle has no more: so it is kept in the folder, whole or not at all, ahead of the epoch's first
step. It knows batches, a network and files; how rows are dealt is the data's ``Alike``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from scenewise.data.batch import Batch
from scenewise.data.batch_samplers import Alike, Numbers, Vectors, cut
from scenewise.data.loader import Loader
from scenewise.errors import StorageError, TrainingError, first_line
from scenewise.media.whole_file import written_aside
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.training.evaluation import measuring
from scenewise.training.learner import Learner
from scenewise.training.outputs import video_features
from scenewise.training.processes import Processes
from scenewise.training.random_state import unchanged_chance

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]
Looked = tuple[Rows, Vectors]
_KEPT_EPOCHS = 2  # of the two newest checkpoints, each of which may be gone on from


@dataclass(frozen=True, slots=True)
class Looks:
    """What is encoded of the training videos, and which rows and looks are of which video.

    ``loader`` gives the looks in testing mode, by their numbers as ``Batch.rows``: all of them to
    each process, or a share.
    """

    loader: Loader
    video_of_look: Sequence[int]
    video_of_row: Sequence[int]
    pool: int = 2
    clips: int = 1

    @classmethod
    def chosen(cls, videos: Sequence[str], clips: int) -> tuple[list[int], list[int]]:
        """The number of each row's video, and which rows are encoded.

        Of each video at most ``clips``, evenly chosen among its rows.
        """
        numbers: dict[str, int] = {}
        of_row = [numbers.setdefault(video, len(numbers)) for video in videos]
        rows: list[Numbers] = [[] for _ in numbers]
        for row, number in enumerate(of_row):
            rows[number].append(row)
        looked = [
            there[(2 * place + 1) * len(there) // (2 * count)]
            for there in rows
            for count in (min(clips, len(there)),)
            for place in range(count)
        ]
        return of_row, looked


class AlikeBatches:
    """Training batches whose rows are dealt anew at the beginning of each epoch but the first.

    The first of several processes deals and writes; all of them look, and take what it dealt.
    """

    def __init__(self, batches: Loader, looks: Looks, learner: Learner, folder: Path) -> None:
        self._batches, self._looks = batches, looks
        self._learner = learner
        self._folder = folder
        self._processes = Processes()
        self._found: int | None = None

    def set_epoch(self, epoch: int, start: int = 0, /) -> None:
        """Which epoch comes next; its first ``start`` batches are passed over.

        Raises TrainingError where what an epoch was dealt by is wanted and not there, or the
        network has diverged; StorageError; DataError of videos.
        """
        self._batches.set_epoch(epoch, start)
        if epoch and epoch != self._found:
            self._batches.sampler.take(self._dealt(epoch, start))
        self._found = epoch

    def __iter__(self) -> Iterator[Batch]:
        """The batches that are left of the epoch."""
        return iter(self._batches)

    def __len__(self) -> int:
        """How many batches are left of the epoch."""
        return len(self._batches)

    def state(self) -> dict[str, int]:
        """The epoch, and how many of its batches were given out."""
        return self._batches.state()

    def _dealt(self, epoch: int, start: int) -> list[Numbers]:
        path = self._path(epoch)
        first = self._processes.first
        order = self._kept(path) if first else None
        if not self._processes.told(order is not None):
            if start:
                raise TrainingError(
                    f"{path} is not there, by which the rows of this epoch were dealt; begin a "
                    "new run."
                )
            vectors = self._vectors()
            if first:
                looks = self._looks
                alike = Alike(looks.video_of_row, vectors, pool=looks.pool, clips=looks.clips)
                dealt = self._batches.sampler.deal(alike)
                order = np.array([row for batch in dealt for row in batch], dtype=np.int64)
                self._keep(path, order, epoch)
        order = self._processes.told(order)
        assert order is not None  # one of both made it
        return cut(order.tolist(), self._batches.sampler.whole_size)

    def _vectors(self) -> Vectors:
        """Of each video the sum over its looks, by all processes; zeros where none was readable.

        By cosine a sum is as good as a mean. Raises TrainingError where they are no numbers.
        """
        with unchanged_chance():
            found = self._processes.gathered(self._learner.within(self._look))
        numbers = np.concatenate([some for some, _ in found])
        vectors = np.concatenate([some for _, some in found])
        numbers, places = np.unique(numbers, return_index=True)  # batches were filled up
        looks = self._looks
        sums = np.zeros((max(looks.video_of_row) + 1, vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, np.asarray(looks.video_of_look)[numbers], vectors[places])
        if not np.isfinite(sums).all():
            raise TrainingError(
                "The network's vectors of videos are no numbers: it has diverged. Lower "
                "optimizer.lr."
            )
        return sums

    def _look(self, model: nn.Module) -> Looked:
        """Numbers of this process's looks, and their vectors."""
        if not isinstance(model, VideoTextModel):
            raise TrainingError(
                f"{type(model).__name__} has no vectors of videos for batches = 'alike'."
            )
        numbers = [np.zeros(0, dtype=np.int64)]
        vectors = [np.zeros((0, model.embed_dim), dtype=np.float32)]
        try:
            with measuring(model) as device:
                for batch in self._looks.loader:
                    pooled = video_features(model, batch.to(device)).pooled
                    numbers.append(batch.rows.cpu().numpy())
                    vectors.append(pooled.float().cpu().numpy())
        finally:
            self._looks.loader.close()  # until the next epoch its processes would do nothing
        return np.concatenate(numbers), np.concatenate(vectors)

    def _kept(self, path: Path) -> Rows | None:
        """The rows of an epoch in the order in which they were dealt; None where it was not."""
        if not path.exists():
            return None
        try:
            order: Rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise TrainingError(
                f"{path} cannot be read: {first_line(error)}; begin a new run."
            ) from error
        if not np.array_equal(np.sort(order, axis=None), np.arange(len(self._looks.video_of_row))):
            raise TrainingError(f"{path} is of other rows, or damaged; begin a new run.")
        return order

    def _keep(self, path: Path, order: Rows, epoch: int) -> None:
        """Write it, and forget those that no checkpoint goes back to."""
        try:
            with written_aside(path) as aside, aside.open("wb") as file:
                np.save(file, order)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written ({error.strerror or error}); make room, and go on "
                "with --resume."
            ) from error
        for number in range(1, epoch + 1 - _KEPT_EPOCHS):
            self._path(number).unlink(missing_ok=True)

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch:06d}.npy"
