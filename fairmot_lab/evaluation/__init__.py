"""Metrics of tracks: py-motmetrics, TrackEval's definitions, and a table of ID switches."""

from .breakdown import BINS, breakdown, error_map
from .compare import Comparison, compare, metric_intervals
from .detections import DetectionEvaluation, evaluate_detections
from .evaluate import compare_protocols, compute_metrics, evaluate, half_split
from .local import local_metrics
from .names import MOTMETRICS, OVERALL
from .protocols import GroundTruth, prepare
from .result import Evaluation
from .switches import KINDS, describe, switch_table

__all__ = [
    "BINS",
    "KINDS",
    "MOTMETRICS",
    "OVERALL",
    "Comparison",
    "DetectionEvaluation",
    "Evaluation",
    "GroundTruth",
    "breakdown",
    "compare",
    "compare_protocols",
    "compute_metrics",
    "describe",
    "error_map",
    "evaluate",
    "evaluate_detections",
    "half_split",
    "local_metrics",
    "metric_intervals",
    "prepare",
    "switch_table",
]
