"""A library after SIGKILL, on a full disk, in a folder that cannot be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import durability
from benchmarks.durability_child import DIMENSION, Model, Size, Worker
from benchmarks.synthetic_windows import content_hash, encoded_video, synthetic_spec
from scenewise.errors import StorageError
from scenewise.index.catalog import Catalog
from scenewise.index.database import DATABASE_FILE
from scenewise.index.vectors import VectorIndex, refresh

ROOT = Path(__file__).parents[2]
SIZE = Size(paths=15, windows=20)


@pytest.mark.slow
def test_nothing_is_lost_partial_or_resurrected_by_kills(tmp_path: Path) -> None:
    """The five-kill version of ``python -m benchmarks.durability``."""
    phases = (*durability.PHASES, "index rebuilding")
    tallies = durability.run_kills(tmp_path, 5, seed=7, size=SIZE, phases=phases)
    assert [fault for tally in tallies.values() for fault in tally.faults] == []
    assert sum(tally.kills for tally in tallies.values()) == 5
    assert sum(tally.steps for tally in tallies.values()) > SIZE.paths


def drop_a_video(raw: sqlite3.Connection) -> None:
    raw.execute("DELETE FROM video WHERE id = (SELECT min(id) FROM video)")


def drop_the_windows_of_a_video(raw: sqlite3.Connection) -> None:
    raw.execute("DELETE FROM feature WHERE chunk = (SELECT min(id) FROM chunk)")


def swap_the_windows_of_two_videos(raw: sqlite3.Connection) -> None:
    first, second = raw.execute("SELECT chunk, vectors FROM feature ORDER BY chunk LIMIT 2")
    raw.execute("UPDATE feature SET vectors = ? WHERE chunk = ?", (second[1], first[0]))
    raw.execute(
        "UPDATE chunk SET checksum = (SELECT checksum FROM chunk WHERE id = ?) WHERE id = ?",
        (second[0], first[0]),
    )


def bring_a_path_back(raw: sqlite3.Connection) -> None:
    raw.execute(
        "INSERT INTO location SELECT CAST('/back.mp4' AS BLOB), min(id), 1, 1, 0, NULL FROM video"
    )


@pytest.mark.parametrize(
    "harm",
    [
        drop_a_video,
        drop_the_windows_of_a_video,
        swap_the_windows_of_two_videos,
        bring_a_path_back,
    ],
)
def test_the_kill_test_sees_what_it_looks_for(
    tmp_path: Path, harm: Callable[[sqlite3.Connection], None]
) -> None:
    model = Model()
    with Catalog.open(tmp_path, write=True, create=True) as catalog:
        catalog.begin(synthetic_spec(DIMENSION, "0"), "fps=2")
    worker = Worker(tmp_path, model, SIZE, tmp_path / "journal")
    for step in worker.fill():
        worker.do(step)
    worker.catalog.close()
    done, under_way = durability.read_journal(tmp_path / "journal")
    assert under_way is None
    for step in done:
        model = model.after(step)
    faults: list[str] = []
    assert durability.check(tmp_path, [model], SIZE, faults, "whole") == 0
    assert faults == []
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    raw.execute("PRAGMA foreign_keys = ON")
    harm(raw)
    raw.commit()
    raw.close()
    durability.check(tmp_path, [model], SIZE, faults, "harmed")
    assert faults


# a disk that fills


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a small file system can be mounted by root only; the limit test did run")
    command = [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine lets no file system be mounted; the limit test did run")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_until_refused(catalog: Catalog, build: bool) -> tuple[list[int], str]:
    """Commit until the disk refuses; the numbers that were committed, and the message."""
    done: list[int] = []
    active = catalog.active()
    assert active is not None
    while len(done) < 1000:
        number = len(done)
        try:
            catalog.commit_video(active.id, encoded_video(number, windows=200))
            done.append(number)
            if build:
                refresh(catalog.directory, catalog, active.id)
        except StorageError as error:
            return done, str(error)
    raise AssertionError("the disk never filled")


@pytest.mark.parametrize("build", [False, True])
def test_a_full_disk_keeps_what_was_committed(small_disk: Path, build: bool) -> None:
    library = small_disk / "library"
    (small_disk / "something else").write_bytes(bytes(1 << 20))
    with Catalog.open(library, write=True, create=True) as catalog:
        catalog.begin(synthetic_spec(32), "fps=2")
        done, message = fill_until_refused(catalog, build)
        assert len(done) > 5
        assert "then repeat the command" in message
        assert "full" in message or "No space left" in message
        known = {entry.content_hash for entry in catalog.known().values()}
        assert known == {content_hash(number) for number in done}
        assert catalog.problems() == []
    with Catalog.open(library) as reader:  # opens, and answers
        assert len(reader.chunk_ids(1)) == len(done)
        query = np.ones(32, np.float32)
        assert len(VectorIndex.open(library, reader, 1).search(query, 10)[0]) == 10
    (small_disk / "something else").unlink()
    with Catalog.open(library, write=True) as catalog:
        assert catalog.remove([content_hash(n)[:16] for n in done[:3]]) == 3
        catalog.commit_video(1, encoded_video(done[-1] + 1, windows=200))
        assert catalog.problems() == []


def test_a_file_size_limit_keeps_what_was_committed(tmp_path: Path) -> None:
    """The same without root: the system refuses to let files grow (EFBIG)."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from benchmarks.synthetic_windows import encoded_video, synthetic_spec\n"
        "from scenewise.errors import StorageError\n"
        "from scenewise.index.catalog import Catalog\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with Catalog.open(Path(sys.argv[1]), write=True, create=True) as catalog:\n"
        "    catalog.begin(synthetic_spec(32), 'fps=2')\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, resource.RLIM_INFINITY))\n"
        "    for number in range(1000):\n"
        "        try:\n"
        "            catalog.commit_video(1, encoded_video(number, windows=200))\n"
        "        except StorageError as error:\n"
        "            print(number, error)\n"
        "            break\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    count = int(done.stdout.split()[0])
    assert count > 5
    assert done.stderr == ""
    with Catalog.open(tmp_path, write=True) as catalog:
        known = {entry.content_hash for entry in catalog.known().values()}
        assert known == {content_hash(number) for number in range(count)}
        assert catalog.problems() == []
        catalog.commit_video(1, encoded_video(count, windows=200))


# a folder that cannot be written


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A library of three videos in a folder that nobody may write to."""
    library = tmp_path / "library"
    with Catalog.open(library, write=True, create=True) as catalog:
        catalog.begin(synthetic_spec(32), "fps=2")
        for number in range(3):
            catalog.commit_video(1, encoded_video(number))
        refresh(library, catalog, 1)
    if os.geteuid() != 0:
        library.chmod(0o555)
        yield library
        library.chmod(0o755)
        return
    # root may write anywhere but on a file system that is read-only
    bind = ["mount", "--bind", str(library), str(library)]
    if shutil.which("mount") is None or subprocess.run(bind, check=False).returncode != 0:
        pytest.skip("root writes to every folder here: the read-only folder was not tested")
    subprocess.run(["mount", "-o", "remount,ro,bind", str(library)], check=True)
    yield library
    subprocess.run(["umount", str(library)], check=True)


def test_a_read_only_library_answers_and_refuses_to_change(read_only: Path) -> None:
    before = sorted(path.name for path in read_only.iterdir())
    with Catalog.open(read_only) as reader:
        assert len(reader.videos()) == 3
        index = VectorIndex.open(read_only, reader, 1)
        assert index.status().kind == "exact"
        assert len(index.search(np.ones(32, np.float32), 10)[0]) == 10
        assert not reader.save_last_search({"query": "a"})
    with pytest.raises(StorageError, match="could not be read or written"):
        Catalog.open(read_only, write=True)
    assert sorted(path.name for path in read_only.iterdir()) == before
