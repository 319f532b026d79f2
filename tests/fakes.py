"""A network that sees what `videos.picture` draws: one walker whose place follows the frame's number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from videos import number_in

from fairmot_lab.data import FrameDetections, Letterbox
from fairmot_lab.sources.base import Frame


class FakeModel:
    """Behaves as a FairMOT detector. Two walkers: one goes to the right, one to the left with a lower score."""

    name = "fake"
    architecture = "fake"
    weights_sha256 = "0" * 64
    input_size = (64, 64)
    embedding_dim = 4
    engine = "fake"
    device = "cpu"
    nms_iou = None
    versions: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, on_frame: Callable[[int], None] = lambda number: None) -> None:
        self.seen: list[int] = []
        self._on_frame = on_frame

    def describe(self) -> dict[str, object]:
        return {"weights_sha256": self.weights_sha256, "input_width": 64, "input_height": 64}

    def __call__(self, image: np.ndarray, *, frame: int = 0) -> FrameDetections:
        number = number_in(image)
        boxes = np.array([[100 + 2 * number, 50, 20, 40], [700 - 2 * number, 120, 20, 40]], np.float32)
        return FrameDetections(
            frame=frame,
            boxes=boxes,
            scores=np.array([0.9, 0.6], np.float32),
            embeddings=np.eye(2, 4, dtype=np.float32),
            class_ids=np.zeros(2, np.int64),
            heatmap=np.full((16, 16), 0.25, np.float32),
            letterbox=Letterbox.fit((image.shape[1], image.shape[0]), self.input_size),
            peaks=np.zeros((2, 2), np.int64),
        )

    def run(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        for frame in frames:
            self.seen.append(frame.number)
            self._on_frame(frame.number)
            yield self(frame.image, frame=frame.number)
