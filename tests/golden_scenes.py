"""The detections that the trackers are compared on with their authors' code: plain numpy, no import of the project."""

from __future__ import annotations

import configparser
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "golden"
WHOLE = ("shaking", "sparse")  # scenes whose tracks are kept row by row; of others a digest is kept


@dataclass(frozen=True)
class Scene:
    """Detections frame by frame: `boxes` (N, 4: x, y, w, h), `scores` (N,), `embeddings` (N, D), `warps` (2, 3)."""

    name: str
    frame_rate: float
    boxes: list[np.ndarray]
    scores: list[np.ndarray]
    embeddings: list[np.ndarray]
    warps: list[np.ndarray]


def random_scene(
    name: str,
    seed: int,
    *,
    people: int = 14,
    frames: int = 90,
    shake: float = 0.0,
    area: tuple[float, float] = (900, 500),
) -> Scene:
    """People who walk and pass each other, scored low or missed when they are covered, seen by a camera that shakes."""
    random = np.random.default_rng(seed)
    height = random.uniform(90, 260, people)
    size = np.stack([height * random.uniform(0.3, 0.5, people), height], 1)
    place = random.uniform(0, 1, (people, 2)) * area
    velocity = random.normal(0, 4, (people, 2))
    look = random.standard_normal((people, 16))
    camera = np.eye(3)
    boxes, scores, embeddings, warps = [], [], [], []
    for frame in range(frames):
        warp = np.eye(3)
        if shake and frame:
            angle, scale = random.normal(0, 0.004 * shake), 1 + random.normal(0, 0.004 * shake)
            warp[:2, :2] = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            warp[:2, 2] = random.normal(0, 12 * shake, 2)
        camera = warp @ camera
        velocity = 0.98 * velocity + random.normal(0, 0.4, (people, 2))
        velocity = np.where((place < 0) | (place > area), np.abs(velocity) * np.sign(area[0] / 2 - place), velocity)
        place = place + velocity
        centre = place @ camera[:2, :2].T + camera[:2, 2]
        zoom = np.sqrt(np.linalg.det(camera[:2, :2]))
        wide = size * zoom * (1 + random.normal(0, 0.02, (people, 2)))
        box = np.concatenate([centre - wide / 2 + random.normal(0, 1.5, (people, 2)), wide], 1)
        covered = np.array([_covered(box, i) for i in range(people)])
        score = np.clip(0.95 - 0.8 * covered + random.normal(0, 0.06, people), 0.02, 0.999)
        seen = random.random(people) > 0.04 + 0.3 * covered
        false = random.integers(0, 3)
        box = np.concatenate(
            [box[seen], np.column_stack([random.uniform(0, 800, (false, 2)), random.uniform(20, 200, (false, 2))])]
        )
        score = np.concatenate([score[seen], random.uniform(0.05, 0.8, false)])
        feature = look + (0.15 + covered[:, None]) * random.standard_normal(look.shape)
        feature = np.concatenate([feature[seen], random.standard_normal((false, 16))])
        feature /= np.linalg.norm(feature, axis=1, keepdims=True)
        if frame in (40, 41):  # two empty frames
            box, score, feature = box[:0], score[:0], feature[:0]
        boxes.append(box.astype(np.float32))
        scores.append(score.astype(np.float32))
        embeddings.append(feature.astype(np.float32))
        warps.append(warp[:2])
    return Scene(name, 25.0, boxes, scores, embeddings, warps)


def _covered(boxes: np.ndarray, i: int) -> float:
    """The largest share of box i that another box covers which stands further down."""
    x, y, w, h = boxes.T
    overlap = np.clip(np.minimum(x + w, x[i] + w[i]) - np.maximum(x, x[i]), 0, None)
    overlap = overlap * np.clip(np.minimum(y + h, y[i] + h[i]) - np.maximum(y, y[i]), 0, None)
    in_front = (y + h > y[i] + h[i]) & (np.arange(len(boxes)) != i)
    return float(np.max(overlap * in_front / (w[i] * h[i]), initial=0))


@functools.cache
def random_scenes() -> dict[str, Scene]:
    """The generated scenes by name."""
    scenes = (
        random_scene("still", 1),
        random_scene("crowded", 2, people=26, frames=70),
        random_scene("shaking", 3, shake=1.0),
        random_scene("sparse", 4, people=4, frames=120, shake=0.3),
    )
    return {scene.name: scene for scene in scenes}


def public_scene(folder: Path) -> Scene:
    """The public detections of a MOTChallenge sequence, with embeddings that vary smoothly with place and size."""
    config = configparser.ConfigParser()
    config.read(folder / "seqinfo.ini")
    length, rate = int(config["Sequence"]["seqLength"]), float(config["Sequence"]["frameRate"])
    table = np.loadtxt(folder / "det" / "det.txt", delimiter=",", usecols=(0, 2, 3, 4, 5, 6), ndmin=2)
    rows = [np.flatnonzero(table[:, 0] == frame) for frame in range(1, length + 1)]
    random = np.random.default_rng(0)
    x, y, _, h = table[:, 1:5].T
    look = np.stack([x / 300, y / 300, h / 200, np.ones_like(x)], 1) @ random.standard_normal((4, 16))
    look = np.sin(look + random.standard_normal(16)) + 0.35 * random.standard_normal(look.shape)
    look = (look / np.linalg.norm(look, axis=1, keepdims=True)).astype(np.float32)
    return Scene(
        folder.name,
        rate,
        [table[r, 1:5] for r in rows],
        [table[r, 5] for r in rows],
        [look[r] for r in rows],
        [np.eye(2, 3)] * length,
    )


# tracker, settings; `warps` and `embeddings` say what the tracker is given besides boxes and scores
CASES: dict[str, dict[str, Any]] = {
    "bytetrack": {"tracker": "bytetrack", "settings": {}},
    "bytetrack, no fusion": {
        "tracker": "bytetrack",
        "settings": {"fuse_score": False, "track_thresh": 0.45, "match_thresh": 0.7, "track_buffer": 6},
    },
    "ocsort": {"tracker": "ocsort", "settings": {}},
    "ocsort, BYTE": {
        "tracker": "ocsort",
        "settings": {"use_byte": True, "det_thresh": 0.5, "min_hits": 1, "max_age": 8, "inertia": 0.4, "delta_t": 2},
    },
    "botsort": {"tracker": "botsort", "settings": {}, "warps": True},
    "botsort, ReID": {
        "tracker": "botsort",
        "settings": {"with_reid": True, "match_thresh": 0.6, "proximity_thresh": 0.9},
        "warps": True,
        "embeddings": True,
    },
    "botsort, no motion": {
        "tracker": "botsort",
        "settings": {"track_high_thresh": 0.5, "new_track_thresh": 0.55, "fuse_score": False, "track_buffer": 8},
    },
    "deepsort": {"tracker": "deepsort", "settings": {}, "embeddings": True},
    "deepsort, whole gallery": {
        "tracker": "deepsort",
        "settings": {
            "nn_budget": 0,
            "min_confidence": 0.5,
            "max_cosine_distance": 0.4,
            "n_init": 1,
            "max_age": 70,
            "nms_max_overlap": 0.8,
            "min_detection_height": 60,
        },
        "embeddings": True,
    },
}


def digest(table: np.ndarray) -> dict[str, Any]:
    """Summarise rows of frame, id, x, y, w, h: their number, a hash of frames and ids, weighted means of the boxes."""
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    weights = np.stack([np.ones(len(table)), np.cos(np.arange(len(table)))])
    means = weights @ table[:, 2:] / max(len(table), 1)
    return {
        "rows": len(table),
        "ids": len(np.unique(table[:, 1])),
        "hash": hashlib.sha256(table[:, :2].astype("<i8").tobytes()).hexdigest()[:16],
        "means": means.round(4).ravel().tolist(),
    }
