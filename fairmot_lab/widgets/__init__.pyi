from .association import AssociationInspector
from .budget import BudgetBrowser
from .corrections import Corrections
from .embeddings import EmbeddingExplorer
from .heatmaps import HeatmapInspector
from .player import TrackPlayer
from .switches import SwitchBrowser
from .thresholds import ThresholdLab
from .workbench import Workbench

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
