"""What all tests share: where the reference media lie, and a private home."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Reference media and annotations beside the checkout; skips loudly where absent."""
    if not (SHARED / "README.md").is_file():
        pytest.skip(f"no reference folder at {SHARED}: this check against real clips did not run")
    return SHARED


@pytest.fixture(autouse=True)
def private_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's own library or settings."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
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
