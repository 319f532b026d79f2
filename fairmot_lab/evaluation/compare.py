"""Compare trackers: metrics and their differences with intervals, from a paired block bootstrap over frames.

Nothing is matched again: every metric is made of counts per frame, and a draw sums the counts of the frames it holds.
The frames of a sequence are drawn in blocks, because an error in one frame is seldom alone; all trackers get the same
frames. scipy.stats.bootstrap draws single frames, and would give intervals that are too narrow.

Two choices make identity and association sums over frames: the pairing of whole tracks behind IDF1, and the
association score of each true positive behind AssA, are those of the whole sequence, since a heap of blocks has no
tracks of its own.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._terminal import in_columns, wrapped
from ..errors import EvaluationError, warn
from . import trackeval
from .evaluate import check_options, default_protocol, load_pairs, match_tracks, scored_for_hota
from .events import SequenceEvaluation
from .matching import MATCH, SWITCH
from .names import OVERALL, PERCENT, SHORT
from .protocols import GroundTruth
from .result import Evaluation

COMPARED = (
    "hota", "deta", "assa", "mota", "idf1", "idp", "idr", "recall", "precision", "motp", "num_switches",
    "num_false_positives", "num_misses",
)  # fmt: skip
_COUNTS = ("objects", "predictions", "misses", "false_positives", "switches", "distance", "idtp", "dets", "truths")
_FEWEST_BLOCKS = 3  # that tell how a metric varies
_ALPHAS = len(trackeval.ALPHAS)
WIDTH = len(_COUNTS) + 2 * _ALPHAS


@dataclass(eq=False)
class Comparison:
    """Metrics of several trackers with intervals, and their differences; made by `compare`.

    Attributes
    ----------
    metrics : pandas.DataFrame
        sequence (OVERALL last), tracker, metric, value, low, high.
    differences : pandas.DataFrame
        sequence, tracker, other, metric, difference (tracker minus other), low, high, p_value, p_adjusted (Holm, over
        the pairs of trackers of one sequence and metric) and verdict: "higher", "lower" or "not a difference", by
        whether p_adjusted is below 1 - confidence.
    block_lengths : dict of str to int
        Frames in a block, by sequence.
    caption : str
        Protocol, evaluator, confidence, draws and blocks.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    block_lengths: dict[str, int]
    caption: str

    def sentences(self, metrics: Iterable[str] = ("hota", "mota", "idf1")) -> list[str]:
        """Return one sentence for each pair of trackers and metric, of all sequences together."""
        rows = self.differences[self.differences["sequence"] == OVERALL]
        sentences = []
        for metric in _chosen(metrics):
            for row in rows[rows["metric"] == metric].itertuples():
                difference = _shown(metric, row.difference, sign=True)
                span = f"{_shown(metric, row.low, sign=True)} to {_shown(metric, row.high, sign=True)}"
                words = f"{row.tracker} is {row.verdict} than {row.other} in {SHORT.get(metric, metric)}"
                if row.verdict == "not a difference":
                    words = f"{row.tracker} and {row.other}: not a difference in {SHORT.get(metric, metric)}"
                sentences.append(f"{words} ({difference}, interval {span}, p = {row.p_adjusted:.3f})")
        return sentences

    def table(self, metrics: Iterable[str] = ("hota", "deta", "assa", "mota", "idf1", "num_switches")) -> pd.DataFrame:
        """Return all sequences together as text, one row per tracker: "51.9 (50.1 to 53.6)"."""
        metrics, rows = _chosen(metrics), self.metrics[self.metrics["sequence"] == OVERALL]
        cells = {
            (row.tracker, row.metric): f"{_shown(row.metric, row.value)} "
            f"({_shown(row.metric, row.low)} to {_shown(row.metric, row.high)})"
            for row in rows.itertuples()
        }
        names = list(dict.fromkeys(rows["tracker"]))
        return pd.DataFrame(
            [{SHORT.get(metric, metric): cells[name, metric] for metric in metrics} for name in names],
            index=pd.Index(names, name="tracker"),
        )

    def __repr__(self) -> str:
        table = self.table().reset_index()
        sentences = [wrapped(sentence, "    ") for sentence in self.sentences()]
        return "\n".join(
            [in_columns([list(table), *table.to_numpy().tolist()]), "", *sentences, "", wrapped(self.caption)]
        )

    def _repr_html_(self) -> str:
        listed = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.sentences())
        return f"{self.table().to_html()}<ul>{listed}</ul><p>{html.escape(self.caption)}</p>"


def compare(
    trackers: Mapping[str, Any],
    ground_truth: Any = None,
    *,
    protocol: str | None = None,
    evaluator: str | None = None,
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
    block_frames: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare trackers on the same sequences, with intervals of every metric and of every difference.

    The intervals say how much a metric would move on other stretches of the same sequences. They say nothing about
    other scenes or cameras.

    Parameters
    ----------
    trackers
        From a name to tracks, as `evaluate` takes them (a table, a file, a folder, a dict by sequence), or to an
        `Evaluation`. A single tracker gets intervals too.
    ground_truth, protocol, evaluator, sequences, frames
        As for `evaluate`; not needed where all are `Evaluation` objects.
    draws
        Bootstrap samples. A warning says when they are too few to show a difference among so many pairs.
    confidence
        Of the intervals.
    block_frames
        Frames drawn together. By default chosen for each sequence from the autocorrelation of its errors (Politis and
        White 2004, corrected by Patton, Politis and White 2009).
    seed
        Of the random draws.

    Returns
    -------
    Comparison

    Raises
    ------
    EvaluationError
        If the trackers were not evaluated on the same sequences in the same way.

    Notes
    -----
    Circular moving blocks (Politis and Romano 1992) within each sequence, the same for all trackers; percentiles of the
    draws, widened for the number of blocks. Intervals are too narrow where errors last for a large part of a sequence:
    in simulations 95 % intervals covered 93 to 95 % of cases with errors of some 10 frames in sequences of 750, and 89
    to 94 % with errors of some 20. Counts of whole tracks (mostly tracked, fragmentations) have no interval.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"frame": range(1, 61), "id": 1, "x": 10.0, "y": 10.0, "w": 20.0, "h": 50.0})
    >>> made = compare({"all": truth, "half": truth[truth["frame"] % 2 == 0]}, truth, draws=100)
    >>> made.sentences(["recall"])
    ['all is higher than half in Rcll (+50.0, interval +50.0 to +50.0, p = 0.020)']
    """
    if not isinstance(trackers, Mapping):
        raise EvaluationError(f"Trackers cannot be a {type(trackers).__name__}; give a dict from name to tracks.")
    if not trackers:
        raise EvaluationError("There is no tracker to compare; give a dict from name to tracks.")
    if draws < 1 or not 0 < confidence < 1:
        raise EvaluationError(f"draws={draws} and confidence={confidence} must be at least 1, and between 0 and 1.")
    if block_frames is not None and block_frames < 1:
        raise EvaluationError(f"block_frames={block_frames} must be at least 1; leave it out to have it chosen.")
    check_options(protocol, evaluator or "motmetrics", frames)
    if ground_truth is not None and all(isinstance(tracks, Evaluation) for tracks in trackers.values()):
        raise EvaluationError("All trackers are evaluated already; leave out the ground truth, or give their tracks.")
    counts: dict[str, dict[str, np.ndarray]] = {}
    truths: dict[str, GroundTruth] = {}
    ways: set[tuple[str, str, tuple[int, ...]]] = set()
    for name, tracks in trackers.items():
        if isinstance(tracks, Evaluation):
            made, chosen, how, part = tracks.sequences, tracks.protocol, tracks.evaluator, tracks.frames
            given = protocol in (None, chosen) and evaluator in (None, how) and frames in (None, part)
            if not given or sequences is not None:
                raise EvaluationError(
                    f"{name} is evaluated already; leave out protocol, evaluator, frames and sequences, or give its "
                    "tracks."
                )
        elif ground_truth is None:
            raise EvaluationError(f"Tracker {name} is given as tracks; give the ground truth too.")
        else:
            loaded, _ = load_pairs(tracks, ground_truth, sequences, frames)
            chosen, part = protocol or default_protocol(truth for truth, _ in loaded.values()), frames
            how = evaluator or "motmetrics"
            made = {key: match_tracks(table, truth, chosen, how) for key, (truth, table) in loaded.items()}
        counts[name] = {key: frame_counts(one, chosen, how, part) for key, one in made.items()}
        ways.add((chosen, how, tuple(part or ())))
        for key, one in made.items():
            if len(ways) == 1 and not _same_truth(truths.setdefault(key, one.ground_truth), one.ground_truth):
                raise EvaluationError(
                    f"{name} was evaluated with other ground truth of {key} than the trackers before it; use the same."
                )
    first = next(iter(counts))
    for name, found in counts.items():
        if set(found) != set(counts[first]):
            odd = sorted(set(found) ^ set(counts[first]))
            raise EvaluationError(f"{first} and {name} differ in the sequences {', '.join(odd)}; evaluate the same.")
    if len(ways) > 1:
        raise EvaluationError(
            f"The trackers were evaluated differently ({ways}); use one protocol, evaluator and part (frames)."
        )
    ((protocol, evaluator, _),) = ways
    stacked = {key: _stack([found[key] for found in counts.values()]) for key in counts[first]}
    pairs = len(counts) * (len(counts) - 1) // 2
    drawn = bootstrap(stacked, evaluator, draws, block_frames, seed)
    if few := [key for key in stacked if not drawn.freedom[key]]:
        warn(
            f"{', '.join(few)}: fewer than {_FEWEST_BLOCKS} blocks of {block_frames or 1} frames, which say nothing of "
            "how a metric varies; there are no intervals, and no differences are shown."
        )
    enough = math.ceil(2 * pairs / (1 - confidence))  # the smallest p-value of `draws` is 2 / (draws + 1)
    if draws < enough:
        warn(f"{draws} draws are too few to show a difference among {pairs} pairs of trackers; use draws={enough}.")
    return _tables(list(counts), drawn, confidence, draws, f"protocol {protocol}, evaluator {evaluator}")


def metric_intervals(
    tracks: Any, ground_truth: Any, *, confidence: float = 0.95, **options: Any
) -> dict[str, tuple[float, float]]:
    """Return the interval of each metric of one tracker, all sequences together: for sweeps and sliders.

    Parameters
    ----------
    tracks, ground_truth
        As for `evaluate`.
    confidence, **options
        As for `compare`.

    Examples
    --------
    >>> scene = fl.example()
    >>> low, high = metric_intervals(scene.tracks, scene.ground_truth)["mota"]
    >>> low <= high <= 1
    True
    """
    rows = compare({"": tracks}, ground_truth, confidence=confidence, **options).metrics
    rows = rows[rows["sequence"] == OVERALL]
    return {row.metric: (row.low, row.high) for row in rows.itertuples()}


def summary_with_intervals(
    evaluation: Evaluation, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return the summary of an evaluation with the ends of intervals: mota_low, mota_high, and so on.

    Parameters
    ----------
    evaluation
        What `evaluate` returned.
    confidence, draws, seed
        As for `compare`.

    Examples
    --------
    >>> scene = fl.example()
    >>> table = summary_with_intervals(fl.evaluate(scene.tracks, scene.ground_truth), draws=100)
    >>> (table["mota_low"] <= table["mota"]).all() and (table["mota"] <= table["mota_high"]).all()
    True
    """
    summary = evaluation.summary
    found = compare({"": evaluation}, confidence=confidence, draws=draws, seed=seed).metrics
    ends = found.pivot_table(index="sequence", columns="metric", values=["low", "high"], dropna=False)
    known = [metric for metric in COMPARED if metric in summary]
    columns = {
        f"{metric}_{end}": ends[end, metric].reindex(summary["sequence"]).to_numpy()
        for metric in known
        for end in ("low", "high")
    }
    return pd.concat([summary, pd.DataFrame(columns, index=summary.index)], axis=1)


# -- counts per frame


def frame_counts(
    one: SequenceEvaluation, protocol: str, evaluator: str, frames: tuple[int, int] | None = None
) -> np.ndarray:
    """Return the counts that metrics are made of, (frames, `WIDTH`), from frame 1 or the first of `frames`."""
    scored, hota = one.scored, scored_for_hota(one, protocol, evaluator)
    first = frames[0] if frames else 1
    reach = [part[-1] for part in (scored.frames, hota.frames) if len(part)]
    last = min(one.ground_truth.length or 0, frames[1] if frames else np.inf)
    counts = np.zeros((int(max([last, first, *reach])) - first + 1, WIDTH))

    def add(column: int, frame: np.ndarray, weights: np.ndarray | float = 1.0) -> None:
        np.add.at(counts[:, column], frame - first, weights)

    frame_g, frame_t = scored.g_frame, scored.t_frame
    matched = np.isin(one.coded.kind, (MATCH, SWITCH))
    for column, (frame, weights) in enumerate(
        [
            (frame_g, 1.0),
            (frame_t, 1.0),
            (frame_g[~one.is_matched], 1.0),
            (frame_t[one.is_false], 1.0),
            (frame_g[one.switched], 1.0),
            (scored.frames[one.coded.frame[matched]], one.coded.distance[matched]),
            (frame_g[scored.pair_g[trackeval.identity_pairs(scored, evaluator)]], 1.0),
            (hota.t_frame, 1.0),
            (hota.g_frame, 1.0),
        ]
    ):
        add(column, frame, weights)
    frame_h, score = trackeval.hota_scores(hota)
    for index in range(_ALPHAS):
        true = score[index] > 0
        add(len(_COUNTS) + index, hota.frames[frame_h[true]])
        add(len(_COUNTS) + _ALPHAS + index, hota.frames[frame_h[true]], score[index][true])
    return counts


def _same_truth(one: GroundTruth, other: GroundTruth) -> bool:
    return one is other or all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name != "frame")
        for name in ("frame", "box", "conf", "class_id")
    )


def _stack(parts: list[np.ndarray]) -> np.ndarray:
    """Return the counts of all trackers, (frames, trackers, counts); results may reach further than others'."""
    frames = max(map(len, parts))
    return np.stack([np.pad(part, ((0, frames - len(part)), (0, 0))) for part in parts], axis=1)


# -- draws


def block_length(counts: np.ndarray) -> int:
    """Return how many frames to draw together, from the autocorrelation of what moves a metric.

    Parameters
    ----------
    counts : (frames, series)
        One column per series, such as the errors of each frame less their expected number. The largest length counts.

    Returns
    -------
    int
        From 1 to a third of the frames.

    Notes
    -----
    D. N. Politis and H. White, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23
    (2004), with the correction of A. Patton, D. N. Politis and H. White, Econometric Reviews 28 (2009), for circular
    blocks; lags up to a third of the frames. Twice their length is taken: theirs is best for a variance, and intervals
    that cover as they should need longer blocks.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(1000, 1))
    >>> block_length(noise) < 5 < block_length(np.repeat(noise[::20], 20, axis=0))
    True
    """
    frames = len(counts)
    if frames < 4:
        return 1
    reach = max(5, int(np.ceil(np.sqrt(np.log10(frames)))))
    largest = max(1, frames // 3)
    limit = 2 * np.sqrt(np.log10(frames) / frames)
    best = 1.0
    for series in (counts - counts.mean(0)).T:
        variance = float(series @ series) / frames
        if variance < 1e-12:
            continue
        covariance = np.array([float(series[lag:] @ series[: frames - lag]) / frames for lag in range(largest + 1)])
        small = np.abs(covariance[1:] / variance) < limit
        quiet = [lag for lag in range(max(1, len(small) - reach + 1)) if small[lag : lag + reach].all()]
        width = min(2 * max(quiet[0], 1) if quiet else largest, largest)
        lags = np.arange(1, width + 1)
        window = np.clip(2 * (1 - lags / width), 0, 1)
        spectrum = variance + 2 * float(window @ covariance[1 : width + 1])
        slope = 2 * float((window * lags) @ covariance[1 : width + 1])
        if spectrum > 0:
            best = max(best, (2 * slope**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * frames ** (1 / 3))
    return max(1, min(round(2 * best), frames // 3))


@dataclass(frozen=True)
class _Draws:
    """Metrics of each tracker, (trackers, metrics), and of each draw, (draws, trackers, metrics), by sequence."""

    values: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    freedom: dict[str, float]  # degrees of freedom of the spread of the draws
    lengths: dict[str, int]


def bootstrap(
    counts: Mapping[str, np.ndarray], evaluator: str, draws: int, length: int | None = None, seed: int = 0
) -> _Draws:
    """Draw blocks of frames of each sequence, the same for all trackers.

    Parameters
    ----------
    counts
        By sequence, (frames, trackers, counts of `frame_counts`).
    evaluator, draws, length, seed
        As of `compare`.
    """
    generator = np.random.default_rng(seed)
    values, drawn, freedom, lengths = {}, {}, {}, {}
    total: Any = 0.0
    total_drawn: Any = 0.0
    for name, table in counts.items():
        frames = len(table)
        whole = table.sum(0)
        size = min(length or block_length(_influence(table, whole)), frames)
        number = -(-frames // size)
        running = np.concatenate([np.zeros_like(table[:1]), table, table[: size - 1]]).cumsum(0)
        start = generator.integers(0, frames, (draws, number))
        rest = frames - size * (number - 1)  # of the last block, so that a draw has as many frames as the sequence
        sums = np.zeros((draws, *whole.shape))
        for block in range(number):
            end = start[:, block] + (size if block < number - 1 else rest)
            sums += running[end] - running[start[:, block]]
        # blocks vary around the sequence's own mean, which makes them vary too little
        spread = np.sqrt(frames / (frames - size) if frames > size else 1.0)
        sums = np.maximum(whole + (sums - whole) * spread, 0)  # counts
        values[name], drawn[name] = metrics_of(whole, evaluator), metrics_of(sums, evaluator)
        freedom[name], lengths[name] = 1.5 * (frames / size - 1) if frames >= _FEWEST_BLOCKS * size else 0.0, size
        total, total_drawn = total + whole, total_drawn + sums
    values[OVERALL], drawn[OVERALL] = metrics_of(total, evaluator), metrics_of(total_drawn, evaluator)
    freedom[OVERALL] = sum(freedom.values())
    return _Draws(values, drawn, freedom, lengths)


def _chosen(metrics: str | Iterable[str]) -> list[str]:
    """Return metrics as a list; EvaluationError for one that is not compared."""
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in wanted:
        if name not in COMPARED:
            raise EvaluationError(f"{name!r} is not a metric that is compared; choose among {', '.join(COMPARED)}.")
    return wanted


def _parts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return counts (..., `WIDTH`) by name: those of HOTA's true positives and their scores are (..., 19)."""
    sums, true, score = np.split(counts, [len(_COUNTS), len(_COUNTS) + _ALPHAS], axis=-1)
    return {**dict(zip(_COUNTS, np.moveaxis(sums, -1, 0), strict=True)), "true": true, "score": score}


def metrics_of(sums: np.ndarray, evaluator: str = "motmetrics") -> np.ndarray:
    """Return the metrics `COMPARED` (..., metrics) of summed counts (..., `WIDTH`)."""
    part = _parts(sums)
    true, score = part["true"], part["score"]

    def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)

    objects, predictions, switches = part["objects"], part["predictions"], part["switches"]
    found = objects - part["misses"]
    deta = divide(true, (part["dets"] + part["truths"])[..., None] - true)
    assa = divide(score, true)
    distance = divide(part["distance"], found)
    metrics = {
        "hota": np.sqrt(deta * assa).mean(-1),
        "deta": deta.mean(-1),
        "assa": assa.mean(-1),
        "mota": divide(found - part["false_positives"] - switches, objects),
        "idf1": divide(2 * part["idtp"], objects + predictions),
        "idp": divide(part["idtp"], predictions),
        "idr": divide(part["idtp"], objects),
        "recall": divide(found, objects),
        "precision": divide(found, predictions),
        "motp": distance if evaluator == "motmetrics" else divide(found - part["distance"], found),
        "num_switches": switches,
        "num_false_positives": part["false_positives"],
        "num_misses": part["misses"],
    }
    return np.stack([metrics[name] for name in COMPARED], axis=-1)


def _influence(counts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """What moves the ratios of each tracker, and their differences, frame by frame."""
    part = _parts(counts)
    true, score = part["true"][..., _ALPHAS // 2], part["score"][..., _ALPHAS // 2]
    ratios = [
        (part["misses"], part["objects"]),
        (part["false_positives"], part["predictions"]),
        (part["misses"] + part["false_positives"] + part["switches"], part["objects"]),
        (2 * part["idtp"], part["objects"] + part["predictions"]),
        (true, part["dets"] + part["truths"] - true),
        (score, true),
    ]
    moved = []
    for above, below in ratios:
        ratio = above.sum(0) / np.maximum(below.sum(0), 1e-12)
        series = (above - ratio * below) / np.maximum(below.sum(0), 1e-12)
        moved.append(series)
        moved += [series[:, [a]] - series[:, [b]] for a, b in itertools.combinations(range(series.shape[1]), 2)]
    return np.concatenate(moved, axis=1)


# -- tables


def _tables(names: list[str], made: _Draws, confidence: float, draws: int, how: str) -> Comparison:
    metrics, differences = [], []
    pairs = list(itertools.combinations(range(len(names)), 2))
    order = [name for name in made.values if name != OVERALL] + [OVERALL]
    for sequence in order:
        values, drawn, freedom = made.values[sequence], made.draws[sequence], made.freedom[sequence]
        low, high = interval(values, drawn, freedom, confidence)
        most = [1.0 if metric in PERCENT or metric == "motp" else np.inf for metric in COMPARED]
        least = [-np.inf if metric == "mota" else 0.0 for metric in COMPARED]
        low, high = np.clip(low, least, most), np.clip(high, least, most)
        for tracker, name in enumerate(names):
            for column, metric in enumerate(COMPARED):
                at = (tracker, column)
                metrics.append((sequence, name, metric, values[at], low[at], high[at]))
        for column, metric in enumerate(COMPARED):
            rows = []
            for a, b in pairs:
                difference = values[a, column] - values[b, column]
                moved = drawn[:, a, column] - drawn[:, b, column]
                low_d, high_d = interval(difference, moved, freedom, confidence)
                rows.append((names[a], names[b], difference, low_d, high_d, p_value(difference, moved, freedom)))
            adjusted = holm([row[-1] for row in rows])
            for (a_name, b_name, difference, low_d, high_d, p), p_adjusted in zip(rows, adjusted, strict=True):
                verdict = "not a difference"
                if p_adjusted < 1 - confidence:
                    verdict = "higher" if difference > 0 else "lower"
                row = (sequence, a_name, b_name, metric, difference, low_d, high_d, p, p_adjusted, verdict)
                differences.append(row)
    lengths = ", ".join(f"{name} {length}" for name, length in made.lengths.items())
    caption = (
        f"{how.capitalize()}. {100 * confidence:g} % intervals from {draws} draws of blocks of frames within each "
        f"sequence (frames in a block: {lengths}), the same for all trackers; p-values adjusted after Holm."
    )
    return Comparison(
        pd.DataFrame(metrics, columns=["sequence", "tracker", "metric", "value", "low", "high"]),
        pd.DataFrame(
            differences,
            columns=[
                "sequence", "tracker", "other", "metric", "difference", "low", "high", "p_value", "p_adjusted",
                "verdict",
            ],
        ),
        made.lengths,
        caption,
    )  # fmt: skip


def _widen(value: np.ndarray, drawn: np.ndarray, freedom: float, confidence: float = 0.95) -> np.ndarray:
    """Return the draws moved away from the value, as the few blocks behind them ask for: a t for a normal quantile."""
    from scipy.stats import norm, t

    level = (1 + confidence) / 2
    return value + (drawn - value) * (t.ppf(level, max(freedom, 1.0)) / norm.ppf(level))


def interval(value: Any, drawn: np.ndarray, freedom: float, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper ends of the interval of a value from its draws (first axis)."""
    if not freedom:  # too few blocks
        return np.full(np.shape(value), np.nan), np.full(np.shape(value), np.nan)
    wide = _widen(value, drawn, freedom, confidence)
    low, high = np.quantile(wide, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def p_value(difference: float, drawn: np.ndarray, freedom: float) -> float:
    """Return the two-sided p-value of a difference from its draws: how often they lie on the other side of 0."""
    if not freedom or (difference == 0 and not drawn.any()):
        return 1.0
    wide = _widen(np.asarray(difference), drawn, freedom)
    sides = min((wide <= 0).sum(), (wide >= 0).sum()) + 1
    return float(min(1.0, 2 * sides / (len(wide) + 1)))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return p-values adjusted for their number (S. Holm, Scandinavian Journal of Statistics 6, 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    sorted_values = np.asarray(p_values, float)[order]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(sorted_values * np.arange(len(order), 0, -1)) if len(order) else []
    return np.minimum(adjusted, 1)


def _shown(metric: str, value: float, sign: bool = False) -> str:
    mark = "+" if sign else ""
    if metric in PERCENT:
        return f"{100 * value:{mark}.1f}"
    return f"{value:{mark}.3f}" if metric == "motp" else f"{value:{mark}.0f}"
