"""The toolkit's networks on the command line: list, show, export, convert, index and classify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_networks
from colour_films import write_colours
from toy_networks import write_classifier, write_tokenizer, write_video_text

from scenewise.cli.main import main
from scenewise.encoders.runtimes import open_session
from scenewise.models import create_model, load_pretrained, save_pretrained
from scenewise.models.registry import list_model_cards, model_card, options_of


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with toy_networks.registered():
        yield


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video_text(tmp_path_factory.mktemp("worded") / "network")


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and the one sentence of a mistake."""
    capfd.readouterr()
    code = main(list(arguments))
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "bug" not in printed.err
    return code, printed.err.splitlines()[-1]


# list and show


def test_lists_are_narrowed_by_pattern_and_kind(capfd: pytest.CaptureFixture[str]) -> None:
    tiny = answer(capfd, "models", "list", "toy_*")
    assert tiny["encoders"] == []
    assert [card["name"] for card in tiny["networks"]] == [card.name for card in toy_networks.CARDS]
    texts = answer(capfd, "models", "list", "--kind", "video-text")
    assert texts["encoders"] == []
    names = [card.name for card in list_model_cards() if card.kind == "video-text"]
    assert [card["name"] for card in texts["networks"]] == names
    encoders = answer(capfd, "models", "list", "--kind", "encoder")
    assert (len(encoders["encoders"]) > 1, encoders["networks"]) == (True, [])
    assert main(["models", "list", "c3d"]) == 0
    card = model_card("c3d")
    line = f"c3d\tbackbone\t2015\t{card.parameters:,}\t{card.multiply_adds:,}\t{card.licence}\n"
    assert capfd.readouterr().out == line
    assert main(["models", "list", "nothing*"]) == 0
    assert capfd.readouterr() == ("", "no encoder and no network is called so\n")


def test_a_network_is_shown_with_options_and_layouts(capfd: pytest.CaptureFixture[str]) -> None:
    shape = answer(capfd, "models", "show", "c3d")
    assert shape["network"] == json.loads(json.dumps(model_card("c3d").to_dict()))
    assert shape["options"] == options_of("c3d")
    assert shape["layouts"] == ["official", "mmaction2"]
    assert main(["models", "show", "c3d"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "option: num_frames = 16" in lines
    assert 'option: last_pool = "ceil"' in lines
    assert "input: 16 frames over 0.533 s, 112 x 112 pixels, bgr" in lines
    assert main(["models", "show", "toy_video_text"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "layouts: none but our own" in lines
    assert "text: 6 tokens at most" in lines


def test_a_name_that_is_nearly_one_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capfd, "models", "show", "c3d_tyni")
    assert code == 2
    assert "did you mean c3d_tiny" in message


def test_a_folder_is_shown_as_an_encoder(worded: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shape = answer(capfd, "models", "show", str(worded))
    assert (shape["card"], shape["spec"]["dimension"]) == (None, 3)
    made = answer(capfd, "models", "prepare", str(worded))
    assert made["spec"] == shape["spec"]


# export


def test_a_checkpoint_is_exported_as_the_toolkit_has_it(
    worded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = answer(
        capfd, "models", "export", str(worded), str(tmp_path / "v.onnx"), "--side", "video"
    )
    assert made["inputs"] == [
        {"name": "clips", "shape": ["batch", 4, 3, 32, 32], "type": "float32"}
    ]
    assert made["outputs"] == [{"name": "vectors", "shape": ["batch", 3], "type": "float32"}]
    assert 0 <= made["difference"] < 1e-4
    clips = np.empty((5, 4, 3, 32, 32), np.float32)
    clips[:] = np.array([1, -1, 0.5])[:, None, None]
    session = open_session(tmp_path / "v.onnx", device="cpu")
    (vectors,) = session.run({"clips": clips})
    assert vectors == pytest.approx(np.tile([1, -1, 0.5], (5, 1)), abs=1e-5)
    text = tmp_path / "t.onnx"
    assert main(["models", "export", str(worded), str(text), "--side", "text"]) == 0
    assert "input: input_ids (batch, 6) int64" in capfd.readouterr().out
    (words,) = open_session(text, device="cpu").run({"input_ids": np.array([[1, 0, 0, 0, 0, 0]])})
    assert words == pytest.approx(np.array([[1, -1, -1]]), abs=1e-5)


def test_fresh_weights_want_a_word_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c3d.onnx"
    code, message = refused(capfd, "models", "export", "c3d_tiny", str(path))
    assert code == 2
    assert "has no weights: name a checkpoint, or say --random" in message
    made = answer(
        capfd,
        "models",
        "export",
        "c3d_tiny",
        str(path),
        "--random",
        "--frames",
        "16",
        "--size",
        "80",
    )
    assert made["inputs"][0]["shape"] == ["batch", 16, 3, 80, 80]
    assert made["outputs"][0] == {"name": "logits", "shape": ["batch", 10], "type": "float32"}
    before = path.read_bytes()
    code, message = refused(capfd, "models", "export", "c3d_tiny", str(path), "--random")
    assert (code, path.read_bytes()) == (2, before)
    assert "exists; choose another name, or --yes" in message
    assert main(["models", "export", "c3d_tiny", str(path), "--random", "--yes"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["NETWORK", "out.onnx"], 2, "has two sides: say --side video or --side text"),
        (["NETWORK", "out.pt", "--side", "text"], 2, "is written as .onnx, not '.pt'"),
        (["NETWORK", "no/folder/out.onnx", "--side", "text"], 2, "there is no folder"),
        (["c3d_tiny", "out.onnx", "--random", "--side", "text"], 2, "which has no text side"),
        (["nothing", "out.onnx"], 2, "nothing is not there"),
        (["nothing", "out.onnx", "--random"], 2, "There is no network 'nothing'"),
        (["toy_features", "out.onnx", "--random", "--side", "video"], 1, "takes features"),
        (["NETWORK", "out.onnx", "--side", "video", "--size", "65"], 2, "with size=65: a toy sees"),
        (
            ["toy_video_text", "o.onnx", "--random", "--side", "text", "--size", "65"],
            2,
            "a toy sees",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    arguments: list[str],
    code: int,
    words: str,
    worded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = [str(worded) if word == "NETWORK" else word for word in arguments]
    given, message = refused(capfd, "models", "export", *typed)
    assert given == code
    assert words in message
    assert list(tmp_path.iterdir()) == []


# convert


def test_a_checkpoint_becomes_a_folder_that_indexes(
    worded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = answer(
        capfd,
        *("models", "convert", str(worded / "model.safetensors"), str(tmp_path / "made")),
        *("--network", "toy_video_text", "--option", "num_frames=6"),
        *("--tokenizer", str(write_tokenizer(tmp_path / "words.json"))),
    )
    assert (made["network"], made["options"]) == ("toy_video_text", {"num_frames": 6})
    assert (made["layout"], made["loaded"], made["missing"]) == ("scenewise", 2, [])
    assert (made["labels"], made["tokenizer"]) == (None, True)
    films = tmp_path / "films"
    write_colours(films / "film.mp4", [("blue", 4.0), ("red", 4.0)])
    library = ("--library", str(tmp_path / "library"))
    answer(capfd, "index", str(films), *library, "--encoder", str(tmp_path / "made"))
    hit = answer(capfd, "search", "red", *library)["hits"][0]
    assert 3.0 <= hit["start"] <= 5.0


def test_what_lies_beside_the_weights_comes_along(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_classifier(tmp_path / "source")
    made = answer(capfd, "models", "convert", str(source), str(tmp_path / "made"))
    assert (made["labels"], made["tokenizer"]) == (3, False)
    names = tmp_path / "names.txt"
    names.write_text("rot\n\ngrün\nblau\n", "utf-8")
    typed = ("models", "convert", str(source), str(tmp_path / "made"), "--labels", str(names))
    code, message = refused(capfd, *typed)
    assert code == 2
    assert "exists; choose another name, or --yes" in message
    assert main([*typed, "--yes"]) == 0
    assert "labels: 3" in capfd.readouterr().out.splitlines()
    config = json.loads((tmp_path / "made" / "config.json").read_text("utf-8"))
    assert config["labels"] == ["rot", "grün", "blau"]


def test_text_settings_come_along(worded: Path, tmp_path: Path) -> None:
    source = write_video_text(tmp_path / "source")
    config = json.loads((source / "config.json").read_text("utf-8")) | {"text": {"lower": True}}
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    assert main(["models", "convert", str(source), str(tmp_path / "made")]) == 0
    assert json.loads((tmp_path / "made" / "config.json").read_text("utf-8")) == config
    assert (tmp_path / "made" / "tokenizer.json").is_file()


def test_only_partial_leaves_tensors_as_they_were_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = save_pretrained(create_model("c3d_tiny"), tmp_path / "source")
    typed = ("models", "convert", str(source), str(tmp_path / "made"), "--option", "num_classes=5")
    code, message = refused(capfd, *typed)
    assert code == 1
    assert "2 of another shape (fc8.bias, fc8.weight)" in message
    assert not (tmp_path / "made").exists()
    assert main([*typed, "--partial"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "of another shape: 2 (fc8.bias, fc8.weight)" in lines
    assert "tensors loaded: 20" in lines
    kept = load_pretrained(tmp_path / "made").state_dict()
    assert kept["fc8.weight"].shape == (5, 256)
    assert kept["fc7.weight"].equal(load_pretrained(source).state_dict()["fc7.weight"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone.pth", "out"], 2, "gone.pth is not there"),
        (["WEIGHTS", "out"], 1, "of no layout that is known"),
        (["WEIGHTS", "out", "--network", "c3d_tiny"], 1, "does not belong to c3d_tiny"),
        (["WEIGHTS", "out", "--network", "c3d_tyni"], 2, "did you mean c3d_tiny"),
        (["FOLDER", "out", "--option", "frames=3"], 2, "has no option 'frames'"),
        (["FOLDER", "out", "--option", "frames"], 2, "write KEY=VALUE"),
        (["FOLDER", "out", "--option", "size=large"], 2, "cannot be built with size='large'"),
        (["FOLDER", "out", "--tokenizer", "gone.json"], 2, "gone.json is not a file"),
        (["FOLDER", "out", "--labels", "gone.txt"], 2, "gone.txt cannot be read: No such file"),
        (["FOLDER", "out", "--labels", "WORDS"], 2, "3 labels are given, and the network has 0"),
        (["FOLDER", "WORDS"], 2, "is a file, where a folder is meant"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(
    arguments: list[str],
    code: int,
    words: str,
    worded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("a\nb\nc\n", "utf-8")
    places = {
        "FOLDER": str(worded),
        "WEIGHTS": str(worded / "model.safetensors"),
        "WORDS": "words.txt",
    }
    given, message = refused(
        capfd, "models", "convert", *(places.get(word, word) for word in arguments)
    )
    assert given == code
    assert words in message
    assert not (tmp_path / "out").exists()


# classify


def test_classify_by_a_networks_classes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = str(write_classifier(tmp_path / "network", labels=None))
    film = str(write_colours(tmp_path / "film.mp4", [("red", 4.0), ("blue", 6.0)]))
    shape = answer(capfd, "classify", film, "--model", name, "--over-time", "-k", "1")
    assert shape["labels"] == [{"name": "class 2", "probability": pytest.approx(0.6, abs=0.01)}]
    assert [span["label"] for span in shape["segments"]] == ["class 0", "class 2"]
    assert "found" not in shape
    assert main(["classify", film, "--model", name, "--clips", "2"]) == 0
    printed = capfd.readouterr()
    assert set(printed.out.splitlines()[1:3]) == {"  0.50  class 0", "  0.50  class 2"}
    assert printed.err.splitlines() == [
        "the checkpoint names no labels: its classes are numbered, from class 0",
        "the mean over 2 clips of 2 s, 4 frames each",
    ]


def test_mistakes_of_classify_are_one_sentence(
    worded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    film = str(write_colours(tmp_path / "film.mp4", [("red", 1.0)]))
    name = str(write_classifier(tmp_path / "network"))
    for arguments, code, words in (
        (["--model", str(worded)], 1, "has no classifier"),
        (["--model", film], 2, "is a file, where a folder"),
        (["--model", "c3d"], 2, "is one of the registry, without weights"),
        (["--model", name, "--labels", "a,b"], 2, "one of the four"),
        (["--model", name, "--encoder", "concept"], 2, "--model needs no encoder"),
        (["--model", name, "--template", "a {}"], 2, "ask no words"),
        (["--model", name, "--clips", "0"], 2, "from 1 to 4096"),
        (["--labels", "a,b", "--clips", "2"], 2, "for a network with a classifier alone"),
    ):
        given, message = refused(capfd, "classify", film, *arguments)
        assert (given, words in message) == (code, True), message
