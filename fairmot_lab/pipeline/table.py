"""Track a source or kept detections into a table."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._progress import progress_bar
from ..association.base import Tracker
from ..association.camera_motion import motion_by_sequence
from ..association.run import track_detections, tracks_table
from ..data import FrameTracks, join_sequences
from ..detection.cache import open_detections
from ..detection.detections import Detections
from ..detection.download import download_first
from ..detection.model import as_detector
from ..errors import ConfigError
from ..formats.classes import people_rows
from ..formats.mot import read_mot
from ..sources.base import Source
from ..sources.many import run_each, several
from ..sources.open import open_source
from .frames import DEFAULT_MODEL, CameraInput, check_threshold, chosen_tracker, tracked_frames

if TYPE_CHECKING:
    from ..detection.detector import Detector


def track(
    source: Any,
    tracker: Tracker | str | None = None,
    *,
    model: Detector | str | os.PathLike[str] | None = None,
    score_threshold: float = 0.0,
    camera_motion: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Track a whole sequence, or several.

    Parameters
    ----------
    source
        Kept detections (`detect`, `open_detections`) or a path of them, which need no model; or anything that
        `open_source` takes.
        Several sequences: a folder of them such as `MOT17/train`, a folder of kept detections, a list, or a dict from
        name to one.
    tracker
        A tracker (a clone is used) or its name. By default that which the model was published with, or
        `JDETracker()` where that is unknown.
    model
        A `Detector`, or a name or path that `load_model` takes; the bundled compact model unless given.
    score_threshold
        Rows with a lower score are left out. The tracker itself sees every detection.
    camera_motion
        What `camera_motion` gave for the same sequence, or any mapping from a frame's number to the matrix (2, 3) that
        moves points of the frame before to where they are in it; of several sequences a list, or a dict by name. For a
        source also "flow", "orb" or "ecc": it is then estimated on the way.
    n_jobs
        Of several sequences: processes, as joblib counts them; by default joblib's own setting, or the cluster of
        `joblib.parallel_config`.
    progress
        Whether a progress bar is shown while the network runs, or while several sequences are tracked.

    Returns
    -------
    pandas.DataFrame
        `frame` (from 1), `id`, `x`, `y`, `w`, `h` (pixels of the original image, top-left), `score`, `class_id`,
        `det` (row of the detection). `attrs` hold sequence, frame_rate, length, tracker, settings, classes
        (names by class id, where they are known), and score_threshold if one was set.

    Raises
    ------
    ConfigError
        If a threshold is out of its range, or a model is given with kept detections.

    Examples
    --------
    >>> scene = fl.example()
    >>> track(scene.detections, fl.JDETracker(conf_thres=0.3)).columns.tolist()
    ['frame', 'id', 'x', 'y', 'w', 'h', 'score', 'class_id', 'det']
    """
    check_threshold("score_threshold", score_threshold)
    sequences = several(source)
    if sequences is not None:
        download_first(model)
        named = isinstance(camera_motion, str) or camera_motion is None
        each = functools.partial(
            _track_one,
            tracker=tracker,
            model=model,
            score_threshold=score_threshold,
            motions=camera_motion if named else motion_by_sequence(camera_motion, list(sequences)),
        )
        return join_sequences(run_each(each, sequences, n_jobs=n_jobs, description="track", progress=progress))
    if isinstance(source, str | os.PathLike) and os.fspath(source).endswith((".tar", ".txt", ".txt.gz")):
        source = open_detections(source)
    if isinstance(source, Detections):
        if model is not None:
            raise ConfigError("Kept detections were made by a model already; give the tracker alone.")
        if isinstance(camera_motion, str):
            raise ConfigError(
                "Kept detections have no frames; give camera_motion=fl.camera_motion(source, detections)."
            )
        tracks = track_detections(source, tracker, camera_motion=camera_motion)
    else:
        tracks = _track_source(
            open_source(source), tracker, as_detector(model or DEFAULT_MODEL), camera_motion, progress
        )
    if score_threshold > 0:
        attributes = tracks.attrs
        tracks = tracks[tracks["score"] >= score_threshold].reset_index(drop=True)
        tracks.attrs = {**attributes, "score_threshold": score_threshold}
    return tracks


def _track_one(name: str, source: Any, *, motions: Any, **options: Any) -> pd.DataFrame:
    """Track one sequence of several."""
    motion = motions.get(name) if isinstance(motions, dict) else motions
    tracks = track(source, camera_motion=motion, progress=False, **options)
    tracks.attrs["sequence"] = name
    return tracks


def _track_source(
    source: Source,
    tracker: Tracker | str | None,
    model: Detector,
    camera_motion: Mapping[int, np.ndarray] | str | None,
    progress: bool,
) -> pd.DataFrame:
    tracker = chosen_tracker(tracker, model, source)
    kept: list[FrameTracks] = []
    counts: list[int] = []
    results = tracked_frames(source, model, tracker, 0.0, False, CameraInput(camera_motion, tracker, source))
    for result in progress_bar(results, total=source.length, unit="frame", desc=source.name, disable=not progress):
        kept.append(result.frame_tracks)
        counts.append(len(result.detections))
    tracks = tracks_table(kept, np.cumsum([0, *counts])[:-1])
    tracks.attrs = {
        "sequence": source.name,
        "frame_rate": source.frame_rate,
        "length": source.length or len(kept),
        "tracker": tracker.name,
        "settings": tracker.arguments(),
        "files": source.table_files(),
    }
    if missing := set(range(1, (source.length or 0) + 1)) - {one.frame for one in kept}:
        tracks.attrs["missing"] = sorted(missing)
    if names := getattr(model, "class_names", None):
        tracks.attrs["classes"] = dict(names)
    return tracks


def read_tracks(path: str | os.PathLike[str], source: Source) -> tuple[str, pd.DataFrame]:
    """Return a title and a table to compare with: "gt" means the source's ground truth, anything else a result file.

    Of the ground truth those boxes are taken that evaluation scores (see `formats.classes`).

    Examples
    --------
    >>> import tempfile
    >>> scene = fl.example()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = fl.write_mot(scene.tracks, f"{folder}/mine.txt")
    ...     title, table = read_tracks(f"{folder}/mine.txt", scene.source)
    >>> title, len(table) == len(scene.tracks)
    ('mine', True)
    """
    if os.fspath(path) == "gt":
        truth = source.ground_truth
        return "ground truth", truth.loc[people_rows(truth)].drop(columns="score")
    return Path(path).stem, read_mot(path, length=source.length)
