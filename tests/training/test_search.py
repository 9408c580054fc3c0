"""A search on a toy, whose best is known; what it leaves, how it goes on; and one of real runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from training_films import write_config, write_films

from scenewise.cli.main import main
from scenewise.errors import TrainingError, UsageError
from scenewise.training.config import (
    Config,
    ConfigError,
    ReadConfig,
    read_config,
    read_with_sources,
)
from scenewise.training.search import Report, SearchReport, search
from scenewise.training.search_space import Choices, Range, read_space

SPACE = (
    'figure = "top_1"\ntrials = 6\n[space]\n'
    "optimizer.lr = { low = 1e-4, high = 1.0, log = true }\n"
    "train.batch_size = { choices = [2, 3] }\n"
)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_films(tmp_path_factory.mktemp("search") / "films")


@pytest.fixture
def read(tmp_path: Path, films: Path) -> ReadConfig:
    (tmp_path / "films").symlink_to(films)
    return read_with_sources(write_config(tmp_path), ["seed=4"])


def space(folder: Path, text: str = SPACE) -> Path:
    path = folder / "space.toml"
    path.write_text(text)
    return path


class Toy:
    """The nearer the rate is to 0.01, the better; batches of 3 are better than those of 2."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def value(self, config: Config) -> float:
        return -abs(config.optimizer.lr - 0.01) + config.train.batch_size / 100

    def __call__(self, config: Config, folder: Path, report: Report) -> Mapping[str, float]:
        self.seen.append((config.optimizer.lr, config.train.batch_size))
        folder.mkdir(parents=True)
        (folder / "final").mkdir()
        report({"top_1": self.value(config)})
        return {"top_1": self.value(config)}


def run(read: ReadConfig, folder: Path, toy: Toy, **options: object) -> SearchReport:
    return search(read, space(folder), folder / "out", run=toy, **options)  # type: ignore[arg-type]


def test_the_best_trial_is_the_best(read: ReadConfig, tmp_path: Path) -> None:
    toy = Toy()
    report = run(read, tmp_path, toy)
    assert len(report.trials) == len(toy.seen) == 6
    assert (report.figure, report.direction) == ("top_1", "maximize")
    values = {trial.number: trial.value for trial in report.trials if trial.value is not None}
    assert report.best == max(values, key=lambda number: values[number])
    best = read_config(tmp_path / "out" / "best.toml")
    tried = next(trial for trial in report.trials if trial.number == report.best)
    assert best.optimizer.lr == tried.values["optimizer.lr"]
    assert best.train.batch_size == tried.values["train.batch_size"]
    assert best.seed == 4  # what the command line said
    assert best.data == read.config.data


def test_only_the_best_trial_keeps_its_networks(read: ReadConfig, tmp_path: Path) -> None:
    report = run(read, tmp_path, Toy())
    kept = [place.parent.name for place in (tmp_path / "out" / "trials").glob("*/final")]
    assert kept == [f"{report.best:04d}"]


def test_the_same_seed_tries_the_same(read: ReadConfig, tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        toy = Toy()
        search(read, space(tmp_path), tmp_path / name, run=toy)
        seen.append(toy.seen)
    assert seen[0] == seen[1]


def test_a_search_that_was_cut_off_goes_on(read: ReadConfig, tmp_path: Path) -> None:
    class Killed(Toy):
        def __call__(self, config: Config, folder: Path, report: Report) -> Mapping[str, float]:
            if len(self.seen) == 2:
                self.seen.append((config.optimizer.lr, config.train.batch_size))
                raise KeyboardInterrupt  # as Ctrl-C or the end of the process: no state is written
            return super().__call__(config, folder, report)

    killed, toy = Killed(), Toy()
    with pytest.raises(KeyboardInterrupt):
        run(read, tmp_path, killed)
    report = run(read, tmp_path, toy, resume=True)
    # two were finished and stay; the third is tried again with its values
    assert len(toy.seen) == 4
    assert toy.seen[0] == killed.seen[2]
    assert len(report.trials) == 6
    assert len(set(killed.seen + toy.seen)) == 6
    more = run(read, tmp_path, Toy(), resume=True, trials=7)
    assert len(more.trials) == 7


def test_a_folder_holds_one_search(read: ReadConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no search to go on with"):
        run(read, tmp_path, Toy(), resume=True)
    run(read, tmp_path, Toy(), trials=1)
    with pytest.raises(UsageError, match="holds a search already; go on with it by --resume"):
        run(read, tmp_path, Toy())
    other = space(tmp_path, SPACE.replace("high = 1.0", "high = 2.0"))
    with pytest.raises(UsageError, match="another space: space differ"):
        search(read, other, tmp_path / "out", run=Toy(), resume=True)


def test_a_trial_that_fails_is_noted_and_the_others_go_on(read: ReadConfig, tmp_path: Path) -> None:
    class Some(Toy):
        def __call__(self, config: Config, folder: Path, report: Report) -> Mapping[str, float]:
            if not self.seen:
                self.seen.append((0.0, 0))
                raise TrainingError("The loss is no number.")
            return super().__call__(config, folder, report)

    report = run(read, tmp_path, Some(), trials=3)
    assert [trial.state for trial in report.trials] == ["failed", "complete", "complete"]
    assert report.trials[0].note == "The loss is no number."

    class No(Toy):
        def __call__(self, config: Config, folder: Path, report: Report) -> Mapping[str, float]:
            raise TrainingError("The loss is no number.")

    with pytest.raises(TrainingError, match="None of 2 trials ended well; the last: The loss"):
        search(read, space(tmp_path), tmp_path / "no", run=No(), trials=2)


def test_a_trial_that_falls_behind_is_pruned(read: ReadConfig, tmp_path: Path) -> None:
    class Worse(Toy):
        """Every trial is worse than the one before, from its first evaluation on."""

        def __call__(self, config: Config, folder: Path, report: Report) -> Mapping[str, float]:
            self.seen.append((config.optimizer.lr, config.train.batch_size))
            for step in range(3):
                report({"top_1": step / 10 - len(self.seen)})
            return {"top_1": -float(len(self.seen))}

    report = run(read, tmp_path, Worse())
    # the median needs some finished trials to judge by
    assert [trial.state for trial in report.trials] == ["complete"] * 4 + ["pruned"] * 2
    assert report.best == 0
    hyperband = space(tmp_path, f'pruner = "hyperband"\n{SPACE}')
    found = search(read, hyperband, tmp_path / "hyperband", run=Worse())
    assert {trial.state for trial in found.trials} <= {"complete", "pruned"}


def test_a_search_ends_when_its_time_is_over(read: ReadConfig, tmp_path: Path) -> None:
    clock = iter(range(0, 1000, 10))
    timed = space(tmp_path, f"timeout_seconds = 25\n{SPACE}")
    report = search(read, timed, tmp_path / "out", run=Toy(), now=lambda: float(next(clock)))
    assert len(report.trials) == 2


def test_the_direction_is_that_of_the_figure_or_as_given(read: ReadConfig, tmp_path: Path) -> None:
    falling = space(tmp_path, f'direction = "minimize"\n{SPACE}')
    report = search(read, falling, tmp_path / "out", run=Toy(), trials=3)
    values = {trial.number: trial.value or 0.0 for trial in report.trials}
    assert report.best == min(values, key=lambda number: values[number])


def test_a_space_names_keys_ranges_and_choices(tmp_path: Path) -> None:
    text = (
        "[space]\noptimizer.lr = { low = 1e-5, high = 1, log = true }\n"
        '"train.batch_size" = { low = 2, high = 8, step = 2 }\n'
        'optimizer.name = { choices = ["adamw", "sgd"] }\n'
        "[space.model.options]\ndropout = { low = 0.0, high = 0.5 }\n"
    )
    found = read_space(space(tmp_path, text)).keys
    assert found == {
        "optimizer.lr": Range(1e-5, 1, log=True),
        "optimizer.name": Choices(("adamw", "sgd")),
        "train.batch_size": Range(2, 8, step=2),
        "model.options.dropout": Range(0.0, 0.5),
    }
    whole = {key: one.whole for key, one in found.items() if isinstance(one, Range)}
    assert whole == {
        "optimizer.lr": False,
        "train.batch_size": True,
        "model.options.dropout": False,
    }


def test_all_mistakes_of_a_space_are_told_at_once(tmp_path: Path) -> None:
    text = (
        'trials = 0\npruner = "medain"\nseeds = 1\n[space]\n'
        "optimizer.lrr = { low = 1, high = 2 }\noptimizer.lr = { low = 2, high = 1 }\n"
        "optimizer.weight_decay = { low = 0, high = 1, log = true }\n"
        "train.batch_size = { choices = [2] }\ntrain.epochs = 3\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_space(space(tmp_path, text))
    said = "\n".join(caught.value.lines)
    for part in (
        "trials = 0: must be at least 1.",
        "must be median, hyperband or none; did you mean median?",
        "seeds = 1: there is no such key; did you mean seed?",
        "space.optimizer.lrr = { low = 1, high = 2 }: a config has no such key; did you mean",
        "space.optimizer.lr = { low = 2, high = 1 }: low must be below high.",
        "log needs a low above 0, and no step.",
        "choices is a list of at least two values.",
        "space.train.epochs = 3: give low and high, perhaps log or step, or choices.",
    ):
        assert part in said
    assert len(caught.value.mistakes) == 8


def test_two_real_trials(
    read: ReadConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = space(tmp_path, SPACE.replace("trials = 6", "trials = 2"))
    out = tmp_path / "out"
    typed = ["train", str(read.files[0]), "--search", str(path), "--out", str(out)]
    assert main([*typed, "--set", "train.epochs=1", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [trial["state"] for trial in shape["trials"]] == ["complete", "complete"]
    best = out / "trials" / f"{shape['best']:04d}"
    assert json.loads((best / "metrics.json").read_text())["figure"] == "top_1"
    assert (best / "best" / "model.safetensors").is_file()
    assert read_config(out / "best.toml").train.epochs == 1
    assert main([*typed, "--set", "train.epochs=1"]) == 2
    assert "go on with it by --resume" in capsys.readouterr().err
