"""fairmot_lab: understand what a FairMOT tracker does on a sequence, and why.

The network is slow and runs once; its outputs are kept; everything a researcher turns is replayed from them.
The names below are loaded on first use, so that `import fairmot_lab` costs no deep-learning framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import association, counting, drawing, evaluation, exchange, hub, plots, sweeps, widgets
    from .association import Tracker, explain
    from .datasets import check_data
    from .detection import FrameOutputs, Letterbox
    from .errors import FairMOTLabError, FairMOTLabWarning
    from .evaluation import Evaluation, compare_protocols, evaluate
    from .motfile import read_mot, read_seqinfo, write_mot
    from .network import load_model
    from .outputs import Outputs, detect, open_outputs
    from .settings import TrackerConfig
    from .sources import Frame, Source, open_source
    from .sweeps import compare_settings, sweep
    from .tracking import stream, track

__version__ = "0.1.0"

_HOME = {
    "Tracker": "association",
    "TrackerConfig": "settings",
    "explain": "association",
    "check_data": "datasets",
    "FrameOutputs": "detection",
    "Letterbox": "detection",
    "FairMOTLabError": "errors",
    "FairMOTLabWarning": "errors",
    "Evaluation": "evaluation",
    "compare_protocols": "evaluation",
    "evaluate": "evaluation",
    "read_mot": "motfile",
    "read_seqinfo": "motfile",
    "write_mot": "motfile",
    "load_model": "network",
    "Outputs": "outputs",
    "detect": "outputs",
    "open_outputs": "outputs",
    "Frame": "sources",
    "Source": "sources",
    "open_source": "sources",
    "compare_settings": "sweeps",
    "sweep": "sweeps",
    "stream": "tracking",
    "track": "tracking",
}
_MODULES = ("association", "counting", "drawing", "evaluation", "exchange", "hub", "plots", "sweeps", "widgets")

__all__ = [
    "Evaluation",
    "FairMOTLabError",
    "FairMOTLabWarning",
    "Frame",
    "FrameOutputs",
    "Letterbox",
    "Outputs",
    "Source",
    "Tracker",
    "TrackerConfig",
    "association",
    "check_data",
    "compare_protocols",
    "compare_settings",
    "counting",
    "detect",
    "drawing",
    "evaluate",
    "evaluation",
    "exchange",
    "explain",
    "hub",
    "load_model",
    "open_outputs",
    "open_source",
    "plots",
    "read_mot",
    "read_seqinfo",
    "stream",
    "sweep",
    "sweeps",
    "track",
    "widgets",
    "write_mot",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
