"""``scenewise watch`` with rules that detect and tell ways: from a file of rules to events."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from PIL import Image

from scenewise.cli.main import main
from scenewise.library.core import LibraryCore
from scenewise.media.film import FilmSettings, write_film

RULES = """
[[rule]]
name = "red thing"
detect = ["red", "blue"]
threshold = 0.3

[[rule]]
name = "goes right"
moves = "right"
detect = "red"

[[rule]]
name = "goes left"
moves = "left"
"""


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours; a red square walks to the right."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)
    pictures = []
    for number in range(60):
        shown = np.zeros((180, 320, 3), np.uint8)
        left = 30 + 4 * (number - 12)
        if number >= 12:
            shown[60:100, left : left + 40] = (255, 0, 0)
        pictures.append(shown)
    path = tmp_path / "films" / "walk.mp4"
    path.parent.mkdir()
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(12), gop=12, quality=12))
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random YOLOS in Hugging Face layout: its boxes mean nothing."""
    import torch
    import transformers as hf

    folder = tmp_path_factory.mktemp("detector")
    torch.manual_seed(0)
    hf.YolosForObjectDetection(
        hf.YolosConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            image_size=[64, 96], patch_size=16, num_detection_tokens=4,
            id2label={0: "person", 1: "car"}, label2id={"person": 0, "car": 1},
        )
    ).save_pretrained(folder)  # fmt: skip
    size = {"shortest_edge": 48, "longest_edge": 96}
    hf.YolosImageProcessorPil(size=size).save_pretrained(folder)
    return folder


def test_what_moves_is_labelled_and_told_with_its_box(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["watch", "cam=films/walk.mp4", "--fast", "--rules", "rules.toml", "--no-clips"]
    assert main([*command, "--save", "saved"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(event["rule"] for event in events) == ["goes right", "red thing"]
    for event in events:
        (box,) = event["boxes"]
        assert box["label"] == "red"
        assert any("labelled by the encoder colours" in why["detail"] for why in event["why"])
        # the snapshot shows the box: where its upper edge is drawn there is neither red nor black
        with Image.open(event["snapshot"]) as opened:
            shown = np.asarray(opened.convert("RGB")).astype(int)
        row = round(box["top"] * shown.shape[0])
        middle = round((box["left"] + box["width"] / 2) * shown.shape[1])
        assert shown[row : row + 2, middle, 1].max() > 60


def test_a_detector_on_disk_looks_at_each_instant_and_at_recordings(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random boxes: it is the way from pictures to events that is tested."""
    Path("people.toml").write_text(
        '[[rule]]\nname = "anybody"\ndetect = ["Person", "car"]\nthreshold = 0.05\n'
    )
    wanted = ["--rules", "people.toml", "--detector", str(model)]
    assert main(["watch", "cam=films/walk.mp4", "--fast", *wanted, "--json"]) == 0
    *events, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (event,) = events
    assert {box["label"] for box in event["boxes"]} <= {"person", "car"}
    assert all(box["probability"] >= 0.05 for box in event["boxes"])
    assert all(f"by the detector {model}" in why["detail"] for why in event["why"])
    (source,) = last["figures"]["sources"]
    assert (source["analysed"], source["dropped"]) == (10, 0)
    assert main(["watch", "films", "--test", *wanted, "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [(rule["rule"], rule["events"]) for rule in shape["rules"]] == [("anybody", 1)]
    assert shape["events"][0]["boxes"] == event["boxes"]


def test_wrong_labels_and_models_are_refused_before_anything_is_watched(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gone.toml").write_text('[[rule]]\nname = "a"\ndetect = "x"\ndetector = "nowhere"\n')
    Path("label.toml").write_text('[[rule]]\nname = "a"\ndetect = "persom"\n')
    Path("else.toml").write_text('[[rule]]\nname = "a"\ndetect = "something else"\n')
    cases = [
        (["--rules", "gone.toml"], "rule 'a': The detector 'nowhere' is neither a folder nor"),
        (["--rules", "label.toml", "--detector", str(model)], "the nearest of its 2 are: person"),
        (["--rules", "else.toml"], "rule 'a': the label 'something else' is what the others"),
        (["--rule", "red", "--detector", str(model)], "no rule detects anything"),
    ]
    for more, said in cases:
        for test in ([], ["--test"]):
            assert main(["watch", "films/walk.mp4", "--fast", "-q", *more, *test]) == 2
            printed = capsys.readouterr()
            assert said in printed.err
            assert printed.err.count("\n") == 1
            assert printed.out == ""
