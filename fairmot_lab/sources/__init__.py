"""Frames from MOT sequences, videos, image folders, cameras, streams and arrays, behind one interface."""

from .base import Frame, Source
from .images import crop, encode_jpeg, read_image
from .open import open_source

__all__ = [
    "Frame",
    "Source",
    "crop",
    "encode_jpeg",
    "open_source",
    "read_image",
]
