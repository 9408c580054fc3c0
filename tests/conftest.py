"""What all tests share: reference media, prepared networks and a private home."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# one thread for each test process: parallel workers otherwise wait for each other's threads
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, also where a script runs the tests by ``&``.

    A shell has its background jobs ignore SIGINT, and they hand that on to what they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Reference media and annotations beside the checkout; skips loudly where absent."""
    if not (SHARED / "README.md").is_file():
        pytest.skip(f"no reference folder at {SHARED}: this check against real clips did not run")
    return SHARED


@pytest.fixture(scope="session")
def prepared_cache() -> Path:
    """Where prepared networks lie, for all tests and all runs: an export takes some seconds.

    Entries are keyed by their content and guarded by their own locks, so parallel workers and
    later runs share them: ``load_encoder("concept", cache_dir=prepared_cache)``.
    """
    chosen = os.environ.get("SCENEWISE_TEST_CACHE")
    folder = Path(chosen) if chosen else REPOSITORY / ".cache" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory, prepared_cache: Path) -> Iterator[None]:
    """The same for fixtures of a module or session, which are made before ``private_home``."""
    with pytest.MonkeyPatch.context() as patch:
        _leave_home(patch, tmp_path_factory.mktemp("session-home"), prepared_cache)
        yield


@pytest.fixture(autouse=True)
def private_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, prepared_cache: Path
) -> None:
    """No test reads or writes the user's own library, settings or cache."""
    _leave_home(monkeypatch, tmp_path_factory.mktemp("home"), prepared_cache)


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """A command sets the program's logger up for a terminal; the next test knows nothing of it.

    Also before a test: a fixture of its module may have run a command already.
    """
    logger = logging.getLogger("scenewise")
    _forget_handlers(logger)
    yield
    _forget_handlers(logger)


def _forget_handlers(logger: logging.Logger) -> None:
    logger.handlers[:], logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


def _leave_home(monkeypatch: pytest.MonkeyPatch, home: Path, prepared_cache: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("SCENEWISE_CACHE", str(prepared_cache))
    monkeypatch.delenv("SCENEWISE_LIBRARY", raising=False)


@pytest.fixture(scope="session")
def ffmpeg_program() -> str:
    """The ffmpeg program, another reader of what we write; must be there in CI."""
    found = shutil.which("ffmpeg")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("ffmpeg is not installed, and in CI it must be: see DEBIAN_PACKAGES")
        pytest.skip("ffmpeg is not installed: the comparison with it did not run")
    return found


@pytest.fixture(scope="session")
def rtsp_python() -> str:
    """The system's Python with GStreamer's RTSP server; must be there in CI."""
    from stream_servers import PYTHON_WITH_GI, rtsp_is_there

    if not rtsp_is_there():
        if os.environ.get("CI"):
            pytest.fail(
                "GStreamer's RTSP server is not installed, and in CI it must be: see "
                "DEBIAN_PACKAGES"
            )
        pytest.skip("GStreamer's RTSP server is not installed: watching RTSP was not tested")
    return PYTHON_WITH_GI
