"""Library as people use it: fill, ask, look, remove, back up, watch, on films of plain colours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_encoder import load_colours
from colour_films import write_colours, write_noise

from scenewise.config import Settings
from scenewise.errors import (
    EncoderMismatchError,
    LibraryLockedError,
    LibraryNotFoundError,
    UsageError,
)
from scenewise.index import ann
from scenewise.index.catalog import Catalog
from scenewise.index.vectors import AnnKind
from scenewise.library import Library
from scenewise.types import IndexReport, Progress

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "red-blue.mp4", [("red", 2.0), ("blue", 2.0)])
    write_colours(folder / "green.mkv", [("green", 2.0)])
    write_colours(folder / "sub" / "white.mp4", [("white", 1.0)])
    return folder


def opened(directory: Path, *, encoder: str | None = "colours", create: bool = True) -> Library:
    return Library.open(directory, encoder=encoder, create=create, load=load_colours)


@pytest.fixture(scope="module")
def filled(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that no test changes."""
    directory = tmp_path_factory.mktemp("filled") / "library"
    with opened(directory) as library:
        library.index(films, workers=1)
    return directory


@pytest.fixture
def own(filled: Path, films: Path, tmp_path: Path) -> Iterator[tuple[Library, Path]]:
    """A library of the test's own, and its films."""
    copies = tmp_path / "films"
    shutil.copytree(films, copies)
    with opened(tmp_path / "library") as library:
        library.index(copies, workers=1)
        yield library, copies


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFoundError, match="there is no library in"):
        opened(tmp_path / "none", create=False)
    with opened(tmp_path / "new") as library:
        assert library.videos() == []
        assert library.stats().videos == 0
        result = library.search("red")
        assert (result.found, result.hits, result.encoder) == (False, (), "colours")
        with pytest.raises(LibraryNotFoundError):
            library.backup(tmp_path / "copy")
    assert not (tmp_path / "new").exists()  # made by the first index, not by looking


def test_stats_and_videos_tell_what_there_is(filled: Path) -> None:
    with opened(filled, encoder=None) as library:
        stats = library.stats()
        videos = library.videos()
    assert (stats.videos, stats.files, stats.failed, stats.missing) == (3, 3, 0, 0)
    assert (stats.encoder, stats.sampling) == ("colours", "fps=2")
    assert stats.windows == 8 + 4 + 2
    assert stats.video_seconds == pytest.approx(7.0)
    assert stats.size_bytes > 0
    assert [Path(video.path).name for video in videos] == [
        "green.mkv",
        "red-blue.mp4",
        "white.mp4",
    ]
    assert all(video.state == "ready" and video.size > 0 for video in videos)


def test_a_library_belongs_to_one_encoder(filled: Path) -> None:
    with pytest.raises(EncoderMismatchError) as caught:
        opened(filled, encoder="colour-clips")
    for words in ("colours", "colour-clips", "scenewise reindex --encoder colour-clips"):
        assert words in str(caught.value)


def test_an_encoder_that_changed_under_its_name_is_noticed(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from colour_encoder import ColourEncoder

    def newer(name: str, **_: object) -> ColourEncoder:
        encoder = ColourEncoder(name)
        encoder.spec = replace(encoder.spec, revision="2")
        return encoder

    with (
        Library.open(filled, load=newer) as library,
        pytest.raises(EncoderMismatchError, match=r"revision 1.*revision 2.*scenewise reindex"),
    ):
        library.search("red")


def test_searching_goes_on_while_somebody_writes(filled: Path) -> None:
    with (
        Catalog.open(filled, write=True),
        opened(filled) as library,
    ):
        assert library.search("red").hits[0].start == 0
        with pytest.raises(LibraryLockedError):
            library.remove(library.videos()[0].path)


def test_a_change_by_another_is_seen_at_once(own: tuple[Library, Path], tmp_path: Path) -> None:
    library, films = own
    assert all("yellow" not in hit.path for hit in library.search("yellow").hits)
    write_colours(films / "yellow.mp4", [("yellow", 1.0)])
    with opened(library.directory) as other:
        other.index(films, workers=1)
    assert "yellow" in library.search("yellow").hits[0].path
    (films / "yellow.mp4").unlink()
    with opened(library.directory) as other:
        other.index(films, workers=1)
    assert all("yellow" not in hit.path for hit in library.search("yellow").hits)


@pytest.mark.parametrize("how", ["path", "id", "prefix"])
def test_removed_videos_are_gone_and_their_files_stay(own: tuple[Library, Path], how: str) -> None:
    library, films = own
    path = films / "green.mkv"
    [video_id] = [v.video_id for v in library.videos() if v.path == str(path.resolve())]
    assert video_id is not None
    name = {"path": str(path), "id": video_id, "prefix": video_id[:6]}[how]
    assert library.remove(name) == 1
    assert path.exists()
    assert all("green" not in hit.path for hit in library.search("green").hits)
    assert len(library.videos()) == 2


def test_removing_what_is_not_there_removes_nothing(own: tuple[Library, Path]) -> None:
    library, films = own
    with pytest.raises(UsageError, match="nowhere"):
        library.remove([str(films / "green.mkv"), "nowhere.mp4"])
    assert len(library.videos()) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"paths": []}, "no path was given"),
        ({"paths": ""}, "'' is no path"),
        ({"paths": "a\0b"}, "is no path"),
        ({"workers": 0}, "workers = 0 is not allowed"),
        ({"paths": "/nowhere/at/all", "text": "foo"}, "text = 'foo' is not allowed"),
        ({"ann": "tree"}, "ann = 'tree' is not allowed; give exact or ivfpq"),
    ],
)
def test_odd_arguments_of_index_are_refused(
    films: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with (
        Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library,
        pytest.raises(UsageError, match=words),
    ):
        library.index(**{"paths": films, **options})
    assert not (tmp_path / "library").exists()


def test_failed_files_can_be_forgotten(own: tuple[Library, Path]) -> None:
    library, films = own
    bad = films / "bad.mp4"
    bad.write_bytes(b"no film" * 100)
    library.index(films, workers=1)
    assert [video.state for video in library.videos()].count("failed") == 1
    assert library.remove(bad) == 1
    assert [video.state for video in library.videos()].count("failed") == 0


def test_a_backup_is_a_library(filled: Path, tmp_path: Path) -> None:
    with opened(filled) as library:
        copy = library.backup(tmp_path / "copy")
        expected = library.search("blue")
    with opened(copy, create=False) as library:
        assert library.search("blue") == expected


def test_reindex_switches_to_another_encoder(own: tuple[Library, Path]) -> None:
    library, _ = own
    seen: list[Progress] = []
    report = library.reindex(encoder="colour-clips", workers=1, progress=seen.append)
    assert report.indexed == len(seen) == 3
    assert library.stats().encoder == "colour-clips"
    assert library.search("blue").hits[0].end == pytest.approx(4.0)
    with opened(library.directory, encoder="colour-clips") as again:
        assert again.stats().sampling == "clips"


def test_one_vector_per_video(films: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "library") as library:
        library.index(films, frames=8, workers=1)
        assert library.stats().windows == 3
        hit = library.search("green").hits[0]
    assert hit.start == 0
    assert hit.end == pytest.approx(2.0)


@pytest.mark.parametrize("kind", ["ivfpq", "rabitq"])
def test_the_kind_of_search_index_stays_until_another_is_named(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: AnnKind
) -> None:
    monkeypatch.setattr(ann, "FEWEST_ROWS", 50)  # so that few films suffice
    noisy = write_noise(tmp_path / "films" / "noise.mp4", seconds=10.0)
    with opened(tmp_path / "library") as library:
        assert library.stats().search_index is None
        library.index(noisy, fps=10, ann=kind, workers=1)
        assert library.stats().search_index == kind
        library.index(films, workers=1)
        assert library.stats().search_index == kind
        assert library.search("green").hits[0].path == str((films / "green.mkv").resolve())
        library.index(films, ann="exact", workers=1)
        assert library.stats().search_index == "exact"


def test_settings_begin_a_library(films: Path, tmp_path: Path) -> None:
    settings = Settings(library=tmp_path / "library", encoder="colours", fps=1.0, workers=1)
    with Library.open(settings=settings, load=load_colours) as library:
        library.index(films / "green.mkv")
        assert library.directory == tmp_path / "library"
        assert library.stats().sampling == "fps=1"


def test_workers_fill_a_library_like_one_process(filled: Path, films: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "library") as library:
        library.index(films, workers=2)
        mine = library.search("red")
    with opened(filled) as library:
        assert library.search("red") == mine


def test_a_film_that_kills_its_worker_is_a_failed_file(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    write_colours(folder / "deadly.mp4", [("magenta", 1.0)])
    with opened(tmp_path / "library", encoder="deadly") as library:
        report = library.index(folder, workers=2)
        assert report.indexed == 3
        (failure,) = report.failed
        assert Path(failure.path).name == "deadly.mp4"
        assert "the worker process died" in failure.reason
        (failed,) = [video for video in library.videos() if video.state == "failed"]
        assert (failed.path, failed.reason) == (failure.path, failure.reason)
        again = library.index(folder, workers=2)
        assert (again.unchanged, again.skipped_failed, again.failed) == (3, 1, ())


def test_a_watched_folder_is_kept_up_to_date(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    stop = threading.Event()
    reports: list[IndexReport] = []
    with opened(tmp_path / "library") as library:
        for report in library.watch_folder(films, stop=stop, workers=1):
            reports.append(report)
            if len(reports) == 1:
                # before the watching begins, and still not missed
                write_colours(films / "red.mp4", [("red", 1.0)])
            if len(reports) == 2:
                write_colours(films / "blue.mp4", [("blue", 1.0)])
            if len(reports) == 3:
                stop.set()
        assert Path(library.search("red").hits[0].path).name == "red.mp4"
        assert Path(library.search("blue").hits[0].path).name == "blue.mp4"
    assert [report.indexed for report in reports] == [0, 1, 1]


PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from colour_encoder import load_colours
from scenewise import Library
library = Library.open({library!r}, encoder="colours", load=load_colours)
"""


def program(tmp_path: Path, body: str) -> Path:
    script = tmp_path / "script.py"
    head = PROGRAM.format(
        paths=[str(ROOT), str(ROOT / "tests" / "doubles")], library=str(tmp_path / "library")
    )
    script.write_text(head + body, "utf-8")
    return script


def test_a_plain_script_needs_no_main_guard(films: Path, tmp_path: Path) -> None:
    script = program(tmp_path, f"print(library.index({str(films)!r}, workers=2).indexed)\n")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("3", 0), done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_is_done(films: Path, tmp_path: Path, workers: int) -> None:
    """The program interrupts itself at the first progress: the keyboard does the same."""
    body = (
        "import os, signal\n"
        "def once(progress):\n"
        "    if progress.files_done == 1: os.kill(os.getpid(), signal.SIGINT)\n"
        f"report = library.index({str(films)!r}, workers={workers}, progress=once)\n"
        "print(report.interrupted, 1 <= report.indexed < 4)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program(tmp_path, body))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("True True", 0), done.stderr
    assert "Ctrl-C again" in done.stderr
    with opened(tmp_path / "library") as library:
        report = library.index(films, workers=1)
        assert report.indexed + report.unchanged == 3
        assert report.unchanged >= 1


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_second_interrupt_stops_at_once_and_leaves_nothing_partial(
    films: Path, tmp_path: Path
) -> None:
    body = (
        "import os, signal\n"
        "def twice(progress):\n"
        "    os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)\n"
        f"library.index({str(films)!r}, workers=2, progress=twice)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program(tmp_path, body))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (130, -signal.SIGINT), done.stderr
    assert "KeyboardInterrupt" in done.stderr
    with opened(tmp_path / "library") as library:
        assert library.index(films, workers=1).unchanged == 1
        assert library.search("blue").hits[0].start == 2.0


def test_the_query_path_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; import scenewise.library; "
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
