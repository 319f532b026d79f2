"""From frames to detections: networks, engines, weights, and detections kept on disk."""

from .cache import Detections, detect, open_detections
from .model import Model, load_model

__all__ = [
    "Detections",
    "Model",
    "detect",
    "load_model",
    "open_detections",
]
