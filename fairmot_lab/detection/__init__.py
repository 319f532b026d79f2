"""From frames to detections: detectors, engines, weights, and detections kept on disk."""

from .cache import detect, open_detections
from .detections import Detections
from .detector import Detector
from .export import export_model
from .model import FairMOTDetector, load_model
from .onnx_detector import load_detector

__all__ = [
    "Detections",
    "Detector",
    "FairMOTDetector",
    "detect",
    "export_model",
    "load_detector",
    "load_model",
    "open_detections",
]
