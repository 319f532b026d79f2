"""A scene of two crossing people in memory: what the examples in the documentation use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .data import PERSON, FrameDetections, Letterbox
from .detection.detections import Detections
from .sources.base import Source
from .sources.open import open_source

FRAMES, WIDTH, HEIGHT, FRAME_RATE = 40, 320, 160, 10.0


@dataclass(frozen=True)
class Example:
    """The scene: 40 frames of 320x160 pixels, ten a second.

    Attributes
    ----------
    source : Source
        The frames.
    detections : Detections
        Boxes, scores, embeddings and heatmaps as a network would give them.
    ground_truth : pandas.DataFrame
        Person 1 walks to the right, person 2 to the left; they cross in frame 20.
    tracks : pandas.DataFrame
        Of a tracker that exchanges the ids of the two when they cross.
    """

    source: Source
    detections: Detections
    ground_truth: pd.DataFrame
    tracks: pd.DataFrame


def example() -> Example:
    """Return a small scene with frames, detections, ground truth and tracks; the same at every call.

    Examples
    --------
    >>> scene = fl.example()
    >>> scene.detections
    <Detections 'crossing': 40 frames, 78 detections, with embeddings and heatmaps>
    >>> fl.evaluate(scene.tracks, scene.ground_truth).overall["num_switches"]
    2
    """
    rows = [(frame, person, *_box(person, frame), 1.0, 1, 1.0) for frame in range(1, FRAMES + 1) for person in (1, 2)]
    columns = ["frame", "id", "x", "y", "w", "h", "conf", "class_id", "visibility"]
    ground_truth = pd.DataFrame(rows, columns=columns)
    ground_truth.attrs = {
        "sequence": "crossing", "frame_rate": FRAME_RATE, "length": FRAMES, "width": WIDTH, "height": HEIGHT,
    }  # fmt: skip
    source = open_source([_picture(frame) for frame in range(1, FRAMES + 1)], frame_rate=FRAME_RATE, name="crossing")
    detections = Detections.from_frames(
        [_detect(frame) for frame in range(1, FRAMES + 1)],
        name="crossing", frame_rate=FRAME_RATE, width=WIDTH, height=HEIGHT, class_names={0: PERSON},
    )  # fmt: skip
    return Example(source, detections, ground_truth, _tracks(detections, ground_truth))


def _box(person: int, frame: int) -> tuple[float, float, float, float]:
    x = 20.0 + 6 * frame if person == 1 else 260.0 - 6 * frame
    return x, 40.0 + 4 * person, 30.0, 80.0


def _picture(frame: int) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    image[110:] = 128
    for person, colour in ((1, (40, 60, 200)), (2, (60, 160, 40))):
        x, y, w, h = (int(value) for value in _box(person, frame))
        image[y : y + h, x : x + w] = colour
        image[y : y + 18, x + 8 : x + 22] = (150, 180, 220)
    return image


def _detect(frame: int) -> FrameDetections:
    """Both people, but for frames 19 and 20, in which the one behind is hidden."""
    people = [1, 2] if frame not in (19, 20) else [2]
    boxes = np.array([_box(person, frame) for person in people], np.float32)
    boxes[:, 0] += frame % 3 - 1  # a detector is never exact
    scores = np.array([0.9 if person == 1 else 0.8 for person in people], np.float32)
    looks = np.array([[1, 0, 0.2, 0], [0, 1, 0.2, 0]], np.float32)[np.array(people) - 1]
    box = Letterbox.fit((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    columns, rows = box.heatmap_size
    peaks = np.floor(box.to_heatmap(boxes[:, :2] + boxes[:, 2:] / 2)).astype(np.int64)
    ys, xs = np.mgrid[:rows, :columns]
    heatmap = np.zeros((rows, columns), np.float32)
    for (x, y), score in zip(peaks, scores, strict=True):
        heatmap = np.maximum(heatmap, score * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8).astype(np.float32))
    return FrameDetections(
        frame,
        boxes,
        scores,
        embeddings=looks / np.linalg.norm(looks, axis=1, keepdims=True),
        class_ids=np.zeros(len(people), np.int64),
        heatmap=heatmap,
        letterbox=box,
        peaks=peaks,
    )


def _tracks(detections: Detections, ground_truth: pd.DataFrame) -> pd.DataFrame:
    """Return the detections with the ids of a tracker that exchanges them when the two cross."""
    tracks = detections.table()
    person = np.where(np.isclose(tracks["score"], 0.9), 1, 2)
    tracks.insert(1, "id", np.where(tracks["frame"] > 20, 3 - person, person))
    tracks.attrs = {**ground_truth.attrs}
    return tracks
