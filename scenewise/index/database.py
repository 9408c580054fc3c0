"""One SQLite file, opened safely: who may write, what a failure means, when it changed.

It knows files, locks and SQLite's ways; of the tables it knows only that they must be there.
A connection is not carried over a fork; worker processes never touch the catalogue.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from scenewise.errors import (
    LibraryDamagedError,
    LibraryError,
    LibraryLockedError,
    LibraryNotFoundError,
    StorageError,
)
from scenewise.index import schema
from scenewise.media.whole_file import flush

DATABASE_FILE = "catalog.db"
LOCK_FILE = "writer.lock"
BUSY_MILLISECONDS = 10_000
_PAGE_BYTES = 8192
_JOURNAL_LIMIT_BYTES = 64 << 20  # the write-ahead log shrinks back to this after a large commit


@contextmanager
def library_errors(directory: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into errors of our tree."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError):
        raise  # a mistake of ours, not of the file
    except sqlite3.Error as error:
        raise _mapped(error, directory) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            f"The library {directory} cannot be there: that is a file, or a path through one. "
            "Name a folder."
        ) from error
    except OSError as error:
        raise StorageError(
            f"The library {directory} could not be read or written: "
            f"{error.strerror or error}. Free space or set permissions, then repeat the command."
        ) from error


def _mapped(error: sqlite3.Error, directory: Path) -> LibraryError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF  # the extended code's lower byte
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryLockedError(
            f"The library {directory} is busy: another program holds {DATABASE_FILE}. "
            "Repeat the command when it has ended."
        )
    if primary == sqlite3.SQLITE_FULL:
        return StorageError(
            f"The disk of the library {directory} is full: nothing of the last step was kept, "
            "everything before it is. Free space, then repeat the command."
        )
    if primary in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    ):
        return StorageError(
            f"The library {directory} could not be read or written ({error}). Check the space, "
            "the permissions and the disk, then repeat the command."
        )
    return damaged(directory, str(error))


def damaged(directory: Path, what: str) -> LibraryDamagedError:
    """The error for a catalogue that cannot be trusted, with the ways out."""
    return LibraryDamagedError(
        f"The library {directory} is damaged ({what}). Go on with a backup (--library BACKUP), "
        "or move the folder away and index the videos again."
    )


class WriterLock:
    """The right to write to one library: held by one process, freed by its end."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_FILE
        self._file: IO[str] = path.open("a+", encoding="ascii")
        _held.add(self)
        try:
            _lock(self._file)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise LibraryLockedError(
                f"Another process{f' (pid {holder})' if holder else ''} is writing to the "
                f"library {directory}. Searching goes on meanwhile; repeat this command when "
                "it has ended."
            ) from None
        try:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()
        except OSError:  # the pid is for the message only, and a full disk must not forbid removing
            pass

    def release(self) -> None:
        """Let others write."""
        with suppress(OSError):  # a full disk refuses the buffered pid, the lock goes all the same
            self._file.close()


# A forked child would keep the lock of a parent that was killed: it closes its copy at once.
_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _drop_in_child() -> None:
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_in_child)


def _lock(file: IO[str]) -> None:
    """Take the lock of the whole file or raise OSError at once.

    flock belongs to the open file, not to the process (as fcntl's record locks do), so that
    reading the pid elsewhere in this process cannot free it.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # beyond the pid, which others must be able to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class Database:
    """An open catalogue file. All methods may be called from several threads."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, lock: WriterLock | None):
        self.directory = directory
        self.writable = lock is not None
        self._connection = connection
        self._lock = lock
        self._guard = threading.RLock()
        self._own_changes = 0

    @classmethod
    def open(cls, directory: Path, *, write: bool, create: bool) -> Database:
        """Open the catalogue in a folder; see ``Catalog.open``."""
        with library_errors(directory):
            if create and write:
                directory.mkdir(parents=True, exist_ok=True)
            path = directory / DATABASE_FILE
            if not path.exists() and not (create and write):
                raise LibraryNotFoundError(
                    f"There is no library in {directory}. Make one with "
                    f"scenewise index FOLDER --library {directory}, or name another folder."
                )
            lock = WriterLock(directory) if write else None
            connection = None
            try:
                if not path.exists():
                    _create(path)
                connection = _connect_writer(path) if write else _connect_reader(path)
                _check(directory, connection)
                if write:
                    schema.migrate(connection)
            except BaseException:
                if connection is not None:
                    connection.close()
                if lock is not None:
                    lock.release()
                raise
        return cls(directory, connection, lock)

    def close(self) -> None:
        """Release the database and the writer's lock."""
        with self._guard:
            self._connection.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self._guard, library_errors(self.directory):
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a query, or None."""
        with self._guard, library_errors(self.directory):
            return self._connection.execute(sql, parameters).fetchone()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Reads inside see one state of the library, whatever others commit meanwhile."""
        with self._guard, library_errors(self.directory):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is kept, or nothing is."""
        if not self.writable:
            raise ValueError("this catalogue was opened for reading; open it with write=True")
        with self._guard, library_errors(self.directory):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself, as it does on a full disk
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._own_changes += 1

    def state(self) -> tuple[int, int]:
        """A pair that changes whenever a transaction was committed, here or elsewhere."""
        return int(self.row("PRAGMA data_version")[0]), self._own_changes

    def give_back_space(self) -> None:
        """Return free pages to the disk where they are many."""
        with self._guard, library_errors(self.directory):
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            if free * 4 > pages and free * _PAGE_BYTES > _JOURNAL_LIMIT_BYTES:
                # execute() would step once, and each step gives back a single page
                self._connection.executescript("PRAGMA incremental_vacuum;")

    def copy_to(self, path: Path) -> None:
        """A consistent copy into a new file, also while another process writes."""
        with self._guard, library_errors(self.directory):
            try:
                with closing(sqlite3.connect(path)) as copy:
                    self._connection.backup(copy)
            except sqlite3.OperationalError as error:
                # it is the copy's disk that is full: this library is only read
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                    raise _mapped(error, path.parent) from error
                raise

    def problems(self) -> list[str]:
        """What SQLite's own full check finds; empty where all is well. Reads the whole file."""
        with self._guard, library_errors(self.directory):
            found = [
                str(row[0])
                for row in self._connection.execute("PRAGMA integrity_check(20)")
                if row[0] != "ok"
            ]
            found += [
                f"row {row[1]} of {row[0]} belongs to no row of {row[2]}"
                for row in self._connection.execute("PRAGMA foreign_key_check")
            ]
            return found


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_MILLISECONDS / 1e3,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect_writer(path: Path) -> sqlite3.Connection:
    connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
    try:
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StorageError(
                f"{path.parent} lies on a file system without the locks that a library needs "
                "(network drives often lack them); put the library on a local disk."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot change rows, also in a folder that cannot be written.

    A write-ahead log needs a shared file beside the database. Where that cannot be made and no
    log is there, nobody is writing, and the file is read as it lies.
    """
    uri = path.absolute().as_uri()
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return _connect_query_only(f"{uri}?mode=rw")
    try:
        return _connect_query_only(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists():
            raise  # its rows would be missed
        return _connect_query_only(f"{uri}?mode=ro&immutable=1")


def _connect_query_only(uri: str) -> sqlite3.Connection:
    connection = _connect(uri)
    try:
        connection.execute("PRAGMA query_only = ON")
        # raises here, not later, where the file or its log cannot be used
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make an empty library beside and rename it, so that a file of this name is whole."""
    for leftover in path.parent.glob(f".{path.name}-*"):  # of one who was killed doing this
        leftover.unlink()
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with closing(sqlite3.connect(aside, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            schema.migrate(connection)
            connection.execute("INSERT INTO meta VALUES ('library', ?)", (secrets.token_hex(8),))
        flush(aside)
        aside.replace(path)
        flush(path.parent)
    except BaseException:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def _check(directory: Path, connection: sqlite3.Connection) -> None:
    """The cheap check at opening: is it ours, is it whole, do we know its format."""
    connection.execute("BEGIN")  # one snapshot, so that nobody shortens the file meanwhile
    try:
        _check_snapshot(directory, connection)
    finally:
        connection.execute("ROLLBACK")


def _check_snapshot(directory: Path, connection: sqlite3.Connection) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != schema.APPLICATION_ID:
        raise damaged(directory, f"{DATABASE_FILE} was not written by scenewise")
    found = schema.version(connection)
    schema.refuse_newer(found)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    lost = schema.TABLES - names
    if lost and found == len(schema.MIGRATIONS):
        raise damaged(directory, f"no table {', '.join(sorted(lost))}")
    path = directory / DATABASE_FILE
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    log = path.with_name(path.name + "-wal")
    if (not log.exists() or log.stat().st_size == 0) and path.stat().st_size < pages * size:
        raise damaged(directory, f"{DATABASE_FILE} was cut: {path.stat().st_size} bytes")
    if found < len(schema.MIGRATIONS) and connection.execute("PRAGMA query_only").fetchone()[0]:
        raise LibraryError(
            f"The library {directory} has the older format {found}; run scenewise index once "
            "to bring it up to date."
        )
