"""Evaluate detections before any tracking: average precision, recall at each score, calibration."""

from __future__ import annotations

import html
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._terminal import wrapped
from ..boxes import BOX, iou
from ..data import same_footage
from ..detection.cache import as_detections
from ..errors import EvaluationError
from ..formats.mot import check_table
from .breakdown import BINS, _words
from .evaluate import check_options, default_protocol
from .inputs import one_truth
from .protocols import Overlaps


@dataclass(eq=False)
class DetectionEvaluation:
    """How good the scores and boxes of a detector are; made by `evaluate_detections`.

    Attributes
    ----------
    summary : dict
        ap (average precision, area under the interpolated curve), num_objects, num_detections, and at the lowest kept
        score and at the threshold: recall_floor, precision_floor, recall_threshold, precision_threshold, threshold.
    curve : pandas.DataFrame
        One row per detection, best score first: score, recall, precision.
    calibration : pandas.DataFrame
        By score, in tenths: low, high, num_detections, mean_score, precision.
    by_height : pandas.DataFrame
        By height of the person: bin, num_objects, recall_floor, recall_threshold, and median_score of those found (NaN
        where none).
    best : pandas.DataFrame
        One row per person and frame: frame, id, height, visibility, score of the detection that is theirs (NaN where
        there is none: a box on two people who cover each other is of one of them).
    caption : str
    """

    summary: dict[str, float]
    curve: pd.DataFrame
    calibration: pd.DataFrame
    by_height: pd.DataFrame
    best: pd.DataFrame
    caption: str

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.summary.items())
        return f"{wrapped(values)}\n{self.by_height.to_string(index=False)}\n{wrapped(self.caption)}"

    def _repr_html_(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.summary.items())
        return f"<p>{html.escape(values)}</p>{self.by_height.to_html(index=False)}<p>{html.escape(self.caption)}</p>"


def evaluate_detections(
    detections: Any, ground_truth: Any, *, threshold: float = 0.4, min_iou: float = 0.5, protocol: str | None = None
) -> DetectionEvaluation:
    """Compare the detections of a sequence with its people, at every score.

    Parameters
    ----------
    detections
        What `detect` kept or `open_detections` opened, or a table with frame, score, x, y, w, h.
    ground_truth
        As for `evaluate`, of one sequence.
    threshold
        The score from which a tracker uses detections, to see what it leaves.
    min_iou
        From which a detection is on a person.
    protocol
        "motchallenge" (detections on distractors are dropped) or "raw"; by default as for `evaluate`.

    Returns
    -------
    DetectionEvaluation

    Raises
    ------
    EvaluationError
        If they are of different sequences, or an argument is out of range.
    MotFileError
        If a table breaks the rules of `check_table`.

    Notes
    -----
    From the best score down, a detection takes the person with the largest IoU who is not taken yet (as in PASCAL VOC
    and COCO). AP is the area under precision made monotonic, over all recall values. A test holds every match equal to
    pycocotools', which is not used here: it wants the data in COCO's form, and gives the curve at 101 points of recall,
    but neither the best score on each person nor the calibration.

    Examples
    --------
    >>> import fairmot_lab as fl
    >>> scene = fl.example()
    >>> evaluate_detections(scene.detections, scene.ground_truth).summary["recall_floor"]
    0.975
    """
    if not 0 < min_iou <= 1 or not threshold == threshold:
        raise EvaluationError(f"min_iou={min_iou} and threshold={threshold} must be above 0 up to 1, and a number.")
    detections = detections if isinstance(detections, pd.DataFrame) else as_detections(detections)
    name = str(getattr(detections, "name", None) or getattr(detections, "attrs", {}).get("sequence") or "sequence")
    truth = one_truth(ground_truth, name)
    if not same_footage(name, truth.table.attrs.get("sequence")):
        raise EvaluationError(
            f"The detections are of {name}, the ground truth of {truth.name}; give the same sequence."
        )
    table = detections if isinstance(detections, pd.DataFrame) else detections.table()
    if table is detections:
        check_table(table, "detections", name=f"the detections of {name}", length=truth.length)
    table = table.assign(id=np.arange(len(table)))
    protocol = protocol or default_protocol([truth])
    check_options(protocol, "trackeval", None)
    scored = Overlaps(truth, table).scored(protocol, "trackeval")
    table = table.sort_values("frame", kind="stable", ignore_index=True) if len(table) else table
    rows = table.iloc[scored.t_rows]
    scores, boxes = rows["score"].to_numpy(float), rows[BOX].to_numpy(float)
    people = truth.box[scored.g_rows]
    true = np.zeros(len(scores), bool)
    best = np.full(len(people), np.nan)
    for index in range(len(scored.frames)):
        g = np.arange(scored.g_start[index], scored.g_start[index + 1])
        t = np.arange(scored.t_start[index], scored.t_start[index + 1])
        if not len(g) or not len(t):
            continue
        overlap = iou(people[g], boxes[t])
        near = overlap >= min_iou
        free = np.ones(len(g), bool)
        for column in np.argsort(-scores[t], kind="stable"):
            wanted = np.where(free & near[:, column], overlap[:, column], -1.0)
            row = int(np.argmax(wanted))
            if wanted[row] >= 0:
                free[row] = False
                true[t[column]] = True
                best[g[row]] = scores[t[column]]
    return _summarise(scores, true, scored, truth, best, threshold, min_iou, protocol)


def _summarise(
    scores: np.ndarray, true: np.ndarray, scored: Any, truth: Any, best: np.ndarray, threshold: float, min_iou: float,
    protocol: str,
) -> DetectionEvaluation:  # fmt: skip
    order = np.argsort(-scores, kind="stable")
    count = np.arange(1, len(order) + 1)
    found = np.cumsum(true[order])
    people = len(best)
    curve = pd.DataFrame(
        {"score": scores[order], "recall": found / max(1, people), "precision": found / np.maximum(count, 1)}
    )
    monotonic = np.maximum.accumulate(curve["precision"].to_numpy()[::-1])[::-1]
    steps = np.diff(curve["recall"].to_numpy(), prepend=0.0)

    def at(limit: float) -> tuple[float, float]:
        used = scores >= limit
        return float(true[used].sum() / max(1, people)), float(true[used].mean()) if used.any() else 0.0

    floor, limit = at(-np.inf), at(threshold)
    summary = {
        "ap": float((steps * monotonic).sum()),
        "num_objects": people,
        "num_detections": len(scores),
        "recall_floor": floor[0],
        "precision_floor": floor[1],
        "recall_threshold": limit[0],
        "precision_threshold": limit[1],
        "threshold": threshold,
    }
    calibration = []
    for low in np.arange(10) / 10:
        here = (scores >= low) & ((scores < low + 0.1) | (low == 0.9))
        if here.any():
            row = {"low": low, "high": low + 0.1, "num_detections": int(here.sum())}
            calibration.append(row | {"mean_score": scores[here].mean(), "precision": true[here].mean()})
    heights = truth.box[scored.g_rows][:, 3]
    table = pd.DataFrame(
        {
            "frame": scored.g_frame,
            "id": scored.g_ids[scored.g_id],
            "height": heights,
            "visibility": truth.visibility[scored.g_rows],
            "score": best,
        }
    )
    by_height = []
    for low, high in itertools.pairwise(BINS["height"]):
        part = table[(heights >= low) & (heights < high)]["score"]
        if len(part):
            by_height.append(
                {
                    "bin": _words(low, high),
                    "num_objects": len(part),
                    "recall_floor": part.notna().mean(),
                    "recall_threshold": (part >= threshold).mean(),
                    "median_score": part.median(),
                }
            )
    caption = f"{truth.name}, protocol {protocol}, IoU from {min_iou:g}, threshold {threshold:g}"
    return DetectionEvaluation(summary, curve, pd.DataFrame(calibration), pd.DataFrame(by_height), table, caption)
