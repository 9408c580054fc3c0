"""A world as files: ``write_world`` lays films, annotations and the whole truth into a folder.

    world.json                       settings, and the truth of every scene
    videos/SPLIT[/CLASS]/NUMBER.mp4  with .srt beside it where subtitles are wanted
    captions|moments|questions/SPLIT.jsonl
    labels/SPLIT.jsonl, labels/classes.txt
    sheet.png                        some frames of some films, to look at

``videos`` is a set of the kind ``folder`` where scenes have a class, and each folder of annotations
is one of the kind ``jsonl``. It knows files and worker processes; what is in them others say.

A run that was broken off goes on where it was: a film is written aside and renamed, so what has its
name is whole. Growing a world adds films to those that are there.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av

from scenewise.data.rows import Annotations, MomentRow, Split, Task
from scenewise.data.synthetic.annotating import annotate, video_name
from scenewise.data.synthetic.captions import clause
from scenewise.data.synthetic.drawing import draw_frames
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import SPLITS, WorldSettings
from scenewise.data.synthetic.sheet import draw_sheet
from scenewise.data.synthetic.soundtrack import SAMPLE_RATE, soundtrack
from scenewise.data.synthetic.tracks import frame_count
from scenewise.data.synthetic.words import closed
from scenewise.data.synthetic.world import World
from scenewise.errors import DataError, StorageError, UsageError
from scenewise.media.film import FilmSettings, Sound, write_film
from scenewise.media.subtitles import Cue, write_file
from scenewise.media.whole_file import write_picture, write_text, written_aside
from scenewise.types import Progress

FORMAT = 2  # of world.json; one higher where a world of before would be drawn otherwise
WORLD_FILE, SHEET_FILE = "world.json", "sheet.png"
_SHOWN = 16  # films on the sheet: one of each action
_GOP = 12  # frames: films are read from anywhere
_QUALITY = 18  # crf: thin stripes stay

Subtitles = Literal["none", "beside", "inside"]


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What is written of each scene beside its pictures."""

    sound: bool = True  # where the scene has some
    subtitles: Subtitles = "none"


@dataclass(frozen=True, slots=True)
class WorldReport:
    """What ``write_world`` did."""

    folder: Path
    films: Mapping[Split, int]  # by split
    made: int  # in this run; the others were there
    frames: int  # of all films
    rows: Mapping[str, int]  # annotations by task

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "folder": str(self.folder),
            "films": dict(self.films),
            "made": self.made,
            "frames": self.frames,
            "rows": dict(self.rows),
        }


@dataclass(frozen=True, slots=True)
class FilmJob:
    """A film that should lie at ``path``; its suffix is its container."""

    path: Path
    scene: Scene
    world: WorldSettings
    files: FileSettings


def write_world(
    folder: str | Path,
    settings: WorldSettings,
    films: Mapping[Split, int],
    *,
    files: FileSettings | None = None,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> WorldReport:
    """Write a world with so many films of each split; what is there and whole is kept.

    Raises UsageError where the folder holds another world or more films than are wanted,
    DataError where its world.json cannot be read, StorageError where it cannot be written.
    """
    folder, files = Path(folder), files or FileSettings()
    counts: dict[Split, int] = {split: films.get(split, 0) for split in SPLITS}
    identity = _identity(settings, files)
    _check_folder(folder, identity, counts)
    world = World(settings)
    jobs: list[FilmJob] = []
    truth: list[dict[str, Any]] = []
    for split, count in counts.items():
        for number, scene in enumerate(world.scenes(split, count)):
            name = video_name(scene, split, number)
            jobs.append(FilmJob(folder / "videos" / name, scene, settings, files))
            seed = f"{settings.seed}/{settings.kind}/{split}/{number}"
            truth.append({"video": name, "split": split, "seed": seed, **scene.to_dict()})
    with _storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # first: a folder whose films are not finished says what it will be
    _write_truth(folder / WORLD_FILE, identity, counts, truth)
    rows = _write_annotations(folder, world, counts)
    shown = list(world.scenes("train", min(_SHOWN, counts["train"])))
    if shown:
        write_picture(folder / SHEET_FILE, draw_sheet(world, shown), optimize=True)
    with _storage_errors(folder):
        made = make_films(jobs, workers, progress)
    frames = sum(frame_count(job.scene, settings.frame_rate) for job in jobs)
    return WorldReport(folder, counts, made, frames, rows)


def _identity(settings: WorldSettings, files: FileSettings) -> dict[str, Any]:
    extra = {"sound": files.sound, "subtitles": files.subtitles}
    return {"format": FORMAT, "settings": settings.model_dump(mode="json") | extra}


def _check_folder(folder: Path, identity: dict[str, Any], films: Mapping[Split, int]) -> None:
    path = folder / WORLD_FILE
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: holds something else already; name a new folder.")
        return
    try:
        before = json.loads(path.read_text("utf-8"))
        kept, count = before["settings"], before["films"]
        version, most = before["format"], {split: int(count.get(split, 0)) for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: is no description of a world ({type(error).__name__}); name a new folder."
        ) from error
    if version != FORMAT:
        raise UsageError(
            f"{folder}: holds a world of version {version}, and {FORMAT} is written; "
            "name a new folder."
        )
    for name, value in identity["settings"].items():
        if kept.get(name) != value:
            raise UsageError(
                f"{folder}: holds a world with {name} {kept.get(name)!r}, not {value!r}; "
                "name a new folder, or the settings of before."
            )
    for split, number in films.items():
        if number < most[split]:
            raise UsageError(
                f"{folder}: holds {most[split]} films of {split}, more than {number}; "
                "ask for as many or more, or name a new folder."
            )


def _write_truth(
    path: Path,
    identity: dict[str, Any],
    films: Mapping[Split, int],
    truth: list[dict[str, Any]],
) -> None:
    """One scene a line, so that people can find one."""
    head = json.dumps({**identity, "films": dict(films)}, indent=1)
    scenes = ",\n".join(json.dumps(scene) for scene in truth)
    write_text(path, f'{head[:-2]},\n "scenes": [\n{scenes}\n]}}\n')


# ---- annotations


def _write_annotations(folder: Path, world: World, films: Mapping[Split, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for split, count in films.items():
        if not count:
            continue
        made: dict[Task, Annotations[Any]] = annotate(world, split, count)
        for task, rows in made.items():
            lines = "".join(json.dumps(_line(row)) + "\n" for row in rows.rows)
            write_text(folder / task / f"{split}.jsonl", lines)
            counts[task] = counts.get(task, 0) + len(rows)
            if rows.classes:
                names = "".join(f"{name}\n" for name in rows.classes)
                write_text(folder / task / "classes.txt", names)
    return counts


def _line(row: Any) -> dict[str, Any]:
    """A row without what it has not; a span is [start, end]."""
    shape = {name: value for name, value in row.to_dict().items() if value}
    if isinstance(row, MomentRow):
        shape["spans"] = [[span.start, span.end] for span in row.spans]
    return shape


# ---- films


def make_films(
    jobs: list[FilmJob], workers: int, progress: Callable[[Progress], None] | None
) -> int:
    """Make the films that are not there; how many."""
    missing = [job for job in jobs if not _is_whole(job)]
    started = time.monotonic()
    seconds = 0.0
    for number, job in enumerate(_finished(missing, workers), 1):
        seconds += job.scene.seconds
        if progress is not None:
            spent = time.monotonic() - started
            done = len(jobs) - len(missing) + number
            progress(Progress(done, len(jobs), seconds, spent, path=str(job.path)))
    return len(missing)


def _is_whole(job: FilmJob) -> bool:
    """Whether the film is there with all its frames, and its subtitles."""
    if job.files.subtitles == "beside" and not job.path.with_suffix(".srt").is_file():
        return False
    try:
        with av.open(str(job.path)) as container:
            return container.streams.video[0].frames == frame_count(job.scene, job.world.frame_rate)
    except (OSError, IndexError, av.FFmpegError):
        return False


def _finished(jobs: list[FilmJob], workers: int) -> Iterator[FilmJob]:
    """The jobs, each when its film is written."""
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            _write(job)
            yield job
        return
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), start, _deaf) as pool:
        try:
            running: dict[Future[None], FilmJob] = {pool.submit(_write, job): job for job in jobs}
            for future in as_completed(running):
                future.result()
                yield running[future]
        except BrokenProcessPool:
            raise StorageError(
                f"{jobs[0].path.parent}: a process that writes films ended too early, perhaps for "
                "want of memory; repeat the command with fewer workers, what is finished is kept."
            ) from None
        except BaseException:
            # films that were begun are finished, no other is begun
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _deaf() -> None:
    """A worker does not hear Ctrl-C: the one that hired it does, and lets it finish its film."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(job: FilmJob) -> None:
    rate = job.world.frame_rate
    settings = FilmSettings(
        # a film is written under another name first, which does not tell
        container=job.path.suffix.removeprefix("."),
        frame_rate=rate,
        gop=_GOP,
        # an avi has no times of its own by which frames could be put back in order
        b_frames=0 if job.path.suffix == ".avi" else 2,
        quality=_QUALITY,
        # x264's macroblock tree gives other bytes now and then for pictures as small as these
        options={"x264-params": "mbtree=0"},
    )
    samples = soundtrack(job.scene) if job.files.sound else None
    sound = None if samples is None else Sound(samples[None], SAMPLE_RATE)
    cues = subtitle_cues(job.scene)
    if job.files.subtitles == "beside":
        job.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(job.path.with_suffix(".srt"), cues)
    frames = draw_frames(job.scene, size=job.world.size, frame_rate=rate)
    with written_aside(job.path) as aside:
        texts = _one_by_one(cues) if job.files.subtitles == "inside" else []
        write_film(aside, frames, settings, sound=sound, texts=texts)


def _one_by_one(cues: list[Cue]) -> list[tuple[float, float, str]]:
    """What is shown at once as the lines of one text: a track in an mp4 has one at a time."""
    spans = dict.fromkeys((cue.start, cue.end) for cue in cues)
    return [
        (*span, "\n".join(cue.text for cue in cues if (cue.start, cue.end) == span))
        for span in spans
    ]


def subtitle_cues(scene: Scene) -> list[Cue]:
    """What happens, when it does; events overlap only where they have one span."""
    return [Cue(event.start, event.end, closed(clause(scene, event))) for event in scene.told]


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{folder}: the world cannot be written ({error.strerror or error}); "
            "make room or name another folder; what is finished is kept."
        ) from error
