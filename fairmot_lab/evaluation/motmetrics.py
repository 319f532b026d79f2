"""py-motmetrics' events and metrics, computed from arrays and equal to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import matching
from . import trackeval as trackeval_rules
from .events import _THRESHOLD, Events, _fragments
from .matching import ASCEND, FP, MATCH, MIGRATE, MISS, SWITCH, TRANSFER
from .names import _HOTA, _RATIOS, MOTMETRICS, OVERALL
from .protocols import Scene
from .trackeval import _hota_means


def _motmetrics_events(scene: Scene) -> Events:
    """The events that MOTAccumulator would write, frame by frame."""
    near = scene.pair_distance <= _THRESHOLD
    before = np.concatenate([[0], np.cumsum(near)])
    pair_start = before[scene.pair_start]
    g, t, distance = scene.pair_g[near], scene.pair_t[near], scene.pair_distance[near]
    rows_g, rows_t, objects, hypotheses = len(scene.g_id), len(scene.t_id), len(scene.g_ids), len(scene.t_ids)
    capacity = len(scene.frames) + len(g) + 2 * (rows_g + rows_t) + 3 * min(rows_g, rows_t)
    cursor = np.zeros(3, np.int64)
    state = (
        np.full(objects, -1, np.int64),
        np.full(hypotheses, -1, np.int64),
        np.zeros(hypotheses, bool),
        np.zeros(objects, bool),
        np.full(hypotheses, -1, np.int64),
        np.zeros(rows_g, bool),
        np.zeros(rows_t, bool),
    )
    g_matched, t_matched = state[-2:]
    out = (
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity),
    )
    starts = (scene.g_start, scene.t_start, scene.g_id, scene.t_id, pair_start)
    solved = (np.empty(0, np.int64), np.empty(0, np.int64))
    while not matching.continue_matches(cursor, *starts, g, t, distance, *state, *solved, *out):
        solved = _solve_as_motmetrics(scene, int(cursor[0]), pair_start, g, t, distance, g_matched, t_matched)
    return Events(*(array[: cursor[1]] for array in out))


def _solve_as_motmetrics(
    scene: Scene,
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

    g0, t0 = scene.g_start[frame], scene.t_start[frame]
    matrix = np.full((scene.g_start[frame + 1] - g0, scene.t_start[frame + 1] - t0), np.nan)
    here = slice(pair_start[frame], pair_start[frame + 1])
    free = ~g_matched[g[here]] & ~t_matched[t[here]]
    matrix[g[here][free] - g0, t[here][free] - t0] = distance[here][free]
    rows, columns = linear_sum_assignment(matrix)
    return g0 + rows.astype(np.int64), t0 + columns.astype(np.int64)


def _partners(scene: Scene, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """The scored result row matched with each scored ground-truth row (-1: none), and whether it is a switch."""
    rows = (events.kind == MATCH) | (events.kind == SWITCH)
    frame, o, h = events.frame[rows], events.o[rows], events.h[rows]
    g = _find_rows(scene.g_start, scene.g_id, len(scene.g_ids), frame, o)
    t = _find_rows(scene.t_start, scene.t_id, len(scene.t_ids), frame, h)
    partner = np.full(len(scene.g_id), -1, np.int64)
    switched = np.zeros(len(scene.g_id), bool)
    partner[g] = t
    switched[g] = events.kind[rows] == SWITCH
    return partner, switched


def _find_rows(start: np.ndarray, code: np.ndarray, codes: int, frame: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    keys = np.repeat(np.arange(len(start) - 1), np.diff(start)) * codes + code
    order = np.argsort(keys, kind="stable")
    return order[np.searchsorted(keys[order], frame * codes + wanted)]


def _motmetrics_figures(events: pd.DataFrame, wanted: Sequence[str]) -> dict[str, Any]:
    """What mm.metrics computes from the events, with what it needs to compute OVERALL."""
    import motmetrics as mm

    host = mm.metrics.create()
    needed = [name for name in (*wanted, "num_detections") if name != "num_fragmentations"]
    figures = host.compute(events, metrics=needed, return_dataframe=False, return_cached=True)
    if "num_fragmentations" in wanted:
        # The function looks through all events once for every object: it is given those that can matter.
        few = _that_can_fragment(events)
        figures |= host.compute(few, metrics=["num_fragmentations"], return_dataframe=False)
    return figures


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


def _motmetrics_rows(parts: dict[str, dict[str, Any]], wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    import motmetrics as mm

    rows = {name: {key: figures[key] for key in wanted if key in figures} for name, figures in parts.items()}
    partials = [figures | {"motp": _finite("motp", figures.get("motp", 0.0))} for figures in parts.values()]
    metrics = [key for key in wanted if key in MOTMETRICS]
    rows[OVERALL] = dict(mm.metrics.create().compute_overall(partials, metrics=metrics, return_dataframe=False))
    fields = {name: figures["hota_fields"] for name, figures in parts.items() if "hota_fields" in figures}
    if fields:
        fields[OVERALL] = trackeval_rules.combine_hota(list(fields.values()))
        for name, values in fields.items():
            rows[name] |= {key: value for key, value in _hota_means(values).items() if key in wanted}
    return {name: {key: _finite(key, row[key]) for key in wanted} for name, row in rows.items()}


def _finite(name: str, value: Any) -> Any:
    """Counts as int; a ratio without a denominator as 0, and motp, a distance, as 1."""
    if name in (*_RATIOS, *_HOTA, "motp"):
        return float(value) if np.isfinite(value) else float(name == "motp")
    return int(value)


def _count(scene: Scene, events: Events) -> dict[str, float]:
    """Everything that the figures of motmetrics are made of, as sums."""
    kinds = np.bincount(events.kind, minlength=len(matching.EVENT_TYPES))
    partner, _ = _partners(scene, events)
    tracked = partner >= 0
    present = np.bincount(scene.g_id, minlength=len(scene.g_ids))
    share = np.bincount(scene.g_id[tracked], minlength=len(scene.g_ids)) / np.maximum(present, 1)
    near = scene.pair_distance <= _THRESHOLD
    idtp = trackeval_rules.best_identity(scene.g_id[scene.pair_g[near]], scene.t_id[scene.pair_t[near]], scene)
    matched = (events.kind == MATCH) | (events.kind == SWITCH)
    return {
        "num_frames": len(scene.frames),
        "num_objects": len(scene.g_id),
        "num_predictions": len(scene.t_id),
        "num_unique_objects": len(scene.g_ids),
        "num_matches": int(kinds[MATCH]),
        "num_switches": int(kinds[SWITCH]),
        "num_misses": int(kinds[MISS]),
        "num_false_positives": int(kinds[FP]),
        "num_transfer": int(kinds[TRANSFER]),
        "num_ascend": int(kinds[ASCEND]),
        "num_migrate": int(kinds[MIGRATE]),
        "num_detections": int(kinds[MATCH] + kinds[SWITCH]),
        "num_fragmentations": int(_fragments(scene.g_id, tracked, len(scene.g_ids)).sum()),
        "mostly_tracked": int((share >= 0.8).sum()),
        "partially_tracked": int(((share >= 0.2) & (share < 0.8)).sum()),
        "mostly_lost": int((share < 0.2).sum()),
        "idtp": idtp,
        "idfp": len(scene.t_id) - idtp,
        "idfn": len(scene.g_id) - idtp,
        "distance": float(events.distance[matched].sum()),
    }


def _ratios(totals: dict[str, float]) -> dict[str, float]:
    def divide(a: float, b: float, default: float = 0.0) -> float:
        return a / b if b else default

    errors = totals["num_misses"] + totals["num_switches"] + totals["num_false_positives"]
    objects, found = totals["num_objects"], totals["num_detections"]
    figures = {
        "mota": 1 - errors / objects if objects else 0.0,
        "motp": divide(totals["distance"], found, 1.0),
        "idf1": divide(2 * totals["idtp"], objects + totals["num_predictions"]),
        "idp": divide(totals["idtp"], totals["idtp"] + totals["idfp"]),
        "idr": divide(totals["idtp"], totals["idtp"] + totals["idfn"]),
        "recall": divide(found, objects),
        "precision": divide(found, found + totals["num_false_positives"]),
    }
    return figures | {name: value for name, value in totals.items() if name != "distance"}
