"""Files are there whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scenewise.errors import StorageError, UsageError
from scenewise.media.whole_file import check_picture, write_picture, write_text, written_aside

ROOT = Path(__file__).resolve().parents[2]


def test_text_is_written_into_folders_that_are_made(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a" / "b" / "x.txt", "one\r\ntwo\udcff\n")
    assert path.read_bytes() == b"one\r\ntwo\xff\n"
    assert [file.name for file in path.parent.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")]
)
def test_the_suffix_says_what_a_picture_becomes(tmp_path: Path, suffix: str, kind: str) -> None:
    path = write_picture(tmp_path / f"x{suffix}", Image.new("RGB", (8, 4), "red"))
    with Image.open(path) as image:
        assert (image.format, image.size) == (kind, (8, 4))


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x.txt", "old")
    with pytest.raises(KeyError), written_aside(path) as aside:  # noqa: PT012 # both belong to it
        aside.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a system without SIGKILL")
def test_a_kill_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x.txt", "old")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from scenewise.media.whole_file import written_aside\n"
        "with written_aside(Path(sys.argv[1])) as aside:\n"
        "    aside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_bad_places_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file" / "x.txt", tmp_path, Path(os.devnull)):
        with pytest.raises(StorageError, match="cannot be written"):
            write_text(place, "words")
    assert not Path(os.devnull).is_file()  # a device is not replaced by a file
    with pytest.raises(UsageError, match=r"a map is written as \.png, .* not '\.txt'"):
        check_picture(Path("x.txt"), "a map")
