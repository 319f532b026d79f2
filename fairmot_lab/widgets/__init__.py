"""Views for JupyterLab. They hold no logic: each shows what functions of the library compute."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .association import AssociationInspector
    from .budget import BudgetBrowser
    from .corrections import Corrections
    from .embeddings import EmbeddingExplorer
    from .heatmaps import HeatmapInspector
    from .player import TrackPlayer
    from .switches import SwitchBrowser
    from .thresholds import ThresholdLab
    from .workbench import Workbench

_HOME = {
    "AssociationInspector": "association",
    "BudgetBrowser": "budget",
    "Corrections": "corrections",
    "EmbeddingExplorer": "embeddings",
    "HeatmapInspector": "heatmaps",
    "SwitchBrowser": "switches",
    "ThresholdLab": "thresholds",
    "TrackPlayer": "player",
    "Workbench": "workbench",
}

__all__ = [
    "AssociationInspector",
    "BudgetBrowser",
    "Corrections",
    "EmbeddingExplorer",
    "HeatmapInspector",
    "SwitchBrowser",
    "ThresholdLab",
    "TrackPlayer",
    "Workbench",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
