"""Plots for papers and notebooks: each is a function of a DataFrame, draws on an `ax` and returns it.

Times are in seconds, image positions in pixels of the original image, rates in percent.
"""

from .appearance import centre_heatmap, embedding_distances, score_distributions, similarity_map
from .errors import detection_recall, error_budget, error_map, person_strip
from .identity import (
    errors_over_time,
    gap_against_distance,
    life_lines,
    switch_kinds,
    switch_map,
    switch_timeline,
    trajectories,
)
from .settings import (
    learning_curve,
    metric_against_threshold,
    parallel_coordinates,
    pareto_front,
    setting_heatmap,
    setting_importance,
)
from .style import COLOURS, MISSED, SWITCH_KINDS, save
from .trackers import (
    association_growth,
    camera_motion,
    compare_trackers,
    differences,
    hota_curves,
    local_metrics,
)

__all__ = [
    "COLOURS",
    "MISSED",
    "SWITCH_KINDS",
    "association_growth",
    "camera_motion",
    "centre_heatmap",
    "compare_trackers",
    "detection_recall",
    "differences",
    "embedding_distances",
    "error_budget",
    "error_map",
    "errors_over_time",
    "gap_against_distance",
    "hota_curves",
    "learning_curve",
    "life_lines",
    "local_metrics",
    "metric_against_threshold",
    "parallel_coordinates",
    "pareto_front",
    "person_strip",
    "save",
    "score_distributions",
    "setting_heatmap",
    "setting_importance",
    "similarity_map",
    "switch_kinds",
    "switch_map",
    "switch_timeline",
    "trajectories",
]
