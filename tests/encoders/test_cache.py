"""Facts about prepared folders: whole or absent, checked, and one builder at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from scenewise.encoders.cache import MANIFEST, cached_folder, find_folder
from scenewise.errors import EncoderError

ROOT = Path(__file__).resolve().parents[2]


class Builder:
    """Writes two files, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "a.bin").write_bytes(b"a" * 1000)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.bin").write_bytes(b"b" * 10)


def test_built_once_then_found(tmp_path: Path) -> None:
    build = Builder()
    assert find_folder(tmp_path, "key") is None
    first = cached_folder(tmp_path, "key", build)
    assert cached_folder(tmp_path, "key", build) == first == find_folder(tmp_path, "key")
    assert build.calls == 1
    assert (first / "deep" / "b.bin").read_bytes() == b"b" * 10


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flip_silently(path: Path) -> None:
    """As a bad disk does: the time stamp stays."""
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("name", ["a.bin", "deep/b.bin", MANIFEST])
@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_folder_is_built_again(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    build = Builder()
    folder = cached_folder(tmp_path, "key", build)
    damage(folder / name)
    assert find_folder(tmp_path, "key") is None
    cached_folder(tmp_path, "key", build)
    assert build.calls == 2
    assert (folder / "a.bin").read_bytes() == b"a" * 1000


def test_a_thorough_check_finds_what_kept_its_time_stamp(tmp_path: Path) -> None:
    build = Builder()
    folder = cached_folder(tmp_path, "key", build)
    flip_silently(folder / "a.bin")
    cached_folder(tmp_path, "key", build)
    assert build.calls == 1, "size and time stamp agree: trusted"
    cached_folder(tmp_path, "key", build, thorough=True)
    assert build.calls == 2


def test_a_copied_cache_is_hashed_once_and_kept(tmp_path: Path) -> None:
    build = Builder()
    folder = cached_folder(tmp_path, "key", build)
    os.utime(folder / "a.bin", ns=(1, 1))
    before = (folder / MANIFEST).read_bytes()
    assert find_folder(tmp_path, "key") == folder
    assert (folder / MANIFEST).read_bytes() != before, "the new time stamp is noted"
    assert build.calls == 1


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half.bin").write_bytes(b"x")
        raise EncoderError("no")

    with pytest.raises(EncoderError, match=r"^no$"):
        cached_folder(tmp_path, "key", build)
    assert [path.name for path in tmp_path.iterdir()] == [".key.lock"]


def test_a_killed_build_is_swept_and_made_again(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from scenewise.encoders.cache import cached_folder

        def build(folder):
            (folder / "half.bin").write_bytes(b"x" * 100)
            os.kill(os.getpid(), signal.SIGKILL)

        cached_folder(Path(sys.argv[1]), "key", build)
    """)
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False)
    assert run.returncode != 0
    assert list(tmp_path.glob(".key.*.building")), "the killed process left its half"
    build = Builder()
    folder = cached_folder(tmp_path, "key", build)
    assert build.calls == 1
    assert not (folder / "half.bin").exists()
    assert not list(tmp_path.glob(".key.*.building"))


def test_several_processes_build_once(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from scenewise.encoders.cache import cached_folder

        log = Path(sys.argv[1]) / "log"

        def build(folder):
            with log.open("a") as file:
                file.write("built\\n")
            (folder / "a.bin").write_bytes(os.urandom(1 << 20))

        print(len((cached_folder(Path(sys.argv[1]), "key", build) / "a.bin").read_bytes()))
    """)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for run in runs:
        output, _ = run.communicate()
        assert run.returncode == 0
        assert output.split() == [b"1048576"]
    assert (tmp_path / "log").read_text().split() == ["built"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(EncoderError, match=r"cache folder .* cannot be written: .*SCENEWISE_CACHE"):
        cached_folder(blocked / "cache", "key", Builder())


@pytest.mark.parametrize("key", ["", "a/b", "..", ".hidden", "a b"])
def test_a_key_is_one_plain_name(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        cached_folder(tmp_path, key, Builder())
