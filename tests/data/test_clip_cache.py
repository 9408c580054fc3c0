"""The cache of decoded frames: equal to decoding, and whole or absent whatever happens."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from numbered_films import clips, labelled, numbered, shown

from scenewise.data import clip_cache, stretch
from scenewise.data.clip_cache import ClipCache
from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.example import Place
from scenewise.data.rows import LabelRow
from scenewise.data.settings import AugmentSettings
from scenewise.errors import DataError, StorageError, UsageError
from scenewise.types import Segment

Films = dict[str, Path]


def cached(dataset: ClipDataset, cache: ClipCache) -> ClipDataset:
    videos = dict(dataset._videos)
    return ClipDataset(dataset.rows, videos, dataset.recipe.with_cache(cache))


def no_decoder(*_: Any) -> Any:
    raise AssertionError("a video was opened")


def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def test_a_cached_clip_is_the_decoded_one_and_no_video_is_opened_twice(
    films: Films, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*labelled("a", "short"), LabelRow("b", ("thing",), Segment(1.0, 4.9))]
    options: dict[str, Any] = {
        "train": True,
        "sampling": "uniform",
        "augment": AugmentSettings(crop="resized", flip=0.5, brightness=0.4),
    }
    plain = clips(rows, films, **options)
    expected = [plain[number].clip for number in range(3)]
    first = cached(clips(rows, films, **options), ClipCache(tmp_path / "train", 4))
    assert all(same(first[number].clip, expected[number]) for number in range(3))
    monkeypatch.setattr(stretch, "VideoReader", no_decoder)
    again = cached(clips(rows, films, **options), ClipCache(tmp_path / "train", 4))
    assert all(same(again[number].clip, expected[number]) for number in range(3))


def test_chance_chooses_among_kept_frames(films: Films, tmp_path: Path) -> None:
    # 25 kept frames stand for two frames each, and show the second of them
    dataset = cached(clips(labelled("a"), films, train=True), ClipCache(tmp_path / "train", 25))
    seen = set()
    for epoch in range(6):
        example = dataset[Place(epoch, 0)]
        assert example.times is not None
        assert shown(example.clip) == [
            int(time * 5 + 1e-6) * 2 + 1 for time in example.times.double().tolist()
        ]
        seen.add(tuple(shown(example.clip)))
    assert len(seen) > 1


def test_a_cache_that_is_too_coarse_says_so(films: Films, tmp_path: Path) -> None:
    dataset = clips(labelled("a"), films, train=True, sampling="dense")
    with pytest.raises(UsageError, match="raise cache_frames"):
        cached(dataset, ClipCache(tmp_path / "train", 4))[0]
    fine = cached(dataset, ClipCache(tmp_path / "fine", 50))
    assert same(fine[Place(1, 0)].clip, dataset[Place(1, 0)].clip)


def test_another_video_in_the_same_place_is_another_clip(tmp_path: Path) -> None:
    film = numbered(tmp_path / "film.mp4", 20)
    cache = ClipCache(tmp_path / "train", 4)
    dataset = cached(clips(labelled("f"), {"f": film}), cache)
    before = shown(dataset[0].clip)
    numbered(film, 40)
    os.utime(film, ns=(1, 1))  # a clock that stood still
    assert shown(dataset[0].clip) == [2 * number + 1 for number in before]
    assert len(cache) == 2


def test_other_sizes_and_spans_are_other_clips(films: Films, tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "train", 4)
    several: list[dict[str, Any]] = [{}, {"train": True, "short_side": 128}]
    for options in several:
        cached(clips(labelled("a"), films, **options), cache)[0]
    cached(clips([LabelRow("a", ("thing",), Segment(1, 2))], films), cache)[0]
    assert len(cache) == 3


def test_damaged_bytes_are_decoded_again(films: Films, tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "train", 4)
    dataset = cached(clips(labelled("a", "b"), films), cache)
    expected = [dataset[number].clip for number in range(2)]
    with (tmp_path / "train.frames").open("r+b") as file:
        file.seek(2000)
        file.write(b"\x00\xff" * 500)
    fresh = cached(clips(labelled("a", "b"), films), ClipCache(tmp_path / "train", 4))
    assert [same(fresh[number].clip, expected[number]) for number in range(2)] == [True, True]
    (tmp_path / "train.frames").write_bytes(b"")
    assert same(fresh[1].clip, expected[1])


def test_half_an_entry_is_none(films: Films, tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "train", 4)
    cached(clips(labelled("a"), films), cache)[0]
    index = tmp_path / "train.index"
    whole = index.read_bytes()
    index.write_bytes(whole + whole[: len(whole) // 2])
    again = ClipCache(tmp_path / "train", 4)
    assert len(again) == 1
    cached(clips(labelled("b"), films), again)[0]
    assert len(index.read_bytes()) == 2 * len(whole)
    assert len(ClipCache(tmp_path / "train", 4)) == 2


def write_half(films: Films, place: Path) -> None:
    """In a process of its own: killed after the frames and before their entry."""

    def killed(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    dataset = cached(clips(labelled("b"), films), ClipCache(place, 4))
    clip_cache._ENTRY = type(
        "Killed",
        (),
        {
            "pack": killed,
            "size": clip_cache._ENTRY.size,
            "iter_unpack": clip_cache._ENTRY.iter_unpack,
        },
    )()
    dataset[0]


def test_a_writer_that_is_killed_leaves_nothing_half(films: Films, tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "train", 4)
    expected = cached(clips(labelled("a"), films), cache)[0].clip
    writer = multiprocessing.get_context("fork").Process(
        target=write_half, args=(films, tmp_path / "train")
    )
    writer.start()
    writer.join(30)
    assert writer.exitcode == -signal.SIGKILL
    fresh = ClipCache(tmp_path / "train", 4)
    assert len(fresh) == 1
    both = cached(clips(labelled("a", "b"), films), fresh)
    assert same(both[0].clip, expected)
    assert same(both[1].clip, clips(labelled("b"), films)[0].clip)
    # what was left over was written over
    size = (tmp_path / "train.frames").stat().st_size
    assert size < 2.1 * 4 * 96 * 96 * 3


def fill(films: Films, place: Path) -> None:
    dataset = cached(clips(labelled("a", "b", "short", "heard"), films), ClipCache(place, 4))
    for number in range(4):
        dataset[number]


def test_several_processes_fill_one_cache(films: Films, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=fill, args=(films, tmp_path / "train")) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    cache = ClipCache(tmp_path / "train", 4)
    assert len(cache) == 4
    entries = (tmp_path / "train.index").stat().st_size // clip_cache._ENTRY.size
    assert entries == 4  # nobody wrote what another had written
    plain = clips(labelled("a", "b", "short", "heard"), films)
    again = cached(plain, cache)
    assert all(same(again[number].clip, plain[number].clip) for number in range(4))


def test_a_broken_video_is_not_kept(films: Films, tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "train", 4)
    with pytest.raises(DataError, match=r"broken\.mp4"):
        cached(clips(labelled("broken"), films), cache)[0]
    assert len(cache) == 0


def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="name another folder as cache"):
        ClipCache(tmp_path / "file" / "train", 4)
