"""What a library remembers, forgets and refuses."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from benchmarks.synthetic_windows import content_hash, encoded_video, synthetic_spec
from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import (
    EncoderError,
    LibraryDamagedError,
    LibraryError,
    LibraryLockedError,
    LibraryNotFoundError,
    StorageError,
    UsageError,
)
from scenewise.index import schema
from scenewise.index.catalog import Catalog, Generation
from scenewise.index.database import DATABASE_FILE, WriterLock
from scenewise.index.records import FileStamp

SPEC = synthetic_spec(32)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "library", write=True, create=True) as opened:
        yield opened


@pytest.fixture
def generation(catalog: Catalog) -> Generation:
    return catalog.begin(SPEC, "fps=2")


def stamp(path: str, size: int = 1, modified_ns: int = 1) -> FileStamp:
    return FileStamp(path, size, modified_ns)


def public_id(number: int) -> str:
    return content_hash(number)[:16]


# one video, there and back


def test_a_committed_video_is_read_back_as_it_was(catalog: Catalog, generation: Generation) -> None:
    video = encoded_video(3, windows=30, concepts=10)
    chunk_id = catalog.commit_video(generation.id, video)

    chunk = catalog.chunks([chunk_id])[chunk_id]
    assert chunk.path == video.stamp.path
    assert chunk.duration == video.duration
    assert chunk.video_id == video.content_hash[:16]
    assert chunk.shots == video.shots
    assert not chunk.missing
    np.testing.assert_array_equal(chunk.starts, video.starts)
    np.testing.assert_array_equal(chunk.ends, video.ends)
    np.testing.assert_array_equal(chunk.times, video.times)

    features = catalog.features(chunk_id)
    np.testing.assert_array_equal(
        features.vectors, video.features.vectors.astype(np.float16).astype(np.float32)
    )
    assert features.concepts is not None
    assert video.features.concepts is not None
    np.testing.assert_array_equal(features.concepts.indices, video.features.concepts.indices)
    np.testing.assert_array_equal(features.concepts.values, video.features.concepts.values)
    assert catalog.texts(chunk_id) == video.texts
    ids, rows = catalog.video_vectors(generation.id)
    assert ids.tolist() == [chunk_id]
    np.testing.assert_array_equal(rows[0], video.video_vector)


def test_what_is_committed_is_there_for_the_next_opening(tmp_path: Path) -> None:
    with Catalog.open(tmp_path, write=True, create=True) as writer:
        chunk_id = writer.commit_video(writer.begin(SPEC, "fps=2").id, encoded_video(1))
    with Catalog.open(tmp_path) as reader:
        active = reader.active()
        assert active is not None
        assert (active.spec, active.sampling, active.state) == (SPEC, "fps=2", "active")
        assert reader.chunk_ids(active.id).tolist() == [chunk_id]
        assert [(v.path, v.state, v.windows) for v in reader.videos()] == [
            ("/videos/0000001.mp4", "ready", 20)
        ]


def test_chunk_ids_are_never_used_twice(catalog: Catalog, generation: Generation) -> None:
    seen: list[int] = []
    for number in range(4):
        seen.append(catalog.commit_video(generation.id, encoded_video(number)))
        catalog.remove([public_id(number)])
    assert seen == sorted(set(seen))
    assert catalog.chunk_ids(generation.id).size == 0


def test_vectors_come_in_order_after_a_chunk(catalog: Catalog, generation: Generation) -> None:
    ids = [catalog.commit_video(generation.id, encoded_video(n, windows=n + 1)) for n in range(40)]
    got = list(catalog.vectors_after(generation.id, ids[9]))
    assert [chunk_id for chunk_id, _ in got] == ids[10:]
    for number, (_, rows) in zip(range(10, 40), got, strict=True):
        expected = encoded_video(number, windows=number + 1).features.vectors
        np.testing.assert_array_equal(rows, expected.astype(np.float16))


def test_file_names_need_not_be_valid_utf8(catalog: Catalog, generation: Generation) -> None:
    path = os.fsdecode(b"/videos/caf\xe9.mp4")
    catalog.commit_video(generation.id, encoded_video(1, path=path))
    assert list(catalog.known()) == [path]
    assert catalog.resolve(path) == public_id(1)


# paths and contents


def test_the_same_content_at_another_path_is_one_video(
    catalog: Catalog, generation: Generation
) -> None:
    chunk_id = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4"))
    catalog.add_location(content_hash(1), stamp("/b.mp4"))
    assert catalog.has_content(generation.id, content_hash(1))
    assert len({video.video_id for video in catalog.videos()}) == 1
    assert catalog.stats().videos == 1
    assert catalog.stats().files == 2

    catalog.mark_missing(["/a.mp4"])
    chunk = catalog.chunks([chunk_id])[chunk_id]
    assert (chunk.path, chunk.missing) == ("/b.mp4", False)
    assert [video.path for video in catalog.videos()] == ["/b.mp4"], "a moved file is listed once"


def test_a_vanished_file_is_missing_until_it_comes_back(
    catalog: Catalog, generation: Generation
) -> None:
    chunk_id = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4"))
    catalog.mark_missing(["/a.mp4"])
    assert catalog.chunks([chunk_id])[chunk_id].missing
    assert catalog.live_chunk_ids(generation.id).size == 0
    assert [video.state for video in catalog.videos()] == ["missing"]
    assert catalog.known()["/a.mp4"].missing

    catalog.add_location(content_hash(1), stamp("/elsewhere/a.mp4"))
    assert not catalog.chunks([chunk_id])[chunk_id].missing
    assert [video.path for video in catalog.videos()] == ["/elsewhere/a.mp4"]


def test_a_changed_file_takes_its_old_content_away(
    catalog: Catalog, generation: Generation
) -> None:
    old = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4"))
    new = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4", version=1))
    assert set(catalog.chunks([old, new])) == {new}
    assert not catalog.has_content(generation.id, content_hash(1))
    with pytest.raises(KeyError):
        catalog.features(old)


def test_a_changed_file_leaves_its_old_content_where_it_also_lies(
    catalog: Catalog, generation: Generation
) -> None:
    old = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4"))
    catalog.add_location(content_hash(1), stamp("/b.mp4"))
    catalog.commit_video(generation.id, encoded_video(2, path="/a.mp4"))
    assert catalog.chunks([old])[old].path == "/b.mp4"


def test_a_failed_file_has_a_reason_and_no_video(catalog: Catalog, generation: Generation) -> None:
    catalog.commit_failure(stamp("/bad.mp4", 7, 9), "it is a text file")
    (video,) = catalog.videos()
    assert (video.state, video.reason, video.video_id) == ("failed", "it is a text file", None)
    known = catalog.known()["/bad.mp4"]
    assert known.stamp == stamp("/bad.mp4", 7, 9)
    assert (known.content_hash, known.reason) == (None, "it is a text file")
    with pytest.raises(UsageError, match="text file"):
        catalog.resolve("/bad.mp4")
    catalog.commit_video(generation.id, encoded_video(1, path="/bad.mp4"))
    assert [video.state for video in catalog.videos()] == ["ready"]
    assert catalog.forget(["/bad.mp4", "/never.mp4"]) == 1
    assert catalog.videos() == []


def test_a_failure_of_a_changed_file_takes_its_old_content_away(
    catalog: Catalog, generation: Generation
) -> None:
    old = catalog.commit_video(generation.id, encoded_video(1, path="/a.mp4"))
    catalog.commit_failure(stamp("/a.mp4", 5, 5), "it breaks at once")
    assert catalog.chunks([old]) == {}
    assert [video.state for video in catalog.videos()] == ["failed"]


def test_remove_takes_everything_of_a_video(catalog: Catalog, generation: Generation) -> None:
    for number in range(3):
        catalog.commit_video(generation.id, encoded_video(number))
    catalog.add_location(content_hash(1), stamp("/copy.mp4"))
    assert catalog.remove([public_id(1), "0000000000000000"]) == 1
    assert sorted(catalog.known()) == ["/videos/0000000.mp4", "/videos/0000002.mp4"]
    assert catalog.problems() == []
    raw = sqlite3.connect(catalog.directory / DATABASE_FILE)
    for table in ("chunk", "feature", "text_line", "track", "video"):
        assert raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,)
    words = "SELECT count(*) FROM text_words WHERE text_words MATCH ?"
    assert raw.execute(words, ("number1",)).fetchone() == (0,)
    assert raw.execute(words, ("number2",)).fetchone() == (1,)
    # raises where the word index and the words disagree
    raw.execute("INSERT INTO text_words(text_words, rank) VALUES('integrity-check', 1)")
    raw.rollback()
    raw.close()


def test_two_contents_with_one_beginning_get_ids_of_their_own(
    catalog: Catalog, generation: Generation
) -> None:
    for path, end in (("/a.mp4", "00"), ("/b.mp4", "11")):
        video = encoded_video(1, path=path)
        object.__setattr__(video, "content_hash", "ab" * 12 + end * 4)
        catalog.commit_video(generation.id, video)
    a, b = (video.video_id for video in catalog.videos())
    assert a is not None
    assert b is not None
    assert a != b
    assert catalog.resolve(a) == a
    assert catalog.resolve(b) == b
    with pytest.raises(UsageError, match="could be any of 2 videos"):
        catalog.resolve("abab")


def test_a_video_is_named_by_path_id_or_beginning(
    catalog: Catalog, generation: Generation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.mp4")
    catalog.commit_video(generation.id, encoded_video(1, path=path))
    one = public_id(1)
    monkeypatch.chdir(tmp_path)
    for text in (path, "a.mp4", "./a.mp4", one, one[:6], one.upper(), f" {one}"):
        assert catalog.resolve(text) == one
    for text in ("", "  ", "b.mp4", "zzzz", one[:3], "0" * 16, "%"):
        with pytest.raises(UsageError, match="is no video of this library"):
            catalog.resolve(text)
    assert catalog.chunk_of(generation.id, one) is not None


# generations


def test_the_old_generation_answers_until_the_switch(
    catalog: Catalog, generation: Generation
) -> None:
    old = catalog.commit_video(generation.id, encoded_video(1))
    other = catalog.begin(synthetic_spec(16, "2"), "frames=8")
    assert other.state == "filling"
    new = catalog.commit_video(other.id, encoded_video(1, dimension=16))
    active = catalog.active()
    assert active is not None
    assert active.id == generation.id
    assert set(catalog.chunks([old, new])) == {old, new}

    catalog.switch(other.id)
    active = catalog.active()
    assert active is not None
    assert (active.id, active.spec.revision) == (other.id, "2")
    assert catalog.filling() is None
    assert set(catalog.chunks([old, new])) == {new}
    assert catalog.chunk_ids(generation.id).size == 0
    assert catalog.problems() == []
    with pytest.raises(ValueError, match="not being filled"):
        catalog.switch(other.id)


def test_an_interrupted_reindex_goes_on_and_another_one_replaces_it(
    catalog: Catalog, generation: Generation
) -> None:
    first = catalog.begin(synthetic_spec(16, "2"), "fps=2")
    chunk = catalog.commit_video(first.id, encoded_video(1, dimension=16))
    assert catalog.begin(synthetic_spec(16, "2"), "fps=2") == first
    other = catalog.begin(synthetic_spec(16, "3"), "fps=2")
    assert other.id != first.id
    assert catalog.chunks([chunk]) == {}
    assert catalog.filling() == other


def test_a_reindex_that_fails_on_a_file_keeps_what_answers(
    catalog: Catalog, generation: Generation
) -> None:
    video = encoded_video(1)
    old = catalog.commit_video(generation.id, video)
    other = catalog.begin(synthetic_spec(16, "2"), "fps=2")
    catalog.commit_failure(video.stamp, "out of memory")
    assert set(catalog.chunks([old])) == {old}
    assert [v.state for v in catalog.videos()] == ["ready"]
    assert catalog.stats().failed == 0
    catalog.switch(other.id)
    assert [(v.state, v.reason) for v in catalog.videos()] == [("failed", "out of memory")]
    assert catalog.stats().failed == 1


# several processes


def test_a_second_writer_is_refused_with_the_pid_and_readers_are_not(
    catalog: Catalog, generation: Generation
) -> None:
    with pytest.raises(LibraryLockedError, match=rf"pid {os.getpid()}\).*Searching goes on"):
        Catalog.open(catalog.directory, write=True)
    with Catalog.open(catalog.directory) as reader:
        before = reader.state()
        catalog.commit_video(generation.id, encoded_video(1))
        assert reader.state() != before
        assert reader.chunk_ids(generation.id).size == 1
        with pytest.raises(ValueError, match="opened for reading"):
            reader.remove(["00"])


def test_the_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from scenewise.index.catalog import Catalog\n"
        "catalog = Catalog.open(Path(sys.argv[1]), write=True, create=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -9
    with Catalog.open(tmp_path, write=True) as opened:
        assert opened.videos() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    waits, goes = os.pipe()
    child_ready, child_says = os.pipe()
    child = os.fork()
    if child == 0:  # lives until the parent closes its end of the pipe
        os.close(goes)
        os.write(child_says, b".")
        os.read(waits, 1)
        os._exit(0)
    try:
        os.read(child_ready, 1)
        lock.release()
        WriterLock(tmp_path).release()
    finally:
        for descriptor in (goes, waits, child_ready, child_says):
            os.close(descriptor)
        os.waitpid(child, 0)


def test_readers_and_backups_have_whole_videos_while_another_process_writes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.synthetic_windows import encoded_video, content_hash\n"
        "from scenewise.index.catalog import Catalog\n"
        "with Catalog.open(Path(sys.argv[1]), write=True) as catalog:\n"
        "    active = catalog.active()\n"
        "    for number in range(150):\n"
        "        catalog.commit_video(active.id, encoded_video(number, windows=50))\n"
        "        if number % 3 == 2: catalog.remove([content_hash(number - 1)[:16]])\n"
    )
    with Catalog.open(tmp_path, write=True, create=True) as writer:
        generation = writer.begin(SPEC, "fps=2")
    with Catalog.open(tmp_path) as reader:
        child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
        seen: set[int] = set()
        backups: list[Path] = []
        while child.poll() is None:
            if len(seen) > 10 * len(backups):
                backups.append(tmp_path / f"backup-{len(backups)}")
                reader.backup(backups[-1])
            for chunk_id, rows in reader.vectors_after(generation.id, 0):
                assert rows.shape == (50, 32)
                seen.add(chunk_id)
            reader.stats()
            reader.videos()
        assert child.returncode == 0
        assert seen
        assert reader.stats().videos == 100
    assert backups
    for backup in backups:
        with Catalog.open(backup) as copy:
            assert copy.problems() == []
            copied = dict(copy.vectors_after(generation.id, 0))
            assert 0 < len(copied) <= 101
            assert all(rows.shape == (50, 32) for rows in copied.values())


# refusals


def test_no_library_is_one_sentence(tmp_path: Path) -> None:
    for write in (False, True):
        with pytest.raises(LibraryNotFoundError, match="There is no library in"):
            Catalog.open(tmp_path / "none", write=write)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda data: b"", id="emptied"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut"),
        pytest.param(lambda data: b"not a database at all" * 500, id="another file"),
        pytest.param(lambda data: data[:100] + bytes(len(data) - 100), id="zeroed"),
    ],
)
def test_a_damaged_catalogue_is_one_sentence(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    with Catalog.open(tmp_path, write=True, create=True) as writer:
        generation = writer.begin(SPEC, "fps=2")
        for number in range(5):
            writer.commit_video(generation.id, encoded_video(number))
    path = tmp_path / DATABASE_FILE
    path.write_bytes(harm(path.read_bytes()))
    for write in (False, True):
        with pytest.raises(LibraryDamagedError, match=r"damaged.*backup.*index the videos again"):
            Catalog.open(tmp_path, write=write)


def test_a_changed_vector_is_noticed(catalog: Catalog, generation: Generation) -> None:
    chunk_id = catalog.commit_video(generation.id, encoded_video(1))
    assert catalog.problems() == []
    raw = sqlite3.connect(catalog.directory / DATABASE_FILE)
    raw.execute("UPDATE feature SET vectors = zeroblob(length(vectors))")
    raw.commit()
    raw.close()
    assert catalog.problems() == [f"the windows of chunk {chunk_id} are not as stored"]
    with pytest.raises(LibraryDamagedError, match=f"chunk {chunk_id}"):
        catalog.features(chunk_id)
    with pytest.raises(LibraryDamagedError, match=f"chunk {chunk_id}"):
        list(catalog.vectors_after(generation.id, 0))


def test_a_newer_format_is_refused_and_an_older_one_is_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog.open(tmp_path, write=True, create=True) as writer:
        writer.commit_video(writer.begin(SPEC, "fps=2").id, encoded_video(1))
    released = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*released, "CREATE TABLE tag (name TEXT);"))
    with pytest.raises(LibraryError, match=f"older format {len(released)}; run scenewise index"):
        Catalog.open(tmp_path)
    with Catalog.open(tmp_path, write=True) as writer:
        assert len(writer.videos()) == 1
    with Catalog.open(tmp_path) as reader:
        assert len(reader.videos()) == 1
    monkeypatch.setattr(schema, "MIGRATIONS", released)
    for write in (False, True):
        with pytest.raises(LibraryError, match=r"format \d+ and this scenewise knows up to \d+"):
            Catalog.open(tmp_path, write=write)


def test_a_failing_migration_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalog.open(tmp_path, write=True, create=True).close()
    released = schema.MIGRATIONS
    broken = "CREATE TABLE tag (name TEXT); CREATE TABLE video (id INTEGER);"
    monkeypatch.setattr(schema, "MIGRATIONS", (*released, broken))
    with pytest.raises(LibraryError):
        Catalog.open(tmp_path, write=True)
    monkeypatch.setattr(schema, "MIGRATIONS", released)
    with Catalog.open(tmp_path, write=True) as opened:
        assert opened.problems() == []


def test_a_full_database_leaves_the_library_as_it_was(
    catalog: Catalog, generation: Generation
) -> None:
    kept = catalog.commit_video(generation.id, encoded_video(1))
    assert catalog._database.row("PRAGMA max_page_count = 60") == (60,)
    number = 1
    refused: StorageError | None = None
    while refused is None:
        number += 1
        try:
            kept = catalog.commit_video(generation.id, encoded_video(number, windows=200))
        except StorageError as error:
            refused = error
    assert "full: nothing of the last step was kept" in str(refused)
    assert catalog.chunk_ids(generation.id).max() == kept
    assert len(catalog.videos()) == number - 1
    assert catalog.problems() == []
    assert catalog.remove([public_id(1)]) == 1, "removing still works"


def test_an_error_inside_a_transaction_keeps_nothing_of_it(
    catalog: Catalog, generation: Generation
) -> None:
    video = encoded_video(1)
    with pytest.raises(sqlite3.IntegrityError):
        catalog.commit_video(generation.id + 99, video)
    assert catalog.videos() == []
    catalog.commit_video(generation.id, video)


def test_vectors_that_cannot_be_are_refused(catalog: Catalog, generation: Generation) -> None:
    with pytest.raises(ValueError, match="vectors of 16 numbers for an encoder of 32"):
        catalog.commit_video(generation.id, encoded_video(1, dimension=16))
    video = encoded_video(1)
    video.features.vectors[3, 3] = np.nan
    with pytest.raises(EncoderError, match=r"not finite for /videos/0000001\.mp4"):
        catalog.commit_video(generation.id, video)
    long = encoded_video(1)
    object.__setattr__(
        long, "features", WindowFeatures(np.broadcast_to(np.float32(0), (1 << 20, 32)))
    )
    with pytest.raises(UsageError, match=r"1048576 windows.*lower --fps"):
        catalog.commit_video(generation.id, long)
    assert catalog.videos() == []


def test_a_commit_is_on_the_disk_when_it_returns(catalog: Catalog) -> None:
    full, wal = 2, "wal"
    assert catalog._database.row("PRAGMA synchronous") == (full,)
    assert catalog._database.row("PRAGMA journal_mode") == (wal,)
    assert catalog._database.row("PRAGMA foreign_keys") == (1,)


def test_the_space_of_removed_videos_goes_back_to_the_disk(
    catalog: Catalog, generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        catalog.commit_video(generation.id, encoded_video(number, windows=300))
    monkeypatch.setattr("scenewise.index.database._JOURNAL_LIMIT_BYTES", 0)
    pages = catalog._database.row("PRAGMA page_count")[0]
    catalog.remove([public_id(number) for number in range(19)])
    assert catalog._database.row("PRAGMA freelist_count") == (0,)
    assert catalog._database.row("PRAGMA page_count")[0] < pages / 2
    assert catalog.problems() == []


# the library as a whole


def test_backup_is_a_library_of_its_own(
    catalog: Catalog, generation: Generation, tmp_path: Path
) -> None:
    chunk_id = catalog.commit_video(generation.id, encoded_video(1))
    target = tmp_path / "deep" / "backup"
    with Catalog.open(catalog.directory) as reader:
        reader.backup(target)
    catalog.remove([public_id(1)])
    assert [path.name for path in target.iterdir()] == [DATABASE_FILE]
    with Catalog.open(target, write=True) as copy:
        assert set(copy.chunks([chunk_id])) == {chunk_id}
        assert copy.problems() == []
    with pytest.raises(UsageError, match="holds a library already"):
        catalog.backup(target)


def test_a_backup_that_does_not_fit_names_the_disk_it_was_for(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def small(path: Path) -> sqlite3.Connection:
        copy = connect(path)
        copy.execute("PRAGMA page_size = 8192")
        copy.execute("PRAGMA max_page_count = 2")
        return copy

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(StorageError, match=f"disk of the library {tmp_path / 'copy'} is full"):
        catalog.backup(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_stats_count_what_answers(catalog: Catalog, generation: Generation) -> None:
    for number in range(3):
        catalog.commit_video(generation.id, encoded_video(number, windows=10))
    catalog.commit_failure(stamp("/bad.mp4"), "broken")
    catalog.mark_missing(["/videos/0000002.mp4"])
    stats = catalog.stats()
    assert (stats.videos, stats.windows, stats.video_seconds) == (2, 20, 10.0)
    assert (stats.files, stats.missing, stats.failed) == (4, 1, 1)


def test_the_last_search_needs_no_writers_lock(catalog: Catalog) -> None:
    with Catalog.open(catalog.directory) as reader:
        assert reader.last_search() is None
        shape = {"query": "café", "hits": [{"path": os.fsdecode(b"caf\xe9.mp4")}]}
        assert reader.save_last_search(shape)
        assert reader.last_search() == shape
        assert reader.save_last_search({"query": "b"})
    assert catalog.last_search() == {"query": "b"}
    (catalog.directory / "last-search.json").write_text('{"que')
    assert catalog.last_search() is None


def test_settings_are_kept(catalog: Catalog) -> None:
    assert catalog.setting("ann") is None
    catalog.set_setting("ann", "exact")
    catalog.set_setting("ann", "rabitq")
    assert catalog.setting("ann") == "rabitq"
    assert len(catalog.library_key()) == 16


# any sequence of changes against a plain model


class Changes(RuleBasedStateMachine):
    """Adds, moves, failures and removals, compared with two dicts."""

    folder: Path
    count = 0

    @initialize()
    def start(self) -> None:
        Changes.count += 1
        self.catalog = Catalog.open(Changes.folder / str(Changes.count), write=True, create=True)
        self.generation = self.catalog.begin(synthetic_spec(4), "fps=2")
        self.content_of: dict[str, tuple[int, bool]] = {}  # path -> content, missing
        self.failed: set[str] = set()
        self.chunk_of: dict[int, int] = {}

    def forget_moved_and_placeless(self) -> None:
        live = {content for content, missing in self.content_of.values() if not missing}
        self.content_of = {
            path: (content, missing)
            for path, (content, missing) in self.content_of.items()
            if not missing or content not in live
        }
        placed = {content for content, _ in self.content_of.values()}
        self.chunk_of = {c: chunk for c, chunk in self.chunk_of.items() if c in placed}

    @rule(content=st.integers(0, 4), path=st.sampled_from("abcde"))
    def commit(self, content: int, path: str) -> None:
        video = encoded_video(content, windows=2, dimension=4, path=path)
        chunk_id = self.catalog.commit_video(self.generation.id, video)
        assert chunk_id not in self.chunk_of.values()
        self.failed.discard(path)
        self.content_of[path] = (content, False)
        self.chunk_of[content] = chunk_id
        self.forget_moved_and_placeless()

    @rule(content=st.integers(0, 4), path=st.sampled_from("abcde"))
    def add(self, content: int, path: str) -> None:
        if content not in self.chunk_of:
            with pytest.raises(ValueError, match="no video has the content"):
                self.catalog.add_location(content_hash(content), stamp(path))
            return
        self.catalog.add_location(content_hash(content), stamp(path))
        self.failed.discard(path)
        self.content_of[path] = (content, False)
        self.forget_moved_and_placeless()

    @rule(path=st.sampled_from("abcde"), size=st.integers(10, 99))
    def fail(self, path: str, size: int) -> None:
        self.catalog.commit_failure(stamp(path, size), "broken")
        self.content_of.pop(path, None)
        self.failed.add(path)
        self.forget_moved_and_placeless()

    @rule(paths=st.sets(st.sampled_from("abcde")))
    def vanish(self, paths: set[str]) -> None:
        self.catalog.mark_missing(paths)
        self.failed -= paths
        for path in paths & set(self.content_of):
            self.content_of[path] = (self.content_of[path][0], True)
        self.forget_moved_and_placeless()

    @rule(content=st.integers(0, 4))
    def remove(self, content: int) -> None:
        assert self.catalog.remove([public_id(content)]) == (content in self.chunk_of)
        self.chunk_of.pop(content, None)
        self.content_of = {p: c for p, c in self.content_of.items() if c[0] != content}

    @invariant()
    def same(self) -> None:
        known = self.catalog.known()
        assert {
            path: (entry.content_hash, entry.missing)
            for path, entry in known.items()
            if entry.content_hash is not None
        } == {
            path: (content_hash(content), missing)
            for path, (content, missing) in self.content_of.items()
        }
        assert {p for p, entry in known.items() if entry.reason is not None} == self.failed
        ids = sorted(self.chunk_of.values())
        assert self.catalog.chunk_ids(self.generation.id).tolist() == ids
        live = {c for c, missing in self.content_of.values() if not missing}
        chunks = self.catalog.chunks(ids)
        assert {c: chunks[i].missing for c, i in self.chunk_of.items()} == {
            c: c not in live for c in self.chunk_of
        }

    def teardown(self) -> None:
        assert self.catalog.problems() == []
        self.catalog.close()


def test_any_sequence_of_changes(tmp_path: Path) -> None:
    Changes.folder = tmp_path
    run_state_machine_as_test(
        Changes,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
