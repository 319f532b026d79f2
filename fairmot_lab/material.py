"""Material: detections and ground truth by sequence, ready to be replayed with many settings, on many cores."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .association.base import Tracker
from .association.camera_motion import motion_by_sequence
from .association.registry import as_tracker
from .association.run import track_detections
from .detection.cache import as_detections, open_detections
from .detection.detections import Detections
from .errors import DetectionsError, EvaluationError, FairMOTLabWarning
from .evaluation.evaluate import check_options, evaluate
from .evaluation.inputs import chosen_names, find_inputs, names_another_sequence
from .evaluation.names import OVERALL
from .evaluation.protocols import GroundTruth
from .evaluation.result import Evaluation


@dataclasses.dataclass(frozen=True)
class Material:
    """Detections and ground truth by sequence, ready to be replayed."""

    detections: dict[str, Detections]
    truths: dict[str, GroundTruth]
    motions: dict[str, Any]  # of the camera, where it is given
    protocol: str | None
    digest: str

    @property
    def has_embeddings(self) -> bool:
        return all(one.has_embeddings for one in self.detections.values())

    @property
    def default_tracker(self) -> Tracker:
        """What all detections are tracked with by default; `JDETracker()` where they differ."""
        every = [one.default_tracker for one in self.detections.values()]
        return as_tracker(every[0] if all(one == every[0] for one in every) else None)

    def track(self, name: str, detections: Detections, tracker: Tracker) -> pd.DataFrame:
        """Track a sequence, or a part of it."""
        motion = self.motions.get(name) if tracker.uses_camera_motion else None
        tracks = track_detections(detections, tracker, camera_motion=motion)
        del tracks.attrs["sequence"]  # sequences may be called otherwise here than in their ground truth
        return tracks

    def evaluated(self, tracker: Tracker, classes: str | Iterable[str | int] | None = None) -> Evaluation:
        """Track every sequence and compare it with its ground truth, by class if wanted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FairMOTLabWarning)
            tracks = {name: self.track(name, one, tracker) for name, one in self.detections.items()}
            return evaluate(tracks, self.truths, protocol=self.protocol, classes=classes)


def pack_material(
    detections: Any,
    ground_truth: Any,
    sequences: Iterable[str] | None,
    protocol: str | None,
    camera_motion: Any = None,
) -> bytes:
    """Return what `open_material` needs, small: a path where there is one, so that each worker reads for itself."""
    check_options(protocol, "motmetrics", None)
    held: dict[str, Any] = {}
    for name, one in _named(detections):
        if name in held:
            raise DetectionsError(f"Two sequences are called {name}; give a dict from name to detections.")
        held[name] = one
    if sequences is not None:
        held = {name: held[name] for name in chosen_names(sequences, held, "detections")}
    if ground_truth is None:
        ground_truth = {name: _truth_beside(name, one) for name, one in held.items()}
    elif isinstance(ground_truth, Mapping):
        ground_truth = {str(name): _as_path(one) for name, one in ground_truth.items()}
    motions = motion_by_sequence(camera_motion, list(held))
    if camera_motion is None:
        attached = {name: getattr(one, "camera_motion", None) for name, one in held.items()}
        motions = {name: motion for name, motion in attached.items() if motion is not None}
    paths = {name: _as_path(one) for name, one in held.items()}
    return pickle.dumps((paths, _as_path(ground_truth), protocol, motions))


@functools.lru_cache(maxsize=1)  # a worker opens the material once, not once for each setting
def open_material(packed: bytes) -> Material:
    sources, ground_truth, protocol, motions = pickle.loads(packed)
    held = {name: one if isinstance(one, Detections) else open_detections(one) for name, one in sources.items()}
    if OVERALL in held:
        raise DetectionsError(
            f"A sequence cannot be called {OVERALL}: rows of that name are sums; rename its detections."
        )
    nothing = {name: _no_tracks(name) for name in held}
    tracks: Any = next(iter(nothing.values())) if len(held) == 1 else nothing
    pairs = find_inputs(tracks, ground_truth, None, check_name=False).pairs
    order = list(held) if len(held) > 1 else list(pairs)
    truths = {name: pairs[key][0](name=name) for name, key in zip(held, order, strict=True)}
    for (name, truth), key in zip(truths.items(), order, strict=True):
        if names_another_sequence(name, key, ground_truth):
            raise EvaluationError(
                f"The detections are of {name}, the ground truth of {key}; give those of the same sequence, or "
                f"ground_truth={{{name!r}: ...}} if only the name differs."
            )
        _check_same(held[name], truth)
    return Material(
        detections=held,
        truths=truths,
        motions=motions,
        protocol=protocol,
        digest=_digest(held, truths, motions),
    )


def _digest(held: dict[str, Detections], truths: dict[str, GroundTruth], motions: dict[str, Any]) -> str:
    """Return a digest of what was replayed and what it was compared with."""
    sha = hashlib.sha256()
    for name, one in held.items():
        truth = truths[name]
        sha.update(f"{name} {one.frame_rate} {truth.length}".encode())
        parts = (one.frames, one.offsets, one.boxes, one.scores, one.embeddings() if one.has_embeddings else None)
        for part in (*parts, truth.frame, truth.table["id"].to_numpy(), truth.box, truth.conf, truth.class_id):
            if part is not None:
                sha.update(np.ascontiguousarray(part).tobytes())
        for frame, matrix in motions.get(name, {}).items():
            sha.update(f"{frame} {np.asarray(matrix, float).tolist()}".encode())
    return sha.hexdigest()


def _named(detections: Any) -> Iterator[tuple[str, Any]]:
    """Detections, or paths of them, by name of sequence."""
    if isinstance(detections, Mapping):
        if not detections:
            raise DetectionsError("No detections are given; give at least one sequence.")
        yield from ((str(name), one) for name, one in detections.items())
    elif isinstance(detections, str | os.PathLike):
        path = Path(detections)
        several = sorted(path.glob("*.tar")) or sorted(path.glob("*/det/det.txt")) if os.path.isdir(path) else []
        for one in several if len(several) > 1 else [path]:
            opened = open_detections(one)
            yield opened.name, opened
    elif isinstance(detections, Iterable) and not hasattr(detections, "offsets"):
        for one in detections:
            yield from _named(one)
    else:
        yield str(as_detections(detections).name), detections


def _as_path(value: Any) -> Any:
    """Return the absolute path of what is on disk; anything else unchanged."""
    path = value if isinstance(value, str | os.PathLike) else getattr(value, "path", None)
    if path is None or isinstance(value, Mapping) or not os.path.exists(path):
        return value
    return Path(path).resolve()


def _truth_beside(name: str, detections: Any) -> Path:
    """Return the gt.txt of the sequence folder that public detections lie in."""
    path = _as_path(detections)
    if isinstance(path, Path):
        folder = path if path.is_dir() else path.parent.parent
        if (folder / "gt" / "gt.txt").is_file():
            return folder / "gt" / "gt.txt"
    raise EvaluationError(f"There is no gt/gt.txt next to the detections of {name}; give ground_truth.")


def _check_same(detections: Detections, truth: GroundTruth) -> None:
    """Refuse ground truth of other frames, by their size: sequences may be called otherwise than their labels."""
    ours, theirs = (detections.width, detections.height), (truth.width, truth.height)
    if None not in (*ours, *theirs) and ours != theirs:
        raise EvaluationError(
            f"The detections of {detections.name} belong to frames of {ours[0]}x{ours[1]}, the ground truth to frames "
            f"of {theirs[0]}x{theirs[1]}; give those of the same sequence."
        )


def _no_tracks(name: str) -> pd.DataFrame:
    table = pd.DataFrame({column: np.empty(0) for column in ("frame", "id", "x", "y", "w", "h", "score")})
    table.attrs["sequence"] = name
    return table
