"""CLEAR, Identity and HOTA as TrackEval defines them, for one sequence and for all of them together.

Source of the rules: TrackEval's metrics/clear.py, metrics/identity.py and metrics/hota.py. Field names are its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from . import matching
from .protocols import Scene

ALPHAS = np.arange(0.05, 0.99, 0.05)
_THRESHOLD = 0.5
_HOTA_COUNTS = ("HOTA_TP", "HOTA_FN", "HOTA_FP")
_HOTA_CURVES = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA", "RHOTA")
_CLEAR_SUMS = ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "CLR_Frames", "MOTP_sum")
_IDENTITY_SUMS = ("IDTP", "IDFN", "IDFP")
_COUNT_SUMS = ("Dets", "GT_Dets", "IDs", "GT_IDs")
Fields = dict[str, Any]


# Names of py-motmetrics for the figures that both define, so that a column means the same under either set of rules.
SUMMARY = {
    "HOTA": "hota", "DetA": "deta", "AssA": "assa", "LocA": "loca", "DetRe": "detre", "DetPr": "detpr",
    "AssRe": "assre", "AssPr": "asspr", "MOTA": "mota", "MOTP": "motp", "MODA": "moda", "sMOTA": "smota",
    "IDF1": "idf1", "IDP": "idp", "IDR": "idr", "CLR_Re": "recall", "CLR_Pr": "precision", "IDSW": "num_switches",
    "Frag": "num_fragmentations", "MT": "mostly_tracked", "PT": "partially_tracked", "ML": "mostly_lost",
    "CLR_FP": "num_false_positives", "CLR_FN": "num_misses", "CLR_TP": "num_detections", "GT_Dets": "num_objects",
    "Dets": "num_predictions", "GT_IDs": "num_unique_objects", "IDs": "num_unique_predictions", "IDTP": "idtp",
    "IDFP": "idfp", "IDFN": "idfn",
}  # fmt: skip


def hota(scene: Scene) -> Fields:
    """HOTA and its parts for 19 localisation thresholds (`ALPHAS`).

    Source: J. Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 129 (2020).
    """
    objects, hypotheses = len(scene.g_ids), len(scene.t_ids)
    rows_g, rows_t = len(scene.g_id), len(scene.t_id)
    result: Fields = {name: np.zeros(len(ALPHAS)) for name in (*_HOTA_COUNTS, "AssA", "AssRe", "AssPr")}
    result["LocA"] = np.ones(len(ALPHAS))
    if rows_g == 0 or rows_t == 0:
        result["HOTA_FN"] += rows_g
        result["HOTA_FP"] += rows_t
        return _hota_ratios(result)
    g, t, iou = matching.hota_matches(
        scene.g_start, scene.t_start, scene.g_id, scene.t_id, scene.pair_start, scene.pair_g, scene.pair_t,
        scene.pair_iou, objects, hypotheses,
    )  # fmt: skip
    key, pair = np.unique(g * hypotheses + t, return_inverse=True)
    g_count = np.bincount(scene.g_id, minlength=objects)[key // hypotheses]
    t_count = np.bincount(scene.t_id, minlength=hypotheses)[key % hypotheses]
    for index, alpha in enumerate(ALPHAS):
        true = iou >= alpha - matching.EPSILON
        count = np.bincount(pair[true], minlength=len(key))
        found = int(true.sum())
        result["HOTA_TP"][index] = found
        result["HOTA_FN"][index] = rows_g - found
        result["HOTA_FP"][index] = rows_t - found
        result["LocA"][index] = max(1e-10, iou[true].sum()) / max(1e-10, found)
        for name, either in (("AssA", g_count + t_count - count), ("AssRe", g_count), ("AssPr", t_count)):
            result[name][index] = np.sum(count * (count / np.maximum(1, either))) / max(1, found)
    return _hota_ratios(result)


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
    """HOTA of several sequences: counts are summed, association is averaged over true positives."""
    result: Fields = {name: sum(part[name] for part in parts) for name in _HOTA_COUNTS}
    found = result["HOTA_TP"]
    for name in ("AssRe", "AssPr", "AssA"):
        result[name] = sum(part[name] * part["HOTA_TP"] for part in parts) / np.maximum(1, found)
    located = sum(part["LocA"] * part["HOTA_TP"] for part in parts)
    result["LocA"] = np.maximum(1e-10, located) / np.maximum(1e-10, found)
    return _hota_ratios(result)


class ClearMatches:
    """Which result each ground-truth row was matched with under TrackEval's CLEAR rules.

    partner : result row per ground-truth row of the scene, -1 for none.  iou : of the match.  switched : an ID switch.
    """

    def __init__(self, scene: Scene) -> None:
        near = scene.pair_iou >= _THRESHOLD - matching.EPSILON
        before = np.concatenate([[0], np.cumsum(near)])
        rows = len(scene.g_id)
        self.partner = np.full(rows, -1, np.int64)
        self.iou = np.full(rows, np.nan)
        self.switched = np.zeros(rows, bool)
        self.present, self.matched, self.fragments, self.iou_sum = matching.clear_matches(
            scene.g_start, scene.t_start, scene.g_id, scene.t_id, before[scene.pair_start], scene.pair_g[near],
            scene.pair_t[near], scene.pair_iou[near], len(scene.g_ids), self.partner, self.iou, self.switched,
        )  # fmt: skip


def clear(scene: Scene, matches: ClearMatches, length: int) -> Fields:
    """CLEAR MOT figures of one sequence of `length` frames.

    Source: K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance", EURASIP 2008.
    """
    rows_g, rows_t, objects = len(scene.g_id), len(scene.t_id), len(scene.g_ids)
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


def identity(scene: Scene) -> Fields:
    """IDF1 and its parts: the best one-to-one pairing of whole tracks.

    Source: E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV 2016.
    """
    near = scene.pair_iou >= _THRESHOLD
    found = best_identity(scene.g_id[scene.pair_g[near]], scene.t_id[scene.pair_t[near]], scene)
    sums = {"IDTP": found, "IDFN": len(scene.g_id) - found, "IDFP": len(scene.t_id) - found}
    return _identity_ratios(sums)


def best_identity(g: np.ndarray, t: np.ndarray, scene: Scene) -> int:
    """Most matches that a one-to-one pairing of ids can keep; `g` and `t` are the id codes of each match."""
    shared = np.zeros((len(scene.g_ids), len(scene.t_ids)))
    np.add.at(shared, (g, t), 1)
    return int(shared[linear_sum_assignment(shared, maximize=True)].sum())


def _identity_ratios(result: Fields) -> Fields:
    found, missed, false = (result[name] for name in _IDENTITY_SUMS)
    return result | {
        "IDR": found / max(1.0, found + missed),
        "IDP": found / max(1.0, found + false),
        "IDF1": found / max(1.0, found + 0.5 * false + 0.5 * missed),
    }


def counts(scene: Scene) -> Fields:
    """Boxes and ids on both sides."""
    return {
        "Dets": len(scene.t_id),
        "GT_Dets": len(scene.g_id),
        "IDs": len(scene.t_ids),
        "GT_IDs": len(scene.g_ids),
    }


def combine(parts: list[Fields]) -> Fields:
    """All figures of several sequences together, from summed counts."""
    result = combine_hota(parts)
    result |= _clear_ratios({name: sum(part[name] for part in parts) for name in _CLEAR_SUMS})
    result |= _identity_ratios({name: sum(part[name] for part in parts) for name in _IDENTITY_SUMS})
    return result | {name: sum(part[name] for part in parts) for name in _COUNT_SUMS}


def detailed(rows: dict[str, Fields]) -> pd.DataFrame:
    """One row per sequence with the columns of TrackEval's pedestrian_detailed.csv (first column: `sequence`)."""
    table = []
    for name, fields in rows.items():
        row: Fields = {"sequence": name, **{key: fields[key] for key in ("HOTA(0)", "LocA(0)", "HOTALocA(0)")}}
        for key in (*_HOTA_CURVES, *_HOTA_COUNTS):
            row |= {f"{key}___{100 * alpha:.0f}": value for alpha, value in zip(ALPHAS, fields[key], strict=True)}
            row[f"{key}___AUC"] = np.mean(fields[key])
        arrays = (*_HOTA_CURVES, *_HOTA_COUNTS, "HOTA(0)", "LocA(0)", "HOTALocA(0)")
        table.append(row | {key: value for key, value in fields.items() if key not in arrays})
    return pd.DataFrame(table)


def curves(rows: dict[str, Fields]) -> pd.DataFrame:
    """HOTA and its parts over the localisation threshold: one row per sequence and alpha, lower-case columns."""
    tables = []
    for name, fields in rows.items():
        table = pd.DataFrame({key.lower(): fields[key] for key in (*_HOTA_CURVES[:-1], *_HOTA_COUNTS)})
        table.insert(0, "sequence", name)
        table.insert(1, "alpha", np.round(ALPHAS, 2))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summary_row(fields: Fields) -> Fields:
    """The figures under the names that py-motmetrics gives them; curves become their mean over alpha."""
    return {
        name: float(np.mean(fields[key])) if isinstance(fields[key], np.ndarray) else fields[key]
        for key, name in SUMMARY.items()
    }


def _hota_means(fields: dict[str, Any]) -> dict[str, float]:
    return {
        "hota": float(fields["HOTA"].mean()),
        "deta": float(fields["DetA"].mean()),
        "assa": float(fields["AssA"].mean()),
    }
