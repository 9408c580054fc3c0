"""Networks with classes of their own: probabilities, names of classes, checkpoints, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_networks
from toy_networks import write_classifier, write_huggingface_classifier, write_video_text

from scenewise.encoders import video_classifier
from scenewise.encoders.video_classifier import (
    UNNAMED,
    Described,
    huggingface_labels,
    load_video_classifier,
)
from scenewise.errors import EncoderError, UsageError
from scenewise.media.target import Target
from scenewise.models import create_model, save_pretrained


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with toy_networks.registered():
        yield


def test_probabilities_are_the_softmax_of_the_logits(tmp_path: Path) -> None:
    made = load_video_classifier(str(write_classifier(tmp_path / "n")), cache_dir=tmp_path)
    clips = np.zeros((2, 4, 32, 32, 3), np.uint8)
    clips[0, ..., 0] = 255  # red; the other one is black
    logits = np.array([[9.0, -3.0, -3.0], [3.0, 3.0, 3.0]])
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert made.probabilities(clips) == pytest.approx(wanted, abs=1e-5)
    assert made.described.labels == ("red", "green", "blue")
    assert made.described.notes == ()
    made.close()
    assert made.probabilities(clips).shape == (2, 3), "it opens again"


def test_a_network_of_words_knows_the_classes_that_it_learned_by_their_names(
    tmp_path: Path,
) -> None:
    folder = write_video_text(tmp_path / "n")
    settings = folder / "config.json"
    config = json.loads(settings.read_text("utf-8"))
    config |= {"labels": ["Red", "blue"], "text": {"lower": True, "template": "a video of {}"}}
    settings.write_text(json.dumps(config), "utf-8")
    made = load_video_classifier(str(folder), cache_dir=tmp_path)
    assert made.described.labels == ("Red", "blue")
    clips = np.zeros((2, 4, 32, 32, 3), np.uint8)
    clips[0, ..., 0] = clips[1, ..., 2] = 255
    found = made.probabilities(clips)
    # opposite but for the words that mean little: cosines of 1 and -1/3, times 20
    assert found[0, 0] > 0.999
    assert found[1, 1] > 0.999
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
    config["text"]["template"] = "a video of blue {}"
    settings.write_text(json.dumps(config), "utf-8")
    other = load_video_classifier(str(folder), cache_dir=tmp_path)
    assert np.abs(other.probabilities(clips) - found).max() > 1e-4, "made anew"
    config["text"]["template"] = "a video"
    settings.write_text(json.dumps(config), "utf-8")
    with pytest.raises(EncoderError, match="template"):
        load_video_classifier(str(folder), cache_dir=tmp_path)


def test_a_checkpoint_in_hugging_face_layout_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its tensors' names; a name of the hub is its snapshot, which was asked for once."""
    from scenewise.encoders import hub

    folder = write_huggingface_classifier(tmp_path / "theirs")
    made = load_video_classifier(str(folder), cache_dir=tmp_path)
    assert made.described.labels == ("red", "green", "blue")
    assert made.described.network == "toy_backbone"
    clips = np.zeros((1, 4, 32, 32, 3), np.uint8)
    clips[..., 2] = 255
    assert made.probabilities(clips)[0].argmax() == 2

    asked = []

    def snapshot(repository: str, *_: object) -> Path:
        asked.append(repository)
        return folder

    monkeypatch.setattr(hub, "download_snapshot", snapshot)
    first = load_video_classifier("owner/toy", cache_dir=tmp_path)
    assert (first.name, asked) == ("owner/toy", ["owner/toy"])
    again = load_video_classifier("owner/toy", cache_dir=tmp_path)
    assert (again.described, asked) == (made.described, ["owner/toy"])


def test_what_was_prepared_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(write_classifier(tmp_path / "n"))
    first = load_video_classifier(name, cache_dir=tmp_path).described
    monkeypatch.setattr(video_classifier, "_build", None)
    assert load_video_classifier(name, cache_dir=tmp_path).described == first


def test_classes_without_names_are_numbered(tmp_path: Path) -> None:
    name = str(write_classifier(tmp_path / "n", labels=None))
    described = load_video_classifier(name, cache_dir=tmp_path).described
    assert described.labels == ("class 0", "class 1", "class 2")
    assert described.notes == (UNNAMED,)


def test_the_description_survives_json() -> None:
    target = Target(64, 64, "crop", 80, "bilinear")
    described = Described("toy", ("a", "b"), ("n",), 8, 2.5, target, 100)
    assert Described.from_dict(json.loads(json.dumps(described.to_dict()))) == described


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ({"id2label": {"1": "b", "0": "a"}}, ("a", "b")),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None),
        ({"id2label": {"0": "a", "2": "c"}}, None),
        ({"id2label": {"zero": "a"}}, None),
        ({"id2label": {}}, None),
        ({}, None),
    ],
)
def test_names_of_hugging_faces_settings(
    config: dict[str, Any], labels: tuple[str, ...] | None
) -> None:
    assert huggingface_labels(config) == labels


def written(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_what_classifies_nothing_is_refused(tmp_path: Path) -> None:
    bare = write_classifier(tmp_path / "bare", labels=None, num_classes=0)
    named = write_classifier(tmp_path / "named", labels=("a", "b"))
    worded = write_video_text(tmp_path / "worded")
    flow = save_pretrained(create_model("toy_flow"), tmp_path / "flow")
    clip = written(tmp_path / "clip", {"model_type": "clip", "architectures": ["CLIPModel"]})
    nothing = written(tmp_path / "nothing", {"model_type": "bert"})
    for folder, words in (
        (bare, "has no classifier: its network ends with features"),
        (named, "names 2 labels, and its network has 3 classes"),
        (worded, "toy_video_text, a network of the kind video-text, which has no classifier"),
        (flow, "which has no classifier"),
        (clip, "holds CLIPModel, which classifies no videos"),
        (nothing, "holds the model_type 'bert', which classifies no videos"),
    ):
        with pytest.raises(EncoderError, match=words):
            load_video_classifier(str(folder), cache_dir=tmp_path / "cache")


def test_names_that_lead_nowhere_say_what_is_allowed(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "n") / "model.safetensors"
    for name, words in (
        ("", "is neither a folder nor a hub name"),
        (str(tmp_path / "gone"), "is neither a folder nor a hub name"),
        ("c3d", "'c3d' is one of the registry, without weights; give a folder"),
        (str(file), r"is a file, where a folder .* scenewise models convert"),
    ):
        with pytest.raises(UsageError, match=words):
            load_video_classifier(name, cache_dir=tmp_path)


def test_a_processors_plain_normalisation_holds(tmp_path: Path) -> None:
    """Where it shifts pixels first, as ViViT's does, the card's holds."""
    from scenewise.encoders.network_folder import pixels_of
    from scenewise.models import model_card

    pixels = pixels_of(model_card("toy_backbone"), {}, "n")
    folder = written(tmp_path / "n", {"model_type": "timesformer"})
    assert video_classifier._as_processed(pixels, folder) == pixels
    settings: dict[str, Any] = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    processed = video_classifier._as_processed(pixels, folder)
    assert (processed.mean, processed.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    settings["offset"] = True
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    assert video_classifier._as_processed(pixels, folder) == pixels
