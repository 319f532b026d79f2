"""Metrics over time horizons: how far a track may be trusted, from single frames to the whole sequence.

Sources: J. Valmadre et al., "Local Metrics for Multi-Object Tracking", arXiv 2104.02631 (2021), for ATA and IDF1; the
same windows applied to the association of HOTA (J. Luiten et al., IJCV 129, 2020).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from ..errors import EvaluationError
from . import trackeval
from .evaluate import scored_for_hota
from .matching import THRESHOLD
from .names import OVERALL
from .protocols import ScoredSequence

if TYPE_CHECKING:
    from .result import Evaluation

FRAMES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, np.inf)
SECONDS = (0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, np.inf)
_SUMS = ("track_tp", "idtp", "tracks", "objects", "boxes_tracks", "boxes_objects")


def local_metrics(
    evaluation: Evaluation, horizons: Iterable[float] | None = None, *, unit: str = "frames"
) -> pd.DataFrame:
    """Compute ATA, IDF1 and HOTA within a horizon around each frame.

    At horizon 0 only detection counts; with the horizon association weighs more, up to the metrics of the whole
    sequence. Where a curve falls is the time over which a tracker loses its people.

    Parameters
    ----------
    evaluation
        What `evaluate` returned. Matches are TrackEval's, whatever the evaluator.
    horizons
        How far to look to either side of a frame; `inf` for the whole sequence. By default from 0 to `inf`, in steps
        of 1, 2, 5, 10, ...
    unit
        "frames" or "seconds" (rounded down to frames).

    Returns
    -------
    pandas.DataFrame
        One row per sequence (OVERALL last) and horizon: sequence, horizon, ata, atr, atp (average tracking accuracy,
        recall and precision), idf1, idr, idp, hota, deta, assa.

    Raises
    ------
    EvaluationError
        If a horizon is negative, or the frame rate is not known where seconds are asked for.

    Notes
    -----
    ATA and IDF1: sums of the window of horizon h around each frame, averaged over the frames of a sequence, summed over
    sequences; equal to the authors' code. HOTA: matches are those of the whole sequence, and the association score of
    a true positive counts the frames of both tracks within h of it; equal to TrackEval's HOTA at `inf`.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> local_metrics(result, [0, np.inf]).query("sequence == 'OVERALL'")["hota"].round(2).tolist()
    [0.96, 0.54]
    """
    wanted = list((FRAMES if unit == "frames" else SECONDS) if horizons is None else horizons)
    if unit not in ("frames", "seconds"):
        raise EvaluationError(f"unit={unit!r} does not exist; choose 'frames' or 'seconds'.")
    if not wanted or not all(horizon >= 0 for horizon in wanted):
        raise EvaluationError(f"horizons={wanted} must be one or more numbers, 0 or above.")
    rows, parts = [], []
    for name, one in evaluation.sequences.items():
        rate = one.ground_truth.frame_rate
        if unit == "seconds" and not rate:
            raise EvaluationError(f"The frame rate of {name} is not known; give horizons in frames.")
        scored = scored_for_hota(one, evaluation.protocol, evaluation.evaluator)
        windows, scores = _Windows(scored), _Scores(scored)
        scale = rate if unit == "seconds" and rate else 1.0
        found = []
        for horizon in wanted:
            frames = windows.frames if np.isinf(horizon) else int(np.floor(round(horizon * scale, 6)))
            found.append((windows.sums(frames), scores.fields(frames)))
        rows += [_row(name, horizon, *both) for horizon, both in zip(wanted, found, strict=True)]
        parts.append(found)
    for index, horizon in enumerate(wanted):
        sums = sum(part[index][0] for part in parts)
        rows.append(_row(OVERALL, horizon, sums, trackeval.combine_hota([part[index][1] for part in parts])))  # type: ignore[arg-type]
    table = pd.DataFrame(rows)
    table.attrs |= {"unit": unit, "protocol": evaluation.protocol, "evaluator": evaluation.evaluator}
    return table


def _row(name: str, horizon: float, sums: np.ndarray, hota: trackeval.Fields) -> dict[str, float | str]:
    part = dict(zip(_SUMS, sums.tolist(), strict=True))

    def ratio(above: str, *below: str) -> float:
        number = sum(part[key] for key in below) / len(below)
        return part[above] / number if number else 0.0

    return {
        "sequence": name,
        "horizon": float(horizon),
        "ata": ratio("track_tp", "objects", "tracks"),
        "atr": ratio("track_tp", "objects"),
        "atp": ratio("track_tp", "tracks"),
        "idf1": ratio("idtp", "boxes_objects", "boxes_tracks"),
        "idr": ratio("idtp", "boxes_objects"),
        "idp": ratio("idtp", "boxes_tracks"),
        **trackeval.hota_means(hota),
    }


class _Windows:
    """Sums for ATA and IDF1 in windows of any length: cumulative counts over frames, paired anew in each window."""

    def __init__(self, scored: ScoredSequence) -> None:
        self.frames = count = len(scored.frames)
        there = [np.zeros((codes, count), bool) for codes in (len(scored.g_ids), len(scored.t_ids))]
        there[0][scored.g_id, scored.g_index] = True
        there[1][scored.t_id, scored.t_index] = True
        near = scored.pair_iou >= THRESHOLD
        g, t = scored.g_id[scored.pair_g[near]], scored.t_id[scored.pair_t[near]]
        pairs, row = np.unique(np.column_stack([g, t]), axis=0, return_inverse=True)
        self.g, self.t = pairs.reshape(-1, 2).T
        together = np.zeros((len(pairs), count), bool)
        together[row.ravel(), scored.g_index[scored.pair_g[near]]] = True
        either = there[0][self.g] | there[1][self.t]
        self.objects, self.tracks, self.together, self.either = map(_running, (*there, together, either))
        self._known: dict[tuple[int, int], np.ndarray] = {}

    def sums(self, horizon: int) -> np.ndarray:
        """Return the means of `_SUMS` over the windows around all frames."""
        if not self.frames:
            return np.zeros(len(_SUMS))
        total = np.zeros(len(_SUMS))
        for frame in range(self.frames):
            first, last = max(frame - horizon, 0), min(frame + horizon + 1, self.frames)
            if (first, last) == (0, self.frames):  # asked for often, and the most costly
                if (first, last) not in self._known:
                    self._known[first, last] = self._window(first, last)
                total += self._known[first, last]
            else:
                total += self._window(first, last)
        return total / self.frames

    def _window(self, first: int, last: int) -> np.ndarray:
        objects, tracks = (side[:, last] - side[:, first] for side in (self.objects, self.tracks))
        together = self.together[:, last] - self.together[:, first]
        rows = np.flatnonzero(together)
        count = together[rows].astype(float)
        share = count / (self.either[rows, last] - self.either[rows, first])
        g, t = self.g[rows], self.t[rows]
        # pairs that have no rival need no assignment
        alone = (np.bincount(g, minlength=len(objects))[g] == 1) & (np.bincount(t, minlength=len(tracks))[t] == 1)
        rivals = ~alone
        found = [_best(g[rivals], t[rivals], value[rivals]) + value[alone].sum() for value in (share, count)]
        return np.array([*found, (tracks > 0).sum(), (objects > 0).sum(), tracks.sum(), objects.sum()], float)


def _running(values: np.ndarray) -> np.ndarray:
    """Return sums over frames up to each one, from 0 before the first."""
    return np.concatenate([np.zeros((len(values), 1), np.int32), values.cumsum(1, dtype=np.int32)], axis=1)


def _best(g: np.ndarray, t: np.ndarray, value: np.ndarray) -> float:
    """Return the largest sum of a one-to-one choice of pairs."""
    if not len(g):
        return 0.0
    g_codes, rows = np.unique(g, return_inverse=True)
    t_codes, columns = np.unique(t, return_inverse=True)
    table = np.zeros((len(g_codes), len(t_codes)))
    table[rows, columns] = value
    return float(table[linear_sum_assignment(table, maximize=True)].sum())


class _Scores:
    """HOTA's fields with the association counted within a horizon of each true positive."""

    def __init__(self, scored: ScoredSequence) -> None:
        self.fields_of_all = trackeval.hota(scored)
        self.frames = len(scored.frames)
        self.matches = trackeval.hota_matches(scored)
        self.where = [
            np.sort(code * self.frames + index)
            for code, index in ((scored.g_id, scored.g_index), (scored.t_id, scored.t_index))
        ]

    def fields(self, horizon: int) -> trackeval.Fields:
        frame, g, t, iou = self.matches
        if not len(frame) or horizon >= self.frames:
            return self.fields_of_all
        first, last = np.maximum(frame - horizon, 0), np.minimum(frame + horizon, self.frames - 1)

        def number(keys: np.ndarray, code: np.ndarray, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
            start = code[chosen] * self.frames
            end = np.searchsorted(keys, start + last[chosen], side="right")
            return end - np.searchsorted(keys, start + first[chosen])

        either = number(self.where[0], g) + number(self.where[1], t)
        _, pair = np.unique(g * (int(t.max()) + 1) + t, return_inverse=True)
        association = np.zeros(len(trackeval.ALPHAS))
        for index in range(len(trackeval.ALPHAS)):
            true = trackeval.is_true(iou, index)
            both = number(np.sort(pair[true] * self.frames + frame[true]), pair, true)
            association[index] = (both / np.maximum(either[true] - both, 1)).sum() / max(1, int(true.sum()))
        return self.fields_of_all | {
            "AssA": association,
            "HOTA": np.sqrt(self.fields_of_all["DetA"] * association),
        }
