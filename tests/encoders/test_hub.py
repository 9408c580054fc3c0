"""A name leads to a folder's files, or to the few files of a repository that are needed.

Nothing here reaches a network: downloads are replaced, or the hub's cache is laid out on disk and
read with HF_HUB_OFFLINE.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from scenewise.encoders import hub
from scenewise.errors import EncoderError, ScenewiseError, UnknownEncoderError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "owner/a-checkpoint"
PUBLISHED = {
    "config.json": b"{}",
    "preprocessor_config.json": b"{}",
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "README.md": b"---\nlicense: mit\n---\n",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"the same weights",
    "tf_model.h5": b"the same weights",
    "flax_model.msgpack": b"the same weights",
    "onnx/model.onnx": b"the same weights",
}


def write(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PUBLISHED.get(name, b"shard"))
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """A hub with one repository; the list fills with what it was asked for."""
    calls: list[dict[str, Any]] = []

    def snapshot_download(repository: str, **options: Any) -> str:
        calls.append({"repository": repository, **options})
        folder = tmp_path / "hub" / "snapshots" / COMMIT
        patterns = options["allow_patterns"]
        wanted = [name for name in PUBLISHED if any(fnmatch(name, each) for each in patterns)]
        write(folder, wanted)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_only_the_needed_files_are_fetched(asked: list[dict[str, Any]]) -> None:
    lines: list[str] = []
    found = hub.resolve(NAME, progress=lines.append)
    assert len(asked) == 1
    assert (asked[0]["repository"], asked[0]["revision"]) == (NAME, None)
    present = {path.name for path in found.folder.rglob("*") if path.is_file()}
    assert present == {
        "config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "README.md",
        "model.safetensors",
    }
    assert [path.name for path in found.weights] == ["model.safetensors"]
    assert (found.name, found.commit) == (NAME, COMMIT)
    assert NAME in lines[0]


def test_older_weights_are_fetched_only_where_there_are_no_safetensors(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(PUBLISHED, "model.safetensors")
    found = hub.resolve(NAME)
    assert len(asked) == 2
    assert not any(".bin" in pattern for pattern in asked[0]["allow_patterns"])
    assert [path.name for path in found.weights] == ["pytorch_model.bin"]


def test_a_revision_can_be_named(asked: list[dict[str, Any]]) -> None:
    found = hub.resolve(f"{NAME}@refs/pr/3")
    assert (asked[0]["repository"], asked[0]["revision"]) == (NAME, "refs/pr/3")
    assert found.name == f"{NAME}@refs/pr/3"


def test_a_folder_comes_before_the_hub(
    asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / NAME, ["config.json", "model.safetensors"])
    monkeypatch.chdir(tmp_path)
    found = hub.resolve(NAME)
    assert asked == []
    assert found.name == str(tmp_path / NAME) == hub.canonical_name(NAME)
    assert not hub.is_hub_name(NAME)
    assert hub.is_hub_name("owner/another")


@pytest.mark.parametrize("name", ["", "nothing-here", "./not/here", "/not/here", "a/b/c", "a b/c"])
def test_a_name_that_is_neither_is_refused_without_asking(
    name: str, asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownEncoderError, match="neither a folder nor a hub name"):
        hub.resolve(name)
    assert asked == []


def test_shards_are_found_through_their_index(tmp_path: Path) -> None:
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    write(tmp_path, ["config.json", *shards])
    index = {"weight_map": {"a": shards[1], "b": shards[0], "c": shards[0]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert [path.name for path in hub.resolve(str(tmp_path)).weights] == shards
    (tmp_path / shards[1]).unlink()
    with pytest.raises(EncoderError, match=f"names {shards[1]}, which the folder lacks"):
        hub.resolve(str(tmp_path))


def test_hashes_follow_the_content_and_nothing_else(tmp_path: Path) -> None:
    names = ["config.json", "tokenizer.json", "README.md", "model.safetensors"]
    first = hub.resolve(str(write(tmp_path / "first", names)))
    second = hub.resolve(str(write(tmp_path / "second", names)))
    assert first.image_hash() == second.image_hash()
    assert first.text_hash() == second.text_hash()
    before = (second.image_hash(), second.text_hash(), second.stamps())
    (second.folder / "README.md").write_text("another card", "utf-8")
    assert (second.image_hash(), second.text_hash(), second.stamps()) == before
    (second.folder / "tokenizer.json").write_text('{"a": 1}', "utf-8")
    assert second.image_hash() == before[0]
    assert second.text_hash() != before[1]
    (second.folder / "model.safetensors").write_bytes(b"others.")
    assert second.image_hash() != before[0]
    assert second.stamps() != before[2]


def http_error(kind: type[Exception]) -> Exception:
    request = SimpleNamespace(method="GET", url="https://example.invalid", headers={})
    response = SimpleNamespace(status_code=401, headers={}, request=request)
    made: Callable[..., Exception] = kind
    return made("no such thing\nand a second line", response=response)


REFUSALS: dict[str, tuple[Callable[[], Exception], str]] = {
    "gated": (lambda: http_error(errors.GatedRepoError), "is gated: accept its terms at"),
    "unknown or private": (
        lambda: http_error(errors.RepositoryNotFoundError),
        "check the spelling; if it is private, set HF_TOKEN",
    ),
    "no such revision": (lambda: http_error(errors.RevisionNotFoundError), "no such revision"),
    "the hub fails": (lambda: http_error(errors.HfHubHTTPError), "The hub refused"),
    "no network": (
        lambda: errors.LocalEntryNotFoundError("nothing"),
        "the hub cannot be reached (no network, or HF_HUB_OFFLINE is set)",
    ),
    "a name that the hub refuses": (
        lambda: errors.HFValidationError("bad"),
        "is not a valid hub name",
    ),
    "the transfer breaks": (
        lambda: errors.XetDownloadError("reset by peer"),
        "could not be downloaded: reset by peer",
    ),
    "disk full": (lambda: OSError(28, "No space left on device"), "No space left on device"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_one_sentence(refusal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, message = REFUSALS[refusal]

    def refuse(*_: Any, **__: Any) -> str:
        raise make()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ScenewiseError) as caught:
        hub.resolve(NAME)
    assert message in str(caught.value)
    assert NAME in str(caught.value)
    assert "\n" not in str(caught.value)


def test_our_own_mistakes_are_not_taken_for_the_hubs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise KeyError("a mistake")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(KeyError):
        hub.resolve(NAME)


def offline(home: Path, name: str) -> str:
    """What ``resolve`` prints in a process with HF_HUB_OFFLINE and this cache of the hub."""
    program = (
        "import sys\nfrom scenewise.encoders.hub import resolve\n"
        "from scenewise.errors import ScenewiseError\n"
        "try:\n    found = resolve(sys.argv[1])\n"
        "    print(found.commit, *(path.name for path in found.weights))\n"
        "except ScenewiseError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, name],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_offline_the_hubs_own_cache_answers(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--owner--a-checkpoint"
    write(repository / "snapshots" / COMMIT, ["config.json", "model.safetensors"])
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, "utf-8")
    assert offline(tmp_path, NAME) == f"{COMMIT} model.safetensors"
    assert offline(tmp_path, f"{NAME}@{COMMIT}") == f"{COMMIT} model.safetensors"
    assert offline(tmp_path, "owner/another") == (
        "owner/another is not in the local cache of the hub, and the hub cannot be reached (no "
        "network, or HF_HUB_OFFLINE is set): connect once, or give a local folder."
    )
