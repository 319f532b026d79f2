"""py-motmetrics' events and metrics, computed from arrays and equal to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import matching, trackeval
from .events import Events, count_fragments
from .matching import ASCEND, FP, MATCH, MIGRATE, MISS, SWITCH, THRESHOLD, TRANSFER
from .names import HOTA, MOTMETRICS, OVERALL, RATIOS
from .protocols import ScoredSequence
from .trackeval import hota_means


def motmetrics_events(scored: ScoredSequence) -> Events:
    """Return the events that MOTAccumulator would write, frame by frame."""
    near = scored.pair_distance <= THRESHOLD
    before = np.concatenate([[0], np.cumsum(near)])
    pair_start = before[scored.pair_start]
    g, t, distance = scored.pair_g[near], scored.pair_t[near], scored.pair_distance[near]
    rows_g, rows_t, objects, hypotheses = len(scored.g_id), len(scored.t_id), len(scored.g_ids), len(scored.t_ids)
    capacity = len(scored.frames) + len(g) + 2 * (rows_g + rows_t) + 3 * min(rows_g, rows_t)
    cursor, events = np.zeros(1, matching.CURSOR), np.empty(capacity, matching.EVENT)
    g_matched, t_matched = np.zeros(rows_g, bool), np.zeros(rows_t, bool)
    state = (
        np.full(objects, -1, np.int64),
        np.full(hypotheses, -1, np.int64),
        np.zeros(hypotheses, bool),
        np.zeros(objects, bool),
        np.full(hypotheses, -1, np.int64),
        g_matched,
        t_matched,
    )
    starts = (scored.g_start, scored.t_start, scored.g_id, scored.t_id, pair_start)
    solved = (np.empty(0, np.int64), np.empty(0, np.int64))
    while not matching.continue_matches(cursor, *starts, g, t, distance, *state, *solved, events):
        frame = int(cursor["frame"][0])
        solved = _solve_as_motmetrics(scored, frame, pair_start, g, t, distance, g_matched, t_matched)
        cursor["is_solved"] = True
    written = events[: cursor["events"][0]]
    return Events(*(written[name].copy() for name in matching.EVENT.names or ()))


def _solve_as_motmetrics(
    scored: ScoredSequence,
    frame: int,
    pair_start: np.ndarray,
    g: np.ndarray,
    t: np.ndarray,
    distance: np.ndarray,
    g_matched: np.ndarray,
    t_matched: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Assign the unmatched boxes of a frame with motmetrics' own solver, on the very matrix it would see."""
    from motmetrics.lap import linear_sum_assignment

    g0, t0 = scored.g_start[frame], scored.t_start[frame]
    matrix = np.full((scored.g_start[frame + 1] - g0, scored.t_start[frame + 1] - t0), np.nan)
    here = slice(pair_start[frame], pair_start[frame + 1])
    free = ~g_matched[g[here]] & ~t_matched[t[here]]
    matrix[g[here][free] - g0, t[here][free] - t0] = distance[here][free]
    rows, columns = linear_sum_assignment(matrix)
    return g0 + rows.astype(np.int64), t0 + columns.astype(np.int64)


def find_partners(scored: ScoredSequence, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Find the result row matched with each scored ground-truth row (-1: none), and whether it is a switch."""
    rows = (events.kind == MATCH) | (events.kind == SWITCH)
    frame, o, h = events.frame[rows], events.o[rows], events.h[rows]
    g = _find_rows(scored.g_start, scored.g_id, len(scored.g_ids), frame, o)
    t = _find_rows(scored.t_start, scored.t_id, len(scored.t_ids), frame, h)
    partner = np.full(len(scored.g_id), -1, np.int64)
    switched = np.zeros(len(scored.g_id), bool)
    partner[g] = t
    switched[g] = events.kind[rows] == SWITCH
    return partner, switched


def _find_rows(start: np.ndarray, code: np.ndarray, codes: int, frame: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    keys = np.repeat(np.arange(len(start) - 1), np.diff(start)) * codes + code
    order = np.argsort(keys, kind="stable")
    return order[np.searchsorted(keys[order], frame * codes + wanted)]


def motmetrics_metrics(events: pd.DataFrame, wanted: Sequence[str]) -> dict[str, Any]:
    """Compute what mm.metrics computes from the events, with what it needs to compute OVERALL."""
    import motmetrics as mm

    host = mm.metrics.create()
    needed = [name for name in (*wanted, "num_detections") if name != "num_fragmentations"]
    metrics = host.compute(events, metrics=needed, return_dataframe=False, return_cached=True)
    if "num_fragmentations" in wanted:
        # The function looks through all events once for every object: it is given those that can matter.
        few = _that_can_fragment(events)
        metrics |= host.compute(few, metrics=["num_fragmentations"], return_dataframe=False)
    return metrics


def _that_can_fragment(events: pd.DataFrame) -> pd.DataFrame:
    """The first event of each run of matches or misses, for objects that may be matched again after a miss."""
    kind = events["Type"].cat.codes.to_numpy()
    rows = np.flatnonzero((kind == MISS) | (kind == MATCH) | (kind == SWITCH))
    objects, _ = pd.factorize(events["OId"].to_numpy()[rows])
    order = np.argsort(objects, kind="stable")
    owner, missed = objects[order], kind[rows[order]] == MISS
    begins = np.ones(len(order), bool)
    begins[1:] = (owner[1:] != owner[:-1]) | (missed[1:] != missed[:-1])
    runs = np.bincount(owner[begins], minlength=1)
    many = begins & (runs[owner] >= 3)
    return events.iloc[np.sort(rows[order[many]])]


def motmetrics_rows(parts: dict[str, dict[str, Any]], wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    import motmetrics as mm

    rows = {name: {key: metrics[key] for key in wanted if key in metrics} for name, metrics in parts.items()}
    partials = [metrics | {"motp": _finite("motp", metrics.get("motp", 0.0))} for metrics in parts.values()]
    metrics = [key for key in wanted if key in MOTMETRICS]
    rows[OVERALL] = dict(mm.metrics.create().compute_overall(partials, metrics=metrics, return_dataframe=False))
    fields = {name: metrics["hota_fields"] for name, metrics in parts.items() if "hota_fields" in metrics}
    if fields:
        fields[OVERALL] = trackeval.combine_hota(list(fields.values()))
        for name, values in fields.items():
            rows[name] |= {key: value for key, value in hota_means(values).items() if key in wanted}
    return {name: {key: _finite(key, row[key]) for key in wanted} for name, row in rows.items()}


def _finite(name: str, value: Any) -> Any:
    """Counts as int; a ratio without a denominator as 0, and motp, a distance, as 1."""
    if name in (*RATIOS, *HOTA, "motp"):
        return float(value) if np.isfinite(value) else float(name == "motp")
    return int(value)


def count_sums(scored: ScoredSequence, events: Events) -> dict[str, float]:
    """Sum up everything that the metrics of motmetrics are made of."""
    kinds = np.bincount(events.kind, minlength=len(matching.EVENT_TYPES))
    partner, _ = find_partners(scored, events)
    tracked = partner >= 0
    present = np.bincount(scored.g_id, minlength=len(scored.g_ids))
    share = np.bincount(scored.g_id[tracked], minlength=len(scored.g_ids)) / np.maximum(present, 1)
    idtp = len(trackeval.identity_pairs(scored, "motmetrics"))
    matched = (events.kind == MATCH) | (events.kind == SWITCH)
    return {
        "num_frames": len(scored.frames),
        "num_objects": len(scored.g_id),
        "num_predictions": len(scored.t_id),
        "num_unique_objects": len(scored.g_ids),
        "num_matches": int(kinds[MATCH]),
        "num_switches": int(kinds[SWITCH]),
        "num_misses": int(kinds[MISS]),
        "num_false_positives": int(kinds[FP]),
        "num_transfer": int(kinds[TRANSFER]),
        "num_ascend": int(kinds[ASCEND]),
        "num_migrate": int(kinds[MIGRATE]),
        "num_detections": int(kinds[MATCH] + kinds[SWITCH]),
        "num_fragmentations": int(count_fragments(scored.g_id, tracked, len(scored.g_ids)).sum()),
        "mostly_tracked": int((share >= 0.8).sum()),
        "partially_tracked": int(((share >= 0.2) & (share < 0.8)).sum()),
        "mostly_lost": int((share < 0.2).sum()),
        "idtp": idtp,
        "idfp": len(scored.t_id) - idtp,
        "idfn": len(scored.g_id) - idtp,
        "distance": float(events.distance[matched].sum()),
    }


def ratios_of_sums(totals: dict[str, float]) -> dict[str, float]:
    def divide(a: float, b: float, default: float = 0.0) -> float:
        return a / b if b else default

    errors = totals["num_misses"] + totals["num_switches"] + totals["num_false_positives"]
    objects, found = totals["num_objects"], totals["num_detections"]
    metrics = {
        "mota": 1 - errors / objects if objects else 0.0,
        "motp": divide(totals["distance"], found, 1.0),
        "idf1": divide(2 * totals["idtp"], objects + totals["num_predictions"]),
        "idp": divide(totals["idtp"], totals["idtp"] + totals["idfp"]),
        "idr": divide(totals["idtp"], totals["idtp"] + totals["idfn"]),
        "recall": divide(found, objects),
        "precision": divide(found, found + totals["num_false_positives"]),
    }
    return metrics | {name: value for name, value in totals.items() if name != "distance"}
