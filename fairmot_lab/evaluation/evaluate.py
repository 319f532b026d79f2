"""Evaluate tracks against ground truth with py-motmetrics or TrackEval's definitions."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import EvaluationError, FairMOTLabWarning
from . import matching
from . import trackeval as trackeval_rules
from .events import _THRESHOLD, Events, _event_table
from .inputs import find_inputs
from .matching import FP, MATCH, MISS, SWITCH
from .motmetrics import _count, _motmetrics_events, _motmetrics_figures, _motmetrics_rows, _partners, _ratios
from .names import _HOTA, _SHOWN, MOTMETRICS, OVERALL
from .protocols import PROTOCOLS, RULES, GroundTruth, Overlaps, Scene, prepare
from .result import Evaluation, SequenceEvaluation
from .trackeval import _hota_means


def evaluate(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    rules: str = "motmetrics",
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
    metrics: Iterable[str] | None = None,
) -> Evaluation:
    """Compare tracks with ground truth.

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
    rules
        "motmetrics" (py-motmetrics 1.4.0, to the last bit) or "trackeval": how matches are continued and counted.
    sequences
        Names to evaluate; by default all that have ground truth and results.
    frames
        (first, last), both included, counted from 1: evaluate this part only. Numbers stay those of the sequence.
    metrics
        Of the figures of motmetrics, those wanted; by default all. ("hota", "deta" and "assa" may be among them.)

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
    """
    _check_options(protocol, rules, frames)
    wanted = _wanted_metrics(metrics, rules)
    loaded, notes = _load(tracks, ground_truth, sequences, frames)
    protocol = protocol or _default_protocol(truth for truth, _ in loaded.values())
    return _evaluate(loaded, protocol, rules, frames, wanted, notes)


def quick_figures(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    hota: bool = True,
    frames: tuple[int, int] | None = None,
) -> dict[str, float]:
    """The OVERALL row of `evaluate(..., rules="motmetrics")`, from counts alone: for sliders and sweeps.

    Parameters
    ----------
    tracks, ground_truth, protocol, frames
        As for `evaluate`. Give ground truth through `prepare` where many results meet the same.
    hota
        Whether to compute hota, deta and assa.

    Returns
    -------
    dict
        mota, motp, idf1, ... under the names of motmetrics, equal to the summary's.
    """
    _check_options(protocol, "motmetrics", frames)
    loaded, _ = _load(tracks, ground_truth, None, frames, quiet=True)
    protocol = protocol or _default_protocol(truth for truth, _ in loaded.values())
    totals: dict[str, float] = {}
    parts = []
    for truth, table in loaded.values():
        overlaps = Overlaps(truth, table)
        scene = overlaps.scene(protocol, "motmetrics")
        for name, value in _count(scene, _motmetrics_events(scene)).items():
            totals[name] = totals.get(name, 0) + value
        if hota:
            parts.append(trackeval_rules.hota(_hota_scene(overlaps, scene, protocol)))
    figures = _ratios(totals)
    if hota:
        figures |= _hota_means(trackeval_rules.combine_hota(parts))
    return figures


def compare_protocols(
    tracks: Any,
    ground_truth: Any,
    *,
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """The same results under every protocol and both sets of rules, side by side.

    Parameters
    ----------
    tracks, ground_truth, sequences, frames
        As for `evaluate`.

    Returns
    -------
    pandas.DataFrame
        One row for each sequence, protocol and set of rules, OVERALL last: sequence, protocol, rules, the main figures,
        num_sequences, num_frames and num_dropped (results dropped as distractors). motp is a distance (1 - IoU) under
        motmetrics and an IoU under TrackEval. "paddle" is left out where the ground truth has no classes.
    """
    _check_options(None, "motmetrics", frames)
    names = [sequences] if isinstance(sequences, str) else None if sequences is None else list(sequences)
    tables: list[pd.DataFrame] = []
    loaded, notes = _load(tracks, ground_truth, names, frames)
    has_classes = all(truth.has_classes for truth, _ in loaded.values())
    for rules, protocol in itertools.product(RULES, PROTOCOLS):
        if protocol == "paddle" and (rules == "trackeval" or not has_classes):
            continue
        with warnings.catch_warnings():
            if tables:
                warnings.simplefilter("ignore", FairMOTLabWarning)
            result = _evaluate(loaded, protocol, rules, frames, (*_HOTA, *MOTMETRICS), notes)
        tables.append(result.summary)
    table = pd.concat(tables, ignore_index=True)
    columns = [name for name in _SHOWN if name not in ("sequence", "num_frames")]
    table = table[["sequence", "protocol", "rules", *columns, "num_sequences", "num_frames", "num_dropped"]]
    order = {name: index for index, name in enumerate(table["sequence"].unique())}
    order[OVERALL] = len(order)
    return table.sort_values("sequence", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def half_split(length: int) -> dict[str, tuple[int, int]]:
    """The halves that papers on MOT17 train and validate on, as `frames` for `evaluate`.

    The split of CenterTrack's convert_mot_to_coco.py, which ByteTrack shares: with N frames, "train" is frames 1 to
    N // 2 + 1 and "val" is frames N // 2 + 2 to N. Its val_half files count frames from 1 again: add `first - 1` to the
    frames of results in that numbering.

    Parameters
    ----------
    length
        Frames in the sequence.
    """
    if length < 3:
        raise EvaluationError(f"a sequence of {length} frames has no two halves; at least 3 frames are needed.")
    return {"train": (1, length // 2 + 1), "val": (length // 2 + 2, length)}


def _check_options(protocol: str | None, rules: str, frames: tuple[int, int] | None) -> None:
    if protocol is not None and protocol not in PROTOCOLS:
        raise EvaluationError(f"protocol={protocol!r} does not exist; choose {', '.join(PROTOCOLS)}.")
    if rules not in RULES:
        raise EvaluationError(f"rules={rules!r} do not exist; choose {' or '.join(RULES)}.")
    if protocol == "paddle" and rules == "trackeval":
        raise EvaluationError(
            "protocol='paddle' is what PaddleDetection does, with motmetrics; use rules='motmetrics'."
        )
    if frames is not None and (len(frames) != 2 or not 1 <= frames[0] <= frames[1]):
        raise EvaluationError(f"frames={frames!r} must be (first, last) with 1 <= first <= last, both included.")


def _wanted_metrics(metrics: Iterable[str] | None, rules: str) -> tuple[str, ...]:
    if metrics is None:
        return (*_HOTA, *MOTMETRICS)
    wanted = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in wanted if name not in (*_HOTA, *MOTMETRICS)]
    if unknown:
        raise EvaluationError(f"there is no metric {unknown[0]!r}; choose among {', '.join((*_HOTA, *MOTMETRICS))}.")
    if rules == "trackeval":
        raise EvaluationError("rules='trackeval' computes all its figures at once; leave out metrics.")
    return wanted


def _default_protocol(truths: Iterable[GroundTruth]) -> str:
    return "motchallenge" if any(truth.has_classes for truth in truths) else "raw"


Loaded = dict[str, tuple[GroundTruth, pd.DataFrame]]


def _load(
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
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FairMOTLabWarning)
            truth = load_truth(name=name)
            table = load_tracks(truth=truth)
        notes += [str(one.message) for one in caught]
        if frames is not None:
            truth, table = _part(truth, table, frames, notes)
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
            warnings.warn(note, FairMOTLabWarning, stacklevel=3)
    return loaded, notes


def _part(
    truth: GroundTruth, tracks: pd.DataFrame, frames: tuple[int, int], notes: list[str]
) -> tuple[GroundTruth, pd.DataFrame]:
    first, last = frames
    if truth.length is not None and first > truth.length:
        raise EvaluationError(f"frames={frames}: {truth.name} has {truth.length} frames; choose a part inside it.")
    table = truth.table[(truth.frame >= first) & (truth.frame <= last)].reset_index(drop=True)
    table.attrs = {"length": truth.length, "frame_rate": truth.frame_rate, "width": truth.width, "height": truth.height}
    inside = tracks["frame"].between(first, last)
    if len(tracks) and not inside.any():
        notes.append(
            f"{truth.name}: no result lies in frames {first} to {last}; if the results count from 1 inside this part, "
            f"add {first - 1} to their frames."
        )
    return prepare(table, truth.name), tracks[inside].reset_index(drop=True)


def _evaluate(
    loaded: Loaded,
    protocol: str,
    rules: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
    notes: list[str],
) -> Evaluation:
    sequences = {}
    for name, (truth, table) in loaded.items():
        sequences[name] = _evaluate_sequence(name, truth, table, protocol, rules, frames, wanted)
    told = [note for one in sequences.values() for note in _caveats(one)]
    for note in told:
        warnings.warn(note, FairMOTLabWarning, stacklevel=3)
    parts = {name: one.figures for name, one in sequences.items()}
    detailed = curves = None
    if rules == "trackeval":
        everything = parts | {OVERALL: trackeval_rules.combine(list(parts.values()))}
        rows = {name: trackeval_rules.summary_row(fields) for name, fields in everything.items()}
        detailed, curves = trackeval_rules.detailed(everything), trackeval_rules.curves(everything)
    else:
        rows = _motmetrics_rows(parts, wanted)
    lengths = {name: one.frames if rules == "trackeval" else len(one.scene.frames) for name, one in sequences.items()}
    dropped = {name: one.scene.dropped for name, one in sequences.items()}
    lengths[OVERALL], dropped[OVERALL] = sum(lengths.values()), sum(dropped.values())
    table = pd.DataFrame(
        [
            {"sequence": name}
            | {key: value for key, value in row.items() if key != "num_frames"}
            | {"num_sequences": len(parts) if name == OVERALL else 1, "num_frames": lengths[name]}
            | {"num_dropped": dropped[name], "protocol": protocol, "rules": rules}
            for name, row in rows.items()
        ]
    )
    return Evaluation(table, protocol, rules, sequences, [*notes, *told], detailed, curves)


def _evaluate_sequence(
    name: str,
    truth: GroundTruth,
    tracks: pd.DataFrame,
    protocol: str,
    rules: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
) -> SequenceEvaluation:
    overlaps = Overlaps(truth, tracks)
    scene = overlaps.scene(protocol, rules)
    last = truth.length or int(max([*truth.frame[-1:], *overlaps.frame[-1:]], default=0))
    count = last if frames is None else min(frames[1], last) - frames[0] + 1
    if rules == "trackeval":
        matches = trackeval_rules.ClearMatches(scene)
        figures = trackeval_rules.hota(scene) | trackeval_rules.clear(scene, matches, count)
        figures |= trackeval_rules.identity(scene) | trackeval_rules.counts(scene)
        partner, switched = matches.partner, matches.switched
        events = _trackeval_events(scene, matches)
    else:
        events = _motmetrics_events(scene)
        partner, switched = _partners(scene, events)
        named = [key for key in wanted if key in MOTMETRICS]
        figures = _motmetrics_figures(_event_table(scene, events), named) if named else {}
        if any(key in _HOTA for key in wanted):
            figures["hota_fields"] = trackeval_rules.hota(_hota_scene(overlaps, scene, protocol))
    return SequenceEvaluation(name, truth, overlaps.tracks, scene, events, partner, switched, count, figures)


def match_tracks(
    tracks: pd.DataFrame, ground_truth: GroundTruth, protocol: str, rules: str = "motmetrics"
) -> SequenceEvaluation:
    """The matches of one sequence without any figures: for what only needs to know who carried which id."""
    return _evaluate_sequence(ground_truth.name, ground_truth, tracks, protocol, rules, None, ())


def _caveats(one: SequenceEvaluation) -> list[str]:
    scene = one.scene
    if not len(scene.g_id):
        return [
            f"{one.name} has no ground truth that counts: its ratios are set to 0, and its {len(scene.t_id)} results "
            "count as false positives in OVERALL."
        ]
    if not len(scene.t_id):
        return [f"{one.name} has no results: all its {len(scene.g_id)} ground-truth boxes are missed."]
    if not (one.partner >= 0).any():
        return [f"{one.name}: not one result matches the ground truth; are both in the same frames and pixels?"]
    return []


def _hota_scene(overlaps: Overlaps, scene: Scene, protocol: str) -> Scene:
    """HOTA is TrackEval's: it is computed on what TrackEval scores under the same protocol."""
    return scene if protocol == "paddle" else overlaps.scene(protocol, "trackeval")


def _trackeval_events(scene: Scene, matches: trackeval_rules.ClearMatches) -> Events:
    """TrackEval's matches in the form of motmetrics' events, without ASCEND, TRANSFER and MIGRATE."""
    near = scene.pair_iou >= _THRESHOLD - matching.EPSILON
    frame_g = np.repeat(np.arange(len(scene.frames)), np.diff(scene.g_start))
    frame_t = np.repeat(np.arange(len(scene.frames)), np.diff(scene.t_start))
    pair_g, pair_t, pair_iou = scene.pair_g[near], scene.pair_t[near], scene.pair_iou[near]
    lonely_g, lonely_t = np.ones(len(frame_g), bool), np.ones(len(frame_t), bool)
    lonely_g[pair_g], lonely_t[pair_t] = False, False
    found = np.flatnonzero(matches.partner >= 0)
    partner = matches.partner[found]
    false = np.ones(len(frame_t), bool)
    false[partner] = False
    missed = np.flatnonzero(matches.partner < 0)
    nothing = np.nan

    def block(stage, frame, kind, o, h, distance):
        count = len(frame)
        return [np.broadcast_to(value, count) for value in (frame, stage, kind, o, h, distance)]

    kinds = np.where(matches.switched[found], SWITCH, MATCH)
    blocks = [
        block(0, np.arange(len(scene.frames)), matching.RAW, -1, -1, nothing),
        block(1, frame_g[pair_g], matching.RAW, scene.g_id[pair_g], scene.t_id[pair_t], 1 - pair_iou),
        block(2, frame_g[lonely_g], matching.RAW, scene.g_id[lonely_g], -1, nothing),
        block(3, frame_t[lonely_t], matching.RAW, -1, scene.t_id[lonely_t], nothing),
        block(4, frame_g[found], kinds, scene.g_id[found], scene.t_id[partner], 1 - matches.iou[found]),
        block(5, frame_g[missed], MISS, scene.g_id[missed], -1, nothing),
        block(6, frame_t[false], FP, -1, scene.t_id[false], nothing),
    ]
    frame, stage, kind, o, h, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
    order = np.argsort(frame * 7 + stage, kind="stable")
    frame = frame[order]
    number = np.arange(len(frame)) - np.searchsorted(frame, frame)
    return Events(frame, number, kind[order].astype(np.int8), o[order], h[order], distance[order])
