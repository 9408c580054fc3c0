"""Questions in training: how they are asked, the losses by hand, and runs that learn answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_batches import BATCH

from scenewise.cli.main import main
from scenewise.data.batch import Batch
from scenewise.data.rows import Annotations, QuestionRow
from scenewise.data.text_tokens import FileTokens, write_byte_tokenizer, write_word_tokenizer
from scenewise.errors import DataError, TrainingError
from scenewise.models import create_model, load_pretrained
from scenewise.models.video_text.frozen_bilm import FrozenBiLM
from scenewise.training import read_config, train
from scenewise.training.evaluation import QuestionEvaluation
from scenewise.training.learner import LOSS
from scenewise.training.network_setup import Prepared, give_answers
from scenewise.training.objective_settings import AnsweringSettings
from scenewise.training.objectives.frozen_bilm import Answering
from scenewise.training.questions import ask, frames_of, yes_or_no

MASK_ID, WIDTH = 59, 8


def split(*rows: QuestionRow, name: str = "train") -> Annotations[QuestionRow]:
    return Annotations("csv", name, "questions", rows)


def open_rows(*answers: str) -> Annotations[QuestionRow]:
    return split(*(QuestionRow("v", "what is it", (answer,)) for answer in answers))


# how they are asked


def test_open_questions_have_the_most_frequent_answers_for_classes() -> None:
    train = open_rows("cat", "dog", "dog", "bird", "cat", "dog")
    seen, unseen = ask(train, open_rows("bird", "dog"), AnsweringSettings(answers=2))
    assert seen.classes == ("dog", "cat")
    assert [row.answers[0] for row in seen.rows] == ["cat", "dog", "dog", "cat", "dog"]
    assert seen.notes == ("1 questions of training have none of 2 answers",)
    assert seen.rows[0].question == "Question: What is it? Answer: [MASK]."
    assert unseen is not None
    assert len(unseen) == 2  # what cannot be answered counts as wrong, and stays


def test_of_several_answers_the_usual_one_counts() -> None:
    rows = split(
        QuestionRow("v", "who", ("a man", "a boy", "a boy")), QuestionRow("v", "who", ("a man",))
    )
    seen, _ = ask(rows, None, AnsweringSettings())
    assert seen.classes == ("a boy", "a man")  # equally frequent: by the alphabet


def test_each_choice_is_asked_by_itself_and_told_by_its_number() -> None:
    choices = ("a dog", "a cat", "a dog")
    rows = split(
        QuestionRow("v", "who runs", ("a dog",), choices, choice=2),
        QuestionRow("v", "who runs", ("a cat",), choices),
        QuestionRow("v", "what is it", ("a cat",)),
    )
    seen, _ = ask(rows, None, AnsweringSettings(choices=True))
    assert seen.classes == ("Yes", "No")
    assert [row.choice for row in seen.rows] == [2, 1]
    assert seen.rows[0].choices[1] == "Question: Who runs? Is it 'A cat'? [MASK]."
    assert seen.notes == ("1 questions of train have no choices and are left out",)


@pytest.mark.parametrize(
    ("settings", "rows", "said"),
    [
        (AnsweringSettings(choices=True), open_rows("a", "b"), "set objective.choices = false"),
        (
            AnsweringSettings(),
            split(QuestionRow("v", "q", ("a",), ("a", "b"))),
            "set objective.choices = true",
        ),
        (AnsweringSettings(), open_rows("a", "a"), "1 answers, and 2 or more are needed"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_said(
    settings: AnsweringSettings, rows: Annotations[QuestionRow], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        ask(rows, None, settings)


# what the network is given


def network(num_answers: int = 2) -> FrozenBiLM:
    torch.manual_seed(0)
    made = create_model(
        "frozen_bilm_tiny", num_answers=num_answers, feature_dim=WIDTH, max_frames=4, vocabulary=60
    )
    assert isinstance(made, FrozenBiLM)
    torch.nn.init.normal_(made.answer_embeddings.weight)
    return made.eval()


def test_frames_are_as_many_as_the_network_reads() -> None:
    vectors = torch.arange(6.0)[None, :, None].expand(2, 6, WIDTH)
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    batch = Batch(
        torch.arange(2), features=vectors, feature_mask=mask, ids=torch.zeros(2, 1).long()
    )
    frames, real = frames_of(network(), batch)
    assert frames[:, :, 0].tolist() == [[0, 1, 3, 4], [0, 1, 2, 0]]  # 6 thinned out, 3 filled up
    assert real.tolist() == [[True] * 4, [True] * 3 + [False]]


def with_choices() -> Batch:
    """Two and three choices."""
    lots = torch.Generator().manual_seed(1)
    choices = torch.randint(3, 50, (2, 3, 5), generator=lots)
    choices[:, :, 3] = MASK_ID
    choices[0, 2] = 0
    return Batch(
        torch.arange(2),
        features=torch.randn(2, 4, WIDTH, generator=lots),
        ids=torch.randint(3, 50, (2, 5), generator=lots),
        choices=choices,
        choice_text_mask=choices != 0,
        choice_mask=torch.tensor([[True, True, False], [True, True, True]]),
        targets=torch.tensor([1, 0]),
    )


def test_right_choices_weigh_as_much_as_all_wrong_ones_together() -> None:
    made, batch = network(), with_choices()
    objective = Answering(made, AnsweringSettings(mask_id=MASK_ID, choices=True))
    assert batch.features is not None
    assert batch.choices is not None
    yes = torch.zeros(2, 3)
    for row in range(2):  # one by one, as nothing else is in a batch with it
        for choice in range(3 if row else 2):
            ids = batch.choices[row, choice][None]
            scores = made(batch.features[row][None], ids, ids != 0)[0, 3]
            yes[row, choice] = scores.softmax(dim=0)[0]
    right = -torch.stack([yes[0, 1], yes[1, 0]]).log().mean()
    wrong = -(1 - torch.stack([yes[0, 0], yes[1, 1], yes[1, 2]])).log().mean()
    figures = objective(made, batch)
    assert torch.allclose(figures[LOSS], (right + wrong) / 2, atol=1e-5)
    chosen = yes.argmax(dim=1)
    measured = QuestionEvaluation([batch], MASK_ID, choices=True)(made)
    assert batch.targets is not None
    assert measured["accuracy"] == float(torch.eq(chosen, batch.targets).float().mean())
    assert figures["accuracy"] == measured["accuracy"]
    said, there = yes_or_no(made, batch, MASK_ID)
    assert torch.allclose(said.softmax(dim=2)[..., 0], yes, atol=1e-5)
    assert batch.choice_mask is not None
    assert torch.equal(there, batch.choice_mask)


def test_what_choices_need_is_said() -> None:
    settings = AnsweringSettings(mask_id=MASK_ID, choices=True)
    with pytest.raises(TrainingError, match=r"give .*num_answers = 2"):
        Answering(network(3), settings)
    open_ones = Batch(
        torch.arange(BATCH),
        features=torch.zeros(BATCH, 4, WIDTH),
        ids=torch.zeros(BATCH, 5).long(),
        targets=torch.zeros(BATCH).long(),
    )
    with pytest.raises(TrainingError, match=r"set objective\.choices = false"):
        Answering(network(), settings)(network(), open_ones)
    with pytest.raises(TrainingError, match="exactly one"):
        Answering(network(), AnsweringSettings(mask_id=MASK_ID))(network(), open_ones)
    with pytest.raises(TrainingError, match=r"needs the tokenizer's \[MASK\]"):
        Answering(network(), AnsweringSettings())


# tokens


def test_answers_begin_as_the_mean_of_their_words(tmp_path: Path) -> None:
    words = FileTokens(
        write_word_tokenizer(tmp_path / "t.json", ["a red dog", "no"], mask=True), length=9
    )
    made = network(2)
    settings = give_answers(Prepared(made, None), AnsweringSettings(), ("red dog", "no"), words)
    red, dog, no = (int(words([word])[0][0, 0]) for word in ("red", "dog", "no"))
    expected = torch.stack([made.words.weight[[red, dog]].mean(dim=0), made.words.weight[no]])
    assert torch.allclose(made.answer_embeddings.weight, expected)
    asked, _ = words(["Question: what? Answer: [MASK]."])
    assert settings.mask_id == words.mask_id == int(words.largest_id)
    assert int((asked == settings.mask_id).sum()) == 1


def test_a_tokenizer_without_a_mask_is_said(tmp_path: Path) -> None:
    words = FileTokens(write_byte_tokenizer(tmp_path / "t.json"), length=9)
    with pytest.raises(TrainingError, match=r"has no \[MASK\]"):
        give_answers(Prepared(network(), None), AnsweringSettings(), ("a", "b"), words)


# runs

COLOURS = ("red", "blue", "green")


def write_questions(folder: Path, *, choices: bool) -> Path:
    """Kept vectors that show a colour, a question about it, and a config."""
    lots = np.random.default_rng(0)
    (folder / "vectors").mkdir(parents=True)
    for name in ("train", "val"):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["video", "question", "answer", *(["choices"] if choices else [])])
            for number in range(12):
                colour = number % 3
                shown = np.eye(3, WIDTH)[colour] * 3 + lots.normal(0, 0.1, (5, WIDTH))
                video = f"{name}{number}"
                np.savez(
                    folder / "vectors" / f"{video}.npz",
                    vectors=shown.astype(np.float32),
                    times=np.arange(5) + 0.5,
                    duration=5.0,
                    made_from="",
                )
                row = [video, "which colour is it", COLOURS[colour]]
                rows.writerow([*row, *(["|".join(COLOURS)] if choices else [])])
    path = folder / "questions.toml"
    path.write_text(
        '[model]\nname = "frozen_bilm_tiny"\ninitialisation = "fan_in"\n'
        f"[model.options]\nfeature_dim = {WIDTH}\nmax_frames = 4\nvocabulary = 64\n"
        '[data]\ndataset = "csv"\ntask = "questions"\nannotations = "."\nfeatures = "vectors"\n'
        'tokenizer = "words"\ntext_length = 16\n'
        f'[objective]\nname = "answering"\nchoices = {str(choices).lower()}\n'
        "[optimizer]\nlr = 1e-3\n[train]\nmax_steps = 120\nbatch_size = 6\nevaluate_epochs = 20\n"
    )
    return path


@pytest.mark.parametrize("choices", [False, True])
def test_a_run_learns_to_answer(tmp_path: Path, choices: bool) -> None:
    config = read_config(write_questions(tmp_path / "data", choices=choices))
    report = train(config, tmp_path / "run", device="cpu")
    assert report.figures["accuracy"] == 1.0
    kept = load_pretrained(str(tmp_path / "run" / "final"))
    assert isinstance(kept, FrozenBiLM)
    assert kept.num_answers == (2 if choices else 3)
    labels = json.loads((tmp_path / "run" / "final" / "config.json").read_text())["labels"]
    assert labels == (["Yes", "No"] if choices else ["blue", "green", "red"])


def test_answers_that_were_learned_are_kept_by_a_run_that_begins_with_them(tmp_path: Path) -> None:
    path = write_questions(tmp_path / "data", choices=False)
    train(read_config(path, ["train.max_steps=4"]), tmp_path / "first", device="cpu")
    weights = f'model.weights="{tmp_path / "first" / "final"}"'
    again = read_config(path, [weights, "train.max_steps=1", "optimizer.lr=1e-12"])
    train(again, tmp_path / "second", device="cpu")
    first, second = (
        load_pretrained(str(tmp_path / name / "final")) for name in ("first", "second")
    )
    assert isinstance(first, FrozenBiLM)
    assert isinstance(second, FrozenBiLM)
    assert torch.allclose(first.answer_embeddings.weight, second.answer_embeddings.weight)


def test_the_command_trains_and_its_dry_run_says_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_questions(tmp_path / "data", choices=True)
    assert main(["train", str(path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "cannot be counted" not in said
    assert "at most at once" in said
    assert "12 of train, 12 of val" in said
    run = [str(path), "--out", str(tmp_path / "run"), "--set", "train.max_steps=1"]
    assert main(["train", *run]) == 0
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.options.num_answers=7", "num_answers is 7, and there are 3 answers; leave the"),
        ("data.text_length=5", "exactly one .* is data.text_length long enough"),
        ("data.tokenizer=bytes", "has no .MASK."),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path: Path, override: str, said: str) -> None:
    path = write_questions(tmp_path / "data", choices=False)
    with pytest.raises(TrainingError, match=said):
        train(read_config(path, [override]), tmp_path / "run", device="cpu")


def test_an_objective_is_named_for_questions(tmp_path: Path) -> None:
    path = write_questions(tmp_path / "data", choices=False)
    text = path.read_text().replace('[objective]\nname = "answering"\nchoices = false\n', "")
    path.write_text(text.replace("[model.options]", "[model.options]\nnum_answers = 3"))
    with pytest.raises(TrainingError, match=r"need objective.name = 'answering'"):
        train(read_config(path), tmp_path / "run", device="cpu")
