"""Frames from MOT sequences, videos, image folders, cameras, streams and arrays, behind one interface."""

from .base import Frame, Source
from .data_check import check_data
from .images import crop, encode_jpeg, read_image
from .open import open_source

__all__ = [
    "Frame",
    "Source",
    "check_data",
    "crop",
    "encode_jpeg",
    "open_source",
    "read_image",
]
