"""Replace one part of a tracker by the ground truth, to see what the rest is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..formats.mot import check_table


def oracle_detections(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Perfect detection, the tracker's association: every box of the ground truth, with the id the tracker gave it.

    A box that the tracker found has the id of its match; one that it missed has the id that the person carried last, or
    will carry next; a person that it never found has an id of their own. What remains wrong is association.

    Parameters
    ----------
    tracks, ground_truth, protocol
        As for `evaluate`, of one sequence.

    Returns
    -------
    pandas.DataFrame
        Tracks table.

    Examples
    --------
    >>> scene = fl.example()
    >>> len(oracle_detections(scene.tracks, scene.ground_truth)) == len(scene.ground_truth)
    True
    """
    one = _matches(tracks, ground_truth, protocol)
    scored = one.scored
    frame = np.repeat(scored.frames, np.diff(scored.g_start))
    matched = np.full(len(frame), np.nan)
    found = one.partner >= 0
    matched[found] = scored.t_ids[scored.t_id[one.partner[found]]]
    carried = pd.Series(matched).groupby(scored.g_id)
    ids = carried.ffill().fillna(carried.bfill())
    unused = int(scored.t_ids.max()) + 1 if len(scored.t_ids) else 1
    own = pd.Series(unused + scored.g_id)
    # an id fits in a frame once: where a missed box would repeat one, it gets the person's own
    doubled = pd.DataFrame({"frame": frame, "id": ids, "missed": ~found}).sort_values("missed", kind="stable")
    repeats = doubled.duplicated(["frame", "id"]).sort_index() & ids.notna()
    ids = ids.where(~repeats).fillna(own)
    return _table(frame, ids.to_numpy(), one.ground_truth.box[scored.g_rows], one.name)


def oracle_identities(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Perfect association, the tracker's detection: the tracker's boxes, each with the id of the person it matches.

    Boxes that match nobody keep ids of their own. What remains wrong is detection.

    Parameters
    ----------
    tracks, ground_truth, protocol
        As for `evaluate`, of one sequence.

    Returns
    -------
    pandas.DataFrame
        Tracks table, of the rows that the protocol scores.

    Examples
    --------
    >>> scene = fl.example()
    >>> perfect = oracle_identities(scene.tracks, scene.ground_truth)
    >>> fl.evaluate(perfect, scene.ground_truth).overall["num_switches"]
    0
    """
    one = _matches(tracks, ground_truth, protocol)
    scored = one.scored
    frame = np.repeat(scored.frames, np.diff(scored.t_start))
    unused = int(scored.g_ids.max()) + 1 if len(scored.g_ids) else 1
    ids = unused + scored.t_id
    rows = np.flatnonzero(one.partner >= 0)
    ids[one.partner[rows]] = scored.g_ids[scored.g_id[rows]]
    boxes = one.tracks[list("xywh")].to_numpy(float)[scored.t_rows]
    return _table(frame, ids, boxes, one.name)


def oracle_study(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """The tracker as it is, with perfect detection, and with perfect association, side by side.

    Returns
    -------
    pandas.DataFrame
        Rows "tracker", "perfect detection", "perfect association": `tracks`, and the figures of `compute_metrics`. What
        the second row lacks to 1 is the cost of association, what the third lacks that of detection.

    Examples
    --------
    >>> scene = fl.example()
    >>> oracle_study(scene.tracks, scene.ground_truth)["num_switches"].tolist()
    [2, 2, 0]
    """
    from ..evaluation.evaluate import compute_metrics
    from ..evaluation.protocols import prepare

    truth = prepare(_table_of(ground_truth))
    versions = {
        "tracker": tracks,
        "perfect detection": oracle_detections(tracks, truth, protocol=protocol),
        "perfect association": oracle_identities(tracks, truth, protocol=protocol),
    }
    return pd.DataFrame(
        [{"tracks": name} | compute_metrics(table, truth, protocol=protocol) for name, table in versions.items()]
    )


def _matches(tracks: pd.DataFrame, ground_truth: Any, protocol: str | None) -> Any:
    from ..evaluation.evaluate import match_tracks
    from ..evaluation.protocols import prepare

    truth = prepare(_table_of(ground_truth))
    check_table(tracks, name=f"tracks of {truth.name}", length=truth.length)
    return match_tracks(tracks, truth, protocol or ("motchallenge" if truth.has_classes else "raw"))


def _table_of(ground_truth: Any) -> Any:
    return getattr(ground_truth, "ground_truth", ground_truth)


def _table(frame: np.ndarray, ids: np.ndarray, boxes: np.ndarray, name: str) -> pd.DataFrame:
    table = pd.DataFrame({"frame": frame, "id": ids.astype(np.int64)})
    table[list("xywh")] = boxes
    table = table.assign(score=1.0, class_id=-1)
    table.attrs["sequence"] = name
    return table
