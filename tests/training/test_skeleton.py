"""From a config to a network that ``classify --model`` reads: the whole way, on generated films."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from scenewise.cli.main import main
from scenewise.media.film import FilmSettings, write_film


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Two labels, three films of 8 frames each."""
    for label, level in (("bright", 220), ("dark", 30)):
        folder = tmp_path / "videos" / label
        folder.mkdir(parents=True)
        for number in range(3):
            picture = np.full((64, 64, 3), level + number, dtype=np.uint8)
            write_film(
                folder / f"{number}.mp4", [picture] * 8, FilmSettings(frame_rate=Fraction(8))
            )
    return tmp_path / "videos"


def test_a_config_becomes_a_network_on_the_disk(
    tmp_path: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[model]\nname = "c3d_tiny"\n[data]\ndataset = "folder"\nannotations = "{colours}"\n'
        "size = 64\n[train]\nepochs = 2\nbatch_size = 3\n"
    )
    assert main(["train", str(config), "--out", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 4
    made = json.loads((tmp_path / "run" / "final" / "config.json").read_text("utf-8"))
    assert (made["network"], made["labels"]) == ("c3d_tiny", ["bright", "dark"])
