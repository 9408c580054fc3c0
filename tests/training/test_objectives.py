"""Objectives: what each says of a batch, which networks it takes, and that it is learned."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter, ValidationError
from seeded import seeded_ids, seeded_input, seeded_state
from tiny_batches import BATCH, TINY, experts, fitted_videobert, learned
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models import create_model
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.two_branch import TwoBranch
from scenewise.models.backbones.videomae import VideoMAE, VideoMAEPretraining
from scenewise.models.layers.masks import tube_mask
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.models.video_text.losses import max_margin
from scenewise.training.learner import LOSS, Figures, Learner
from scenewise.training.losses import mil_nce_of_groups, sigmoid_loss
from scenewise.training.objective_settings import (
    AnsweringSettings,
    ArrowOfTimeSettings,
    ClassificationSettings,
    ClipOrderSettings,
    ContrastiveSettings,
    MaskedVideoSettings,
    MaskedWordsSettings,
    ObjectiveSettings,
    RegressionSettings,
    VideoBERTSettings,
)
from scenewise.training.objectives.arrow_of_time import reverse
from scenewise.training.objectives.classification import Classification
from scenewise.training.objectives.clip_order import cut
from scenewise.training.objectives.contrastive import Contrastive
from scenewise.training.objectives.masked_video import MaskedVideo
from scenewise.training.objectives.registry import OBJECTIVES, default_objective, make_objective

ROWS = torch.arange(BATCH)
CLASSES = torch.tensor([0, 1, 2])
SHARES = torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])


class Levels(VideoBackbone):
    """The brightness of each frame through one layer."""

    def __init__(self, frames: int, num_classes: int = 0) -> None:
        super().__init__()
        self.num_features, self.num_classes = 16, num_classes
        self.layer = nn.Linear(frames, 16)
        self.head = nn.Linear(16, num_classes) if num_classes else nn.Identity()

    def features(self, clips: Tensor) -> Tensor:
        return F.gelu(self.layer(clips.mean(dim=(2, 3, 4))))

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self.features(clips))  # type: ignore[no-any-return]


def said(network: nn.Module, settings: ObjectiveSettings, batch: Batch) -> Figures:
    return Learner(network, make_objective(settings, network))(batch)  # type: ignore[no-any-return]


def clips(frames: int = 4) -> Tensor:
    return seeded_input("clips", (BATCH, frames, 3, 4, 4))


def classified(targets: Tensor | None = CLASSES) -> Batch:
    return Batch(ROWS, clips=clips(), targets=targets)


# classes and numbers


def test_one_class_and_shares() -> None:
    network = Levels(4, num_classes=3)
    logits = network(clips())
    settings = ClassificationSettings(label_smoothing=0.1)
    hard = said(network, settings, classified())
    assert torch.allclose(hard[LOSS], F.cross_entropy(logits, CLASSES, label_smoothing=0.1))
    assert hard["accuracy"] == (logits.argmax(dim=1) == CLASSES).float().mean()
    soft = said(network, ClassificationSettings(), classified(SHARES.double()))
    assert torch.allclose(soft[LOSS], F.cross_entropy(logits, SHARES))
    assert not hard["accuracy"].requires_grad


def test_several_classes() -> None:
    network = Levels(4, num_classes=3)
    targets, logits = SHARES.ceil(), network(clips())
    figures = said(network, ClassificationSettings(several=True), classified(targets))
    assert torch.allclose(figures[LOSS], F.binary_cross_entropy_with_logits(logits, targets))
    assert figures["accuracy"] == ((logits > 0) == targets.bool()).float().mean()
    focused = said(
        network, ClassificationSettings(several=True, focal_gamma=2.0), classified(targets)
    )
    assert focused[LOSS] < figures[LOSS]


@pytest.mark.parametrize(
    ("settings", "batch", "what"),
    [
        (ClassificationSettings(), classified(None), "needs the classes"),
        (ClassificationSettings(), Batch(ROWS, targets=CLASSES), "needs clips"),
        (ClassificationSettings(several=True), classified(), "leave out objective.several"),
        (ClassificationSettings(), classified(SHARES[:, :2]), r"\(3, 2\) stand against .*\(3, 3\)"),
        (ClassificationSettings(), classified(CLASSES + 1), "cannot learn from this batch"),
        (RegressionSettings(), classified(), "needs a number for each clip"),
    ],
)
def test_batches_that_have_not_what_is_needed(
    settings: ObjectiveSettings, batch: Batch, what: str
) -> None:
    with pytest.raises(TrainingError, match=what):
        said(Levels(4, num_classes=3), settings, batch)


def test_a_network_that_cannot_take_a_batch_says_so() -> None:
    network = create_model("videomae_tiny", num_classes=3)
    with pytest.raises(TrainingError, match=r"VideoMAE cannot learn from this batch: .*\[data\]"):
        said(network, ClassificationSettings(), classified())


@pytest.mark.parametrize("loss", ["mse", "huber", "smooth_l1"])
def test_numbers(loss: str) -> None:
    network = Levels(4, num_classes=1)
    targets = torch.tensor([0.1, -3.0, 2.0])
    figures = said(network, RegressionSettings.model_validate({"loss": loss}), classified(targets))
    outputs, wanted = network(clips()), targets[:, None]
    of_torch = {
        "mse": F.mse_loss(outputs, wanted),
        "huber": F.huber_loss(outputs, wanted),
        "smooth_l1": F.smooth_l1_loss(outputs, wanted),
    }
    assert torch.allclose(figures[LOSS], of_torch[loss])
    assert torch.allclose(figures["mae"], (network(clips())[:, 0] - targets).abs().mean())


def test_two_branches_with_their_own_heads_and_sound() -> None:
    whole = seeded_input("two branches", (2, 8, 3, 64, 64))
    batch = Batch(torch.arange(2), clips=whole, targets=torch.tensor([0, 1]))
    svm = create_model("i3d_tsm_tiny", num_classes=3, head="svm").eval()
    assert isinstance(svm, TwoBranch)
    figures = said(svm, ClassificationSettings(), batch)
    assert torch.allclose(figures[LOSS], svm.loss(svm(whole), torch.tensor([0, 1])))
    with pytest.raises(TrainingError, match="An SVM has one class a clip"):
        said(svm, ClassificationSettings(label_smoothing=0.1), batch)
    hearing = create_model("i3d_tsm_tiny", num_classes=3, sound=True).eval()
    with pytest.raises(TrainingError, match="a branch for sound, and the batch has none"):
        said(hearing, ClassificationSettings(), batch)
    sound, has = seeded_input("sound", (2, 16_000)), torch.tensor([True, False])
    heard = said(hearing, ClassificationSettings(), replace(batch, sound=sound, has_sound=has))
    expected = F.cross_entropy(hearing(whole, sound, has), torch.tensor([0, 1]))
    assert torch.allclose(heard[LOSS], expected)
    numbers = create_model("i3d_tsm_tiny", num_classes=1, head="linear_regression")
    assert default_objective(numbers) == RegressionSettings()
    with pytest.raises(TrainingError, match="What fits this network: regression"):
        make_objective(ClassificationSettings(), numbers)


# texts and videos


def compared(name: str) -> tuple[VideoTextModel, Batch]:
    tiny = TINY[name]
    network = tiny.network().eval()
    assert isinstance(network, VideoTextModel)
    return network, Batch(ROWS, clips=tiny.clips(), ids=tiny.ids())


@pytest.mark.parametrize("name", ["clip4clip_tiny", "xclip_recognition_tiny"])
def test_the_published_loss_is_the_networks_own(name: str) -> None:
    network, batch = compared(name)
    assert batch.clips is not None
    assert batch.ids is not None
    figures = said(network, ContrastiveSettings(), batch)
    similarity = network(batch.clips, batch.ids)
    assert torch.allclose(figures[LOSS], network.loss(similarity), atol=1e-6)
    assert figures["recall_1"] == (similarity.argmax(dim=1) == ROWS).float().mean()


def test_losses_of_plain_cosines() -> None:
    """The network's own scale is not read, and so not trained."""
    network, batch = compared("dual_encoder_tiny")
    assert batch.clips is not None
    assert batch.ids is not None
    text, video = network.encode_text(batch.ids).pooled, network.encode_video(batch.clips).pooled
    cosines = text @ video.T
    margin = said(network, ContrastiveSettings(loss="max_margin", margin=0.2), batch)
    assert torch.allclose(margin[LOSS], max_margin(cosines, 0.2), atol=1e-6)
    objective = make_objective(ContrastiveSettings(loss="sigmoid"), network)
    begun = {name: value.item() for name, value in objective.named_parameters()}
    assert begun == {"log_scale": pytest.approx(math.log(10.0)), "bias": -10.0}
    expected = sigmoid_loss(cosines, torch.tensor(math.log(10.0)), torch.tensor(-10.0))
    assert torch.allclose(objective(network, batch)[LOSS], expected, atol=1e-5)
    frozen = {name for name, value in network.named_parameters() if not value.requires_grad}
    assert frozen == {"logit_scale"}


def test_several_captions_a_clip() -> None:
    network, batch = compared("dual_encoder_tiny")
    assert batch.clips is not None
    ids = seeded_ids("captions", (BATCH, 2, 8), 256)
    figures = said(network, ContrastiveSettings(loss="mil_nce"), replace(batch, ids=ids))
    similarity = network(batch.clips, ids.flatten(0, 1))
    assert torch.allclose(figures[LOSS], mil_nce_of_groups(similarity), atol=1e-6)
    own = torch.tensor([0, 0, 1, 1, 2, 2])
    assert figures["recall_1"] == (similarity.argmax(dim=1) == own).float().mean()
    with pytest.raises(TrainingError, match="2 captions a clip need the loss mil_nce"):
        said(network, ContrastiveSettings(loss="info_nce"), replace(batch, ids=ids))


def test_streams_of_experts_are_compared_by_their_margin() -> None:
    network = create_model("mmt_tiny").eval()
    assert isinstance(network, VideoTextModel)
    widths = {"rgb": 48, "s3d": 32, "vggish": 16}
    batch = Batch(ROWS, experts=experts(widths), ids=seeded_ids("words", (BATCH, 6), 1000))
    moved = batch.to("cpu")
    assert moved.experts is not None
    figures = said(network, ContrastiveSettings(), moved)
    similarity = network(moved.experts, moved.ids)
    assert torch.allclose(figures[LOSS], max_margin(similarity, 0.05), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ids": None}, "needs the token ids"),
        ({"clips": None}, "needs clips, vectors or streams"),
    ],
)
def test_a_contrast_needs_both_sides(change: dict[str, Any], what: str) -> None:
    network, batch = compared("dual_encoder_tiny")
    with pytest.raises(TrainingError, match=what):
        said(network, ContrastiveSettings(), replace(batch, **change))


def test_a_contrast_needs_two_pairs() -> None:
    network, batch = compared("dual_encoder_tiny")
    assert batch.clips is not None
    assert batch.ids is not None
    one = replace(batch, rows=ROWS[:1], clips=batch.clips[:1], ids=batch.ids[:1])
    with pytest.raises(TrainingError, match="2 pairs or more"):
        said(network, ContrastiveSettings(), one)


# words and answers


def bilm(num_answers: int = 0) -> nn.Module:
    return create_model(
        "frozen_bilm_tiny", num_answers=num_answers, feature_dim=8, max_frames=4, vocabulary=60
    ).eval()


def prompts(mask_id: int) -> Batch:
    ids = seeded_ids("prompts", (BATCH, 6), 50) + 3
    ids[:, 0], ids[0, 5] = 1, 0
    ids[:, 3] = mask_id
    return Batch(
        ROWS,
        features=seeded_input("frames", (BATCH, 4, 8)),
        ids=ids,
        text_mask=ids != 0,
        targets=CLASSES,
    )


def test_hidden_words_are_told_and_learned() -> None:
    network, batch = bilm(), prompts(20)
    settings = MaskedWordsSettings(mask_id=59, share=0.5)
    objective = make_objective(settings, network)
    torch.manual_seed(3)
    first = objective(network, batch)
    torch.manual_seed(3)
    assert torch.equal(objective(network, batch)[LOSS], first[LOSS])  # torch's dice alone
    assert 3.0 < first[LOSS].item() < 6.0  # near log(60) of a network that knows nothing

    def same_words() -> Tensor:
        torch.manual_seed(3)
        return objective(network, batch)[LOSS]  # type: ignore[no-any-return]

    losses = learned(network, objective, same_words, 25, 1e-2)
    assert losses[-1] < 0.3 * losses[0]


def test_marks_and_padding_are_never_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Tensor] = {}

    def spy(ids: Tensor, **named: Any) -> tuple[Tensor, Tensor]:
        seen["fixed"] = named["fixed"]
        return ids, torch.full_like(ids, -100)

    monkeypatch.setattr("scenewise.training.objectives.frozen_bilm.hide_words", spy)
    network, batch = bilm(), prompts(20)
    figures = said(network, MaskedWordsSettings(mask_id=59), batch)
    assert figures[LOSS].item() == 0.0  # nothing was hidden
    assert batch.ids is not None
    assert torch.equal(seen["fixed"], (batch.ids == 1) | (batch.ids == 0))


def test_answers_stand_at_the_mask() -> None:
    network, batch = bilm(num_answers=3), prompts(59)
    objective = make_objective(AnsweringSettings(mask_id=59), network)
    figures = objective(network, batch)
    scores = network(batch.features, batch.ids, batch.text_mask)[:, 3]
    assert torch.allclose(figures[LOSS], F.cross_entropy(scores, CLASSES), atol=1e-6)
    losses = learned(network, objective, lambda: objective(network, batch)[LOSS], 15, 1e-2)
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(TrainingError, match="exactly one"):
        objective(network, prompts(20))


def test_frozen_bilm_and_what_it_is_not_made_for() -> None:
    with pytest.raises(TrainingError, match=r"\[MASK\] 128000 is no word of this network's 60"):
        make_objective(MaskedWordsSettings(), bilm())
    with pytest.raises(TrainingError, match=r"give .*num_answers = 0"):
        make_objective(MaskedWordsSettings(mask_id=59), bilm(num_answers=3))
    with pytest.raises(TrainingError, match="vectors of frames"):
        said(bilm(), MaskedWordsSettings(mask_id=59), replace(prompts(20), features=None))
    with pytest.raises(TrainingError, match="number of each question's answer"):
        said(bilm(), AnsweringSettings(mask_id=59), replace(prompts(59), targets=None))


def test_videobert_learns_what_it_published() -> None:
    ids = seeded_ids("sentences", (4, 7), 45) + 4
    ids[:, 0], ids[:, -1] = 2, 3
    batch = Batch(torch.arange(4), features=seeded_input("s3d", (4, 5, 64)), ids=ids)
    network = fitted_videobert()
    objective = make_objective(VideoBERTSettings(), network)
    torch.manual_seed(0)
    figures = objective(network, batch)
    parts = ("words", "video_words", "alignment")
    alone = figures[LOSS] - sum(figures[name] for name in parts)
    assert 5.0 < alone.item() < 12.0  # text alone and video alone, each about log(67)
    only = VideoBERTSettings(text_alone=0.0, video_alone=0.0, words=2.0)
    torch.manual_seed(0)
    joint = make_objective(only, network)(network, batch)
    expected = 2 * joint["words"] + joint["video_words"] + joint["alignment"]
    assert torch.allclose(joint[LOSS], expected)
    losses = learned(network, objective, lambda: objective(network, batch)[LOSS], 60, 3e-3)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    with pytest.raises(TrainingError, match="has no video words yet"):
        make_objective(VideoBERTSettings(), create_model("videobert_tiny"))
    with pytest.raises(TrainingError, match="vectors of clips"):
        said(network, VideoBERTSettings(), replace(batch, features=None))


# without labels


def mae() -> VideoMAE:
    network = create_model("videomae_tiny", num_classes=0, num_frames=4, size=64)
    assert isinstance(network, VideoMAE)
    return network


def test_masked_video_is_the_published_autoencoder() -> None:
    """Weight by weight the network and the objective are VideoMAEPretraining."""
    network = mae()
    objective = make_objective(MaskedVideoSettings(), network)
    assert isinstance(objective, MaskedVideo)
    whole = VideoMAEPretraining(network.options)
    shapes = {name: tuple(value.shape) for name, value in whole.named_parameters()}
    whole.load_state_dict(seeded_state(shapes), strict=False)
    state = whole.state_dict()
    inside = {key: value for key, value in state.items() if key.startswith("videomae.")}
    norm = {
        key.removeprefix("videomae.layernorm."): inside.pop(key)
        for key in list(inside)
        if "videomae.layernorm" in key
    }
    network.load_state_dict(inside, strict=False)
    objective.norm.load_state_dict(norm)
    rest = {key: value for key, value in state.items() if not key.startswith("videomae.")}
    assert not objective.decoder.load_state_dict(rest, strict=False).missing_keys
    seen = seeded_input("clips", (2, 4, 3, 64, 64))
    torch.manual_seed(1)
    loss = objective(network, Batch(torch.arange(2), clips=seen))[LOSS]
    torch.manual_seed(1)
    hidden = tube_mask(2, network.options.grid, 0.9)
    assert torch.equal(loss, whole.loss(whole(seen, hidden), seen, hidden))
    torch.autograd.backward(loss)
    learns = {name for name, value in network.named_parameters() if value.grad is not None}
    assert learns == {name for name, _ in network.named_parameters() if "fc_norm" not in name}
    assert not network.fc_norm.weight.requires_grad


def test_a_frame_of_few_places_cannot_hide_some() -> None:
    network = create_model("videomae_tiny", num_classes=0, num_frames=4, size=16)
    with pytest.raises(TrainingError, match=r"Of 1 places in a frame .* hides 0"):
        make_objective(MaskedVideoSettings(), network)


def test_reversed_clips() -> None:
    """Frames behind the real ones stay."""
    given = torch.arange(4.0).expand(3, 4)
    mask = torch.tensor([[True] * 4, [True] * 3 + [False], [True] * 4])
    which = torch.tensor([True, True, False])
    expected = [[3, 2, 1, 0], [2, 1, 0, 3], [0, 1, 2, 3]]
    assert reverse(given, which, mask).tolist() == expected
    assert reverse(given, which)[1].tolist() == [3, 2, 1, 0]


def test_clips_are_cut_equally_far_apart() -> None:
    frames = torch.arange(11.0)[None]
    assert cut(frames, 3, 3).tolist() == [[[0, 1, 2], [4, 5, 6], [8, 9, 10]]]
    assert cut(frames[:, :9], 3, 3)[0, :, 0].tolist() == [0, 3, 6]
    with pytest.raises(TrainingError, match="3 clips of 4 frames need 12 and some between, got 11"):
        cut(frames, 3, 4)


def growing(batch: int, frames: int) -> Batch:
    """Films that become brighter at their own pace, from their own beginning."""
    start, pace = torch.rand(batch, 1), 0.2 + torch.rand(batch, 1)
    levels = start + pace * torch.arange(frames) / frames
    return Batch(torch.arange(batch), clips=levels[:, :, None, None, None].expand(-1, -1, 3, 2, 2))


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        (ArrowOfTimeSettings(), 4),
        (ClipOrderSettings(clips=3, frames=4, hidden=32, dropout=0.0), 14),
    ],
)
def test_time_is_learned(settings: ObjectiveSettings, frames: int) -> None:
    """Where only time tells, a network of one layer comes to tell it; without time it cannot."""
    torch.manual_seed(0)
    network = Levels(4)
    objective = make_objective(settings, network)
    learned(network, objective, lambda: objective(network, growing(64, frames))[LOSS], 150, 1e-2)
    accuracy = objective.eval()(network, growing(512, frames))["accuracy"].item()
    assert accuracy > 0.95
    still = growing(512, frames)
    assert still.clips is not None
    flat = replace(still, clips=still.clips[:, :1].expand(-1, frames, -1, -1, -1))
    assert objective(network, flat)["accuracy"].item() < 0.6


# names and networks


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: create_model("c3d_tiny"), "classification"),
        (lambda: create_model("dual_encoder_tiny"), "contrastive"),
        (lambda: create_model("mmt_tiny"), "contrastive"),
        (lambda: create_model("videobert_tiny"), "videobert"),
        (lambda: bilm(), "masked_words"),
        (lambda: bilm(num_answers=2), "answering"),
    ],
)
def test_what_a_network_learns_where_nobody_says(network: Any, expected: str) -> None:
    assert default_objective(network()).name == expected


@pytest.mark.parametrize(
    ("network", "settings", "what"),
    [
        (
            "c3d_tiny",
            ContrastiveSettings(),
            "contrastive cannot train c3d_tiny: it needs a video-t",
        ),
        ("c3d_tiny", ArrowOfTimeSettings(), "num_classes = 0. What fits this network: classificat"),
        ("c3d_tiny", MaskedVideoSettings(), "needs videomae with num_classes = 0"),
        ("dual_encoder_tiny", ClassificationSettings(), "What fits this network: contrastive"),
        ("xclip_retrieval_tiny", ContrastiveSettings(loss="sigmoid"), "compares vectors alone"),
        ("clap_audio_tiny", ClassificationSettings(), "What fits this network: nothing"),
    ],
)
def test_networks_that_do_not_fit(network: str, settings: ObjectiveSettings, what: str) -> None:
    with pytest.raises(TrainingError, match=what):
        make_objective(settings, create_model(network))


def test_nobody_can_say_what_a_backbone_without_classes_learns() -> None:
    with pytest.raises(TrainingError, match=r"give \[objective\] a name: classification, class_t"):
        default_objective(mae())


def test_every_name_has_settings_and_a_card() -> None:
    adapter: TypeAdapter[ObjectiveSettings] = TypeAdapter(ObjectiveSettings)
    for name, card in OBJECTIVES.items():
        assert adapter.validate_python({"name": name}).name == name == card.name
        assert card.summary
        assert card.accepts
    with pytest.raises(ValidationError, match="label_smoothing"):
        adapter.validate_python({"name": "contrastive", "label_smoothing": 0.1})
    with pytest.raises(ValidationError, match="masked_video"):  # the names that there are
        adapter.validate_python({"name": "contrast"})


def test_objectives_meant_for_other_modules_say_so() -> None:
    batch = Batch(ROWS, clips=clips(), ids=ROWS[:, None])
    for objective in (Contrastive(), make_objective(ArrowOfTimeSettings(), Levels(4))):
        with pytest.raises(TrainingError, match=r"got Linear|a backbone to see them"):
            objective(nn.Linear(1, 1), batch)
    assert isinstance(Classification(), Classification)  # settings are optional


def test_half_precision_is_compared_in_single() -> None:
    network = Levels(4, num_classes=3).to(torch.bfloat16)
    batch = replace(classified(), clips=clips().to(torch.bfloat16))
    assert said(network, ClassificationSettings(), batch)[LOSS].dtype == torch.float32


def test_a_network_is_reached_inside_its_learner() -> None:
    learner = Learner(Levels(4), Classification())
    assert learner.within(lambda network: network) is learner.model
