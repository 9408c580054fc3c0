"""Classes by their names: the loss by hand, a text side that stays, and a run that learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from seeded import seeded_ids
from tiny_batches import BATCH, TINY
from torch import Tensor, nn
from training_films import write_captions, write_config, write_films

from scenewise.cli.main import main
from scenewise.data.batch import Batch
from scenewise.encoders.network_files import convert_checkpoint
from scenewise.errors import TrainingError
from scenewise.models import create_model, load_pretrained
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.training import read_config, train
from scenewise.training.dry_run import dry_run
from scenewise.training.evaluation import LabelEvaluation
from scenewise.training.learner import LOSS, Figures, Learner
from scenewise.training.objective_settings import ClassTextsSettings
from scenewise.training.objectives.class_texts import ClassTexts
from scenewise.training.objectives.registry import make_objective
from scenewise.training.outputs import ClassTokens, outputs_of

NETWORKS = ["xclip_recognition_tiny", "clip4clip_tiny", "dual_encoder_tiny"]
CLASSES = 70  # more than are encoded at once
TARGETS = torch.tensor([69, 0, 64])
SHARES = (
    F.one_hot(TARGETS, CLASSES) * 0.7 + F.one_hot(TARGETS - 1 + 2 * (TARGETS == 0), CLASSES) * 0.3
)
WORDS = """
[objective]
name = "class_texts"
[optimizer]
lr = 1e-3
"""


def pieces(name: str) -> tuple[VideoTextModel, ClassTokens, Batch]:
    """A seeded network, texts of its classes, and clips with targets."""
    tiny = TINY[name]
    network = tiny.network()
    assert isinstance(network, VideoTextModel)
    ids = seeded_ids("classes", (CLASSES, tiny.words), 200)
    ids[:, -1] = 255  # CLIP's end mark
    texts = ClassTokens(ids, torch.ones_like(ids, dtype=torch.bool))
    return network, texts, Batch(torch.arange(BATCH), clips=tiny.clips(), targets=TARGETS)


def learner(name: str, **settings: Any) -> tuple[Learner, Batch]:
    network, texts, batch = pieces(name)
    chosen = ClassTextsSettings.model_validate(settings)
    return Learner(network.eval(), make_objective(chosen, network, texts)), batch


def by_hand(name: str) -> Tensor:
    """Logits (B, K) of the whole network."""
    network, texts, batch = pieces(name)
    assert batch.clips is not None
    return network.eval()(batch.clips, texts.ids, None, texts.mask).T  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_is_cross_entropy_over_the_networks_own_similarity(name: str) -> None:
    logits = by_hand(name)
    module, batch = learner(name, label_smoothing=0.1)
    figures: Figures = module(batch)
    expected = F.cross_entropy(logits, TARGETS, label_smoothing=0.1)
    assert torch.allclose(figures[LOSS], expected, atol=1e-5)
    assert figures["accuracy"] == (logits.argmax(dim=1) == TARGETS).float().mean()
    mixed, _ = learner(name)
    soft = mixed(replace(batch, targets=SHARES.double()))
    assert torch.allclose(soft[LOSS], F.cross_entropy(logits, SHARES), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_reads_texts_stays_and_everything_else_learns(name: str) -> None:
    module, batch = learner(name)
    module.train()
    torch.autograd.backward(module(batch)[LOSS])
    parameters = dict(module.named_parameters())
    learns = {key for key, value in parameters.items() if value.grad is not None}
    assert learns == {key for key, value in parameters.items() if value.requires_grad}
    stays = set(parameters) - learns
    sides = {
        "xclip_recognition_tiny": ("model.xclip.text_",),
        "clip4clip_tiny": (
            "model.clip.transformer.",
            "model.clip.token_embedding.",
            "model.clip.positional_embedding",
            "model.clip.ln_final.",
            "model.clip.text_projection",
        ),
        "dual_encoder_tiny": ("model.text_", "model.text."),
    }[name]
    assert stays == {key for key in parameters if key.startswith(sides)}
    assert stays


def test_texts_are_read_once_in_eval_mode_and_nothing_of_them_is_saved() -> None:
    module, batch = learner("xclip_recognition_tiny")
    seen: list[tuple[bool, bool]] = []
    reads, sees = (module.model.get_submodule(f"xclip.{one}") for one in ("text_model", "mit"))
    reads.register_forward_hook(
        lambda part, _inputs, _outputs: seen.append((part.training, torch.is_grad_enabled()))
    )
    module.train()
    sees.eval()
    first = module(batch)[LOSS]
    assert torch.equal(module(batch)[LOSS], first)
    assert seen == [(False, False)] * 2  # two parts of 64 and 6
    assert reads.training
    assert not sees.training
    assert not module.objective.state_dict()


def test_texts_learn_where_that_is_asked_for() -> None:
    module, batch = learner("xclip_recognition_tiny", learn_text=True)
    torch.autograd.backward(module(batch)[LOSS])
    assert all(value.grad is not None for value in module.parameters())
    logits = by_hand("xclip_recognition_tiny")
    assert torch.allclose(module(batch)[LOSS], F.cross_entropy(logits, TARGETS), atol=1e-5)
    with torch.no_grad():
        for value in module.model.get_submodule("xclip.text_model").parameters():
            value.mul_(1.1)
    assert not torch.allclose(module(batch)[LOSS], F.cross_entropy(logits, TARGETS), atol=1e-4)


def test_a_text_side_that_is_frozen_already_is_left_as_it_is() -> None:
    network, texts, batch = pieces("clip4clip_tiny")
    network.requires_grad_(False)
    objective = make_objective(ClassTextsSettings(), network, texts)
    assert objective(network, batch)["accuracy"] >= 0


def test_what_does_not_belong_together_is_said() -> None:
    network, texts, batch = pieces("xclip_recognition_tiny")
    with pytest.raises(TrainingError, match="cannot train c3d_tiny: it needs a video-text model"):
        make_objective(ClassTextsSettings(), create_model("c3d_tiny"), texts)
    with pytest.raises(TrainingError, match="the names of classes, and none are given"):
        make_objective(ClassTextsSettings(), network)
    objective = ClassTexts(texts)
    with pytest.raises(TrainingError, match="need a video-text model, got Linear"):
        objective(nn.Linear(1, 1), batch)
    with pytest.raises(TrainingError, match="needs the classes of its videos"):
        objective(network, replace(batch, targets=None))
    with pytest.raises(TrainingError, match="needs clips, vectors or streams"):
        objective(network, replace(batch, clips=None))
    with pytest.raises(TrainingError, match=r"\(3, 5\) stand against logits \(3, 70\)"):
        objective(network, replace(batch, targets=SHARES[:, :5]))


def test_labels_are_measured_beside_the_texts_of_classes() -> None:
    network, texts, batch = pieces("xclip_recognition_tiny")
    said = by_hand("xclip_recognition_tiny").argmax(dim=1)
    figures = LabelEvaluation([replace(batch, targets=said)], texts)(network)
    assert figures == {"top_1": 1.0, "top_5": 1.0, "mean_class_accuracy": 1.0}
    wrong = LabelEvaluation([replace(batch, targets=(said + 1) % CLASSES)], texts)(network)
    assert wrong["top_1"] == 0.0
    assert network.training
    with pytest.raises(TrainingError, match="C3D compares no texts of classes"):
        LabelEvaluation([batch], texts)(create_model("c3d_tiny"))
    with pytest.raises(TrainingError, match="none are given: set objective"):
        outputs_of(network, batch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes")
    write_captions(write_films(root / "films"))
    write_config(root, network="xclip_recognition_tiny", more=WORDS)
    return root


def test_a_run_learns_two_classes_by_their_names(folder: Path, tmp_path: Path) -> None:
    config = read_config(
        folder / "labels.toml",
        ["data.tokenizer=bytes", "objective.template='a {} video'", "train.epochs=6"],
    )
    report = train(config, tmp_path / "run")
    assert report.figures["top_1"] == 1.0
    assert report.loss < 0.3
    best = tmp_path / "run" / "best"
    made = json.loads((best / "config.json").read_text("utf-8"))
    assert made["labels"] == ["bright", "dark"]
    assert made["text"]["length"] == 32
    assert made["text"]["template"] == "a {} video"
    assert (best / "tokenizer.json").is_file()
    network = load_pretrained(best)
    assert isinstance(network, VideoTextModel)
    fresh = create_model("xclip_recognition_tiny")
    assert set(network.state_dict()) == set(fresh.state_dict())
    again = convert_checkpoint(str(best), tmp_path / "again")
    assert again.labels == 2
    assert json.loads((tmp_path / "again" / "config.json").read_text("utf-8")) == made


@pytest.mark.slow
def test_classify_names_the_classes_of_such_a_run(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As the evaluation does: the template and the tokenizer lie beside the weights."""
    run = tmp_path / "run"
    typed = ["train", str(folder / "labels.toml"), "--out", str(run), "--quiet"]
    for setting in ("data.tokenizer=bytes", "objective.template='a {} video'", "train.epochs=6"):
        typed += ["--set", setting]
    assert main(typed) == 0
    for label in ("dark", "bright"):
        film = str(folder / "films" / label / "0.mp4")
        capfd.readouterr()
        assert main(["classify", film, "--model", str(run / "best"), "--json"]) == 0
        said = json.loads(capfd.readouterr().out)["labels"]
        assert said[0]["name"] == label
        assert said[0]["probability"] > 0.6


def test_a_dry_run_counts_it(folder: Path) -> None:
    said = dry_run(read_config(folder / "labels.toml", ["data.tokenizer=words"]))
    assert said.objective == "ClassTexts"
    assert "ids" not in said.batch
    assert said.memory is not None
    assert 0 < said.trained < said.parameters


def test_classes_that_read_alike_are_refused(folder: Path, tmp_path: Path) -> None:
    config = read_config(
        folder / "labels.toml",
        ["data.tokenizer=bytes", "objective.template='a video of {}'", "data.text_length=8"],
    )
    with pytest.raises(TrainingError, match="'bright' and 'dark' are the same 8 tokens"):
        train(config, tmp_path / "run")
