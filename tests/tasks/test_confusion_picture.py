"""The confusion picture: right on the diagonal, dark as its share, and of a bounded size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenewise.errors import StorageError, UsageError
from scenewise.tasks.confusion_picture import draw_confusion, write_confusion


def colours(table: list[list[int]]) -> set[tuple[int, ...]]:
    picture = draw_confusion(np.array(table), [f"label {n}" for n in range(len(table))])
    return {colour for _, colour in picture.getcolors(1 << 20)}  # type: ignore[misc, union-attr]


def test_only_mistakes_are_red() -> None:
    def reddish(found: set[tuple[int, ...]]) -> bool:
        return any(red > green + 60 for red, green, _ in found)

    assert not reddish(colours([[5, 0], [0, 3]]))
    assert reddish(colours([[5, 0], [3, 0]]))


@pytest.mark.parametrize("count", [1, 2, 12, 13, 30, 31, 101, 400])
def test_any_number_of_labels_fits(count: int) -> None:
    labels = [f"a rather long label of number {number}" for number in range(count)]
    picture = draw_confusion(np.eye(count, dtype=np.int64), labels, "a title")
    assert max(picture.size) < 3200


def test_few_labels_leave_room_for_the_words_around_them() -> None:
    ends = []
    for title in ("", "a title that is a good deal wider than two cells of the table"):
        picture = np.asarray(draw_confusion(np.eye(2, dtype=np.int64), ["a", "b"], title))
        inked = np.flatnonzero((picture != picture[0, 0]).any(axis=(0, 2)))
        ends.append(picture.shape[1] - inked[-1])
    assert min(ends) >= 20  # the margin, on the right as on the left


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_confusion(np.eye(2, dtype=np.int64), ["a", "b\n"], tmp_path / "new" / "c.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(UsageError, match=r"\.gif"):
        write_confusion(np.eye(2, dtype=np.int64), ["a", "b"], tmp_path / "c.gif")
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(StorageError, match="cannot be written"):
        write_confusion(np.eye(2, dtype=np.int64), ["a", "b"], tmp_path / "file" / "c.png")
