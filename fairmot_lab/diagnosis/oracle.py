"""Replace one part of a tracker by the ground truth, to see what the rest is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..boxes import BOX
from ..evaluation.evaluate import compute_metrics, default_protocol, match_tracks
from ..evaluation.protocols import prepare
from ..formats.mot import check_table


def oracle_detections(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Return the boxes of the ground truth with the ids that the tracker gave: perfect detection, its association.

    From one ID switch to the next a person keeps one id, also while the tracker missed them: that of the track that
    carries them, or a new one where somebody else has that id in the same frames. What remains wrong is association.
    A person that was never found has an id of their own. There are hardly ever more switches than the tracker has: one
    can be added where motmetrics leaves an id on the person who had it, by whom another stands with an IoU of 0.5.

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
    >>> import fairmot_lab as fl
    >>> scene = fl.example()
    >>> made = oracle_detections(scene.tracks, scene.ground_truth)
    >>> fl.evaluate(made, scene.ground_truth).overall["num_misses"]
    0
    """
    matched = _matches(tracks, ground_truth, protocol)
    scored = matched.scored
    frame = scored.g_frame
    table = pd.DataFrame({"frame": frame, "person": scored.g_id, "switched": matched.switched, "id": np.nan})
    table.loc[matched.is_matched, "id"] = scored.t_ids[scored.t_id[matched.partner[matched.is_matched]]]
    table["stretch"] = table.groupby("person")["switched"].cumsum()
    stretches = [part for _, part in table.groupby(["person", "stretch"])]
    stretches.sort(key=lambda part: (-part["id"].notna().sum(), part["id"].isna().sum()))
    carried = [part["id"].dropna().tolist() for part in stretches]
    wanted = [
        (part["frame"].tolist(), int(ids[0]) if ids else None) for part, ids in zip(stretches, carried, strict=True)
    ]
    ids = np.zeros(len(table), np.int64)
    for part, given in zip(stretches, separate_ids(wanted, int(scored.t_ids.max(initial=0)) + 1), strict=True):
        ids[part.index] = given
    return _table(frame, ids, matched.ground_truth.box[scored.g_rows], matched.name)


def separate_ids(stretches: Iterable[tuple[Sequence[int], int | None]], unused: int) -> list[int]:
    """Give each stretch, the frames and the id it wants, that id; a new one where a stretch before has it in a frame.

    Parameters
    ----------
    stretches
        With None for a stretch that wants an id of its own.
    unused
        The first of the new ids.

    Examples
    --------
    >>> separate_ids([([1, 2], 7), ([2, 3], 7), ([3], 7)], unused=9)
    [7, 9, 7]
    """
    held: set[tuple[int, int]] = set()
    ids = []
    for frames, wanted in stretches:
        if wanted is None or any((frame, wanted) in held for frame in frames):
            wanted, unused = unused, unused + 1
        held.update((frame, wanted) for frame in frames)
        ids.append(wanted)
    return ids


def oracle_identities(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Return the tracker's boxes, each with the id of the person it matches: perfect association, its detection.

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
    matched = _matches(tracks, ground_truth, protocol)
    scored = matched.scored
    frame = scored.t_frame
    unused = int(scored.g_ids.max()) + 1 if len(scored.g_ids) else 1
    ids = unused + scored.t_id
    ids[matched.partner[matched.is_matched]] = scored.g_ids[scored.g_id[matched.is_matched]]
    boxes = matched.tracks[BOX].to_numpy(float)[scored.t_rows]
    return _table(frame, ids, boxes, matched.name)


def oracle_study(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Evaluate the tracker as it is, with perfect detection, and with perfect association.

    Parameters
    ----------
    tracks, ground_truth, protocol
        As for `evaluate`, of one sequence.

    Returns
    -------
    pandas.DataFrame
        Rows "tracker", "perfect detection", "perfect association": `tracks`, and what `compute_metrics` gives. What the
        second row lacks to 1 is the cost of association, what the third lacks that of detection. ID
        switches of the second row: see `oracle_detections`.

    Examples
    --------
    >>> scene = fl.example()
    >>> oracle_study(scene.tracks, scene.ground_truth)["num_switches"].tolist()
    [2, 2, 0]
    """
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
    truth = prepare(_table_of(ground_truth))
    check_table(tracks, name=f"tracks of {truth.name}", length=truth.length)
    return match_tracks(tracks, truth, protocol or default_protocol([truth]))


def _table_of(ground_truth: Any) -> Any:
    return getattr(ground_truth, "ground_truth", ground_truth)


def _table(frame: np.ndarray, ids: np.ndarray, boxes: np.ndarray, name: str) -> pd.DataFrame:
    table = pd.DataFrame({"frame": frame, "id": ids.astype(np.int64)})
    table[BOX] = boxes
    table = table.assign(score=1.0, class_id=-1)
    table.attrs["sequence"] = name
    return table
