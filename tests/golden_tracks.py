"""The cases of tests/golden/tracks.json: detections, a tracker's settings, and what is kept of its tracks."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from crowds import changed, crowd

from fairmot_lab.association.registry import get_tracker
from fairmot_lab.association.run import track_detections
from fairmot_lab.detection.cache import open_detections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.errors import FairMOTLabWarning

GOLDEN = Path(__file__).parent / "golden" / "tracks.json"
WHOLE = {"jde": ("jde", {}), "byte": ("ppdet_byte", {})}
GRID: dict[str, tuple[str, dict[str, Any]]] = {
    **WHOLE,
    "euclidean": ("jde", {"metric_type": "euclidean", "tracked_thresh": 0.8}),
    "short buffer, high scores": ("jde", {"track_buffer": 2, "conf_thres": 0.6, "det_thresh": 0.7}),
    "loose": (
        "jde",
        {"tracked_thresh": 1.5, "r_tracked_thresh": 1.0, "unconfirmed_thresh": 1.0, "match_thres": 1.0},
    ),
    "tight, all shapes": (
        "jde",
        {
            "tracked_thresh": 0.1,
            "r_tracked_thresh": 0.2,
            "unconfirmed_thresh": 0.2,
            "match_thres": 0.4,
            "min_box_area": 0,
            "vertical_ratio": 0,
        },
    ),
    "byte, euclidean, no buffer": (
        "ppdet_byte",
        {"metric_type": "euclidean", "tracked_thresh": 0.7, "track_buffer": 0, "conf_thres": 0.7},
    ),
}
Case = tuple[Detections, float, str, dict[str, Any]]


def crowd_cases() -> Iterator[tuple[str, Case]]:
    """Generated crowds, with and without embeddings."""
    for dimension in (0, 32):
        whole = crowd(20, 150, dimension=dimension, missed=0.15, noise=0.1, seed=dimension)
        for name, (tracker, settings) in GRID.items():
            yield f"crowd, {dimension} numbers, {name}", (whole, 25.0, tracker, settings)


def public_cases(data: Path) -> Iterator[tuple[str, Case]]:
    """Public detections: whole sequences with the defaults, their first 100 frames with every setting."""
    for path in sorted(data.glob("MOT1[57]/train/*/det/det.txt")):
        detections = open_detections(path.parent.parent)
        for name, (tracker, settings) in GRID.items():
            part = detections if name in WHOLE else detections.part(1, 100)
            yield f"{path.parent.parent.name}, {name}", (part, detections.frame_rate or 30.0, tracker, settings)


def measure(detections: Detections, frame_rate: float, tracker: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Track and give the number of rows and ids, a digest of who took which detection, and the mean box."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        whole = changed(detections, frame_rate=frame_rate)
        tracks = track_detections(whole, get_tracker(tracker, any_scores=True, **settings))
    who = tracks[["frame", "id", "det"]].to_numpy(np.int64)
    return {
        "rows": len(tracks),
        "ids": int(tracks["id"].nunique()),
        "digest": hashlib.sha256(who.tobytes()).hexdigest()[:16],
        "box": tracks[list("xywh")].to_numpy().mean(axis=0).round(5).tolist() if len(tracks) else [],
    }
