"""Search good settings of a tracker on one half of the data, and report how they do on the other.

Optuna proposes the settings and keeps the trials: T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama, "Optuna: A
next-generation hyperparameter optimization framework", KDD 2019. It is the extra `fairmot-lab[tune]`; without it
`random_search` and `sweep` do the plain thing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd

from ._files import refuse_overwrite
from ._progress import progress_bar
from .association.base import Tracker
from .association.registry import tracker_for
from .association.settings import Setting
from .errors import ConfigError, FairMOTLabWarning, warn
from .evaluation.compare import metric_intervals
from .evaluation.evaluate import compute_metrics, evaluate, half_split
from .evaluation.names import HOTA, MOTMETRICS, SMALLER_IS_BETTER
from .evaluation.protocols import GroundTruth, prepare
from .material import Material, open_material, pack_material
from .sources.many import check_jobs
from .sweeps import checked_classes, is_range, plain, without_class_warnings

if TYPE_CHECKING:
    import optuna

SHOWN = ("hota", "mota", "idf1", "num_switches")
PARTS = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes
    ----------
    best : Tracker
        With the settings that are best on the training part (by the first objective, if there are several).
    table : pandas.DataFrame
        One row per trial: `trial` (-1: the tracker as it was given), the settings that were searched, and of each part
        `train_hota`, `train_mota`, `train_idf1`, `train_num_switches`, `validation_hota`, ... and the objectives.
        `attrs` hold tracker, objective and split.
    study : optuna.Study
        With all that Optuna offers.

    Figures of the training part are what was searched for, so they are too good: compare those of the validation part.
    """

    best: Tracker
    table: pd.DataFrame
    study: optuna.Study

    @property
    def pareto(self) -> pd.DataFrame:
        """The rows that no other row beats in all objectives on the training part."""
        objective = self.table.attrs["objective"]
        signs = np.array([-1.0 if name in SMALLER_IS_BETTER else 1.0 for name in objective])
        values = self.table[[f"train_{name}" for name in objective]].to_numpy(float) * signs
        beaten = [((values >= row).all(1) & (values > row).any(1)).any() for row in values]
        return self.table[~np.array(beaten, bool)]

    def importance(self, objective: str | None = None) -> pd.Series:
        """Return how much each setting matters to an objective on the training part (fANOVA), the largest first.

        Parameters
        ----------
        objective
            One of those searched for; by default the first.

        Raises
        ------
        ConfigError
            If there are too few trials to say.
        """
        import optuna

        names = self.table.attrs["objective"]
        if objective is not None and objective not in names:
            raise ConfigError(f"{objective} was not searched for; the objectives were {', '.join(names)}.")
        place = 0 if objective is None else names.index(objective)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        try:
            found = optuna.importance.get_param_importances(
                self.study, evaluator=evaluator, target=lambda trial: trial.values[place]
            )
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"The trials do not tell which settings matter ({error}); run more.") from error
        return pd.Series(found, name="importance", dtype=float)


def tune(
    detections: Any,
    tracker: Tracker | str | None = None,
    ground_truth: Any = None,
    *,
    objective: str | Iterable[str] = "hota",
    trials: int = 100,
    n_jobs: int | None = None,
    split: str | Mapping[str, Iterable[str]] = "half",
    search: Iterable[str] | Mapping[str, Any] | None = None,
    sequences: Iterable[str] | None = None,
    camera_motion: Any = None,
    protocol: str | None = None,
    classes: str | Iterable[str | int] | None = None,
    storage: str | os.PathLike[str] | None = None,
    seed: int = 0,
    intervals: bool = False,
    progress: bool = True,
) -> Tuning:
    """Search the settings of a tracker that are best on one part of the data, and measure them on the other too.

    Parameters
    ----------
    detections, ground_truth, sequences, camera_motion, protocol, classes
        As for `sweep`. By class, metrics are those of all classes together.
    tracker
        A tracker or its name; settings that are not searched stay as they are. By default that which the detections'
        model was published with, or `JDETracker()`.
    objective
        A metric, such as "hota", "idf1" or "num_switches" (errors are made few, all else large); several give a Pareto
        front.
    trials
        Settings to try, those in `storage` included.
    n_jobs
        Processes, as joblib counts them; by default joblib's own setting, or the cluster of
        `joblib.parallel_config`.
    split
        "half": train on the first half of every sequence and validate on the second, as papers on MOT17 do
        (`half_split`). Or {"train": names, "validation": names} of sequences.
    search
        Names of settings, or a dict from name to a range (low, high) or a list of values; by default all that declare
        a range to search.
    storage
        A file that keeps the trials, so that the search can be resumed, and shared by several machines; or the address
        of a database ("sqlite:///trials.db").
    seed
        Of the random numbers.
    intervals
        Add the ends of 95 % intervals to the table: `validation_hota_low`, `validation_hota_high`, and so on. It takes
        more time.
    progress
        Whether a progress bar is shown.

    Returns
    -------
    Tuning

    Raises
    ------
    ConfigError
        If Optuna is missing, a name or range is refused, or the storage holds another search.
    EvaluationError, DetectionsError, TrackingError
        As `sweep` does.

    Examples
    --------
    >>> found = tune("MOT17/train", "bytetrack", objective="hota", trials=50, n_jobs=2)     # doctest: +SKIP
    >>> found.best, found.table[["train_hota", "validation_hota"]].max()                    # doctest: +SKIP
    """
    optuna = _optuna()
    if trials < 1:
        raise ConfigError(f"trials is {trials}; it must be a whole number from 1 up.")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; it must be a whole number from 0 up.")
    check_jobs(n_jobs)
    if storage is not None:
        refuse_overwrite(storage, detections, ground_truth)
    names = [objective] if isinstance(objective, str) else list(objective)
    unknown = [name for name in names if name not in (*HOTA, *MOTMETRICS)]
    if unknown or not names:
        raise ConfigError(f"There is no metric {unknown[0] if unknown else ''!r}; choose among hota, idf1, mota, ...")
    classes = checked_classes(classes, intervals)
    split = _checked_split(split)
    packed = pickle.dumps((pack_material(detections, ground_truth, sequences, protocol, camera_motion), split))
    with without_class_warnings(classes):
        material, _ = _parts(packed)  # what cannot be used is said before anything is computed
    base = tracker_for(material, tracker)
    space = _space(base, search)
    base.check_embeddings(material.has_embeddings)
    with _quiet(optuna):
        searched = {name: values for name, (_, values) in space.items()}
        wanted = {
            "tracker": base.to_dict(), "objective": names, "material": material.digest, "split": split,
            "range of settings": searched, "classes": classes, "protocol": material.protocol or "of the data",
            "choice of intervals": intervals,
        }  # fmt: skip
        study = _study(optuna, storage, seed, wanted, n_jobs)
        measure = functools.partial(_measure, packed, names=names, intervals=intervals, classes=classes)
        given = measure(base)
        held = len([trial for trial in study.trials if trial.state.is_finished()])
        refusals: list[str] = []
        with progress_bar(total=trials, initial=min(held, trials), unit="trial", disable=not progress) as bar:
            while held < trials:
                count = min(max(1, joblib.effective_n_jobs(n_jobs)), trials - held)
                refusals += _run_trials(study, count, base, space, measure, names, n_jobs)
                held += count
                bar.update(count)
    _parts.cache_clear()
    table = _table(study, given, base, space, names, intervals)
    if len(table) == 1:
        raise ConfigError(f"Every trial was refused: {refusals[-1] if refusals else 'in an earlier run'}")
    if 2 * len(refusals) > trials:
        warn(f"{len(refusals)} of {trials} trials were settings that contradict each other, such as: {refusals[-1]}")
    table.attrs.update(tracker=base.name, objective=names, split=split)
    best = table[f"train_{names[0]}"].astype(float)
    row = table.loc[best.idxmin() if names[0] in SMALLER_IS_BETTER else best.idxmax()]
    best_tracker = base
    if row["trial"] >= 0:
        best_tracker = base.replace(**{name: setting.check(plain(row[name])) for name, (setting, _) in space.items()})
    return Tuning(best_tracker, table, study)


# -- the search


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "tune() needs Optuna: pip install 'fairmot-lab[tune]'; or give random_search(...) to sweep()."
        ) from error
    return optuna


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _space(base: Tracker, search: Iterable[str] | Mapping[str, Any] | None) -> dict[str, tuple[Setting, list[Any]]]:
    """Return the settings to search, each with its range or values."""
    declared = base.Settings.settings()
    if search is None:
        search = [name for name, setting in declared.items() if len(setting.search) > 1]
    search = [search] if isinstance(search, str) else search
    chosen = dict(search) if isinstance(search, Mapping) else dict.fromkeys(search)
    base.Settings.check_names(chosen)
    space = {}
    for name, given in chosen.items():
        setting = declared[name]
        if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
            given = [given]
        values = list(setting.search) if given is None else [setting.check(value) for value in given]
        if not values:
            raise ConfigError(f"{name} has nothing to search; give a pair (low, high) or a list of values.")
        if is_range(setting, values) and values[0] > values[1]:
            raise ConfigError(f"{name} is to be searched from {values[0]:g} to {values[1]:g}; give the smaller first.")
        space[name] = setting, values
    if not space:
        raise ConfigError("There is no setting to search; name some.")
    return space


def _suggest(trial: Any, space: dict[str, tuple[Setting, list[Any]]]) -> dict[str, Any]:
    values = {}
    for name, (setting, given) in space.items():
        if is_range(setting, given):
            low, high = given
            if setting.kind == "int":
                values[name] = trial.suggest_int(name, int(low), int(high))
            else:
                values[name] = round(trial.suggest_float(name, float(low), float(high)), 6)
        else:
            values[name] = trial.suggest_categorical(name, given)
    return values


def _run_trials(
    study: Any, count: int, base: Tracker, space: dict[str, Any], measure: Any, names: list[str], n_jobs: int | None
) -> list[str]:
    """Try settings side by side; return why some of them were refused."""
    batch, refusals = [], []
    for _ in range(count):
        trial = study.ask()
        try:
            batch.append((trial, base.replace(**_suggest(trial, space))))
        except ConfigError as error:  # settings that contradict each other
            study.tell(trial, state=_optuna().trial.TrialState.PRUNED)
            refusals.append(str(error))
    calls = (joblib.delayed(measure)(one) for _, one in batch)
    for (trial, _), metrics in zip(batch, joblib.Parallel(n_jobs=n_jobs)(calls), strict=True):
        for part in PARTS:
            trial.set_user_attr(part, metrics[part])
        study.tell(trial, [metrics["train"][name] for name in names])
    return refusals


def _study(optuna: Any, storage: Any, seed: int, wanted: dict[str, Any], n_jobs: int | None) -> Any:
    """Return a new study, or that in the storage if it is of the same search."""
    sampler = _sampler(optuna, seed, constant_liar=n_jobs not in (None, 1), multivariate=True)
    storage_of_trials = _storage(optuna, storage)
    try:
        study = optuna.create_study(
            storage=storage_of_trials,
            study_name="fairmot_lab",
            sampler=sampler,
            directions=["minimize" if name in SMALLER_IS_BETTER else "maximize" for name in wanted["objective"]],
            load_if_exists=True,
        )
    except Exception as error:  # each kind of storage raises its own
        raise ConfigError(
            f"{storage} cannot hold the trials ({error}); name a file, or the address of a database."
        ) from error
    for key, value in wanted.items():
        held = study.user_attrs.get(key)
        if held is not None and held != value:
            raise ConfigError(f"{storage} holds the search of another {key}; name another file.")
        if held is None:
            study.set_user_attr(key, value)
    return study


def _sampler(optuna: Any, seed: int, **options: Any) -> Any:
    """Return a sampler that draws each trial's settings from (seed, trial number) and the trials before.

    So a resumed search, here or on another machine, draws no trial twice.
    """

    @functools.lru_cache(maxsize=1)
    def of_trial(number: int) -> Any:
        drawn = np.random.SeedSequence((seed, number)).generate_state(1)
        return optuna.samplers.TPESampler(seed=int(drawn[0]), **options)

    class OfTrial(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return of_trial(trial.number).infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, space: Any) -> Any:
            return of_trial(trial.number).sample_relative(study, trial, space)

        def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
            return of_trial(trial.number).sample_independent(study, trial, name, distribution)

    return OfTrial()


def _storage(optuna: Any, storage: Any) -> Any:
    if storage is None or "://" in os.fspath(storage):
        return storage
    from optuna.storages.journal import JournalFileBackend

    path = os.path.abspath(storage)
    if os.path.exists(path) and os.path.getsize(path):
        try:
            with open(path, encoding="utf-8") as file:
                json.loads(file.readline())["op_code"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{storage} cannot hold the trials: it has other lines than a search writes; name another file."
            ) from error
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return optuna.storages.JournalStorage(JournalFileBackend(path))


def _table(
    study: Any, given: dict[str, Any], base: Tracker, space: dict[str, Any], names: list[str], intervals: bool
) -> pd.DataFrame:
    def row(number: int, settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
        ends = ("", "_low", "_high") if intervals else ("",)
        shown = [f"{name}{end}" for name in dict.fromkeys((*names, *SHOWN)) for end in ends]
        figures = {f"{part}_{name}": metrics[part].get(name) for part in PARTS for name in shown}
        return {"trial": number, **{name: settings[name] for name in space}, **figures}

    rows = [row(-1, base.settings.to_dict(), given)]
    for trial in study.trials:
        if trial.values is not None:
            settings = {name: round(v, 6) if isinstance(v, float) else v for name, v in trial.params.items()}
            rows.append(row(trial.number, settings, trial.user_attrs))
    return pd.DataFrame(rows)


def _checked_split(split: Any) -> str | dict[str, list[str]]:
    """Return the split as JSON would: what the storage keeps."""
    if split == "half":
        return split
    if not isinstance(split, Mapping):
        raise ConfigError(f"split is {split!r}; it must be 'half' or {{'train': names, 'validation': names}}.")
    plain = {str(part): [names] if isinstance(names, str) else list(names) for part, names in split.items()}
    if set(plain) != set(PARTS):
        raise ConfigError("split must name the sequences of 'train' and of 'validation'.")
    both = set(plain["train"]) & set(plain["validation"])
    if both:
        raise ConfigError(f"split names {min(both)} in both parts; what is searched on cannot validate.")
    return plain


# -- one trial


@functools.lru_cache(maxsize=1)  # a worker cuts the data once, not once for each trial
def _parts(packed: bytes) -> tuple[Material, dict[str, Material]]:
    """Return the material, and that of the frames or sequences of each part."""
    inner, split = pickle.loads(packed)
    material = open_material(inner)
    parts = {part: dataclasses.replace(material, detections={}, truths={}) for part in PARTS}
    if split == "half":
        for name, one in material.detections.items():
            length = material.truths[name].length or int(one.frames[-1])
            for part, frames in zip(PARTS, half_split(length).values(), strict=True):
                parts[part].detections[name] = one.part(*frames)
                parts[part].truths[name] = _cut_truth(material.truths[name], *frames)
        return material, parts
    for part, names in split.items():
        for name in names:
            if name not in material.detections:
                raise ConfigError(f"split names {name}, and the detections are of {', '.join(material.detections)}.")
            parts[part].detections[name] = material.detections[name]
            parts[part].truths[name] = material.truths[name]
    return material, parts


def _cut_truth(truth: GroundTruth, first: int, last: int) -> GroundTruth:
    table = truth.table[(truth.table["frame"] >= first) & (truth.table["frame"] <= last)].reset_index(drop=True)
    table.attrs = dict(truth.table.attrs)
    return prepare(table, truth.name)


def _measure(
    packed: bytes, tracker: Tracker, *, names: list[str], intervals: bool, classes: Any
) -> dict[str, dict[str, float]]:
    """Return the metrics of each part, and with `intervals` the ends of those that have one."""
    material, parts = _parts(packed)
    results = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        for part, data in parts.items():
            tracks = {name: material.track(name, one, tracker) for name, one in data.detections.items()}
            if classes is None:
                metrics = compute_metrics(tracks, data.truths, protocol=material.protocol)
            else:
                metrics = evaluate(tracks, data.truths, protocol=material.protocol, classes=classes).overall
            wanted = dict.fromkeys((*names, *SHOWN))
            results[part] = {name: float(metrics[name]) for name in wanted}
            if intervals:
                found = metric_intervals(tracks, data.truths, protocol=material.protocol)
                for name in wanted:
                    if name in found:
                        results[part] |= {f"{name}_low": found[name][0], f"{name}_high": found[name][1]}
    return results
