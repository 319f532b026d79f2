"""Improve finished tracks offline: link tracklets, drop short tracks, fill gaps, smooth.

What is done here looks into the future, so its figures are not comparable with those of online trackers: every result
says what was done in `tracks.attrs["offline"]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..boxes import BOX
from ..data import frame_grid, join_sequences, split_sequences
from ..errors import ConfigError, TrackingError
from ..formats.mot import check_table
from .assignment import assign

if TYPE_CHECKING:
    from ..detection.detections import Detections

_ENDS = 10  # rows at the end of a track from which its motion and appearance are taken


def postprocess(
    tracks: pd.DataFrame,
    detections: Any = None,
    *,
    link: bool = False,
    min_length: int = 1,
    interpolate: str | None = "linear",
    max_gap: int = 20,
    link_gap: int = 60,
    link_reach: float = 1.0,
    link_appearance: float = 0.25,
    tau: float = 10.0,
) -> pd.DataFrame:
    """Return tracks with their gaps filled, and as asked linked, smoothed and without short ones.

    Parameters
    ----------
    tracks
        The tracks table of one sequence or several, as `track` gives it.
    detections
        That the tracks were made from (of several sequences a dict by name): with embeddings, linking compares
        appearance too.
    link
        Join a track to one of its class that starts up to `link_gap` frames after its end, where motion (and
        appearance) agree.
    min_length
        Drop tracks with fewer rows than this, after linking.
    interpolate
        "linear" fills gaps of up to `max_gap` frames along straight lines; "gaussian" does that and then smooths every
        track by Gaussian process regression (GSI of Du et al., "StrongSORT: Make DeepSORT great again", 2023); None
        fills none.
    max_gap
        Most frames in a row that are filled.
    link_gap
        Most frames between the end of a track and the start of another.
    link_reach
        Largest distance between where a track should be and where it is, seen from both ends, in box heights.
    link_appearance
        Largest cosine distance between the mean embeddings of both ends.
    tau
        How strongly "gaussian" smooths.

    Returns
    -------
    pandas.DataFrame
        A new table, sorted by frame and id. Rows that were filled in have det -1 and the score in between. `attrs` are
        those of `tracks` and `offline`, a list of what was done.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.
    MotFileError
        If the table breaks the rules of `read_mot`; two boxes of one track in a frame, for instance.
    TrackingError
        If it is no table, or was not made from these detections.

    Examples
    --------
    >>> import pandas as pd
    >>> tracks = pd.DataFrame({"frame": [1, 4], "id": 1, "x": [0.0, 30.0], "y": 0.0, "w": 10.0, "h": 20.0,
    ...                        "score": 0.9, "class_id": 0, "det": [0, 5]})
    >>> filled = postprocess(tracks)
    >>> filled["x"].tolist(), filled["det"].tolist(), filled.attrs["offline"]
    ([0.0, 10.0, 20.0, 30.0], [0, -1, -1, 5], ['linear interpolation of gaps up to 20 frames'])
    """
    if not hasattr(tracks, "columns"):
        raise TrackingError(f"The tracks are a {type(tracks).__name__}; give a table, of a file with read_mot(file).")
    numbers: dict[str, Any] = {
        "min_length": min_length,
        "max_gap": max_gap,
        "link_gap": link_gap,
        "link_reach": link_reach,
        "link_appearance": link_appearance,
        "tau": tau,
    }
    if "sequence" in tracks.columns:
        held = detections if isinstance(detections, dict) else {}
        tables = {
            name: postprocess(one, held.get(name), link=link, interpolate=interpolate, **numbers)
            for name, one in split_sequences(tracks).items()
        }
        return join_sequences(tables)
    _check(interpolate, **numbers)
    check_table(tracks, name="the table of tracks")
    attrs, done = dict(tracks.attrs), []
    if isinstance(detections, dict):
        detections = detections.get(attrs.get("sequence"))
    table = tracks.sort_values(["id", "frame"], kind="stable").reset_index(drop=True)
    first, step = frame_grid(np.unique(table["frame"]).tolist()) or (1, 1)
    table["frame"] = (table["frame"] - first) // step + 1  # frames between the images are nobody's gaps
    if link:
        table["id"] = _linked(table, detections, link_gap, link_reach, link_appearance)
        table = table.sort_values(["id", "frame"], kind="stable").reset_index(drop=True)
        by = "motion and appearance" if detections is not None and detections.has_embeddings else "motion"
        done.append(f"tracklets linked by {by} over up to {link_gap} frames")
    if min_length > 1:
        table = table[table.groupby("id")["frame"].transform("size") >= min_length].reset_index(drop=True)
        done.append(f"tracks of fewer than {min_length} frames removed")
    if interpolate is not None:
        table = _filled(table, max_gap)
        done.append(f"linear interpolation of gaps up to {max_gap} frames")
    if interpolate == "gaussian":
        table = _smoothed(table, tau)
        done.append(f"Gaussian smoothing, tau {tau:g}")
    table["frame"] = (table["frame"] - 1) * step + first
    table = table.sort_values(["frame", "id"], kind="stable").reset_index(drop=True)
    table.attrs = {**attrs, "offline": [*attrs.get("offline", []), *done]}
    return table


def _check(interpolate: str | None, **numbers: float) -> None:
    if interpolate not in ("linear", "gaussian", None):
        raise ConfigError(f"interpolate is {interpolate!r}; it must be 'linear', 'gaussian' or None.")
    for name, value in numbers.items():
        least = 1 if name in ("min_length", "tau") else 0
        if not isinstance(value, (int, float, np.number)) or not value >= least:
            raise ConfigError(f"{name} is {value!r}; it must be a number from {least} up.")


def _filled(table: pd.DataFrame, max_gap: int) -> pd.DataFrame:
    """Fill gaps along straight lines; `table` is sorted by id and frame."""
    frames, ids = table["frame"].to_numpy(np.int64), table["id"].to_numpy(np.int64)
    missing = np.where(ids[1:] == ids[:-1], np.diff(frames) - 1, 0)
    missing[missing > max_gap] = 0
    before = np.repeat(np.arange(len(missing)), missing)  # for each new row, the row before its gap
    if not len(before):
        return table
    step = np.arange(len(before)) - np.repeat(np.cumsum(missing) - missing, missing) + 1
    part = (step / (missing[before] + 1))[:, None]
    new = table.iloc[before].reset_index(drop=True)
    columns = [*BOX, *(["score"] if "score" in table else [])]
    values = table[columns].to_numpy(np.float64)
    new[columns] = values[before] + part * (values[before + 1] - values[before])
    new["frame"] = frames[before] + step
    if "det" in new:
        new["det"] = -1
    return pd.concat([table, new]).sort_values(["id", "frame"], kind="stable").reset_index(drop=True)


def _smoothed(table: pd.DataFrame, tau: float) -> pd.DataFrame:
    """Smooth each track by Gaussian process regression with StrongSORT's length scale; `table` is sorted by id."""
    from scipy.linalg import cho_factor, cho_solve

    table = table.copy()
    boxes, frames = table[BOX].to_numpy(np.float64, copy=True), table["frame"].to_numpy(np.float64)
    for rows in np.split(np.arange(len(table)), np.flatnonzero(np.diff(table["id"])) + 1):
        if len(rows) < 2:
            continue
        scale = np.clip(tau * np.log(tau**3 / len(rows)), 1 / tau, tau**2)
        time = frames[rows]
        kernel = np.exp(-0.5 * ((time[:, None] - time) / scale) ** 2)
        factor = cho_factor(kernel + 1e-10 * np.eye(len(rows)), lower=True)
        boxes[rows] = kernel @ cho_solve(factor, boxes[rows])
    table[BOX] = boxes
    return table


def _linked(
    table: pd.DataFrame, detections: Detections | None, gap: int, reach: float, appearance: float
) -> np.ndarray:
    """Return new ids: linked tracks have the id of the first; `table` is sorted by id and frame."""
    ids, frames = table["id"].to_numpy(np.int64), table["frame"].to_numpy(np.int64)
    groups = np.split(np.arange(len(table)), np.flatnonzero(np.diff(ids)) + 1) if len(table) else []
    boxes = table[BOX].to_numpy(np.float64)
    centres, heights = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 3]
    heads = [rows[:_ENDS] for rows in groups]
    tails = [rows[-_ENDS:] for rows in groups]
    head_speed = np.array([_speed(frames[rows], centres[rows]) for rows in heads]).reshape(-1, 2)
    tail_speed = np.array([_speed(frames[rows], centres[rows]) for rows in tails]).reshape(-1, 2)
    first, last = np.array([rows[0] for rows in groups], int), np.array([rows[-1] for rows in groups], int)

    wait = frames[first][None] - frames[last][:, None]  # from the end of each track to the start of each
    possible = (wait >= 1) & (wait <= gap + 1)
    forward = centres[last][:, None] + tail_speed[:, None] * wait[..., None] - centres[first][None]
    backward = centres[first][None] - head_speed[None] * wait[..., None] - centres[last][:, None]
    height = (heights[last][:, None] + heights[first][None]) / 2
    distance = (np.linalg.norm(forward, axis=2) + np.linalg.norm(backward, axis=2)) / 2 / height
    ratio = heights[last][:, None] / heights[first][None]
    possible &= (distance <= reach) & (ratio > 0.6) & (ratio < 1 / 0.6)
    if "class_id" in table:
        classes = table["class_id"].to_numpy(np.int64)
        possible &= classes[last][:, None] == classes[first]
    cost = distance / reach if reach else distance
    if detections is not None and detections.has_embeddings:
        embeddings = detections.embeddings()
        det = table["det"].to_numpy(np.int64) if "det" in table else np.array([len(embeddings)])
        taken = det >= 0
        if det[taken].max(initial=-1) >= len(embeddings) or (
            taken.any() and (detections.table()["frame"].to_numpy()[det[taken]] != frames[taken]).any()
        ):
            raise TrackingError(
                f"The tracks were not made from the detections of {detections.name}; leave detections out, or give "
                "those that `track` was given."
            )
        ends = np.array([_mean(embeddings, det[rows]) for rows in tails])
        starts = np.array([_mean(embeddings, det[rows]) for rows in heads])
        far = 1 - ends @ starts.T
        possible &= far <= appearance
        cost = (cost + far / appearance) / 2 if appearance else cost
    follower, _ = assign(np.where(possible, cost, np.inf), 1.0 + 1e-9)

    new = np.arange(len(groups))
    for i in np.argsort(frames[last], kind="stable"):
        if follower[i] >= 0:
            new[follower[i]] = new[i]
    result = ids.copy()
    for group, name in zip(groups, new, strict=True):
        result[group] = ids[groups[name][0]]
    return result


def _speed(frames: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return pixels per frame, by least squares."""
    time = frames - frames.mean()
    total = (time**2).sum()
    return time @ centres / total if total else np.zeros(2)


def _mean(embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
    mean = embeddings[rows[rows >= 0]].sum(0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
