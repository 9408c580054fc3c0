"""Every recipe runs on films that lie as its dataset's do, with a tiny network and two steps.

What is changed is the size: network, frames, pixels, batch, number of steps and length of the
warm-up. All else, down to the last augmentation and view, is the recipe's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewise.cli.main import main
from scenewise.data.annotations.registry import dataset_source, read_annotations
from scenewise.data.synthetic.layouts import LAYOUTS, write_layout
from scenewise.training.config import ConfigError, read_config
from scenewise.training.config_chain import read_chain

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILMS = {"activitynet_captions": 7, "didemo": 7, "howto100m": 4, "youcook2": 5}
FEATURES = 32  # numbers of a second, of videoclip_tiny
Lay = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Small:
    """What makes a recipe small."""

    network: str
    options: dict[str, Any] = field(default_factory=dict)  # in place of the recipe's
    text_length: int | None = None
    features: bool = False


CLIP4CLIP = Small("clip4clip_tiny", text_length=32)
VIDEOCLIP = Small("videoclip_tiny", {"pixels": False, "longest": 32}, features=True)
SWIN = Small("video_swin_tiny")
RECIPES = {
    "msrvtt/clip4clip": CLIP4CLIP,
    "msrvtt/xclip_retrieval": Small("xclip_retrieval_tiny", {"head": "seq_transformer"}),
    "msrvtt/videoclip": VIDEOCLIP,
    "didemo_paragraphs/clip4clip": CLIP4CLIP,
    "activitynet_paragraphs/clip4clip": CLIP4CLIP,
    "youcook2/videoclip": VIDEOCLIP,
    "howto100m/videoclip": VIDEOCLIP,
    "kinetics400/timesformer": Small("timesformer_tiny"),
    "kinetics400/tsm": Small("tsm_tiny"),
    "kinetics400/video_swin_t": SWIN,
    "kinetics400/video_swin_s": SWIN,
    "kinetics400/video_swin_b": SWIN,
    "kinetics400/video_swin_b_22k": SWIN,
    "kinetics400/x3d_xs": Small("x3d_tiny"),
    "kinetics400/x3d_s": Small("x3d_tiny"),
    "kinetics400/x3d_m": Small("x3d_tiny"),
    "kinetics400/x3d_l": Small("x3d_tiny"),
    "kinetics400/xclip_b32": Small("xclip_recognition_tiny"),
    "kinetics400/xclip_b16": Small("xclip_recognition_tiny"),
    "ucf101/tsm": Small("tsm_tiny"),
    "ucf101/c3d": Small("c3d_tiny"),
    "ucf101/i3d": Small("i3d_tiny"),
    "ucf101/x3d_m": Small("x3d_tiny"),
    "hmdb51/tsm": Small("tsm_tiny"),
    "hmdb51/c3d": Small("c3d_tiny"),
    "hmdb51/i3d": Small("i3d_tiny"),
    "hmdb51/x3d_m": Small("x3d_tiny"),
}


def layout_of(recipe: str) -> str:
    dataset = recipe.partition("/")[0]
    return {
        "didemo_paragraphs": "didemo",
        "activitynet_paragraphs": "activitynet_captions",
    }.get(dataset, dataset)


@pytest.fixture(scope="module")
def lay(tmp_path_factory: pytest.TempPathFactory) -> Lay:
    """The folder of a layout's films, written when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("layouts") / name
            write_layout(made[name], name, FILMS.get(name, 8), size=32)
        return made[name]

    return folder


def kept_vectors(folder: Path, dataset: str, annotations: Path) -> Path:
    """A vector a second of each video, as ``feature_files`` keeps them."""
    folder.mkdir()
    seconds = LAYOUTS[layout_of(dataset)].seconds
    times = np.arange(seconds) + 0.5
    for split in {"msrvtt": ("train-9k", "test-1k-A")}.get(dataset, dataset_source(dataset).splits):
        for video in read_annotations(dataset, annotations, split).videos:
            vectors = np.random.default_rng(len(video)).normal(size=(len(times), FEATURES))
            np.savez(
                folder / f"{video}.npz",
                vectors=vectors.astype(np.float16),
                times=times,
                duration=seconds,
                made_from="",
            )
    return folder


def has_labels(recipe: str) -> bool:
    return recipe.partition("/")[0] in ("kinetics400", "ucf101", "hmdb51")


def reads_words(recipe: str) -> bool:
    return not has_labels(recipe) or "xclip" in recipe


def shrunk(recipe: str, small: Small, annotations: Path, folder: Path) -> Path:
    """A config that extends the recipe and is quick."""
    chain = read_chain(CONFIGS / f"{recipe}.toml").values()
    data: dict[str, Any] = {"annotations": str(annotations), "frames": 8, "size": 64}
    if reads_words(recipe):
        data["tokenizer"] = "bytes"
    if small.text_length:
        data["text_length"] = small.text_length
    if small.features:
        dataset = recipe.partition("/")[0]
        data["features"] = str(kept_vectors(folder / "features", dataset, annotations))
    warmup = {name: 1 for name in chain["schedule"] if name in ("warmup_steps", "warmup_epochs")}
    whole = {
        "extends": str(CONFIGS / f"{recipe}.toml"),
        "remove": ["model.options"] if "options" in chain["model"] else [],
        "model": {"name": small.network, "options": small.options},
        "data": data,
        "train": {"batch_size": 2, "max_steps": 2},
        "schedule": warmup,
    }
    path = folder / "small.json"
    path.write_text(json.dumps(whole))
    return path


def test_every_recipe_is_in_the_table_and_every_file_is_used() -> None:
    found = {
        path.relative_to(CONFIGS).with_suffix("").as_posix()
        for path in CONFIGS.rglob("*.toml")
        if path.parent != CONFIGS
        and path.stem != "base"
        # those of the generated world are run by the experiments and their tests
        and "world" not in path.relative_to(CONFIGS).parts
    }
    assert found == set(RECIPES)
    text = (CONFIGS / "README.md").read_text("utf-8")
    assert [name for name in sorted(found) if f"`{name}`" not in text] == []
    assert "/" not in "".join(
        line
        for path in CONFIGS.rglob("*.toml")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(("annotations", "videos", "features", "weights", "tokenizer"))
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_whole_but_for_what_lies_on_a_machine(recipe: str) -> None:
    """The checks build the network at its published size, on shapes alone, and pass a clip."""
    wanted = {"data.annotations"}
    more = []
    if reads_words(recipe):
        wanted.add("data.tokenizer")
    if "videoclip" in recipe:
        more.append(f"data.features={CONFIGS}")  # any folder
    with pytest.raises(ConfigError) as error:
        read_config(CONFIGS / f"{recipe}.toml", more)
    keys = {re.split(" = |: ", line)[1] for line in error.value.lines[1:]}
    assert keys == wanted, error.value


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_and_measures(recipe: str, lay: Lay, tmp_path: Path) -> None:
    small = shrunk(recipe, RECIPES[recipe], lay(layout_of(recipe)), tmp_path)
    run = tmp_path / "run"
    assert main(["train", str(small), "--out", str(run), "--device", "cpu", "--quiet"]) == 0
    said = json.loads((run / "metrics.json").read_text("utf-8"))
    assert said["steps"] == 2
    assert np.isfinite(said["loss"])
    figure = "top_1" if has_labels(recipe) else "text_to_video_recall_1"
    assert figure in said["figures"] or recipe.startswith("howto100m")
    assert (run / "best" / "model.safetensors").is_file()
