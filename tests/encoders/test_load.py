"""Facts about names of encoders: which family answers, and with which options."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from scenewise.encoders import load
from scenewise.errors import UnknownEncoderError


def recorder(family: str) -> type:
    """A family that answers with how it was called."""

    def record(verb: str) -> Any:
        return classmethod(lambda cls, name, **options: (family, verb, name, options))

    return type(family, (), {verb: record(verb) for verb in ("load", "prepare", "describe")})


@pytest.fixture(autouse=True)
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("recorded_families")
    for family in ("concept", "clip", "network"):
        setattr(module, family, recorder(family))
        monkeypatch.setitem(load.FAMILIES, family, f"recorded_families:{family}")
    monkeypatch.setitem(sys.modules, "recorded_families", module)


def test_options_reach_the_family(tmp_path: Path) -> None:
    report = print
    answer: Any = load.load_encoder(
        "concept", runtime="openvino", device="cpu", threads=2, cache_dir=tmp_path, progress=report
    )
    assert answer == (
        "concept",
        "load",
        "concept",
        {
            "runtime": "openvino",
            "device": "cpu",
            "threads": 2,
            "cache_dir": tmp_path,
            "progress": report,
        },
    )
    prepared: Any = load.prepare("concept", cache_dir=tmp_path)
    assert prepared[1] == "prepare"
    described: Any = load.describe("concept", cache_dir=tmp_path)
    assert described[1:] == (
        "describe",
        "concept",
        {"runtime": "onnxruntime", "cache_dir": tmp_path},
    )


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("concept", "concept"),
        ("google/siglip2-base-patch16-224", "clip"),
        ("openai/clip-vit-base-patch32", "clip"),
        ("checkpoint", "clip"),  # a folder beside us
        ("./checkpoint", "clip"),
        ("../", "clip"),
    ],
)
def test_which_family_answers(
    name: str, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint").mkdir()
    monkeypatch.chdir(tmp_path)
    answer: Any = load.describe(name)
    assert answer[0] == family
    assert answer[2] == name


def test_a_folder_in_our_own_format_is_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text('{"format": "scenewise"}', "utf-8")
    (tmp_path / "owner" / "other").mkdir(parents=True)  # reads like a name of the hub
    (tmp_path / "owner" / "other" / "config.json").write_text('{"model_type": "clip"}', "utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{", "utf-8")
    monkeypatch.chdir(tmp_path)
    names = ("made", "owner/other", "broken")
    families = [load.describe(name)[0] for name in names]  # type: ignore[index]
    assert families == ["network", "clip", "clip"]


def test_the_cache_comes_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENEWISE_CACHE", os.fspath(tmp_path / "elsewhere"))
    answer: Any = load.describe("concept")
    assert answer[3]["cache_dir"] == tmp_path / "elsewhere"


@pytest.mark.parametrize("name", ["", "concepts", "Concept", "/no/such/folder", "a/b/c", "a/", "é"])
def test_unknown_names_are_told_what_is_allowed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in (load.load_encoder, load.prepare, load.describe):
        with pytest.raises(UnknownEncoderError, match=r"allowed: concept, a folder .*, or a hub"):
            verb(name, cache_dir=tmp_path)
