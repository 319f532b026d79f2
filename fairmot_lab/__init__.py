"""fairmot_lab: understand what a FairMOT tracker does on a sequence, and why.

The network runs once and its detections are kept; everything else is replayed from them. The public names are listed
in `__init__.pyi` and loaded on first use, so that `import fairmot_lab` loads no deep-learning framework.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
