"""A world on the disk: whole films, true annotations, and a folder that can be gone on with."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import Split
from scenewise.data.synthetic import files
from scenewise.data.synthetic.annotating import annotate
from scenewise.data.synthetic.files import FileSettings, WorldReport, write_world
from scenewise.data.synthetic.settings import WorldSettings, world_settings
from scenewise.data.synthetic.world import World
from scenewise.errors import DataError, StorageError, UsageError
from scenewise.media import audio
from scenewise.media.probe import probe
from scenewise.media.subtitles import read_subtitles
from scenewise.types import Progress

FEW: dict[Split, int] = {"train": 6, "val": 2, "test": 2}
STORIES = world_settings(kind="stories", seconds=3.0)


def films_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "videos").rglob("*.mp4"))
    }


def pictures(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "stories"
    write_world(folder, STORIES, FEW, files=FileSettings(subtitles="beside"))
    return folder


@pytest.fixture(scope="module")
def actions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "actions"
    write_world(folder, WorldSettings(), {"train": 16, "val": 16})
    return folder


def test_films_show_what_is_rendered(stories: Path) -> None:
    world = World(STORIES)
    for number, scene in enumerate(world.scenes("train", 3)):
        path = stories / "videos" / "train" / f"{number:05d}.mp4"
        seen, drawn = pictures(path).astype(float), world.frames(scene).astype(float)
        assert seen.shape == drawn.shape
        assert np.abs(seen - drawn).mean() < 6  # the encoder takes some colour
        info = probe(path)
        assert info.duration == pytest.approx(3.0, abs=0.01)


def test_sound_is_heard_when_it_is_made(tmp_path: Path) -> None:
    write_world(tmp_path / "w", world_settings(kind="sounds", seconds=2.0), {"train": 8})
    world = World(world_settings(kind="sounds", seconds=2.0))
    for number, scene in enumerate(world.scenes("train", 8)):
        path = tmp_path / "w" / "videos" / "train" / scene.label / f"{number:05d}.mp4"
        made = world.sound(scene)
        assert made is not None
        heard = audio.read(path)[: len(made)]
        made = made[: len(heard)]
        assert len(heard) > 1.9 * audio.SAMPLE_RATE
        if np.abs(made).max() == 0:
            assert np.abs(heard).max() < 1e-3
            continue
        if "tone" in scene.label:
            # the place at which both are most alike is no shift
            spectrum = np.fft.rfft(heard) * np.conj(np.fft.rfft(made))
            shift = int(np.fft.irfft(spectrum).argmax())
            assert min(shift, len(made) - shift) < 0.005 * audio.SAMPLE_RATE
        loud = np.nonzero(np.abs(made) > 0.25)[0]
        if len(loud):
            onset = np.nonzero(np.abs(heard) > 0.15)[0][0]
            assert abs(int(onset) - int(loud[0])) < 0.03 * audio.SAMPLE_RATE


def test_a_folder_for_each_class_is_a_dataset(actions: Path) -> None:
    rows = read_annotations("folder", actions / "videos", "val")
    assert len(rows) == 16
    assert set(rows.classes) == set(WorldSettings().classes)
    labels = {row["video"]: row["labels"] for row in lines(actions / "labels" / "val.jsonl")}
    assert labels == {row.video: list(row.labels) for row in rows.rows}


def test_annotations_have_the_names_of_the_rows(stories: Path) -> None:
    made = annotate(World(STORIES), "train", FEW["train"])
    assert set(made) == {"captions", "moments", "questions", "labels"}
    for task, rows in made.items():
        found = lines(stories / task / "train.jsonl")
        assert len(found) == len(rows)
        for line, row in zip(found, rows.rows, strict=True):
            whole = row.to_dict()
            assert set(line) <= set(whole)
            assert (stories / "videos" / line["video"]).is_file()
            for name, value in line.items():
                if name != "spans":
                    wanted = list(whole[name]) if isinstance(value, list) else whole[name]
                    assert value == wanted
            left_out = set(whole) - set(line)
            assert not any(whole[name] for name in left_out)
    moment, row = lines(stories / "moments" / "train.jsonl")[0], made["moments"].rows[0]
    assert moment["spans"] == [[span.start, span.end] for span in row.spans]
    classes = (stories / "labels" / "classes.txt").read_text("utf-8").splitlines()
    assert tuple(classes) == made["labels"].classes


def test_the_whole_truth_is_there(stories: Path) -> None:
    truth = json.loads((stories / "world.json").read_text("utf-8"))
    assert truth["format"] == files.FORMAT
    assert truth["settings"]["seconds"] == 3.0
    assert truth["films"] == FEW
    assert len(truth["scenes"]) == 10
    world = World(STORIES)
    first = {**truth["scenes"][0]}
    names = {name: first.pop(name) for name in ("video", "split", "seed")}
    assert names["video"] == "train/00000.mp4"
    assert first == json.loads(json.dumps(world.scene("train", 0).to_dict()))


def test_subtitles_lie_beside_or_inside(stories: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    write_world(inside, STORIES, {"train": 3}, files=FileSettings(subtitles="inside"))
    for number, scene in enumerate(World(STORIES).scenes("train", 3)):
        name = f"videos/train/{number:05d}.mp4"
        (beside,) = read_subtitles(stories / name)
        (track,) = read_subtitles(inside / name)
        assert track.source.startswith("stream")
        told = [(event.start, event.end) for event in scene.told]
        assert [(cue.start, cue.end) for cue in beside.cues] == told
        assert {(round(cue.start, 6), round(cue.end, 6)) for cue in track.cues} == set(told)
        words = "\n".join(cue.text for cue in track.cues)
        assert words == "\n".join(cue.text for cue in beside.cues)


def test_nothing_is_told_where_it_is_not_wanted(actions: Path) -> None:
    assert not list(actions.rglob("*.srt"))
    assert read_subtitles(next((actions / "videos").rglob("*.mp4"))) == ()


def test_equal_settings_give_equal_files_in_one_process_or_more(
    stories: Path, tmp_path: Path
) -> None:
    report = write_world(
        tmp_path / "again", STORIES, FEW, files=FileSettings(subtitles="beside"), workers=2
    )
    assert report.made == 10
    assert films_of(tmp_path / "again") == films_of(stories)
    for task in ("captions", "moments", "questions", "labels"):
        one, other = (folder / task / "test.jsonl" for folder in (stories, tmp_path / "again"))
        assert one.read_bytes() == other.read_bytes()


# ---- going on


def write_actions(folder: Path, count: int, **more: Any) -> WorldReport:
    return write_world(folder, WorldSettings(), {"train": count}, **more)


def test_a_world_grows_and_keeps_what_is_there(tmp_path: Path) -> None:
    assert write_actions(tmp_path / "w", 4).made == 4
    before = films_of(tmp_path / "w")
    report = write_actions(tmp_path / "w", 7)
    assert (report.made, report.films["train"], report.frames) == (3, 7, 56)
    after = films_of(tmp_path / "w")
    assert before.items() <= after.items()
    assert len(lines(tmp_path / "w" / "labels" / "train.jsonl")) == 7


def test_a_broken_film_is_made_anew(tmp_path: Path) -> None:
    write_actions(tmp_path / "w", 4)
    before = films_of(tmp_path / "w")
    broken, empty, gone, _ = [tmp_path / "w" / name for name in before]
    broken.write_bytes(broken.read_bytes()[:300])
    empty.write_bytes(b"")
    gone.unlink()
    assert write_actions(tmp_path / "w", 4).made == 3
    assert films_of(tmp_path / "w") == before


def test_a_run_that_is_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    def break_off(progress: Progress) -> None:
        if progress.files_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_actions(tmp_path / "w", 6, progress=break_off)
    assert len(films_of(tmp_path / "w")) == 3
    seen: list[Progress] = []
    assert write_actions(tmp_path / "w", 6, progress=seen.append).made == 3
    assert [progress.files_done for progress in seen] == [4, 5, 6]
    assert seen[-1].files_total == 6


def test_no_half_film_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(scene: Any, **options: Any) -> Iterator[Any]:
        yield np.zeros((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "draw_frames", half)
    with pytest.raises(KeyboardInterrupt):
        write_actions(tmp_path / "w", 6)
    assert [path for path in (tmp_path / "w" / "videos").rglob("*") if path.is_file()] == []


def test_a_full_disk_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **options: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "write_film", full)
    with pytest.raises(StorageError, match=r"w: .*No space left on device\); make room"):
        write_actions(tmp_path / "w", 3)


def test_a_worker_that_dies_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(ProcessPoolExecutor):
        def submit(self, *given: Any, **options: Any) -> Any:
            return super().submit(os._exit, 1)

    monkeypatch.setattr(files, "ProcessPoolExecutor", Dying)
    with pytest.raises(StorageError, match=r"ended too early.* fewer workers"):
        write_actions(tmp_path / "w", 3, workers=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"size": 32}, "size 64, not 32"),
        ({"frame_rate": Fraction(24)}, "frame_rate '8', not '24'"),
        ({"kind": "stories"}, "kind 'actions', not 'stories'"),
    ],
)
def test_another_world_is_not_mixed_in(
    actions: Path, settings: dict[str, Any], message: str
) -> None:
    before = films_of(actions)
    with pytest.raises(UsageError, match=message):
        write_world(actions, world_settings(**settings), {"train": 16, "val": 16})
    assert films_of(actions) == before


def test_fewer_films_than_are_there_are_refused(actions: Path) -> None:
    with pytest.raises(UsageError, match="holds 16 films of train, more than 2"):
        write_actions(actions, 2)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        write_actions(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"settings": 3, "films": 3}'])
def test_a_damaged_description_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "world.json").write_text(text)
    with pytest.raises(DataError, match="is no description of a world"):
        write_actions(tmp_path, 2)


def test_a_world_of_another_version_is_refused(tmp_path: Path) -> None:
    write_actions(tmp_path / "w", 2)
    path = tmp_path / "w" / "world.json"
    path.write_text(path.read_text().replace(f'"format": {files.FORMAT}', '"format": 99'))
    with pytest.raises(UsageError, match="world of version 99"):
        write_actions(tmp_path / "w", 2)


def test_the_sheet_is_a_small_picture(actions: Path) -> None:
    path = actions / "sheet.png"
    assert path.stat().st_size < 100_000
    with Image.open(path) as sheet:
        assert sheet.width == 8 * 66 + 2
        assert sheet.height == 16 * 84 + 2
