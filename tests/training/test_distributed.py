"""Two processes on the processor (gloo) learn what one with the whole batch learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from two_processes import RANKS, SCENARIOS, Facts, clips, run_both, train, words

from scenewise.errors import TrainingError, UsageError
from scenewise.models import create_model
from scenewise.training.distributed import (
    Place,
    clip_gradients,
    full_state,
    load_full_state,
    meaning_of,
    place_of,
    processes,
    unwrap,
    wrap,
)
from scenewise.training.learner import Learner
from scenewise.training.losses import hidden_words_loss
from scenewise.training.objective_settings import DistributedSettings
from scenewise.training.objectives.classification import Classification
from scenewise.training.processes import Processes
from scenewise.training.ranks import (
    gather,
    over_ranks,
    world_size,
)

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Facts]:
    facts = run_both(tmp_path_factory.mktemp("ranks"))
    assert len(facts) == RANKS, "a process wrote nothing; its own message stands above"
    return facts


@pytest.fixture(scope="module")
def alone() -> dict[str, Facts]:
    return {
        name: train(scenario) for name, scenario in SCENARIOS.items() if not name.startswith("fsdp")
    }


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name].reshape(-1) - other[name].reshape(-1)).abs().max()) for name in one)


@pytest.mark.parametrize("name", SCENARIOS)
def test_gradients_and_weights_are_those_of_one_process(
    name: str, both: list[Facts], alone: dict[str, Facts]
) -> None:
    expected = alone[name.removeprefix("fsdp ")]
    largest = max(float(value.abs().max()) for value in expected["gradients"].values())
    assert largest > 1e-2  # there is something to compare
    for facts in both:
        assert facts[name]["loss"] == pytest.approx(expected["loss"], abs=TOLERANCE)
        assert facts[name]["norm"] == pytest.approx(expected["norm"], rel=1e-5)
        assert apart(facts[name]["gradients"], expected["gradients"]) <= TOLERANCE
    assert apart(both[0][name]["weights"], expected["weights"]) <= TOLERANCE
    assert not both[1][name]["weights"]  # the first process alone has the whole
    shapes = {key: value.shape for key, value in expected["weights"].items()}
    assert {key: value.shape for key, value in both[0][name]["weights"].items()} == shapes


def test_a_gather_that_drops_gradients_is_seen(both: list[Facts], alone: dict[str, Facts]) -> None:
    """Encoders then get 1 / ranks of what they should."""
    expected, dropped = alone["info_nce"]["gradients"], both[0]["dropped"]["gradients"]
    assert both[0]["dropped"]["loss"] == pytest.approx(alone["info_nce"]["loss"], abs=TOLERANCE)
    assert apart(dropped, expected) > 1e-3
    name = "model.video_projection.weight"
    assert torch.allclose(dropped[name] * RANKS, expected[name], atol=1e-6)


def test_processes_with_unequal_words_to_tell(both: list[Facts]) -> None:
    logits, labels = words()
    scale = torch.ones((), requires_grad=True)
    torch.autograd.backward(hidden_words_loss(scale * logits, labels))
    assert scale.grad is not None
    for facts in both:
        assert facts["uneven words"].item() == pytest.approx(scale.grad.item(), abs=TOLERANCE)


def test_what_processes_tell_each_other(both: list[Facts]) -> None:
    for number, facts in enumerate(both):
        assert facts["rank"] == number
        assert facts["told"] == "from 0"
        assert facts["total"] == [1.0, 8.0]
        assert facts["least"] == [4, None]
        assert facts["bools"].tolist() == [True, True, False, True]
        assert facts["uneven"].startswith("Processes have batches of different shapes, 2x3, 3x3:")


def test_sharded_parameters(both: list[Facts], alone: dict[str, Facts]) -> None:
    whole = sum(value.numel() for value in alone["classification"]["weights"].values())
    logits = torch.cat([facts["evaluated"] for facts in both])
    learner = SCENARIOS["classification"].learner()
    batch = clips()
    assert batch.clips is not None
    with torch.no_grad():
        assert torch.allclose(logits, learner.model(batch.clips), atol=1e-5)
    for facts in both:
        assert facts["shards"] == pytest.approx(whole / RANKS, rel=0.01)
        assert apart(facts["added"], alone["classification"]["gradients"]) <= TOLERANCE
        assert facts["half"] == pytest.approx(alone["classification"]["loss"], rel=0.05)
    assert both[0]["moved"] > 1e-4
    assert both[0]["put back"]


def test_the_others_end_with_a_process_that_fails(both: list[Facts]) -> None:
    assert both[1]["failed"] == "the second process fails on purpose"
    assert "another one of 2 ended or was silent for 60 seconds" in both[0]["lost"]
    assert both[0]["waited"] < 20


GOOD = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}


def test_where_a_process_stands() -> None:
    assert place_of({}) == Place(0, 0, 1)
    assert place_of({"MASTER_ADDR": "somewhere"}) == Place()  # clusters set it for everybody
    assert place_of(GOOD) == Place(3, 1, 4)
    assert Place().is_first
    assert not place_of(GOOD).is_first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WORLD_SIZE": None}, "RANK is set, but WORLD_SIZE not: start it by torchrun"),
        ({"LOCAL_RANK": None, "MASTER_PORT": None}, "but LOCAL_RANK, MASTER_PORT not"),
        ({"RANK": "4"}, "RANK 4 is none of 4 processes"),
        ({"RANK": "first"}, "are whole numbers"),
    ],
)
def test_a_wrong_start_is_one_sentence(change: dict[str, str | None], said: str) -> None:
    environment = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(UsageError, match=said):
        place_of(environment)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    said = "Process 1 of this machine has no GPU: there are 1"
    with pytest.raises(UsageError, match=said), processes(device="cuda"):
        pass


def test_one_process_is_left_as_it_is() -> None:
    learner = Learner(create_model("c3d_tiny", num_classes=2), Classification())
    with processes() as place:
        assert place == Place()
        assert wrap(learner, DistributedSettings(sync_batchnorm=True)) is learner
    assert unwrap(learner) is learner
    state = full_state(learner)
    assert state.keys() == learner.state_dict().keys()
    load_full_state(learner, {name: torch.zeros_like(value) for name, value in state.items()})
    assert all(not bool(value.any()) for value in learner.state_dict().values())
    given = torch.ones(2, 3)
    assert gather(given) is given
    assert over_ranks(given[0, 0], 7) == 1
    alone = Processes()
    assert (world_size(), alone.first, alone.told("x"), alone.total([2.0])) == (1, True, "x", [2.0])


def test_the_norm_of_all_gradients_is_cut() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert clip_gradients(iter(weights), 1.0) == pytest.approx(5.0)
    assert weights[1].grad.item() == pytest.approx(0.8, abs=1e-4)


def test_unwrapping_what_is_no_learner() -> None:
    with pytest.raises(TypeError, match="no learner: Linear"):
        unwrap(torch.nn.Linear(1, 1))


def test_batch_norm_over_processes_needs_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenewise.training.distributed.world_size", lambda: 2)
    learner = Learner(create_model("resnet3d_tiny", num_classes=2), Classification())
    with pytest.raises(TrainingError, match="sync_batchnorm needs GPUs"):
        wrap(learner, DistributedSettings(sync_batchnorm=True))


@pytest.mark.parametrize(
    ("torch_says", "said"),
    [
        ("Expected to have finished reduction in the prior …", "unused_parameters = true"),
        ("[gloo] Connection closed by peer [127.0.0.1]:1", "Process 1 ends, as another one of 2"),
        ("Timed out waiting 60000ms for recv operation", "silent for 600 seconds"),
        ("mat1 and mat2 shapes cannot be multiplied", None),
    ],
)
def test_what_errors_say_of_other_processes(torch_says: str, said: str | None) -> None:
    meaning = meaning_of(RuntimeError(torch_says), Place(1, 1, 2), DistributedSettings())
    assert (meaning is None) if said is None else (said in str(meaning))
