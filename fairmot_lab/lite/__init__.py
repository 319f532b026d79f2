"""The bundled compact model: network, training, rendered scenes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["demo", "network", "scenes", "training", "training_data"])
