"""From frames to detections: networks, engines, weights, and detections kept on disk."""

from .cache import Outputs, detect, open_outputs
from .model import Model, load_model

__all__ = [
    "Model",
    "Outputs",
    "detect",
    "load_model",
    "open_outputs",
]
