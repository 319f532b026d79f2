"""Modules beside the library: PaddleHub's interface, counting."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["counting", "paddlehub"])
