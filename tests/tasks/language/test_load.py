"""From a name and settings to a model, and the settings themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.config import Settings, load_settings
from scenewise.errors import UsageError
from scenewise.tasks.language.load import open_language_model

KEY = "sk-secret-0123456789"


def test_the_key_comes_from_the_environment_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCENEWISE_MODEL_KEY", KEY)
    monkeypatch.setenv("SCENEWISE_MODEL_URL", "http://127.0.0.1:9/v1")
    settings = load_settings()
    assert settings.model_key is not None
    assert settings.model_key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"
    model = open_language_model(" seer ", settings)
    assert model.name == "seer"
    model.close()


def test_a_key_that_is_no_text_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scenewise.toml").write_text("model_key = [123456789]\n")
    with pytest.raises(UsageError, match="model_key") as caught:
        load_settings()
    assert "123456789" not in str(caught.value)


def test_a_name_needs_an_endpoint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs an endpoint: give --model-url"):
        open_language_model("seer", Settings())
    with pytest.raises(UsageError, match="an empty name"):
        open_language_model("  ", Settings())
    with pytest.raises(UsageError, match="is a folder"):
        open_language_model(str(tmp_path), Settings(model_url="http://127.0.0.1:9"))
