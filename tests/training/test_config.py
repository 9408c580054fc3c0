"""A config with mistakes of every kind, all told at once; and one without, which comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenewise.cli.main import main
from scenewise.errors import UsageError
from scenewise.training import Config, read_config
from scenewise.training.config import ConfigError

GOOD = '[model]\nname = "c3d_tiny"\n[data]\ndataset = "folder"\nannotations = "films"\nsize = 64\n'
WORDS = (
    '[model]\nname = "dual_encoder_tiny"\n[data]\ndataset = "csv"\nannotations = "films"\n'
    'size = 64\ntokenizer = "bytes"\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    (tmp_path / "config.toml").write_text(GOOD)
    (tmp_path / "words.toml").write_text(WORDS)
    return tmp_path


def mistakes(path: Path, *overrides: str) -> list[str]:
    """What is wrong, without the file."""
    with pytest.raises(ConfigError) as caught:
        read_config(path, overrides)
    assert isinstance(caught.value, UsageError)
    return [str(one).partition(": ")[2] for one in caught.value.mistakes]


ONE_MISTAKE = [
    # types and ranges
    ("train.epochs=0", "train.epochs = 0: must be at least 1."),
    ("train.batch_size=0", "train.batch_size = 0: must be at least 1."),
    ("train.batch_size=2.5", "train.batch_size = 2.5: must be a whole number."),
    ('train.batch_size="8"', 'train.batch_size = "8": must be a whole number.'),
    ("train.batch_size=true", "train.batch_size = true: must be a whole number."),
    ("optimizer.lr=0", "optimizer.lr = 0: must be above 0."),
    ("optimizer.lr=fast", 'optimizer.lr = "fast": must be a number.'),
    ("optimizer.lr=inf", "optimizer.lr = inf: must be finite."),
    ("optimizer.weight_decay=nan", "optimizer.weight_decay = nan: must be finite."),
    ("augment.flip=2", "augment.flip = 2: must be at most 1."),
    ("model.freeze=conv1", 'model.freeze = "conv1": must be a list.'),
    ("model=3", "model = 3: must be a table."),
    (
        "data.sampling=segmnts",
        'data.sampling = "segmnts": must be segments, uniform, dense or rate; did you mean '
        "segments?",
    ),
    # names of keys
    ("data.frmes=8", "data.frmes = 8: there is no such key; did you mean frames?"),
    ("train.lr=0.1", "train.lr = 0.1: there is no such key; did you mean optimizer.lr?"),
    ("trian.epochs=1", "trian: there is no such section; did you mean train?"),
    ("objective.name=classfication", "did you mean classification?"),
    # sections that contradict themselves
    ("data.fps=2", "fps belongs to sampling = 'rate'"),
    # names of things
    ("model.name=c3d_tny", "there is no such network; did you mean c3d_tiny?"),
    ("data.dataset=foldr", "there is no such dataset; did you mean folder?"),
    ("data.train_split=trian", "folder has no such split; did you mean train?"),
    ("data.val_split=vall", "folder has no such split; did you mean val?"),
    ("data.task=captions", 'data.task = "captions": folder has labels.'),
    ("train.best_figure=top1", "is not measured on labels; did you mean top_1?"),
    # options, frames and size of the network
    ("model.options.depth=3", "c3d_tiny has no such option; allowed: num_classes,"),
    ("model.options.dropot=0.1", "c3d_tiny has no such option; did you mean dropout?"),
    ("model.options.num_frames=16", "= 16: contradicts data.frames = 8; give one of them"),
    ("model.options.size=112", "= 112: contradicts data.size = 64; give one of them"),
    (
        "model.name=xclip_recognition_tiny,objective.name=class_texts,data.size=60",
        "data.size = 60: xclip_recognition_tiny does not take 8 frames of 60 pixels",
    ),
    # what the network should learn
    ("objective.name=contrastive", "learns from captions, and data.task is labels"),
    ("objective.name=masked_video", "does not fit c3d_tiny: it needs videomae"),
    ("objective.name=class_texts", "does not fit c3d_tiny: it needs a video-text model"),
    # files
    ("data.annotations=elsewhere", 'elsewhere": is not there; give a path that exists'),
    ("data.videos=elsewhere", 'elsewhere": is not there; give a path that exists'),
    ("model.weights=./weights.pth", 'weights.pth": is not there; give a file, a folder, or a hub'),
]


@pytest.mark.parametrize(("override", "message"), ONE_MISTAKE, ids=[one for one, _ in ONE_MISTAKE])
def test_a_mistake_is_told_with_its_key_its_value_and_what_is_allowed(
    folder: Path, override: str, message: str
) -> None:
    found = mistakes(folder / "config.toml", *override.split(","))
    assert any(message in one for one in found), found
    key = override.rpartition(",")[2].partition("=")[0].split(".")[0]
    assert any(one.startswith(key) for one in found)


def test_a_network_that_reads_words_needs_a_tokenizer(folder: Path) -> None:
    text = WORDS.replace('tokenizer = "bytes"\n', "")
    (folder / "words.toml").write_text(text)
    (found,) = mistakes(folder / "words.toml")
    assert found == (
        "data.tokenizer = null: dual_encoder_tiny reads words: give a tokenizer.json, bytes or "
        "words."
    )


def test_a_network_of_words_learns_no_labels(folder: Path) -> None:
    found = mistakes(folder / "config.toml", "model.name=dual_encoder_tiny")
    assert any(
        "would learn contrastive from captions, and folder gives labels" in one for one in found
    )


def test_names_of_classes_are_words_too(folder: Path) -> None:
    labels = ("model.name=xclip_recognition_tiny", "objective.name=class_texts")
    assert mistakes(folder / "config.toml", *labels) == [
        "data.tokenizer = null: xclip_recognition_tiny reads words: give a tokenizer.json, bytes "
        "or words."
    ]
    read = read_config(folder / "config.toml", [*labels, "data.tokenizer=bytes"])
    assert read.objective is not None
    assert mistakes(folder / "words.toml", "objective.name=class_texts") == [
        'objective.name = "class_texts": learns from labels, and data.task is captions.'
    ]
    template = (*labels, "data.tokenizer=bytes", "objective.template='a video'")
    assert mistakes(folder / "config.toml", *template) == [
        'objective.template = "a video": must hold {}, where the name of a class goes.'
    ]


def test_a_key_that_another_objective_has_is_told_as_unknown(folder: Path) -> None:
    found = mistakes(folder / "config.toml", "objective.name=classification", "objective.clips=3")
    assert found == [
        "objective.clips = 3: there is no such key; allowed: name, several, label_smoothing, "
        "focal_gamma, focal_alpha."
    ]


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "empty.toml").write_text("")
    found = mistakes(folder / "empty.toml")
    assert found == ["model: must be given.", "data: must be given."]
    (folder / "half.toml").write_text("[model]\n[data]\n")
    assert mistakes(folder / "half.toml") == [
        "model.name: must be given.",
        "data.dataset: must be given.",
        "data.annotations: must be given.",
    ]


def test_all_mistakes_of_all_files_are_told_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.yaml").write_text("train: {epochs: -1}\nseed: -2\n")
    path = folder / "bad.toml"
    path.write_text(
        'extends = "base.yaml"\nremove = ["log.x"]\n[model]\nname = "c3dtiny"\n[data]\n'
        'dataset = "foldr"\nannotations = "gone"\nframes = 0\nsiz = 64\n[optimizer]\nlr = -1\n'
    )
    overrides = ("train.batch_size=0", "x")
    assert main(["train", str(path), *(f"--set={one}" for one in overrides)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    first, *lines = said.err.splitlines()
    assert first == f"scenewise: {path} has 11 mistakes:"
    assert len(lines) == 11
    text = said.err
    for place, key in (
        (path, "remove: log.x"),
        ("--set", "'x' is not key=value"),
        (folder / "base.yaml", "train.epochs = -1: must be at least 1."),
        (folder / "base.yaml", "seed = -2: must be at least 0."),
        (path, 'model.name = "c3dtiny": there is no such network; did you mean c3d_tiny?'),
        (path, 'data.dataset = "foldr": there is no such dataset'),
        (path, "data.annotations ="),
        (path, "data.frames = 0: must be at least 1."),
        (path, "data.siz = 64: there is no such key; did you mean size?"),
        (path, "optimizer.lr = -1: must be above 0."),
        ("--set", "train.batch_size = 0: must be at least 1."),
    ):
        assert f"  {place}: {key}" in text


def test_a_file_that_cannot_be_read_is_the_one_mistake(tmp_path: Path) -> None:
    assert main(["train", str(tmp_path / "none.toml")]) == 2
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none.toml")


def test_paths_are_relative_to_the_file_that_names_them(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "films").mkdir()
    (folder / "deep" / "main.toml").write_text(
        'extends = "../config.toml"\n[data]\nvideos = "films"\n'
    )
    data = read_config(folder / "deep" / "main.toml").data
    assert data.annotations.resolve() == (folder / "films").resolve()
    assert data.videos is not None
    assert data.videos.resolve() == (folder / "deep" / "films").resolve()


def test_paths_of_the_command_line_are_relative_to_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "films")
    data = read_config(folder / "config.toml", ["data.videos=../films"]).data
    assert data.videos is not None
    assert data.videos.resolve() == (folder / "films").resolve()


def test_weights_may_be_a_hub_name_where_no_such_folder_is(folder: Path) -> None:
    path = folder / "config.toml"
    path.write_text(GOOD.replace("[data]", 'weights = "films/one"\n[data]'))
    assert str(read_config(path).model.weights) == "films/one"
    (folder / "films" / "one").mkdir()
    assert read_config(path).model.weights == folder / "films" / "one"


def test_frames_and_size_that_a_network_cannot_take_are_its_own_sentence(folder: Path) -> None:
    (found,) = mistakes(folder / "config.toml", "model.name=timesformer_tiny", "data.size=60")
    assert "60" in found
    assert "timesformer_tiny" in found


def test_a_word_in_place_of_a_path_stays_a_word(folder: Path) -> None:
    assert read_config(folder / "words.toml").data.tokenizer == "bytes"


def test_a_config_comes_back_from_its_resolved_form(folder: Path) -> None:
    config = read_config(folder / "config.toml", ["optimizer.lr=1e-4", "seed=3"])
    path = folder / "config.resolved.json"
    path.write_text(config.model_dump_json())
    assert read_config(path) == config
    assert json.loads(path.read_text())["optimizer"]["lr"] == 1e-4


def test_the_three_forms_say_the_same(folder: Path) -> None:
    (folder / "same.yaml").write_text(
        "model: {name: c3d_tiny}\ndata: {dataset: folder, annotations: films, size: 64}\n"
        "optimizer: {lr: 1e-4}\n"
    )
    in_toml: Config = read_config(folder / "config.toml", ["optimizer.lr=1e-4"])
    assert read_config(folder / "same.yaml") == in_toml
