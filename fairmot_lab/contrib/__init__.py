"""Modules beside the library: PaddleHub's interface, counting."""
