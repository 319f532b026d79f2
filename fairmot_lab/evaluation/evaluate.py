"""Evaluate tracks against ground truth as py-motmetrics or TrackEval does."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import pandas as pd

from ..errors import EvaluationError, collected_warnings, warn
from . import trackeval
from .classes import per_class, split_classes, without_class_notes
from .events import SequenceEvaluation, event_table
from .inputs import Loaded, find_inputs, unlabelled_frames
from .motmetrics import (
    count_sums,
    find_partners,
    motmetrics_events,
    motmetrics_metrics,
    motmetrics_rows,
    ratios_of_sums,
)
from .names import HOTA, MOTMETRICS, OVERALL, SHOWN
from .protocols import EVALUATORS, PROTOCOLS, GroundTruth, Overlaps, ScoredSequence, part_of
from .result import Evaluation


def evaluate(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    evaluator: str = "motmetrics",
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
    metrics: Iterable[str] | None = None,
    classes: str | Iterable[str | int] | None = None,
) -> Evaluation:
    """Evaluate tracks: metrics, events and errors against ground truth.

    Parameters
    ----------
    tracks
        A tracks table, a result file, a folder of SEQUENCE.txt, or a dict from name to table or file.
    ground_truth
        A ground-truth table, a gt.txt, a sequence folder, a folder of sequence folders, a source, what `prepare`
        returns, or a dict from name to any of these.
    protocol
        "motchallenge", "raw" or "paddle": what is scored. By default "motchallenge" where the ground truth has classes,
        else "raw".
    evaluator
        "motmetrics" (py-motmetrics 1.4.0, to the last bit) or "trackeval": whose way of continuing and counting
        matches.
    sequences
        Names to evaluate; by default all that have ground truth and results.
    frames
        (first, last), both included, counted from 1: evaluate this part only. Numbers stay those of the sequence.
    metrics
        Those wanted of motmetrics' metrics, "hota", "deta" and "assa"; by default all.
    classes
        Names or ids: evaluate each of these classes by itself, as the data set's published protocol does
        (docs/datasets.md); "all" stands for those that it scores. The sequences of the result are then called
        `SEQUENCE:CLASS`, and `per_class` has a row for each class, their average, and all together.

    Returns
    -------
    Evaluation

    Raises
    ------
    EvaluationError
        If results and ground truth do not belong together, or an option does not exist.
    MotFileError
        If a file or table breaks the rules of `read_mot`.

    Warns
    -----
    FairMOTLabWarning
        For sequences without results, without ground truth, or without a match, and for anything that needs a caveat.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"frame": [1, 2, 3], "id": 1, "x": 10.0, "y": 10.0, "w": 20.0, "h": 50.0})
    >>> result = evaluate(truth.assign(id=[7, 7, 8]), truth)
    >>> result.overall["num_switches"], result.switches[["frame", "from_id", "to_id"]].values.tolist()
    (1, [[3, 7, 8]])
    """
    check_options(protocol, evaluator, frames)
    wanted = _wanted_metrics(metrics, evaluator)
    loaded, notes = load_pairs(tracks, ground_truth, sequences, frames, quiet=classes is not None)
    if classes is not None:
        notes = without_class_notes(notes, loaded)
        loaded, of_classes = split_classes(loaded, classes)
        notes += of_classes
        for note in notes:
            warn(note)
    protocol = protocol or default_protocol(truth for truth, _ in loaded.values())
    result = _evaluate(loaded, protocol, evaluator, frames, wanted, notes)
    if classes is not None:
        result.per_class = per_class(result, wanted)
    return result


def compute_metrics(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    evaluator: str = "motmetrics",
    hota: bool = True,
    frames: tuple[int, int] | None = None,
) -> dict[str, float]:
    """Compute the OVERALL row of `evaluate` from counts alone: for sliders and sweeps.

    Parameters
    ----------
    tracks, ground_truth, protocol, evaluator, frames
        As for `evaluate`. Give ground truth through `prepare` where many results meet the same.
    hota
        Whether to compute hota, deta and assa.

    Returns
    -------
    dict
        mota, motp, idf1, ... under the names of motmetrics, equal to the summary's.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"frame": [1, 2], "id": 1, "x": 10.0, "y": 10.0, "w": 20.0, "h": 50.0})
    >>> compute_metrics(truth.iloc[:1], truth)["mota"]
    0.5
    """
    check_options(protocol, evaluator, frames)
    loaded, _ = load_pairs(tracks, ground_truth, None, frames, quiet=True)
    protocol = protocol or default_protocol(truth for truth, _ in loaded.values())
    totals: dict[str, float] = {}
    parts = []
    for truth, table in loaded.values():
        overlaps = Overlaps(truth, table)
        scored = overlaps.scored(protocol, evaluator)
        if evaluator == "trackeval":
            parts.append(trackeval.all_fields(scored, trackeval.ClearMatches(scored), _length(overlaps, frames)))
            continue
        for name, value in count_sums(scored, motmetrics_events(scored)).items():
            totals[name] = totals.get(name, 0) + value
        if hota:
            parts.append(trackeval.hota(overlaps.scored(protocol, "trackeval")))
    if evaluator == "trackeval":
        return trackeval.summary_row(trackeval.combine(parts))
    return ratios_of_sums(totals) | (trackeval.hota_means(trackeval.combine_hota(parts)) if hota else {})


def compare_protocols(
    tracks: Any,
    ground_truth: Any,
    *,
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Evaluate the same tracks under every protocol and by both evaluators.

    Parameters
    ----------
    tracks, ground_truth, sequences, frames
        As for `evaluate`.

    Returns
    -------
    pandas.DataFrame
        One row for each sequence, protocol and evaluator, OVERALL last: sequence, protocol, evaluator, the main
        metrics, num_sequences, num_frames and num_dropped (results dropped as distractors). motp is a distance
        (1 - IoU) under motmetrics and an IoU under TrackEval. "paddle" is left out where the ground truth has no
        classes.

    Examples
    --------
    >>> scene = fl.example()
    >>> compare_protocols(scene.tracks, scene.ground_truth)[["protocol", "evaluator"]].drop_duplicates().shape
    (5, 2)
    """
    check_options(None, "motmetrics", frames)
    tables: list[pd.DataFrame] = []
    loaded, notes = load_pairs(tracks, ground_truth, sequences, frames)
    has_classes = all(truth.has_classes for truth, _ in loaded.values())
    for evaluator, protocol in itertools.product(EVALUATORS, PROTOCOLS):
        if protocol == "paddle" and (evaluator == "trackeval" or not has_classes):
            continue
        with collected_warnings() if tables else contextlib.nullcontext():  # they are the same each time
            result = _evaluate(loaded, protocol, evaluator, frames, (*HOTA, *MOTMETRICS), notes)
        tables.append(result.summary)
    table = pd.concat(tables, ignore_index=True)
    columns = [name for name in SHOWN if name not in ("sequence", "num_frames")]
    table = table[["sequence", "protocol", "evaluator", *columns, "num_sequences", "num_frames", "num_dropped"]]
    order = {name: index for index, name in enumerate(table["sequence"].unique())}
    order[OVERALL] = len(order)
    return table.sort_values("sequence", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def half_split(length: int) -> dict[str, tuple[int, int]]:
    """Return the halves that papers on MOT17 train and validate on, as `frames` for `evaluate`.

    The split of CenterTrack's convert_mot_to_coco.py, which ByteTrack shares: with N frames, "train" is frames 1 to
    N // 2 + 1 and "val" is frames N // 2 + 2 to N. Its val_half files count frames from 1 again: add `first - 1` to the
    frames of results in that numbering.

    Parameters
    ----------
    length
        Frames in the sequence.

    Examples
    --------
    >>> half_split(525)
    {'train': (1, 263), 'val': (264, 525)}
    """
    if length < 3:
        raise EvaluationError(f"A sequence of {length} frames has no two halves; at least 3 frames are needed.")
    return {"train": (1, length // 2 + 1), "val": (length // 2 + 2, length)}


def check_options(protocol: str | None, evaluator: str, frames: tuple[int, int] | None) -> None:
    """Refuse a protocol, evaluator or part of a sequence that does not exist.

    Raises
    ------
    EvaluationError
        Naming it, and what there is.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise EvaluationError(f"protocol={protocol!r} does not exist; choose {', '.join(PROTOCOLS)}.")
    if evaluator not in EVALUATORS:
        raise EvaluationError(f"evaluator={evaluator!r} does not exist; choose {' or '.join(EVALUATORS)}.")
    if protocol == "paddle" and evaluator == "trackeval":
        raise EvaluationError(
            "protocol='paddle' is what PaddleDetection does, with motmetrics; use evaluator='motmetrics'."
        )
    if frames is None:
        return
    whole = hasattr(frames, "__len__") and len(frames) == 2 and all(isinstance(one, Integral) for one in frames)
    if not whole or not 1 <= frames[0] <= frames[1]:
        raise EvaluationError(f"frames={frames!r} must be (first, last) with 1 <= first <= last, both included.")


def _wanted_metrics(metrics: Iterable[str] | None, evaluator: str) -> tuple[str, ...]:
    if metrics is None:
        return (*HOTA, *MOTMETRICS)
    wanted = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in wanted if name not in (*HOTA, *MOTMETRICS)]
    if unknown:
        raise EvaluationError(f"There is no metric {unknown[0]!r}; choose among {', '.join((*HOTA, *MOTMETRICS))}.")
    if evaluator == "trackeval":
        raise EvaluationError("evaluator='trackeval' computes all its metrics at once; leave out metrics.")
    return wanted


def default_protocol(truths: Iterable[GroundTruth]) -> str:
    """Return "motchallenge" where the ground truth has classes, else "raw"."""
    return "motchallenge" if any(truth.has_classes for truth in truths) else "raw"


def load_pairs(
    tracks: Any,
    ground_truth: Any,
    sequences: Iterable[str] | None,
    frames: tuple[int, int] | None,
    *,
    quiet: bool = False,
) -> tuple[Loaded, list[str]]:
    inputs = find_inputs(tracks, ground_truth, sequences)
    notes = []
    if inputs.without_results:
        notes.append(f"no results for {', '.join(inputs.without_results)}: not evaluated.")
    loaded: Loaded = {}
    for name, (load_truth, load_tracks) in inputs.pairs.items():
        with collected_warnings() as caught:
            truth = load_truth(name=name)
            table = load_tracks(truth=truth)
        notes += caught
        if frames is not None:
            truth, table = _part(truth, table, frames, notes)
        unlabelled = unlabelled_frames(table, truth, frames)
        notes += [unlabelled] if unlabelled else []
        loaded[name] = (truth, table)
    copies: dict[str, list[str]] = {}
    for name in loaded:
        copies.setdefault(name.rpartition("-")[0], []).append(name)
    repeated = [names for base, names in copies.items() if base.startswith("MOT17-") and len(names) > 1]
    if repeated:
        notes.append(
            f"{', '.join(names[0].rpartition('-')[0] for names in repeated)}: the same frames with several public "
            "detectors; each result is evaluated once, as given, and counts in OVERALL."
        )
    if not quiet:
        for note in notes:
            warn(note)
    return loaded, notes


def _part(
    truth: GroundTruth, tracks: pd.DataFrame, frames: tuple[int, int], notes: list[str]
) -> tuple[GroundTruth, pd.DataFrame]:
    first, last = frames
    if truth.length is None:
        truth = replace(truth, length=int(max([0, *truth.frame[-1:], *tracks["frame"]])) or None)
    if truth.length is not None and first > truth.length:
        raise EvaluationError(f"frames={frames}: {truth.name} has {truth.length} frames; choose a part inside it.")
    if truth.length is not None and last > truth.length:
        notes.append(f"{truth.name} has {truth.length} frames: {first} to {truth.length} are evaluated, not {last}.")
    inside = tracks["frame"].between(first, last)
    if len(tracks) and not inside.any():
        notes.append(
            f"{truth.name}: no result lies in frames {first} to {last}; if the results count from 1 inside this part, "
            f"add {first - 1} to their frames."
        )
    return part_of(truth, first, last), tracks[inside].reset_index(drop=True)


def _evaluate(
    loaded: Loaded,
    protocol: str,
    evaluator: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
    notes: list[str],
) -> Evaluation:
    sequences = {}
    for name, (truth, table) in loaded.items():
        sequences[name] = _evaluate_sequence(name, truth, table, protocol, evaluator, frames, wanted)
    told = [note for one in sequences.values() for note in _caveats(one)]
    for note in told:
        warn(note)
    parts = {name: one.metrics for name, one in sequences.items()}
    detailed = curves = None
    if evaluator == "trackeval":
        everything = parts | {OVERALL: trackeval.combine(list(parts.values()))}
        rows = {name: trackeval.summary_row(fields) for name, fields in everything.items()}
        detailed, curves = trackeval.detailed(everything), trackeval.curves(everything)
    else:
        rows = motmetrics_rows(parts, wanted)
    totals: dict[str, dict[str, int]] = {
        name: {
            "num_sequences": 1,
            "num_frames": one.frames if evaluator == "trackeval" else len(one.scored.frames),
            "num_dropped": one.scored.dropped,
        }
        for name, one in sequences.items()
    }
    totals[OVERALL] = {key: sum(row[key] for row in totals.values()) for key in next(iter(totals.values()))}
    same: dict[str, Any] = {"protocol": protocol, "evaluator": evaluator}
    table = pd.DataFrame([{"sequence": name} | row | totals[name] | same for name, row in rows.items()])
    table = table[
        [*(name for name in table if name not in totals[OVERALL] and name not in same), *totals[OVERALL], *same]
    ]
    return Evaluation(table, protocol, evaluator, sequences, frames, [*notes, *told], detailed, curves)


def _evaluate_sequence(
    name: str,
    truth: GroundTruth,
    tracks: pd.DataFrame,
    protocol: str,
    evaluator: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
) -> SequenceEvaluation:
    overlaps = Overlaps(truth, tracks)
    scored = overlaps.scored(protocol, evaluator)
    count = _length(overlaps, frames)
    if evaluator == "trackeval":
        matches = trackeval.ClearMatches(scored)
        metrics = trackeval.all_fields(scored, matches, count) if wanted else {}
        partner, switched = matches.partner, matches.switched
        events = trackeval.trackeval_events(scored, matches)
    else:
        events = motmetrics_events(scored)
        partner, switched = find_partners(scored, events)
        named = [key for key in wanted if key in MOTMETRICS]
        metrics = motmetrics_metrics(event_table(scored, events), named) if named else {}
        if any(key in HOTA for key in wanted):
            metrics["hota_fields"] = trackeval.hota(overlaps.scored(protocol, "trackeval"))
    return SequenceEvaluation(name, truth, overlaps.tracks, scored, events, partner, switched, count, metrics, frames)


def _length(overlaps: Overlaps, frames: tuple[int, int] | None) -> int:
    """Return how many frames a sequence has, or how many were asked for."""
    last = overlaps.ground_truth.length or max([*overlaps.ground_truth.frame[-1:], *overlaps.frame[-1:]], default=0)
    return int(last) if frames is None else min(frames[1], int(last)) - frames[0] + 1


def match_tracks(
    tracks: pd.DataFrame, ground_truth: GroundTruth, protocol: str, evaluator: str = "motmetrics"
) -> SequenceEvaluation:
    """Match the tracks of one sequence without computing metrics.

    Raises
    ------
    EvaluationError
        If the protocol or the evaluator does not exist.
    """
    check_options(protocol, evaluator, None)
    return _evaluate_sequence(ground_truth.name, ground_truth, tracks, protocol, evaluator, None, ())


def _caveats(one: SequenceEvaluation) -> list[str]:
    scored = one.scored
    if not len(scored.g_id):
        return [
            f"{one.name} has no ground truth that counts: its ratios are set to 0, and its {len(scored.t_id)} results "
            "count as false positives in OVERALL."
        ]
    if not len(scored.t_id) and scored.dropped:
        return [
            f"{one.name}: all its {scored.dropped} results lie on distractors or in regions to ignore and are dropped; "
            f"its {len(scored.g_id)} ground-truth boxes are missed."
        ]
    if not len(scored.t_id):
        return [f"{one.name} has no results: all its {len(scored.g_id)} ground-truth boxes are missed."]
    if not one.is_matched.any():
        return [f"{one.name}: not one result matches the ground truth; are both in the same frames and pixels?"]
    return []


def scored_for_hota(one: SequenceEvaluation, protocol: str, evaluator: str) -> ScoredSequence:
    """Return what TrackEval scores under the same protocol, since HOTA is TrackEval's."""
    return (
        one.scored if evaluator == "trackeval" else Overlaps(one.ground_truth, one.tracks).scored(protocol, "trackeval")
    )
