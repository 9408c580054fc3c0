"""What is measured, against figures that follow by hand, and what a network is like afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.metrics.retrieval import median_rank, ranks_of, recall_at
from scenewise.models import create_model
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.training.evaluation import (
    LabelEvaluation,
    QuestionEvaluation,
    RetrievalEvaluation,
    measuring,
)
from scenewise.training.figures import FIGURES, is_falling


class Reads(nn.Module):
    """Logits that stand in the clip: the first pixels of its first frame."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.dropout = nn.Dropout(0.9)  # in training mode nothing would be right
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.dropout(clips[:, 0, 0, 0, : self.classes]) * self.weight
        return logits


def clips_of(logits: list[list[float]]) -> Tensor:
    """(B, 1, 1, 1, K) clips whose pixels are these logits."""
    return torch.tensor(logits)[:, None, None, None, :]


SEVERAL = torch.ones(1, 2)  # a target for each class


def labelled(rows: list[int], logits: list[list[float]], targets: list[int]) -> Batch:
    return Batch(torch.tensor(rows), clips=clips_of(logits), targets=torch.tensor(targets))


def test_shares_of_right_labels_by_hand() -> None:
    batches = [
        labelled([0, 1], [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]], [0, 0]),
        labelled([2, 3], [[5.0, 0.0, 0.0], [0.0, 0.0, 5.0]], [0, 2]),
    ]
    figures = LabelEvaluation(batches)(Reads(3))
    # three of class 0, of which two are right, and the one of class 2; class 1 does not occur
    assert figures == {
        "top_1": 0.75,
        "mean_class_accuracy": pytest.approx((2 / 3 + 1) / 2),
    }


def test_top_5_counts_where_there_are_more_than_five_classes() -> None:
    descending = [[float(10 - number) for number in range(8)]] * 2
    figures = LabelEvaluation([labelled([0, 1], descending, [4, 5])])(Reads(8))
    assert (figures["top_1"], figures["top_5"]) == (0.0, 0.5)


def test_clips_of_one_row_are_averaged_as_probabilities() -> None:
    sure, unsure = [0.0, 9.0], [0.5, 0.0]
    # two unsure clips of class 0 against a sure one of class 1: the mean share of class 1 wins
    views = labelled([7, 7, 7], [unsure, sure, unsure], [1, 1, 1])
    assert LabelEvaluation([views])(Reads(2))["top_1"] == 1.0
    # and it does not matter in which batches they come
    apart = [labelled([7], [one], [1]) for one in (unsure, sure, unsure)]
    assert LabelEvaluation(apart)(Reads(2))["top_1"] == 1.0


def test_several_labels_at_once_are_ranked() -> None:
    """Class 0 belongs to the first and third in its ranking of three: (1/1 + 2/3) / 2."""
    wanted = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    logits = [[5.0, -9.0], [2.0, 1.0], [-1.0, 3.0]]
    batches = [
        Batch(torch.tensor([0, 1]), clips=clips_of(logits[:2]), targets=wanted[:2]),
        Batch(torch.tensor([2]), clips=clips_of(logits[2:]), targets=wanted[2:]),
    ]
    figures = LabelEvaluation(batches)(Reads(2))
    # in one ranking: 5 right, 3 right, 2 wrong, 1 right, -1 right, -9 wrong
    together = (1 + 1 + 3 / 4 + 4 / 5) / 4
    by_class = ((1 + 2 / 3) / 2, 1.0)
    assert figures == {
        "mAP": pytest.approx(sum(by_class) / 2),
        "mAP_micro": pytest.approx(together),
        "mAP_weighted": pytest.approx(sum(by_class) / 2),
    }


def test_views_of_several_labels_are_averaged_as_probabilities() -> None:
    """Each label by its own sigmoid: one sure view of three does not lift class 0 above 1/2."""
    wanted = torch.tensor([[0.0, 1.0]] * 3 + [[1.0, 0.0]])
    logits = [[9.0, 0.0], [-9.0, 0.0], [-9.0, 0.0], [0.0, -1.0]]
    batch = Batch(torch.tensor([0, 0, 0, 1]), clips=clips_of(logits), targets=wanted)
    assert LabelEvaluation([batch])(Reads(2))["mAP"] == 1.0


def test_a_network_is_afterwards_in_the_modes_in_which_it_was() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.Sequential(nn.Dropout()))
    network.train()
    network[0].eval()  # a norm that was frozen stays so
    before = [module.training for module in network.modules()]
    with measuring(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()
    assert [module.training for module in network.modules()] == before
    with pytest.raises(RuntimeError, match="inside"), measuring(network):
        raise RuntimeError("inside")
    assert [module.training for module in network.modules()] == before


class Table(VideoTextModel):
    """Similarities from a table: text i and video j say which row and column; ``asked`` counts."""

    embed_dim = 1

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.encoded: list[int] = []
        self.blocks: list[tuple[int, int]] = []

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        self.encoded += clips[:, 0, 0, 0, 0].long().tolist()
        return Features(clips[:, 0, 0, 0])

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        return Features(ids[:, :1].float())

    def similarity(self, text: Features, video: Features) -> Tensor:
        self.blocks.append((len(text), len(video)))
        return self.table[text.pooled[:, 0].long()][:, video.pooled[:, 0].long()]

    def loss(self, similarity: Tensor) -> Tensor:
        return similarity.mean()


def pairs(texts: int, videos: list[int]) -> tuple[list[Batch], list[Batch]]:
    """A batch for two videos each, and one for two texts each; row i of texts is of row i."""
    seen = [
        Batch(torch.tensor([row]), clips=torch.full((1, 1, 1, 1, 1), float(video)))
        for row, video in enumerate(videos)
    ]
    said = [Batch(torch.tensor([row]), ids=torch.tensor([[row]])) for row in range(texts)]
    return seen, said


def test_retrieval_both_ways_is_that_of_the_table() -> None:
    table = torch.randn(12, 12, generator=torch.Generator().manual_seed(1))
    seen, said = pairs(12, list(range(12)))
    network = Table(table)
    figures = RetrievalEvaluation(seen, said, list(range(12)), block=5)(network)
    truth = torch.arange(12).numpy()
    for way, scores in (("text_to_video", table), ("video_to_text", table.T)):
        ranks = ranks_of(scores.numpy(), truth)
        assert figures[f"{way}_recall_1"] == recall_at(ranks, 1)
        assert figures[f"{way}_recall_5"] == recall_at(ranks, 5)
        assert figures[f"{way}_median_rank"] == median_rank(ranks)
        assert figures[f"{way}_mean_rank"] == pytest.approx(float(ranks.mean()))
    assert set(figures) == set(FIGURES["captions"])
    assert max(max(block) for block in network.blocks) <= 5


def test_rows_of_one_video_are_one_video() -> None:
    # rows 0 and 2 show the same video: both texts are right for it
    table = torch.tensor([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    seen, said = pairs(3, [0, 1, 0])
    network = Table(table)
    figures = RetrievalEvaluation(seen, said, [0, 1, 0])(network)
    assert network.encoded == [0, 1]
    assert figures["text_to_video_recall_1"] == 1.0
    assert figures["video_to_text_recall_1"] == 1.0


@pytest.mark.parametrize(
    ("evaluation", "network", "said"),
    [
        (LabelEvaluation([]), Reads(2), "no clip to measure on"),
        (LabelEvaluation([labelled([0], [[float("nan"), 0.0]], [0])]), Reads(2), "diverged"),
        (
            LabelEvaluation(
                [
                    Batch(
                        torch.tensor([0]),
                        clips=torch.zeros(1, 1, 1, 1, 2),
                        targets=torch.zeros(1, 2),
                    )
                ]
            ),
            Reads(2),
            "No video of the validation split has a label",
        ),
        (RetrievalEvaluation([], [], []), Reads(2), "compares no texts with videos"),
        (RetrievalEvaluation([], [], []), Table(torch.eye(2)), "no video to measure on"),
        (QuestionEvaluation([], 5), Reads(2), "answers no questions"),
    ],
)
def test_what_cannot_be_measured_is_said(
    evaluation: LabelEvaluation, network: nn.Module, said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        evaluation(network)


def test_answers_are_those_at_the_mask() -> None:
    mask_id, answers = 5, 4
    network = create_model("frozen_bilm_tiny", num_answers=answers)
    ids = torch.tensor([[7, mask_id, 8], [9, 10, mask_id], [mask_id, 11, 12]])
    frames = torch.randn(3, 4, 768, generator=torch.Generator().manual_seed(0))
    with measuring(network):
        logits = network(frames, ids)  # (B, L, A)
    places = (ids == mask_id).nonzero()[:, 1]
    best = [int(logits[row, place].argmax()) for row, place in enumerate(places)]
    # the last question's answer is none of the classes, and counts as wrong
    batch = Batch(
        torch.arange(3), features=frames, ids=ids, targets=torch.tensor([best[0], best[1], -100])
    )
    assert QuestionEvaluation([batch], mask_id)(network) == {"accuracy": pytest.approx(2 / 3)}


def test_ranks_and_losses_fall() -> None:
    falling = {name for names in FIGURES.values() for name in names if is_falling(name)}
    assert {name.partition("_to_")[2].partition("_")[2] for name in falling} == {
        "median_rank",
        "mean_rank",
    }
    assert is_falling("loss")
