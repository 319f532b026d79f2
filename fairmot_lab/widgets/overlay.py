"""What a player paints over a frame: a map of numbers, and peaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import floats

if TYPE_CHECKING:
    from ..data import Letterbox


@dataclass
class Overlay:
    """A map over a frame.

    Attributes
    ----------
    values : (rows, columns) float32 or None
        One number per heatmap cell.
    letterbox
        Where the cells lie in the image.
    peaks : (N, 7) float32
        Heatmap cell x, y; score; box x, y, w, h in pixels of the image.
    low, high
        The values that the ends of the colour map stand for.
    label
        What the values are, for the readout and the colour bar.
    """

    values: np.ndarray | None
    letterbox: Letterbox
    peaks: np.ndarray = field(default_factory=lambda: np.empty((0, 7)))
    low: float = 0.0
    high: float = 1.0
    label: str = "heatmap"

    def describe(self) -> dict[str, Any]:
        """Return its geometry for the browser: cell = (pixel * scale + pad) / stride."""
        box = self.letterbox
        rows, columns = self.values.shape if self.values is not None else (0, 0)
        return {
            "rows": rows,
            "columns": columns,
            "stride": box.stride,
            "scale": box.scale,
            "pad_x": box.pad_x,
            "pad_y": box.pad_y,
            "low": self.low,
            "high": self.high,
            "label": self.label,
        }

    def buffers(self) -> list[bytes]:
        """Return its numbers for the browser."""
        return [floats(self.values if self.values is not None else []), floats(self.peaks)]
