"""What the doctor sees: the installation, the disk, the library."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scenewise.cli import doctor
from scenewise.cli.doctor import Check, run_checks, torch_build
from scenewise.config import Settings
from scenewise.errors import LibraryDamagedError


def checks(folder: Path) -> dict[str, Check]:
    settings = Settings(library=folder / "library", cache=folder / "cache")
    return {check.name: check for check in run_checks(settings)}


def test_a_fresh_installation_is_whole(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert [check for check in found.values() if check.status == "broken"] == []
    assert found["library"].status == "note"
    assert "FFmpeg" in found["av"].value
    assert not (tmp_path / "library").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("version", "files", "build"),
    [
        ("2.13.0+cpu", (), "CPU"),
        ("2.13.0+cu130", (), "CUDA"),
        ("2.13.0+rocm7.2", (), "ROCm"),
        ("2.13.0", ("libtorch_cpu.so", "libtorch_cuda.so"), "CUDA"),  # as the index gives it
        ("2.13.0", ("libtorch_cpu.so",), "CPU"),  # built by hand
    ],
)
def test_the_build_of_torch_is_told_without_loading_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: str,
    files: tuple[str, ...],
    build: str,
) -> None:
    lib = tmp_path / "torch" / "lib"
    lib.mkdir(parents=True)
    for file in files:
        (lib / file).touch()
    spec = SimpleNamespace(submodule_search_locations=[str(lib.parent)])
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    check = torch_build()
    assert check.status == "ok"
    assert f"{version}, {build} build" in check.value


def test_a_missing_torch_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    check = torch_build()
    assert (check.status, check.value) == ("broken", "not installed")
    assert "pip install torch" in check.advice


def test_a_package_that_does_not_load_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def refuse(name: str) -> Any:
        if name == "faiss":
            raise ImportError("wrong processor")
        return real(name)

    monkeypatch.setattr("importlib.import_module", refuse)
    assert checks(tmp_path)["faiss"].status == "broken"


def test_little_space_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    check = checks(tmp_path)["disk of the library"]
    assert check.status == "note"
    assert "make room" in check.advice


def test_a_damaged_library_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(settings: Settings) -> Any:
        raise LibraryDamagedError("the file is not a database.")

    monkeypatch.setattr(doctor, "open_library", damaged)
    check = checks(tmp_path)["library"]
    assert check.status == "broken"
    assert "the file is not a database." in check.value


def test_players_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks(tmp_path)["player"].status == "note"
    player = tmp_path / "mpv"
    player.touch(0o755)
    assert checks(tmp_path)["player"] == Check("player", "ok", "mpv")
