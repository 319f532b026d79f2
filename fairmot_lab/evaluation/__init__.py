"""Metrics of tracks: py-motmetrics, TrackEval's definitions, and a table of ID switches."""

from .compare import Comparison, compare, metric_intervals
from .evaluate import compare_protocols, compute_metrics, evaluate, half_split
from .names import MOTMETRICS, OVERALL
from .protocols import GroundTruth, prepare
from .result import Evaluation
from .switches import KINDS, describe, switch_table

__all__ = [
    "KINDS",
    "MOTMETRICS",
    "OVERALL",
    "Comparison",
    "Evaluation",
    "GroundTruth",
    "compare",
    "compare_protocols",
    "compute_metrics",
    "describe",
    "evaluate",
    "half_split",
    "metric_intervals",
    "prepare",
    "switch_table",
]
