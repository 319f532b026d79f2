"""fairmot_lab: understand what a FairMOT tracker does on a sequence, and why.

The network runs once and its detections are kept; everything else is replayed from them. The public names are listed
in `__init__.pyi` and loaded on first use, so that `import fairmot_lab` loads no deep-learning framework.
"""

import lazy_loader

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """Load a public name; the class of any registered tracker is one."""
    if name.endswith("Tracker") and name not in __all__:
        return getattr(_find("association"), name)
    return _find(name)
