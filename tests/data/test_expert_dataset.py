"""What several networks saw of videos: a stream each, and nothing where one saw nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scenewise.data.collation import collate
from scenewise.data.example import Example
from scenewise.data.expert_dataset import ExpertDataset, ExpertRecipe
from scenewise.data.rows import CaptionRow
from scenewise.errors import DataError
from scenewise.types import Segment


def keep(folder: Path, video: str, values: Sequence[float], *, width: int) -> None:
    """A vector each second, all of whose numbers are one value."""
    folder.mkdir(exist_ok=True)
    vectors = np.repeat(np.array(values, np.float32)[:, None], width, axis=1)
    times = np.arange(len(values)) + 0.5
    np.savez(
        folder / f"{video}.npz",
        vectors=vectors,
        times=times,
        duration=float(len(values)),
        made_from="",
    )


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    for name, video, values, width in (
        ("rgb", "a", [1, 9, 2, 3], 3),
        ("rgb", "b", [4, 5], 3),
        ("vggish", "b", [7, 6, 5], 2),
    ):
        keep(tmp_path / name, video, values, width=width)
    return {"rgb": tmp_path / "rgb", "vggish": tmp_path / "vggish"}


def test_streams_stand_side_by_side_with_masks(folders: dict[str, Path]) -> None:
    rows = [CaptionRow("a", ("one",)), CaptionRow("b", ("two",))]
    dataset = ExpertDataset(rows, ExpertRecipe(folders, length=2))
    batch = collate([dataset[0], dataset[1]])
    assert batch.experts is not None
    assert batch.features is None
    rgb, sound = batch.experts.streams["rgb"], batch.experts.streams["vggish"]
    assert rgb.features[..., 0].tolist() == [[9, 3], [4, 5]]  # the middle of each half
    assert rgb.times is not None
    assert rgb.times.tolist() == [[1.5, 3.5], [0.5, 1.5]]
    assert rgb.largest()[:, 0].tolist() == [9, 5]
    assert sound.real().tolist() == [[False, False], [True, True]]  # nothing was heard in a
    assert sound.largest()[:, 0].tolist() == [0, 7]


def test_the_largest_is_of_all_vectors_of_the_row(folders: dict[str, Path]) -> None:
    whole, part = (CaptionRow("a", ("x",), span=span) for span in (None, Segment(2.0, 4.0)))
    dataset = ExpertDataset([whole, part], ExpertRecipe(folders, length=1))
    first, second = dataset[0].experts, dataset[1].experts
    assert first is not None
    assert second is not None
    assert (first["rgb"].vectors[:, 0].tolist(), first["rgb"].largest[0].item()) == ([2], 9)
    assert second["rgb"].largest[0].item() == 3
    assert set(second) == {"rgb"}


def test_a_video_that_nobody_saw_is_named(folders: dict[str, Path]) -> None:
    dataset = ExpertDataset([CaptionRow("c", ("x",))], ExpertRecipe(folders))
    with pytest.raises(DataError, match=r"row 0 \(c\): none of the experts \(rgb, vggish\)"):
        dataset[0]
    with pytest.raises(DataError, match="has no row"):
        ExpertDataset([], ExpertRecipe(folders))


def test_vectors_of_different_width_are_not_one_expert(folders: dict[str, Path]) -> None:
    keep(folders["rgb"], "c", [1.0], width=5)
    dataset = ExpertDataset(
        [CaptionRow("a", ("x",)), CaptionRow("c", ("y",))], ExpertRecipe(folders)
    )
    with pytest.raises(DataError, match="The rgb of a batch are not alike"):
        collate([dataset[0], dataset[1]])
    with pytest.raises(DataError, match="The experts of a batch are not alike"):
        collate([dataset[0], Example(row=1)])
