"""A small scene whose every number is known, for tests of views: people on straight lines, two of them swap ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fairmot_lab.data import FrameDetections, Letterbox
from fairmot_lab.detection.decode import round_embeddings
from fairmot_lab.detection.detections import Columns, Detections, join_frames

RATE = 25.0


def ground_truth(length: int = 20, people: int = 4, size: tuple[int, int] = (640, 360)) -> pd.DataFrame:
    """Persons 1 to `people`, each in a lane of its own, walking to the right."""
    width, height = size
    rows = []
    for frame in range(1, length + 1):
        for person in range(1, people + 1):
            w, h = width * 0.6 / people, height * 0.4
            x = (person - 1) * width / people + frame * width / people / length * 0.3
            y = height * 0.1 + (person % 3) * height * 0.2
            rows.append((frame, person, x, y, w, h, 1, 1, 1.0))
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h", "conf", "class_id", "visibility"])
    table = table.astype({"frame": "int64", "id": "int64", "x": float, "y": float, "w": float, "h": float})
    table.attrs.update(sequence="scene", length=length, frame_rate=RATE, width=width, height=height)
    return table


def images(truth: pd.DataFrame) -> list[np.ndarray]:
    """A frame per number: each person a rectangle whose shade tells who it is; the left edge tells the frame."""
    length, width, height = (truth.attrs[k] for k in ("length", "width", "height"))
    frames = []
    for number in range(1, length + 1):
        image = np.full((height, width, 3), 90, np.uint8)
        image[:, : max(4, width // 80)] = number * 255 // length
        for row in truth[truth["frame"] == number].itertuples():
            x, y, w, h = (round(v) for v in (row.x, row.y, row.w, row.h))
            image[max(0, y) : y + h, max(0, x) : x + w] = (
                40 * row.id % 256,
                200 - 30 * row.id % 200,
                60 + 25 * row.id % 190,
            )
        frames.append(image)
    return frames


def tracks_with_swap(truth: pd.DataFrame, frame: int) -> pd.DataFrame:
    """Perfect boxes; from `frame` on persons 1 and 2 carry each other's id."""
    tracks = truth[["frame", "id", "x", "y", "w", "h"]].copy()
    late = tracks["frame"] >= frame
    tracks.loc[late, "id"] = tracks.loc[late, "id"].replace({1: 2, 2: 1})
    tracks["score"] = np.where(tracks["id"] == 3, 0.3, 0.9)
    tracks["class_id"] = 0
    return tracks


class SceneDetections(Detections):
    """Detections in memory: every person detected, with an embedding of its own; person 3 with a score of 0.35."""

    def __init__(self, truth: pd.DataFrame, dimension: int = 16, heatmaps: bool = True) -> None:
        super().__init__()
        self.name, self.frame_rate = "scene", RATE
        self.width, self.height, self.length = (truth.attrs[k] for k in ("width", "height", "length"))
        self.fingerprint: dict[str, Any] = {"source": "scene"}
        self.has_heatmaps = heatmaps
        self._truth = truth
        self._box = Letterbox.fit((self.width, self.height), (320, 192))
        generator = np.random.default_rng(0)
        self._looks = generator.normal(size=(1 + int(truth["id"].to_numpy().max(initial=0)), dimension))
        self._noise = generator.normal(size=(len(truth), dimension)) * 0.1

    @property
    def frames(self) -> np.ndarray:
        return np.arange(1, self.length + 1)

    def frame(self, number: int) -> FrameDetections:
        rows = self._truth[self._truth["frame"] == number]
        scores = np.where(rows["id"] == 3, 0.35, 0.95 - 0.001 * rows["id"]).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        rows, scores = rows.iloc[order], scores[order]
        boxes = rows[["x", "y", "w", "h"]].to_numpy(np.float32)
        vectors = self._looks[rows["id"]] + self._noise[rows.index]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        peaks = np.floor(self._box.to_heatmap(boxes[:, :2] + boxes[:, 2:] / 2)).astype(np.int64)
        columns, lines = self._box.heatmap_size
        heatmap = np.zeros((lines, columns), np.float32)
        ys, xs = np.mgrid[:lines, :columns]
        for (x, y), score in zip(peaks, scores, strict=True):
            heatmap = np.maximum(heatmap, score * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8).astype(np.float32))
        return FrameDetections(
            number,
            boxes,
            scores,
            round_embeddings(vectors.astype(np.float32)),
            np.zeros(len(rows), np.int64),
            heatmap if self.has_heatmaps else None,
            None,
            self._box,
            peaks,
        )

    def _columns(self) -> Columns:
        if self._held is None:
            self._held = join_frames(self.frames, [self.frame(int(n)) for n in self.frames])
        return self._held
