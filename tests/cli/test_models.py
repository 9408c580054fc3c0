"""Encoders as ``scenewise models`` lists, shows and prepares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import errors
from tiny_clap import RATE, write_clap

from scenewise.cli.main import main
from scenewise.encoders import hub, load
from scenewise.encoders.cards import list_cards
from scenewise.encoders.spec import EncoderSpec
from scenewise.models.registry import list_model_cards

HUB_NAME = "google/siglip2-base-patch16-224"


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is prepared, and the hub cannot be reached."""
    monkeypatch.setenv("SCENEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_every_card_is_listed(empty_cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listed = answer(capfd, "models", "list")
    entries, networks = listed["encoders"], [card.name for card in list_model_cards()]
    assert [entry["name"] for entry in entries] == [card.name for card in list_cards()]
    assert not any(entry["prepared"] for entry in entries)
    assert main(["models", "list"]) == 0
    lines = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [*(card.name for card in list_cards()), *networks]
    assert [entry["name"] for entry in listed["networks"]] == networks
    assert lines[0][1:4] == ["no", "109.5 MB, installed", "Apache-2.0"]
    assert not empty_cache.exists()


def test_the_default_is_shown_with_its_licences(
    empty_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shape = answer(capfd, "models", "show", "concept")
    assert shape["card"]["embedded"] is True
    assert shape["spec"]["name"] == "concept"
    assert main(["models", "show", "concept"]) == 0
    text = capfd.readouterr().out
    assert "  licence: Apache-2.0" in text
    assert "prepared: no" in text


def test_a_hub_name_is_shown_from_its_card_without_a_download(
    empty_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shape = answer(capfd, "models", "show", HUB_NAME)
    assert (shape["prepared"], shape["spec"]) == (False, None)
    assert shape["card"]["networks"][0]["licence"] == "Apache-2.0"


@pytest.mark.parametrize("verb", ["show", "prepare"])
def test_an_unknown_name_is_a_usage_error(
    empty_cache: Path, capfd: pytest.CaptureFixture[str], verb: str
) -> None:
    assert main(["models", verb, "nonsense"]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "nonsense" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_preparing_passes_on_what_was_asked_and_shows_progress(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def prepare(name: str, **options: Any) -> EncoderSpec:
        options.pop("progress")("preparing parts")
        asked.update(options, name=name)
        return load.describe("concept")

    monkeypatch.setattr(load, "prepare", prepare)
    assert main(["models", "prepare", "concept", "--runtime", "torch", "--device", "cpu"]) == 0
    assert asked == {
        "name": "concept",
        "runtime": "torch",
        "device": "cpu",
        "cache_dir": empty_cache,
    }
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("concept: prepared\n", "preparing parts\n")


def test_a_dry_run_prepares_nothing(empty_cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert answer(capfd, "models", "prepare", HUB_NAME, "--dry-run") == {
        "name": HUB_NAME,
        "prepared": False,
        "dry_run": True,
    }
    assert not empty_cache.exists()


def test_an_encoder_of_sound_is_prepared_and_shown(
    empty_cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clap").mkdir()
    folder = str(write_clap(tmp_path / "clap"))
    assert answer(capfd, "models", "prepare", folder, "--dry-run")["prepared"] is False
    assert answer(capfd, "models", "show", folder)["prepared"] is False
    made = answer(capfd, "models", "prepare", folder)
    shown = answer(capfd, "models", "show", folder)
    assert (made["prepared"], shown["prepared"]) == (True, True)
    assert made["spec"] == shown["spec"]
    assert made["spec"]["sample_rate"] == RATE
    assert main(["models", "show", folder]) == 0
    assert "an encoder of sound" in capfd.readouterr().out


def test_the_step_that_the_offline_message_names_is_the_one_that_prepares(
    empty_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A CLAP name of the hub, first out of reach, then in the hub's cache."""
    name, folder = "owner/a-clap", tmp_path / "0123456789abcdef0123456789abcdef01234567"

    def snapshot(repository: str, *_: object) -> Path:
        assert repository == name
        if not folder.is_dir():
            raise errors.LocalEntryNotFoundError("not here")
        return folder

    monkeypatch.setattr(hub, "download_snapshot", snapshot)
    assert main(["models", "prepare", name]) == 1
    assert "the hub cannot be reached" in capfd.readouterr().err
    folder.mkdir()
    write_clap(folder)
    assert answer(capfd, "models", "prepare", name)["spec"]["name"] == name
    folder.rename(tmp_path / "gone")  # what is prepared does without it
    assert answer(capfd, "models", "show", name)["prepared"] is True


def test_what_load_makes_is_prepared() -> None:
    load.load_encoder("concept").close()
    assert load.is_prepared("concept")
