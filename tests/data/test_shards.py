"""Shards hold every row and every byte once, and go on where a run ended."""

from __future__ import annotations

import gc
import json
import logging
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from scenewise.data.rows import Annotations, CaptionRow
from scenewise.data.shards import (
    ShardReader,
    ShardSample,
    count_rows,
    find_shards,
    write_shards,
)
from scenewise.errors import DataError, StorageError, UsageError
from scenewise.types import Segment

SIZE = 1000


def content(number: int) -> bytes:
    return bytes([number % 251]) * SIZE


@pytest.fixture
def source(tmp_path: Path) -> tuple[Annotations[CaptionRow], dict[str, Path]]:
    """Twenty videos of a thousand bytes; every second has two rows, apart in the file."""
    videos = {}
    for number in range(20):
        path = tmp_path / "videos" / f"v{number}.{'MP4' if number % 3 else 'webm'}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(number))
        videos[f"v{number}"] = path
    rows = [CaptionRow(video, (f"about {video}",)) for video in videos]
    rows += [CaptionRow(f"v{n}", ("später",), Segment(0.5, 2)) for n in range(0, 20, 2)]
    return Annotations("csv", "train", "captions", tuple(rows)), videos


Source = tuple[Annotations[CaptionRow], dict[str, Path]]


def numbers(samples: Sequence[ShardSample]) -> list[int]:
    return [sample.number for sample in samples]


def test_what_is_written_comes_back_row_by_row_and_byte_by_byte(
    source: Source, tmp_path: Path
) -> None:
    whole, videos = source
    report = write_shards(whole, videos, tmp_path / "out", shard_bytes=6 * SIZE)
    assert (report.rows, report.kept, len(report.shards)) == (30, 0, 4)
    assert report.shards == find_shards(tmp_path / "out")
    assert count_rows(report.shards) == 30
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{n:06d}.{kind}" for n in range(4) for kind in ("json", "tar")
    ]
    reader = ShardReader(report.shards)
    samples = list(reader)
    assert {sample.number: sample.row for sample in samples} == dict(enumerate(whole.rows))
    for sample in samples:
        assert sample.read() == videos[sample.row.video].read_bytes()
        with sample.as_file() as path:
            assert path.read_bytes() == videos[sample.row.video].read_bytes()
            assert path.suffix == videos[sample.row.video].suffix.lower()
        assert not path.exists()
    assert reader.skipped == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_our_shards(source: Source, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    report = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE)
    seen = {}
    for sample in webdataset.WebDataset([str(path) for path in report.shards], shardshuffle=False):
        about = json.loads(sample["json"])
        (video,) = (sample[kind] for kind in ("mp4", "webm") if kind in sample)
        seen[about["video"]] = video
    gc.collect()  # it leaves its last file to the collector, which warns
    assert seen == {name: path.read_bytes() for name, path in source[1].items()}


@pytest.mark.parametrize("shard_bytes", [1, SIZE, 2 * SIZE + 1, 1 << 30])
def test_a_shard_is_no_larger_than_allowed_unless_by_one_video(
    source: Source, tmp_path: Path, shard_bytes: int
) -> None:
    report = write_shards(*source, tmp_path / "out", shard_bytes=shard_bytes)
    for shard in report.shards:
        with tarfile.open(shard) as tar:
            sizes = [m.size for m in tar.getmembers() if not m.name.endswith(".json")]
        assert sum(sizes) <= max(shard_bytes, SIZE)
    assert Counter(numbers(list(ShardReader(report.shards)))) == Counter(range(30))


def test_a_run_that_was_ended_goes_on(source: Source, tmp_path: Path) -> None:
    first = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE)
    bytes_before = [path.read_bytes() for path in first.shards]
    first.shards[1].unlink()
    first.shards[2].with_suffix(".json").unlink()
    first.shards[3].write_bytes(bytes_before[3][:-512])
    told: list[tuple[int, int]] = []
    again = write_shards(
        *source,
        tmp_path / "out",
        shard_bytes=6 * SIZE,
        progress=lambda done, all_of_them: told.append((done, all_of_them)),
    )
    assert (again.kept, told) == (1, [(1, 4), (2, 4), (3, 4), (4, 4)])
    assert [path.read_bytes() for path in again.shards] == bytes_before
    assert write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE).kept == 4


def test_what_cannot_be_written_is_told(source: Source, tmp_path: Path) -> None:
    whole, videos = source
    with pytest.raises(UsageError, match="shard_bytes is at least 1, got 0"):
        write_shards(whole, videos, tmp_path / "out", shard_bytes=0)
    without = {name: path for name, path in videos.items() if name != "v3"}
    with pytest.raises(DataError, match="v3: has no file; leave its rows out first"):
        write_shards(whole, without, tmp_path / "out")
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(StorageError, match="cannot be written"):
        write_shards(whole, videos, tmp_path / "file" / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.tar").touch()
    with pytest.raises(DataError, match=r"mine\.tar: belongs to other shards"):
        write_shards(whole, videos, tmp_path / "other")
    empty: Annotations[CaptionRow] = Annotations("csv", "train", "captions", ())
    with pytest.raises(DataError, match="csv, train: has no row to write"):
        write_shards(empty, videos, tmp_path / "none")


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("seed", [None, 5])
def test_all_parts_together_read_each_row_once(
    source: Source, tmp_path: Path, parts: int, seed: int | None
) -> None:
    shards = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE).shards
    shares = [
        numbers(list(ShardReader(shards, part=part, parts=parts, seed=seed, buffer=4)))
        for part in range(parts)
    ]
    assert sorted(number for share in shares for number in share) == list(range(30))
    assert all(shares)


def test_order_follows_seed_and_epoch_alone(source: Source, tmp_path: Path) -> None:
    shards = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE).shards

    def order(seed: int | None, epoch: int = 0, buffer: int = 8) -> list[int]:
        return numbers(list(ShardReader(shards, seed=seed, epoch=epoch, buffer=buffer)))

    assert order(1) == order(1)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6
    plain = order(None)
    assert plain == order(None, 3)
    assert sorted(order(1, buffer=1)) == sorted(plain)
    reader = ShardReader(shards, seed=1)
    assert numbers(list(reader)) == numbers(list(reader))


def test_readers_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a part is from 0 to below 2, got 2"):
        ShardReader([], part=2, parts=2)
    with pytest.raises(UsageError, match="holds at least 1 sample, got 0"):
        ShardReader([], buffer=0)
    with pytest.raises(DataError, match="holds no shard"):
        find_shards(tmp_path)


def broken(shards: Sequence[Path]) -> tuple[set[int], list[str]]:
    reader = ShardReader(shards)
    return set(numbers(list(reader))), reader.skipped


def test_a_shard_that_was_cut_gives_what_is_whole(
    source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shards = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE).shards
    with tarfile.open(shards[0]) as tar:
        members = tar.getmembers()
    whole = shards[0].read_bytes()
    lost = {n for v in range(3, 6) for n in (v, 20 + v // 2) if n < 20 or v % 2 == 0}
    for cut in (members[7].offset_data + 10, members[7].offset + 100, members[6].offset):
        shards[0].write_bytes(whole[:cut])
        with caplog.at_level(logging.WARNING):
            read, skipped = broken(shards)
        assert read == set(range(30)) - lost
        assert skipped
        assert skipped[-1].startswith("000000.tar: all after video")
    assert any("left out, 1 so far" in message for message in caplog.messages)


def test_a_damaged_header_is_not_taken_for_the_end(source: Source, tmp_path: Path) -> None:
    shards = write_shards(*source, tmp_path / "out", shard_bytes=6 * SIZE).shards
    with tarfile.open(shards[1]) as tar:
        place = tar.getmembers()[4].offset
    data = bytearray(shards[1].read_bytes())
    data[place : place + 200] = b"\xff" * 200
    shards[1].write_bytes(data)
    read, skipped = broken(shards)
    assert {6, 7} <= read
    assert not {8, 9, 10, 11} & read
    assert skipped == ["000001.tar: all after video 2 of 6 cannot be found"]


def test_members_that_do_not_belong_are_named_and_skipped(tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    row = {"number": 0, "video": "v", "captions": ["x"], "span": None, "id": ""}
    fine = json.dumps({"task": "captions", "video": "v", "rows": [row]}).encode()
    with tarfile.open(shard, "w") as tar:
        for name, data in (
            ("0.json", b"{"),
            ("0.mp4", b"video"),
            ("1.json", fine),
            ("2.json", b'{"task": "captions", "rows": [{"number": 1}]}'),
            ("2.mp4", b"video"),
            ("3.mp4", b"video"),
            ("4.json", fine),
            ("4.mp4", b"this one"),
            ("5.json", fine),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            (tmp_path / "member").write_bytes(data)
            with (tmp_path / "member").open("rb") as file:
                tar.addfile(member, file)
    reader = ShardReader([shard])
    assert [sample.read() for sample in reader] == [b"this one"]
    assert [skipped.split()[1] for skipped in reader.skipped] == [
        "0.json",
        "1",
        "2.json",
        "3.mp4",
        "5",
    ]
    with pytest.raises(DataError, match=r"a\.tar: is not finished"):
        count_rows([shard])


def test_a_file_that_is_no_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no shard" * 200)
    read, skipped = broken([tmp_path / "a.tar", tmp_path / "gone.tar"])
    assert read == set()
    assert [line.split(" cannot")[0] for line in skipped] == [
        "a.tar: the shard",
        "gone.tar: the shard",
    ]


def test_a_sample_whose_shard_was_cut_since_is_told(source: Source, tmp_path: Path) -> None:
    shards = write_shards(*source, tmp_path / "out").shards
    samples = list(ShardReader(shards))
    shards[0].write_bytes(shards[0].read_bytes()[: samples[-1].offset])
    with pytest.raises(DataError, match="ends inside the video of v"):
        samples[-1].read()
    with pytest.raises(DataError, match="ends inside the video of"), samples[-1].as_file():
        pass
