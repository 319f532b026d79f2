"""The peaks of a centre heatmap as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..boxes import BOX

if TYPE_CHECKING:
    from ..data import FrameDetections


def peak_table(detections: FrameDetections, top_k: int = 100) -> pd.DataFrame:
    """Return the best peaks of a heatmap with the boxes they decode to.

    Parameters
    ----------
    detections
        Of one frame.
    top_k
        How many at most.

    Returns
    -------
    DataFrame
        rank (from 1), cell_x, cell_y (heatmap cells; -1 where the peaks are not known), score, x, y, w, h (pixels of
        the original image), best first.

    Examples
    --------
    >>> scene = fl.example()
    >>> peak_table(scene.detections.frame(1))[["score", "x", "y"]].round(1).astype(int).iloc[:, 1:].values.tolist()
    [[26, 44], [254, 48]]
    """
    n = min(top_k, len(detections))
    peaks = np.full((n, 2), -1) if detections.peaks is None else detections.peaks[:n]
    columns = {
        "rank": np.arange(1, n + 1),
        "cell_x": peaks[:, 0],
        "cell_y": peaks[:, 1],
        "score": detections.scores[:n],
    }
    return pd.DataFrame({**columns, **dict(zip(BOX, detections.boxes[:n].T.astype(float), strict=True))})


def detection_at(detections: FrameDetections, x: float, y: float) -> int | None:
    """Return the row of the best-scoring box that covers a pixel (rows are ordered by score), or None."""
    left, top, width, height = detections.boxes.T
    rows = np.flatnonzero((left <= x) & (x <= left + width) & (top <= y) & (y <= top + height))
    return int(rows[0]) if len(rows) else None
