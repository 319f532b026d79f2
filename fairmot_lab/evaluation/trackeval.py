"""CLEAR, Identity and HOTA as TrackEval defines them, for one sequence and for all of them together.

Source of the rules: TrackEval's metrics/clear.py, metrics/identity.py and metrics/hota.py. Field names are its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from . import matching
from .events import Events
from .matching import FP, MATCH, MISS, SWITCH, THRESHOLD
from .protocols import ScoredSequence

ALPHAS = np.arange(0.05, 0.99, 0.05)
_HOTA_COUNTS = ("HOTA_TP", "HOTA_FN", "HOTA_FP")
_HOTA_CURVES = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA", "RHOTA")
_CLEAR_SUMS = ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "CLR_Frames", "MOTP_sum")
_IDENTITY_SUMS = ("IDTP", "IDFN", "IDFP")
_VACE_SUMS = ("STDA", "FDA", "VACE_IDs", "VACE_GT_IDs", "num_non_empty_timesteps")
_COUNT_SUMS = ("Dets", "GT_Dets", "IDs", "GT_IDs")
Fields = dict[str, Any]


# Names of py-motmetrics for the metrics that both define, so that a column means the same under either set of rules.
SUMMARY = {
    "HOTA": "hota", "DetA": "deta", "AssA": "assa", "LocA": "loca", "DetRe": "detre", "DetPr": "detpr",
    "AssRe": "assre", "AssPr": "asspr", "MOTA": "mota", "MOTP": "motp", "MODA": "moda", "sMOTA": "smota",
    "IDF1": "idf1", "IDP": "idp", "IDR": "idr", "CLR_Re": "recall", "CLR_Pr": "precision", "IDSW": "num_switches",
    "Frag": "num_fragmentations", "MT": "mostly_tracked", "PT": "partially_tracked", "ML": "mostly_lost",
    "CLR_FP": "num_false_positives", "CLR_FN": "num_misses", "CLR_TP": "num_detections", "GT_Dets": "num_objects",
    "Dets": "num_predictions", "GT_IDs": "num_unique_objects", "IDs": "num_unique_predictions", "IDTP": "idtp",
    "IDFP": "idfp", "IDFN": "idfn", "ATA": "ata", "SFDA": "sfda",
}  # fmt: skip


def hota(scored: ScoredSequence) -> Fields:
    """Compute HOTA and its parts for 19 localisation thresholds (`ALPHAS`).

    Source: J. Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 129 (2020).
    """
    result: Fields = {name: np.zeros(len(ALPHAS)) for name in (*_HOTA_COUNTS, "AssA", "AssRe", "AssPr", "LocA")}
    _, iou, pair, g_count, t_count = _hota_pairs(scored)
    for index in range(len(ALPHAS)):
        true = is_true(iou, index)
        count = np.bincount(pair[true], minlength=len(g_count))
        found = int(true.sum())
        result["HOTA_TP"][index] = found
        result["HOTA_FN"][index] = len(scored.g_id) - found
        result["HOTA_FP"][index] = len(scored.t_id) - found
        result["LocA"][index] = max(1e-10, iou[true].sum()) / max(1e-10, found)
        for name, either in (("AssA", g_count + t_count - count), ("AssRe", g_count), ("AssPr", t_count)):
            result[name][index] = np.sum(count * (count / np.maximum(1, either))) / max(1, found)
    return _hota_ratios(result)


def hota_scores(scored: ScoredSequence) -> tuple[np.ndarray, np.ndarray]:
    """Return HOTA's matches one by one.

    Returns
    -------
    frame : int64 (matches,)
        Index of the frame.
    score : float64 (19, matches)
        For each localisation threshold the association score A of a true positive, the mean of which is AssA; 0 where
        the match is none at that threshold.
    """
    frame, iou, pair, g_count, t_count = _hota_pairs(scored)
    score = np.zeros((len(ALPHAS), len(iou)))
    for index in range(len(ALPHAS)):
        true = is_true(iou, index)
        count = np.bincount(pair[true], minlength=len(g_count))
        score[index, true] = (count / np.maximum(1, g_count + t_count - count))[pair[true]]
    return frame, score


def _hota_pairs(scored: ScoredSequence) -> tuple[np.ndarray, ...]:
    """Return frame, IoU and pair of ids of the matches, and for each pair the rows of the person and of the track."""
    frame, g, t, iou = hota_matches(scored)
    tracks = len(scored.t_ids)
    key, pair = np.unique(g * tracks + t, return_inverse=True)
    g_count, t_count = np.bincount(scored.g_id)[key // tracks], np.bincount(scored.t_id)[key % tracks]
    return frame, iou, pair, g_count, t_count


def hota_matches(scored: ScoredSequence) -> tuple[np.ndarray, ...]:
    """Return HOTA's matches: index of the frame, codes of person and track, IoU."""
    return matching.hota_matches(
        scored.g_start, scored.t_start, scored.g_id, scored.t_id, scored.pair_start, scored.pair_g, scored.pair_t,
        scored.pair_iou, len(scored.g_ids), len(scored.t_ids),
    )  # fmt: skip


def is_true(iou: np.ndarray, index: int) -> np.ndarray:
    """Return which matches count at one of `ALPHAS`."""
    return iou >= ALPHAS[index] - matching.EPSILON


def _hota_ratios(result: Fields) -> Fields:
    found, missed, false = (result[name] for name in _HOTA_COUNTS)
    result["DetRe"] = found / np.maximum(1, found + missed)
    result["DetPr"] = found / np.maximum(1, found + false)
    result["DetA"] = found / np.maximum(1, found + missed + false)
    result["HOTA"] = np.sqrt(result["DetA"] * result["AssA"])
    result["RHOTA"] = np.sqrt(result["DetRe"] * result["AssA"])
    result["HOTA(0)"] = result["HOTA"][0]
    result["LocA(0)"] = result["LocA"][0]
    result["HOTALocA(0)"] = result["HOTA(0)"] * result["LocA(0)"]
    return result


def combine_hota(parts: list[Fields]) -> Fields:
    """Combine HOTA of several sequences: counts are summed, association is averaged over true positives."""
    result: Fields = {name: sum(part[name] for part in parts) for name in _HOTA_COUNTS}
    found = result["HOTA_TP"]
    for name in ("AssRe", "AssPr", "AssA"):
        result[name] = sum(part[name] * part["HOTA_TP"] for part in parts) / np.maximum(1, found)
    located = sum(part["LocA"] * part["HOTA_TP"] for part in parts)
    result["LocA"] = np.maximum(1e-10, located) / np.maximum(1e-10, found)
    return _hota_ratios(result)


class ClearMatches:
    """Which result each ground-truth row was matched with under TrackEval's CLEAR rules.

    partner : result row per scored ground-truth row, -1 for none.  iou : of the match.  switched : an ID switch.
    """

    def __init__(self, scored: ScoredSequence) -> None:
        near = scored.pair_iou >= THRESHOLD - matching.EPSILON
        before = np.concatenate([[0], np.cumsum(near)])
        rows = len(scored.g_id)
        self.partner = np.full(rows, -1, np.int64)
        self.iou = np.full(rows, np.nan)
        self.switched = np.zeros(rows, bool)
        self.present, self.matched, self.fragments, self.iou_sum = matching.clear_matches(
            scored.g_start, scored.t_start, scored.g_id, scored.t_id, before[scored.pair_start], scored.pair_g[near],
            scored.pair_t[near], scored.pair_iou[near], len(scored.g_ids), self.partner, self.iou, self.switched,
        )  # fmt: skip


def clear(scored: ScoredSequence, matches: ClearMatches, length: int) -> Fields:
    """Compute the CLEAR MOT metrics of one sequence of `length` frames.

    Source: K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance", EURASIP 2008.
    """
    rows_g, rows_t, objects = len(scored.g_id), len(scored.t_id), len(scored.g_ids)
    result: Fields = dict.fromkeys(_CLEAR_SUMS, 0)
    if rows_t == 0:
        result |= {"CLR_FN": rows_g, "ML": objects}
    elif rows_g == 0:
        result |= {"CLR_FP": rows_t}
    else:
        found = int(matches.matched.sum())
        share = matches.matched / matches.present
        tracked = int((share > 0.8).sum())
        partly = int((share >= 0.2).sum()) - tracked
        result |= {
            "CLR_TP": found,
            "CLR_FN": rows_g - found,
            "CLR_FP": rows_t - found,
            "IDSW": int(matches.switched.sum()),
            "MT": tracked,
            "PT": partly,
            "ML": objects - tracked - partly,
            "Frag": int(np.maximum(matches.fragments - 1, 0).sum()),
            "CLR_Frames": length,
            "MOTP_sum": matches.iou_sum,
        }
    result = _clear_ratios(result)
    if rows_t == 0 or rows_g == 0:
        # TrackEval leaves every ratio of such a sequence at 0, except this one.
        result |= dict.fromkeys((name for name in result if name not in _CLEAR_SUMS), 0.0) | {"MLR": 1.0}
    return result


def _clear_ratios(result: Fields) -> Fields:
    objects = max(1.0, result["MT"] + result["PT"] + result["ML"])
    found, missed, false = result["CLR_TP"], result["CLR_FN"], result["CLR_FP"]
    present = max(1.0, found + missed)
    switches = result["IDSW"]
    return result | {
        "MTR": result["MT"] / objects,
        "MLR": result["ML"] / objects,
        "PTR": result["PT"] / objects,
        "CLR_Re": found / present,
        "CLR_Pr": found / max(1.0, found + false),
        "MODA": (found - false) / present,
        "MOTA": (found - false - switches) / present,
        "MOTP": result["MOTP_sum"] / max(1.0, found),
        "sMOTA": (result["MOTP_sum"] - false - switches) / present,
        "CLR_F1": found / max(1.0, found + 0.5 * missed + 0.5 * false),
        "FP_per_frame": false / max(1.0, result["CLR_Frames"]),
        "MOTAL": (found - false - (np.log10(switches) if switches > 0 else 0)) / present,
    }


def identity(scored: ScoredSequence) -> Fields:
    """Compute IDF1 and its parts from the best one-to-one pairing of whole tracks.

    Source: E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV 2016.
    """
    found = len(identity_pairs(scored, "trackeval"))
    sums = {"IDTP": found, "IDFN": len(scored.g_id) - found, "IDFP": len(scored.t_id) - found}
    return _identity_ratios(sums)


def identity_pairs(scored: ScoredSequence, evaluator: str) -> np.ndarray:
    """Return the rows of the pairs that the best one-to-one pairing of whole tracks keeps."""
    near = scored.pair_iou >= THRESHOLD if evaluator == "trackeval" else scored.pair_distance <= THRESHOLD
    rows = np.flatnonzero(near)
    g, t = scored.g_id[scored.pair_g[rows]], scored.t_id[scored.pair_t[rows]]
    shared = np.zeros((len(scored.g_ids), len(scored.t_ids)))
    np.add.at(shared, (g, t), 1)
    partner = np.full(len(scored.g_ids), -1)
    people, tracks = linear_sum_assignment(shared, maximize=True)
    partner[people] = tracks
    return rows[partner[g] == t]


def _identity_ratios(result: Fields) -> Fields:
    found, missed, false = (result[name] for name in _IDENTITY_SUMS)
    return result | {
        "IDR": found / max(1.0, found + missed),
        "IDP": found / max(1.0, found + false),
        "IDF1": found / max(1.0, found + 0.5 * false + 0.5 * missed),
    }


def counts(scored: ScoredSequence) -> Fields:
    """Count boxes and ids on both sides."""
    return {
        "Dets": len(scored.t_id),
        "GT_Dets": len(scored.g_id),
        "IDs": len(scored.t_ids),
        "GT_IDs": len(scored.g_ids),
    }


def vace(scored: ScoredSequence) -> Fields:
    """Return ATA and SFDA and the sums they are made of: tracks and boxes paired one to one, by time and by place.

    Source: V. Manohar et al., "Performance Evaluation of Object Detection and Tracking in Video", ACCV 2006, in
    TrackEval's relaxed form (a frame of a pair of tracks counts from an IoU of 0.5).
    """
    objects, hypotheses = len(scored.g_ids), len(scored.t_ids)
    together = np.zeros((objects, hypotheses))
    near = scored.pair_iou >= THRESHOLD
    np.add.at(together, (scored.g_id[scored.pair_g[near]], scored.t_id[scored.pair_t[near]]), 1)
    there = [np.zeros((codes, len(scored.frames))) for codes in (objects, hypotheses)]
    there[0][scored.g_id, scored.g_index] = there[1][scored.t_id, scored.t_index] = 1
    either = there[0].sum(1)[:, None] + there[1].sum(1)[None] - there[0] @ there[1].T
    shared = together / np.maximum(either, 1)
    fda, frames = matching.frame_accuracy(
        scored.g_start, scored.t_start, scored.pair_start, scored.pair_g, scored.pair_t, scored.pair_iou
    )
    sums = {"STDA": float(shared[linear_sum_assignment(shared, maximize=True)].sum()), "FDA": float(fda)}
    sums |= {"VACE_IDs": hypotheses, "VACE_GT_IDs": objects, "num_non_empty_timesteps": int(frames)}
    return _vace_ratios(sums)


def _vace_ratios(sums: Fields) -> Fields:
    tracks = 0.5 * (sums["VACE_IDs"] + sums["VACE_GT_IDs"])
    frames = sums["num_non_empty_timesteps"]
    return sums | {"ATA": sums["STDA"] / tracks if tracks else 0.0, "SFDA": sums["FDA"] / frames if frames else 0.0}


def all_fields(scored: ScoredSequence, matches: ClearMatches, length: int) -> Fields:
    """Return HOTA, CLEAR, Identity, VACE and counts of one sequence of `length` frames."""
    return hota(scored) | clear(scored, matches, length) | identity(scored) | vace(scored) | counts(scored)


def combine(parts: list[Fields]) -> Fields:
    """Combine the metrics of several sequences from summed counts."""
    result = combine_hota(parts)
    result |= _clear_ratios({name: sum(part[name] for part in parts) for name in _CLEAR_SUMS})
    result |= _identity_ratios({name: sum(part[name] for part in parts) for name in _IDENTITY_SUMS})
    result |= _vace_ratios({name: sum(part[name] for part in parts) for name in _VACE_SUMS})
    return result | {name: sum(part[name] for part in parts) for name in _COUNT_SUMS}


def detailed(rows: dict[str, Fields]) -> pd.DataFrame:
    """Return one row per sequence with the columns of TrackEval's pedestrian_detailed.csv, after `sequence`."""
    table = []
    for name, fields in rows.items():
        row: Fields = {"sequence": name, **{key: fields[key] for key in ("HOTA(0)", "LocA(0)", "HOTALocA(0)")}}
        for key in (*_HOTA_CURVES, *_HOTA_COUNTS):
            row |= {f"{key}___{100 * alpha:.0f}": value for alpha, value in zip(ALPHAS, fields[key], strict=True)}
            row[f"{key}___AUC"] = np.mean(fields[key])
        left_out = (*_VACE_SUMS, "ATA", "SFDA")
        arrays = (*left_out, *_HOTA_CURVES, *_HOTA_COUNTS, "HOTA(0)", "LocA(0)", "HOTALocA(0)")
        table.append(row | {key: value for key, value in fields.items() if key not in arrays})
    return pd.DataFrame(table)


def curves(rows: dict[str, Fields]) -> pd.DataFrame:
    """Return HOTA and its parts over the localisation threshold: one row per sequence and alpha, lower-case columns."""
    tables = []
    for name, fields in rows.items():
        table = pd.DataFrame({key.lower(): fields[key] for key in (*_HOTA_CURVES[:-1], *_HOTA_COUNTS)})
        table.insert(0, "sequence", name)
        table.insert(1, "alpha", np.round(ALPHAS, 2))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summary_row(fields: Fields) -> Fields:
    """Return the metrics under the names that py-motmetrics gives them; curves become their mean over alpha."""
    return {
        name: float(np.mean(fields[key])) if isinstance(fields[key], np.ndarray) else fields[key]
        for key, name in SUMMARY.items()
    }


def hota_means(fields: dict[str, Any]) -> dict[str, float]:
    """Return hota, deta and assa: means over the localisation thresholds."""
    return {
        "hota": float(fields["HOTA"].mean()),
        "deta": float(fields["DetA"].mean()),
        "assa": float(fields["AssA"].mean()),
    }


def trackeval_events(scored: ScoredSequence, matches: ClearMatches) -> Events:
    """Return TrackEval's matches in the form of motmetrics' events, without ASCEND, TRANSFER and MIGRATE."""
    near = scored.pair_iou >= THRESHOLD - matching.EPSILON
    frame_g = scored.g_index
    frame_t = scored.t_index
    pair_g, pair_t, pair_iou = scored.pair_g[near], scored.pair_t[near], scored.pair_iou[near]
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
        block(0, np.arange(len(scored.frames)), matching.RAW, -1, -1, nothing),
        block(1, frame_g[pair_g], matching.RAW, scored.g_id[pair_g], scored.t_id[pair_t], 1 - pair_iou),
        block(2, frame_g[lonely_g], matching.RAW, scored.g_id[lonely_g], -1, nothing),
        block(3, frame_t[lonely_t], matching.RAW, -1, scored.t_id[lonely_t], nothing),
        block(4, frame_g[found], kinds, scored.g_id[found], scored.t_id[partner], 1 - matches.iou[found]),
        block(5, frame_g[missed], MISS, scored.g_id[missed], -1, nothing),
        block(6, frame_t[false], FP, -1, scored.t_id[false], nothing),
    ]
    frame, stage, kind, o, h, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
    order = np.argsort(frame * 7 + stage, kind="stable")
    frame = frame[order]
    number = np.arange(len(frame)) - np.searchsorted(frame, frame)
    return Events(frame, number, kind[order].astype(np.int8), o[order], h[order], distance[order])
