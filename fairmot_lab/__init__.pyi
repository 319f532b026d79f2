from . import (
    association,
    boxes,
    contrib,
    data,
    detection,
    diagnosis,
    drawing,
    evaluation,
    formats,
    lite,
    pipeline,
    plots,
    sources,
    sweeps,
    video_writer,
    widgets,
)
from ._example import example
from .association import (
    BoTSORTTracker,
    ByteTrackTracker,
    DeepSORTTracker,
    JDETracker,
    OCSORTTracker,
    PerClass,
    PPDetByteTracker,
    Tracker,
    explain,
    get_tracker,
    load_tracker,
    trace,
    trackers,
)
from .association.camera_motion import CameraMotion, camera_motion
from .association.postprocess import postprocess
from .data import FrameDetections, FrameTracks, Letterbox
from .detection.cache import detect, open_detections
from .detection.detections import Detections
from .detection.detector import Detector
from .detection.export import export_model
from .detection.model import FairMOTDetector, load_model
from .detection.onnx_detector import load_detector
from .diagnosis.error_budget import ErrorBudget, error_budget
from .diagnosis.person import PersonLife, person
from .diagnosis.reasons import explain_switches
from .diagnosis.what_if import what_if
from .errors import FairMOTLabError, FairMOTLabWarning
from .evaluation.compare import Comparison, compare
from .evaluation.detections import evaluate_detections
from .evaluation.evaluate import compare_protocols, evaluate, half_split
from .evaluation.result import Evaluation
from .formats.labels import read_labels
from .formats.mot import read_mot, write_mot
from .formats.seqinfo import read_seqinfo
from .interop import from_supervision, to_supervision, write_rerun
from .pipeline import stream, track
from .report import write_report
from .sources.base import Frame, Source
from .sources.data_check import check_data
from .sources.open import open_source
from .sweeps import best_tracker, compare_settings, random_search, sweep
from .tuning import tune

__version__: str
__all__ = [
    "BoTSORTTracker",
    "ByteTrackTracker",
    "CameraMotion",
    "Comparison",
    "DeepSORTTracker",
    "Detections",
    "Detector",
    "ErrorBudget",
    "Evaluation",
    "FairMOTDetector",
    "FairMOTLabError",
    "FairMOTLabWarning",
    "Frame",
    "FrameDetections",
    "FrameTracks",
    "JDETracker",
    "Letterbox",
    "OCSORTTracker",
    "PPDetByteTracker",
    "PerClass",
    "PersonLife",
    "Source",
    "Tracker",
    "association",
    "best_tracker",
    "boxes",
    "camera_motion",
    "check_data",
    "compare",
    "compare_protocols",
    "compare_settings",
    "contrib",
    "data",
    "detect",
    "detection",
    "diagnosis",
    "drawing",
    "error_budget",
    "evaluate",
    "evaluate_detections",
    "evaluation",
    "example",
    "explain",
    "explain_switches",
    "export_model",
    "formats",
    "from_supervision",
    "get_tracker",
    "half_split",
    "lite",
    "load_detector",
    "load_model",
    "load_tracker",
    "open_detections",
    "open_source",
    "person",
    "pipeline",
    "plots",
    "postprocess",
    "random_search",
    "read_labels",
    "read_mot",
    "read_seqinfo",
    "sources",
    "stream",
    "sweep",
    "sweeps",
    "to_supervision",
    "trace",
    "track",
    "trackers",
    "tune",
    "video_writer",
    "what_if",
    "widgets",
    "write_mot",
    "write_report",
    "write_rerun",
]
