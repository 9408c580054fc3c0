"""A world as datasets lay out their files: our readers read them whole, and find every film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.synthetic.layouts import LAYOUTS, LayoutReport, share_out, write_layout
from scenewise.data.videos import find_videos
from scenewise.errors import UsageError
from scenewise.media.probe import probe

FILMS = 20
# dataset, split, rows, or None where a film has several; and how many films they are of
FACTS = [
    ("msrvtt", "msrvtt", "train", 12, 12),
    ("msrvtt", "msrvtt", "val", 4, 4),
    ("msrvtt", "msrvtt", "train-9k", 16, 16),
    ("msrvtt", "msrvtt", "train-7k", 12, 12),
    ("msrvtt", "msrvtt", "test-1k-A", 4, 4),
    ("didemo", "didemo", "train", None, 3),
    ("didemo", "didemo_paragraphs", "test", 1, 1),
    ("activitynet_captions", "activitynet_captions", "train", None, 3),
    ("activitynet_captions", "activitynet_paragraphs", "val_1", 1, 1),
    ("activitynet_captions", "activitynet_paragraphs", "val_2", 1, 1),
    ("kinetics400", "kinetics400", "train", 16, 16),
    ("kinetics400", "kinetics400", "val", 4, 4),
    ("ucf101", "ucf101", "train1", 16, 16),
    ("ucf101", "ucf101", "test3", 4, 4),
    ("hmdb51", "hmdb51", "train2", 16, 16),
    ("hmdb51", "hmdb51", "test1", 4, 4),
    ("youcook2", "youcook2", "train", None, 4),
    ("youcook2", "youcook2", "val", None, 1),
    ("howto100m", "howto100m", "train", None, 5),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LayoutReport]:
    root = tmp_path_factory.mktemp("layouts")
    return {
        name: write_layout(
            root / name, name, FILMS if layout.kind == "actions" else 5, size=16, seed=3
        )
        for name, layout in LAYOUTS.items()
    }


@pytest.mark.parametrize(("layout", "dataset", "split", "rows", "films"), FACTS)
def test_the_reader_of_the_dataset_reads_it_and_every_film_is_found(
    layout: str,
    dataset: str,
    split: str,
    rows: int | None,
    films: int,
    written: dict[str, LayoutReport],
) -> None:
    made = written[layout]
    found = read_annotations(dataset, made.folder, split)
    assert rows in (None, len(found))
    assert len(found) >= films == len(found.videos)
    there = find_videos(found.videos, made.videos)
    assert not there.missing
    assert not there.ambiguous
    assert len(set(there.paths.values())) == films


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_films_are_written_and_last_as_long_as_the_layout_says(
    layout: str, written: dict[str, LayoutReport]
) -> None:
    films = sorted(path for path in written[layout].videos.rglob("*") if path.is_file())
    assert len(films) == sum(written[layout].films.values())
    assert probe(films[0]).duration == pytest.approx(LAYOUTS[layout].seconds, abs=0.26)
    beside = {path.name for path in written[layout].folder.iterdir()}
    assert beside == {*written[layout].files, "videos"}


@pytest.mark.parametrize("dataset", ["ucf101", "hmdb51"])
def test_three_splits_test_other_films_and_share_none_with_train(
    dataset: str, written: dict[str, LayoutReport]
) -> None:
    folder = written[dataset].folder
    tested = []
    for number in (1, 2, 3):
        test = set(read_annotations(dataset, folder, f"test{number}").videos)
        train = set(read_annotations(dataset, folder, f"train{number}").videos)
        assert not test & train
        assert len(test | train) == FILMS
        tested.append(test)
    assert len(tested[0] | tested[1] | tested[2]) == sum(map(len, tested))


def test_the_truth_survives_the_form(written: dict[str, LayoutReport]) -> None:
    """A film is found under its class, and moments lie inside their film."""
    kinetics = written["kinetics400"]
    rows = read_annotations("kinetics400", kinetics.folder, "train").rows
    there = find_videos([row.video for row in rows], kinetics.videos).paths
    assert all(there[row.video].parent.name == row.labels[0] for row in rows)
    activitynet = read_annotations("activitynet_captions", written["activitynet_captions"].folder)
    exact = {row.query: row.spans[0] for row in activitynet.rows}
    assert all(0 <= span.start < span.end <= 12.0 for span in exact.values())
    # the same world in pieces of five seconds
    didemo = read_annotations("didemo", written["didemo"].folder)
    for row in didemo.rows:
        assert len(row.spans) == 4
        assert row.spans[0].start % 5 == 0 == row.spans[0].end % 5


def test_equal_seeds_give_equal_annotations(
    tmp_path: Path, written: dict[str, LayoutReport]
) -> None:
    again = write_layout(tmp_path / "a", "howto100m", 5, size=16, seed=3)
    other = write_layout(tmp_path / "b", "howto100m", 5, size=16, seed=4)
    texts = [
        (made.folder / "caption.json").read_text("utf-8")
        for made in (written["howto100m"], again, other)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_frame_rate_and_length_can_be_asked_for(tmp_path: Path) -> None:
    made = write_layout(
        tmp_path / "w", "kinetics400", 2, size=16, frame_rate=Fraction(12), seconds=1.5
    )
    film = probe(next(made.videos.rglob("*.mp4")))
    assert film.duration == pytest.approx(1.5, abs=0.1)
    rows = read_annotations("kinetics400", made.folder).rows
    start, end = map(int, rows[0].video.rsplit("_", 2)[1:])
    assert end - start == 2


def test_what_is_not_allowed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no layout 'imagenet'; allowed: msrvtt"):
        write_layout(tmp_path / "w", "imagenet", 5)
    with pytest.raises(UsageError, match="2 films are too few for train, val, test"):
        share_out(2, ("train", "val", "test"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        write_layout(tmp_path, "ucf101", 5)
    assert not (tmp_path / "videos").exists()
