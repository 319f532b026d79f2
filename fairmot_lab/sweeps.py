"""Many settings, each replayed from kept detections and evaluated: one row each.

The work is spread by joblib: over processes with `n_jobs`, and over a Dask cluster within
`joblib.parallel_config(backend="dask")`. The rows are the same however it is spread; only the column `seconds` differs.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ._files import lock, make_folder, refuse_overwrite, write_error
from ._progress import progress_bar
from .association.base import Tracker
from .association.registry import as_tracker, tracker_for, tracker_from_dict
from .association.settings import Setting
from .errors import ConfigError, FairMOTLabWarning, warn
from .evaluation.compare import summary_with_intervals
from .evaluation.names import OVERALL, SMALLER_IS_BETTER
from .evaluation.switches import compare_switches
from .material import Material, open_material, pack_material
from .sources.many import workers

_FORMAT = "fairmot_lab sweep 1"


def sweep(
    detections: Any,
    tracker: Tracker | str | None,
    grid: Any,
    *,
    ground_truth: Any = None,
    sequences: Iterable[str] | None = None,
    protocol: str | None = None,
    classes: str | Iterable[str | int] | None = None,
    camera_motion: Any = None,
    n_jobs: int | None = None,
    file: str | os.PathLike[str] | None = None,
    intervals: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Track and evaluate with every setting of a grid.

    Parameters
    ----------
    detections
        Kept detections or public detections: what `detect` or `open_detections` gives, a path for `open_detections`, or
        several of them in a dict from name to one, or in a list. A folder of several is taken whole.
    tracker
        Whose settings they are, and what is not in the grid: a tracker or its name. None stands for that which the
        detections' model was published with, or `JDETracker()`.
    grid
        A dict from setting to values; every combination is tried. Values are a list, a `range`, or text such as
        "0.2:0.6:0.1" (both ends included). Or a list of settings to try one by one, such as `random_search` gives:
        dicts of settings, or trackers, which may be of several kinds (the column `tracker` then names them).
    ground_truth
        As for `evaluate`. By default the gt/gt.txt beside the public detections.
    sequences
        Names to use, of several.
    protocol, classes
        As for `evaluate`.
    camera_motion
        What `camera_motion` gave, of several sequences in a list, or in a dict from name to one; by default what the
        detections carry. Trackers that cannot use it do without.
    n_jobs
        Processes, as joblib counts them (-1: one per core). By default joblib's: one, or the cluster of
        `joblib.parallel_config`.
    file
        Rows are appended to this file as they come. If it holds rows of the same sweep, those are not computed again:
        an interrupted sweep resumes.
    intervals
        Add the ends of 95 % intervals of the metrics as columns `mota_low`, `mota_high`, and so on, as `compare` gives
        them. It takes more time; the best of many settings has a metric that is too good, whatever its interval.
    progress
        Show a progress bar.

    Returns
    -------
    pandas.DataFrame
        Of one sequence one row per setting, its `sequence` named OVERALL; of several, one for each sequence and one
        named OVERALL; by class, one for each class of each sequence (`SEQUENCE:CLASS`) and one named OVERALL. Columns:
        `setting` (its number, from 0), the settings of the grid, those of `Evaluation.summary` (`sequence` first), and
        `seconds` (wall time to track and evaluate the setting, all sequences together). In the order of the grid.
        `attrs` hold `tracker`, its `settings` that were not swept, `sequences`, their names, and `left_out`, the
        combinations that were not tried.

    Warns
    -----
    FairMOTLabWarning
        If combinations of a grid contradict themselves, such as a low threshold above a high one: they are left out.

    Raises
    ------
    ConfigError
        If a setting does not exist or is out of range, before anything is computed; if the file belongs to another
        sweep, or one is writing to it; if a worker process dies (the rows in the file are kept).
    EvaluationError
        If ground truth is missing, or a named sequence does not exist.
    DetectionsError, TrackingError, MotFileError
        If the input cannot be used.

    Examples
    --------
    >>> scene = fl.example()
    >>> grid = {"conf_thres": [0.3, 0.85]}
    >>> table = sweep(scene.detections, "jde", grid, ground_truth=scene.ground_truth, progress=False)
    >>> table[["conf_thres", "mota"]].round(2).values.tolist()
    [[0.3, 0.98], [0.85, 0.48]]
    """
    if file is not None:
        refuse_overwrite(file, detections, ground_truth)
    classes = checked_classes(classes, intervals)
    packed = pack_material(detections, ground_truth, sequences, protocol, camera_motion)
    try:
        with without_class_warnings(classes):
            material = open_material(packed)  # here first: what cannot be used is said before anything is computed
        base = tracker_for(material, tracker)
        settings, left_out = _combinations(grid, base)
        if left_out:
            _warn_of(left_out, len(settings))
        tried = [_tracker_of(setting, base) for setting in settings]
        for one in {type(one): one for one in tried}.values():
            one.check_embeddings(material.has_embeddings)
        with _record(file, material, intervals, classes) as record:
            done = dict(record.rows) if record else {}
            pending = {key: one for key, one in zip(map(_key, tried), tried, strict=True) if key not in done}
            calls = [joblib.delayed(_run)(packed, key, one, intervals, classes) for key, one in pending.items()]
            with progress_bar(total=len(pending), disable=not progress, unit="setting") as bar:
                for key, rows in _run_all(calls, n_jobs, file):
                    done[key] = rows
                    if record:
                        record.append(key, rows)
                    bar.update()
    finally:
        open_material.cache_clear()
    table = _table(settings, tried, [done[_key(one)] for one in tried], base, list(material.detections))
    if table["num_predictions"].any() and not table[["num_matches", "num_switches"]].any(axis=None):
        warn("Not one result of any setting matches the ground truth; are both of the same frames?")
    table.attrs["left_out"] = [setting for setting, _ in left_out]
    return table


def checked_classes(classes: str | Iterable[str | int] | None, intervals: bool) -> str | list[str | int] | None:
    """Return the classes to evaluate; refuse them together with intervals."""
    if classes is not None and intervals:
        raise ConfigError("Intervals are drawn from sequences, not from their classes; leave out intervals or classes.")
    return classes if classes is None or isinstance(classes, str) else list(classes)


@contextlib.contextmanager
def without_class_warnings(classes: Any) -> Iterator[None]:
    """Where each class is evaluated, leave unsaid which rows count without."""
    with warnings.catch_warnings():
        if classes is not None:
            warnings.filterwarnings("ignore", ".*by the names of its classes", FairMOTLabWarning)
        yield


def _warn_of(left_out: list[tuple[dict[str, Any], str]], tried: int) -> None:
    """Say which combinations are not tried, and why."""
    shown = "; ".join(
        ", ".join(f"{name}={value}" for name, value in setting.items()) + f" ({reason.rstrip('.')})"
        for setting, reason in left_out[:3]
    )
    warn(
        f"{len(left_out)} of {len(left_out) + tried} combinations contradict themselves and are left out: {shown}"
        f"{'; ...' if len(left_out) > 3 else ''}. They are in the table's attrs['left_out']."
    )


def _run_all(
    calls: list[Any], n_jobs: int | None, file: str | os.PathLike[str] | None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield what the calls of `_run` give, as it comes; raise ConfigError if a process of joblib or Dask dies."""
    run, count = workers(n_jobs), 0  # one setting at a time, so that a worker that dies takes little with it
    try:
        for found in run(calls):
            count += 1
            yield found
    except Exception as error:
        names = {one.__name__ for one in type(error).__mro__}
        if not names & {"BrokenProcessPool", "TerminatedWorkerError", "KilledWorker"}:
            raise
        kept = f"they are kept in {file}: call sweep() again" if file else "give file= to keep rows, or"
        raise ConfigError(
            f"A worker process of the sweep died ({type(error).__name__}; often for want of memory); {count} of "
            f"{len(calls)} settings were computed; {kept} with fewer n_jobs."
        ) from error


def _table(
    settings: list[dict[str, Any]],
    tried: list[Tracker],
    results: list[list[dict[str, Any]]],
    base: Tracker,
    sequences: list[str],
) -> pd.DataFrame:
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    rows = []
    for number, (setting, one, figures) in enumerate(zip(settings, tried, results, strict=True)):
        held = {"tracker": setting.get("tracker", base.name)} | one.settings.to_dict()
        swept = {name: held.get(name) for name in names}
        rows += [{"setting": number, **swept, **row} for row in figures]
    table = pd.DataFrame(rows)
    table.attrs["sequences"] = sequences
    table.attrs["tracker"] = base.name
    table.attrs["settings"] = {name: value for name, value in base.settings.to_dict().items() if name not in names}
    return table


def combinations(grid: Any, tracker: Tracker | str | None = None) -> list[dict[str, Any]]:
    """Return the settings that a grid stands for, checked, without combinations that contradict themselves.

    Parameters
    ----------
    grid
        As for `sweep`.
    tracker
        Whose settings they are, and what is not in the grid.

    Returns
    -------
    list of dict
        From name to value; of a tracker also its name as `tracker`.

    Raises
    ------
    ConfigError
        If the grid is empty, a setting does not exist or is refused, or all combinations contradict themselves.

    Examples
    --------
    >>> combinations({"conf_thres": "0.3:0.5:0.1", "track_buffer": [30]})
    [{'conf_thres': 0.3, 'track_buffer': 30}, {'conf_thres': 0.4, 'track_buffer': 30}, \
{'conf_thres': 0.5, 'track_buffer': 30}]
    """
    return _combinations(grid, as_tracker(tracker))[0]


def _combinations(grid: Any, base: Tracker) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], str]]]:
    """Return the settings that a grid stands for, and those left out, each with the reason."""
    is_product = isinstance(grid, Mapping)
    if is_product:
        base.Settings.check_names(grid)
        declared = base.Settings.settings()
        values = {name: _values(declared[name], given) for name, given in grid.items()}
        for name, choices in values.items():
            if not (base.settings.any_scores and declared[name].is_score):
                for value in choices:
                    declared[name].check(value)
        choices_of_all = itertools.product(*values.values()) if values else ()
        settings = [dict(zip(values, choices, strict=True)) for choices in choices_of_all]
    else:
        settings = [one.to_dict() if isinstance(one, Tracker) else one for one in grid]
        if odd := [one for one in settings if not isinstance(one, Mapping)]:
            raise ConfigError(f"The grid lists {odd[0]!r}, which is not a tracker or a dict of settings; give those.")
    if not settings:
        raise ConfigError("The grid holds no setting to try; give for example {'conf_thres': [0.3, 0.4, 0.5]}.")
    checked: list[dict[str, Any]] = []
    left_out: list[tuple[dict[str, Any], str]] = []
    for setting in settings:
        try:
            whole = _tracker_of(setting, base).to_dict()
        except ConfigError as error:
            if not is_product:
                raise
            left_out.append((setting, str(error)))
            continue
        checked.append({name: whole[name] for name in setting})
    if not checked:
        raise ConfigError(f"Every combination of the grid is refused: {left_out[0][1]}")
    return checked, left_out


def _tracker_of(setting: Mapping[str, Any], base: Tracker) -> Tracker:
    """Return the tracker with these settings: of the kind that they name, else that of `base`."""
    if setting.get("tracker", base.name) == base.name:
        return base.replace(**{name: value for name, value in setting.items() if name != "tracker"})
    return tracker_from_dict(setting)


def _values(setting: Setting, given: Any) -> list[Any]:
    """Return the values of one setting: a list, a range, or text "first:last:step" or "a,b,c"."""
    if isinstance(given, str):
        return values_from_text(setting, given)
    values = list(given) if isinstance(given, Iterable) else [given]
    if not values:
        raise ConfigError(f"{setting.name} has no values; give a list such as [0.3, 0.4].")
    if setting.kind == "float":
        values = [round(float(v), 12) if isinstance(v, float | np.floating) else v for v in values]
    return values


def values_from_text(setting: Setting, text: str) -> list[Any]:
    """Return the values of a setting from text: "0.3,0.4" or, both ends included, "0.2:0.6:0.1".

    Raises
    ------
    ConfigError
        If the text cannot be read.

    Examples
    --------
    >>> from fairmot_lab.association import JDETracker
    >>> values_from_text(JDETracker.Settings.settings()["conf_thres"], "0.2:0.4:0.1")
    [0.2, 0.3, 0.4]
    """
    name = setting.name
    if setting.kind == "choice":
        return [part.strip() for part in text.split(",")]
    if setting.kind == "bool":
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        parts = [part.strip().lower() for part in text.split(",")]
        if any(part not in words for part in parts):
            raise ConfigError(f"{name}={text} cannot be read; give true, false or true,false.")
        return [words[part] for part in parts]
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            count = (last - first) / step
            if not (step > 0 and 0 <= count < 1e6):
                raise ValueError
            numbers = [round(first + i * step, 10) for i in range(int(count + 1e-9) + 1)]
        else:
            numbers = [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        raise ConfigError(
            f"{name}={text} cannot be read; give values such as .3,.4,.5 or a range first:last:step."
        ) from None
    return [int(n) if setting.kind == "int" and n == int(n) else n for n in numbers]


def grid_from_text(
    parts: Iterable[str], tracker: Tracker | str | None = None, *, drawn: bool = False
) -> dict[str, Any]:
    """Return the grid for parts such as "conf_thres=.3,.4": what the command line is given.

    Parameters
    ----------
    parts
        NAME=VALUES, see `values_from_text`.
    tracker
        Whose settings they are.
    drawn
        For a random search: a part may be a NAME alone, and a range NAME=low:high has no step.

    Raises
    ------
    ConfigError
        If there is no part, or one cannot be read.

    Examples
    --------
    >>> grid_from_text(["conf-thres=.3,.4", "track_buffer=30"], "jde")
    {'conf_thres': [0.3, 0.4], 'track_buffer': [30]}
    """
    grid: dict[str, Any] = {}
    kind = as_tracker(tracker).Settings
    declared = kind.settings()
    for part in parts:
        name, equals, text = part.partition("=")
        name = name.strip().replace("-", "_")
        kind.check_names([name])
        if name in grid:
            raise ConfigError(f"{name} is set twice; give all its values at once, such as {name}=.3,.4.")
        if drawn and not equals:
            grid[name] = None
        elif drawn and text.count(":") == 1:
            grid[name] = values_from_text(declared[name], text.replace(":", ","))
        else:
            grid[name] = values_from_text(declared[name], text)
    if not grid:
        raise ConfigError("No setting is given to sweep; add for example --set conf_thres=.3,.4,.5.")
    return grid


def random_search(
    space: Iterable[str] | Mapping[str, Any],
    count: int,
    *,
    seed: int = 0,
    tracker: Tracker | str | None = None,
) -> list[dict[str, Any]]:
    """Draw settings at random, for the grid of a sweep (Bergstra and Bengio, JMLR 2012).

    Parameters
    ----------
    space
        Names of settings: each is drawn from the range that it declares (`search` in `Settings.settings()`). Or
        a dict from name to a pair (low, high) to draw from evenly, or to a longer list or a list of words to choose
        from; None means the declared range.
    count
        How many.
    seed
        The same seed gives the same settings.
    tracker
        Whose settings they are, and what is not drawn; combinations that are refused together with it are drawn again.

    Raises
    ------
    ConfigError
        If a name is unknown, a range is empty, or nearly all combinations are refused.

    Examples
    --------
    >>> len(random_search(["conf_thres"], 3, seed=1))
    3
    """
    space = [space] if isinstance(space, str) else space
    chosen = dict(space) if isinstance(space, Mapping) else dict.fromkeys(space)
    base = as_tracker(tracker)
    base.Settings.check_names(chosen)
    if count < 1 or seed < 0:
        raise ConfigError(f"count is {count} and seed {seed}; give how many settings are to be drawn, and 0 or more.")
    declared = base.Settings.settings()
    random = np.random.default_rng(seed)
    settings: list[dict[str, Any]] = []
    for _ in range(100 * count):
        if len(settings) == count:
            break
        drawn = {name: _draw(declared[name], where, random) for name, where in chosen.items()}
        try:
            base.replace(**drawn)
        except ConfigError:
            continue
        settings.append(drawn)
    if len(settings) < count:
        raise ConfigError(f"Of {100 * count} settings drawn only {len(settings)} are valid; give other ranges.")
    return settings


def _draw(setting: Setting, where: Any, random: np.random.Generator) -> Any:
    values = list(setting.search if where is None else where)
    if not values:
        raise ConfigError(f"{setting.name} has nothing to draw from; give a pair (low, high) or a list.")
    if not is_range(setting, values):
        return values[int(random.integers(len(values)))]
    low, high = values
    if not low <= high:
        raise ConfigError(f"{setting.name} cannot be drawn from {low} to {high}; give (low, high).")
    if setting.kind == "int":
        return int(random.integers(int(low), int(high) + 1))
    return round(float(random.uniform(low, high)), 4)


def is_range(setting: Setting, values: list[Any]) -> bool:
    """Return whether values to search are the ends of a range: two of a setting that is a number."""
    return setting.kind in ("float", "int") and len(values) == 2


def best_tracker(table: pd.DataFrame, metric: str = "idf1", tracker: Tracker | str | None = None) -> Tracker:
    """Return the tracker with the settings of the best row of a sweep.

    Parameters
    ----------
    table
        What `sweep` gave.
    metric
        A column: the smallest is best of counts of errors, the largest of all else.
    tracker
        What was not swept; by default what the table remembers in `attrs`.

    Raises
    ------
    ConfigError
        If the table has no such column, or no figure in it, or is of another tracker.

    Examples
    --------
    >>> scene = fl.example()
    >>> grid = {"conf_thres": [0.3, 0.85]}
    >>> table = sweep(scene.detections, "jde", grid, ground_truth=scene.ground_truth, progress=False)
    >>> best_tracker(table, "mota").settings.conf_thres
    0.3
    """
    if metric not in table:
        raise ConfigError(f"The table has no column {metric}; its columns are {', '.join(map(str, table.columns))}.")
    rows = table
    if "sequence" in table and (table["sequence"] == OVERALL).any():
        rows = table[table["sequence"] == OVERALL]
    rows = rows[rows[metric].notna()]
    if not len(rows):
        raise ConfigError(f"No row of the table has a figure in {metric}; evaluate with ground truth.")
    figures = rows[metric].to_numpy(float)
    row = rows.iloc[int(figures.argmin() if metric in SMALLER_IS_BETTER else figures.argmax())]
    swept = table.attrs.get("tracker")
    if "tracker" in rows.columns:
        settings = table.attrs.get("settings", {}) if row["tracker"] == swept else {}
        base = as_tracker({"tracker": row["tracker"], **settings})
    elif tracker is None and swept is None:
        raise ConfigError("The table does not say which tracker it is of (CSV does not keep that); give tracker=.")
    else:
        base = as_tracker(tracker or {"tracker": swept, **table.attrs.get("settings", {})})
        if base.name != (swept or base.name):
            raise ConfigError(f"The table is of settings of {swept}, not of {base.name}; leave out tracker=.")
    given = {name: row[name] for name in base.Settings.settings() if name in rows.columns}
    return base.replace(**{name: value for name, value in given.items() if not pd.isna(value)})


def compare_settings(
    detections: Any,
    first: Tracker | str | Mapping[str, Any],
    second: Tracker | str | Mapping[str, Any],
    *,
    ground_truth: Any = None,
    sequences: Iterable[str] | None = None,
    protocol: str | None = None,
    tolerance: int = 0,
) -> pd.DataFrame:
    """Compare two trackers or settings switch by switch: which ID switches vanish, which appear.

    A switch of a person in a frame is the same one under both settings; with a tolerance it may come some frames
    sooner or later.

    Parameters
    ----------
    detections, ground_truth, sequences, protocol
        As for `sweep`.
    first, second
        Trackers, or dicts of settings (with the name of the tracker as `tracker`, unless that is jde).
    tolerance
        In frames.

    Returns
    -------
    pandas.DataFrame
        One row per switch of either: `change` ("vanishes": only under the first settings, "appears": only under the
        second, "stays"), then the columns of `Evaluation.switches`, for a switch that stays as under the first, with
        `frame_second` (where it is under the second; -1: nowhere). Sorted by sequence and frame. `attrs` hold
        `counts` (of each change) and `summary` (two rows of figures: OVERALL, or of the only sequence).

    Examples
    --------
    >>> scene = fl.example()
    >>> low, high = fl.JDETracker(conf_thres=0.3), fl.JDETracker(conf_thres=0.85)
    >>> compare_settings(scene.detections, low, high, ground_truth=scene.ground_truth).attrs["counts"]
    {'vanishes': 0, 'appears': 0, 'stays': 0}
    """
    material = open_material.__wrapped__(pack_material(detections, ground_truth, sequences, protocol))
    tables, figures = [], []
    for tracker in (first, second):
        result = material.evaluated(as_tracker(tracker))
        tables.append(result.switches)
        figures.append({str(name): plain(value) for name, value in result.overall.items()})
    table = compare_switches(tables[0], tables[1], tolerance)
    table.attrs["counts"] = {word: int((table["change"] == word).sum()) for word in ("vanishes", "appears", "stays")}
    table.attrs["summary"] = dict(zip(("first", "second"), figures, strict=True))
    return table


# ---------------------------------------------------------------------------------------------------------------------
# what is replayed, and how it reaches the workers
# ---------------------------------------------------------------------------------------------------------------------


def _run(
    packed: bytes, key: str, tracker: Tracker, intervals: bool, classes: str | Iterable[str | int] | None
) -> tuple[str, list[dict[str, Any]]]:
    """Evaluate one setting in a worker; return its rows as plain values."""
    material = open_material(packed)
    start = time.perf_counter()
    result = material.evaluated(tracker, classes)
    seconds = time.perf_counter() - start
    summary = summary_with_intervals(result) if intervals else result.summary
    if len(material.detections) == 1 and classes is None:
        summary = summary.tail(1)
    names = [str(name) for name in summary.columns]
    rows = [dict(zip(names, map(plain, values), strict=True)) for values in summary.itertuples(index=False, name=None)]
    return key, [{**row, "seconds": round(seconds, 4)} for row in rows]


def plain(value: Any) -> Any:
    """Return a number of numpy's as Python's own; anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def _key(tracker: Tracker) -> str:
    return json.dumps(tracker.to_dict(), sort_keys=True)


@contextlib.contextmanager
def _record(
    file: str | os.PathLike[str] | None, material: Material, intervals: bool, classes: Any
) -> Iterator[_Record | None]:
    """Hold the file of a sweep, if there is one, and give its rows."""
    if file is None:
        yield None
        return
    make_folder(Path(file).parent)
    with lock(file, f"Another sweep writes to {file}; wait for it, or name another file.", ConfigError):
        yield _Record(file, material, intervals, classes)


class _Record:
    """Rows on disk, one line of JSON per setting after a first line that says what was replayed."""

    def __init__(self, path: str | os.PathLike[str], material: Material, intervals: bool, classes: Any) -> None:
        self.path = Path(path)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        header = {
            "format": _FORMAT,
            "material": material.digest,
            "protocol": material.protocol,
            "sequences": list(material.detections),
            "intervals": intervals or None,
            "classes": classes,
        }
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            lines = text.splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]  # a kill can leave half a line
            if whole:
                self._read(whole, header)
            elif not json.dumps(header).startswith(text):
                raise self._foreign("it holds other lines than a sweep writes")
            with self.path.open("a", encoding="utf-8") as file:
                file.truncate(sum(len(line.encode()) for line in whole))
                if not whole:
                    file.write(json.dumps(header) + "\n")
        except OSError as error:
            raise write_error(self.path, error) from error
        except UnicodeDecodeError as error:
            raise self._foreign("it is not text") from error

    def _read(self, lines: list[str], header: dict[str, Any]) -> None:
        try:
            held, *rows = [json.loads(line) for line in lines]
            entries = {row["key"]: row["rows"] for row in rows}
            different = [name for name, value in header.items() if held.get(name) != value]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._foreign("it holds other lines than a sweep writes") from error
        if different:
            raise self._foreign(f"its {' and '.join(different)} differ")
        self.rows = entries

    def _foreign(self, why: str) -> ConfigError:
        return ConfigError(f"{self.path} does not belong to this sweep ({why}); name another file, or remove it.")

    def append(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Add a setting; the line is on disk when this returns."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "rows": rows}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self.path, error) from error
