"""Search over settings by Optuna: trials of a config, the poor ones ended early.

Values are proposed by the tree-structured Parzen estimator (Bergstra et al., "Algorithms for
Hyper-Parameter Optimization", 2011); a trial whose evaluations fall behind is pruned by the median
of the others, or by Hyperband (Li et al., 2018, https://arxiv.org/abs/1603.06560). All trials are
kept in a SQLite file as they end, so that a search that was killed goes on: a trial that was cut
off is tried again with its values. One process searches in a folder at a time.

    OUT/search.db     the trials            OUT/search.json   the space
    OUT/trials/0003   a run each; only the best one keeps its networks
    OUT/best.toml     a config that extends the one that was searched

It knows trials; what a trial does is a run, and it learns of that only figures.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenewise.errors import MissingExtraError, ScenewiseError, TrainingError, UsageError
from scenewise.media.whole_file import write_text
from scenewise.training.config import Config, ReadConfig, read_config
from scenewise.training.config_chain import keys_of
from scenewise.training.config_syntax import to_toml, to_toml_value
from scenewise.training.figures import figures_of, is_falling
from scenewise.training.objective_settings import learns_several
from scenewise.training.search_space import Choices, Space, read_space

RECORD, STORAGE, TRIALS, BEST = "search.json", "search.db", "trials", "best.toml"
_NETWORKS = ("best", "final", "trainer")  # of a trial that is not the best
_CUT_OFF = "cut_off"
_log = logging.getLogger(__name__)

Say = Callable[[str], None]
Report = Callable[[dict[str, float]], None]  # after each evaluation; may raise to end the trial
# a config, a folder, and what to call after each evaluation, to the figures of the best one
Run = Callable[[Config, Path, Report], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial."""

    number: int
    state: str  # complete, pruned or failed
    values: dict[str, Any]
    value: float | None  # of the figure; None: it never was measured
    note: str = ""  # why it failed


@dataclass(frozen=True, slots=True)
class SearchReport:
    """All trials so far."""

    figure: str
    direction: str
    keys: tuple[str, ...]
    trials: tuple[Trial, ...]
    best: int | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def search(
    read: ReadConfig,
    space: str | Path,
    out: str | Path,
    *,
    trials: int | None = None,
    device: str = "auto",
    resume: bool = False,
    say: Say | None = None,
    run: Run | None = None,
    now: Callable[[], float] = time.monotonic,
) -> SearchReport:
    """Search until there are ``trials`` (None: as the space says) or its time is over.

    ``run`` does one trial; None trains. Raises UsageError for a space with mistakes or a folder
    that holds another search, MissingExtraError without Optuna, TrainingError where no trial ends
    well.
    """
    chosen, folder = read_space(space), Path(out)
    figure = _figure(read.config, chosen)
    falling = is_falling(figure)
    if chosen.settings.direction is not None:
        falling = chosen.settings.direction == "minimize"
    optuna = _optuna()
    _begin(folder, chosen, figure, resume)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / STORAGE).resolve()}")
    try:
        study = _study(optuna, storage, chosen, falling)
        _try_again(optuna, study)
        searched = _Search(
            optuna, study, read, chosen, folder, figure, run or _training(device), say or _quiet
        )
        wanted = trials or chosen.settings.trials
        limit = chosen.settings.timeout_seconds
        begun = now()
        while len(searched.done()) < wanted and (limit is None or now() - begun < limit):
            searched.one()
        report = searched.report("minimize" if falling else "maximize")
    finally:
        storage.remove_session()
        storage.engine.dispose()
    if report.best is None and report.trials:
        raise TrainingError(
            f"None of {len(report.trials)} trials ended well; the last: {report.trials[-1].note}"
        )
    return report


class _Search:
    """One search: its study, and what a trial needs."""

    def __init__(
        self,
        optuna: Any,
        study: Any,
        read: ReadConfig,
        space: Space,
        folder: Path,
        figure: str,
        run: Run,
        say: Say,
    ) -> None:
        self._optuna, self._study = optuna, study
        self._read, self._space, self._folder = read, space, folder
        self._figure, self._run, self._say = figure, run, say

    def done(self) -> list[Any]:
        """Trials that came to an end by themselves."""
        running = self._optuna.trial.TrialState.RUNNING
        waiting = self._optuna.trial.TrialState.WAITING
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state not in (running, waiting) and not trial.user_attrs.get(_CUT_OFF)
        ]

    def one(self) -> None:
        """One trial, from its values to its state in the file."""
        states = self._optuna.trial.TrialState
        trial = self._study.ask()
        values = {key: _suggest(trial, key, one) for key, one in self._space.keys.items()}
        place = self._folder / TRIALS / f"{trial.number:04d}"
        seen = 0

        def report(figures: dict[str, float]) -> None:
            nonlocal seen
            seen += 1
            trial.report(figures[self._figure], seen)
            if trial.should_prune():
                raise self._optuna.TrialPruned

        shown = ", ".join(f"{key} = {to_toml_value(value)}" for key, value in values.items())
        try:
            config = self._config(values)
            best = self._run(config, place, report)
        except self._optuna.TrialPruned:
            self._study.tell(trial, state=states.PRUNED)
            self._say(f"trial {trial.number}: {shown}: pruned after {seen} evaluations")
        except ScenewiseError as error:
            trial.set_user_attr("note", str(error))
            self._study.tell(trial, state=states.FAIL)
            self._say(f"trial {trial.number}: {shown}: failed: {error}")
        else:
            self._study.tell(trial, best[self._figure])
            self._say(f"trial {trial.number}: {shown}: {self._figure} {best[self._figure]:.4f}")
        self._tidy()

    def report(self, direction: str) -> SearchReport:
        """All that was tried."""
        found = tuple(
            Trial(
                trial.number,
                {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()),
                dict(trial.params),
                _value(trial),
                trial.user_attrs.get("note", ""),
            )
            for trial in self.done()
        )
        return SearchReport(
            self._figure, direction, tuple(self._space.keys), found, self._best_number()
        )

    def _config(self, values: Mapping[str, Any]) -> Config:
        sets = [f"{key}={to_toml_value(value)}" for key, value in values.items()]
        figure = f"train.best_figure={to_toml_value(self._figure)}"
        return read_config(self._read.files[0], [*self._read.overrides, figure, *sets])

    def _best_number(self) -> int | None:
        complete = self._optuna.trial.TrialState.COMPLETE
        ended = self._study.get_trials(deepcopy=False, states=(complete,))
        return self._study.best_trial.number if ended else None

    def _tidy(self) -> None:
        """Networks of the best trial alone; and its config, for who takes it from here."""
        best = self._best_number()
        for place in sorted((self._folder / TRIALS).glob("*")):
            if best is None or place.name != f"{best:04d}":
                for name in _NETWORKS:
                    shutil.rmtree(place / name, ignore_errors=True)
        if best is None:
            return
        values = dict(self._study.best_trial.params)
        given = [text.partition("=")[0].strip() for text in self._read.overrides]
        config = json.loads(self._config(values).model_dump_json())
        base = os.path.relpath(self._read.files[0].resolve(), self._folder.resolve())
        table: dict[str, Any] = {"extends": base}
        for dotted in dict.fromkeys([*given, *values]):
            _put(table, dotted, config)
        write_text(self._folder / BEST, to_toml(table))


def _training(device: str) -> Run:
    """A trial is a run of its own."""

    def run(config: Config, folder: Path, report: Report) -> Mapping[str, float]:
        from scenewise.training.run import train

        shutil.rmtree(folder, ignore_errors=True)  # of a trial of this number that was cut off
        ended = train(config, folder, device=device, on_figures=report)
        if ended.ended == "interrupted":
            raise KeyboardInterrupt
        if not ended.best:
            raise TrainingError("Nothing was measured: a search needs a validation split.")
        return ended.best

    return run


def _figure(config: Config, space: Space) -> str:
    from scenewise.data.annotations.registry import dataset_source

    if space.settings.figure is not None:
        return space.settings.figure
    if config.train.best_figure is not None:
        return config.train.best_figure
    task = config.data.task or dataset_source(config.data.dataset).tasks[0]
    measured = figures_of(task, several=learns_several(config.objective))
    if not measured:
        raise UsageError(f"Nothing is measured on {task}, so settings cannot be compared.")
    return measured[0]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(
            "A search over settings needs Optuna: pip install 'scenewise[train]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # each trial has a line of ours
    return optuna


def _begin(folder: Path, space: Space, figure: str, resume: bool) -> None:
    path = folder / RECORD
    shape = {"figure": figure, **{k: v for k, v in space.to_dict().items() if k != "figure"}}
    if path.is_file() and not resume:
        raise UsageError(
            f"{folder} holds a search already; go on with it by --resume, or name another --out."
        )
    if not path.is_file():
        if resume:
            raise UsageError(f"{folder} holds no search to go on with; leave --resume out.")
        write_text(path, json.dumps(shape, indent=1) + "\n")
        return
    before = json.loads(path.read_text("utf-8"))
    # how many, and for how long, may change: what was tried stays comparable
    changed = [
        key
        for key in before.keys() | shape.keys()
        if before.get(key) != shape.get(key) and key not in ("trials", "timeout_seconds")
    ]
    if changed:
        raise UsageError(
            f"{folder} holds a search of another space: {', '.join(sorted(changed))} differ; take "
            "the same one, or name another --out."
        )


def _study(optuna: Any, storage: Any, space: Space, falling: bool) -> Any:
    settings = space.settings
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4),
        "hyperband": optuna.pruners.HyperbandPruner,
        "none": optuna.pruners.NopPruner,
    }
    study = optuna.create_study(
        study_name="scenewise",
        storage=storage,
        direction="minimize" if falling else "maximize",
        pruner=pruners[settings.pruner](),
        load_if_exists=True,
    )
    # with the same seed, a search that goes on would propose its first values again
    seed = settings.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    return study


def _try_again(optuna: Any, study: Any) -> None:
    """Trials that a killed process left running are failed, and their values are next."""
    for trial in study.get_trials(deepcopy=False):
        if trial.state == optuna.trial.TrialState.RUNNING:
            study._storage.set_trial_user_attr(trial._trial_id, _CUT_OFF, True)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if trial.params:
                study.enqueue_trial(trial.params)


def _suggest(trial: Any, key: str, one: Any) -> Any:
    if isinstance(one, Choices):
        return trial.suggest_categorical(key, one.values)
    if one.whole:
        return trial.suggest_int(key, one.low, one.high, step=one.step or 1, log=one.log)
    return trial.suggest_float(key, one.low, one.high, step=one.step, log=one.log)


def _value(trial: Any) -> float | None:
    if trial.value is not None:
        return float(trial.value)
    measured = trial.intermediate_values
    return float(measured[max(measured)]) if measured else None


def _put(table: dict[str, Any], dotted: str, config: Mapping[str, Any]) -> None:
    """Copy one key of the whole config; what is None there is the default already."""
    keys = keys_of(dotted)
    value: Any = config
    for key in keys:
        value = value[key] if isinstance(value, Mapping) and key in value else None
    if value is None:
        return
    node = table
    for key in keys[:-1]:
        node = node.setdefault(key, {})
    node[keys[-1]] = value


def _quiet(_line: str) -> None:
    return
