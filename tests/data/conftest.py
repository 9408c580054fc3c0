"""Films of numbered frames that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from numbered_films import numbered, tone


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """a and b: 50 frames in 5 s, silent; heard: with sound; short: 3 frames; broken: no film."""
    folder = tmp_path_factory.mktemp("films")
    made = {
        "a": numbered(folder / "a.mp4"),
        "b": numbered(folder / "b.mp4"),
        "heard": numbered(folder / "heard.mp4", sound=tone(5.0)),
        "short": numbered(folder / "short.mp4", 3),
        "broken": folder / "broken.mp4",
    }
    made["broken"].write_bytes(b"no film at all" * 100)
    return made
