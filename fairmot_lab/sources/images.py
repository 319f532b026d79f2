"""Read, crop and encode images.

Files are read whole or refused; pixels are blue first.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import FairMOTLabWarning, SourceError

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one image as (H, W, 3) uint8 BGR.

    Grey images get three equal channels, 16-bit values are divided by 256, transparency is dropped, and EXIF
    orientation is applied. A JPEG or PNG that is cut short is an error, and so is a JPEG whose data end too early:
    decoders would fill the rest without a word. Surplus bytes in a JPEG's data give a warning.

    Raises
    ------
    SourceError
        If the file is missing, cut short, damaged, or no image.
    """
    return _decode(read_bytes(path), Path(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read an image file as it is stored.

    Raises
    ------
    SourceError
        If the file is missing, empty or cut short.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SourceError(f"The image {path} cannot be read ({error.strerror or error}).") from error
    if not data:
        raise SourceError(f"The image {path} is empty (0 bytes); restore the file.")
    if _is_cut(data):
        raise SourceError(
            f"The image {path} is cut short (its end marker is missing after {len(data)} bytes); restore it."
        )
    return data


def encode_jpeg(image: np.ndarray, max_width: int | None = None, quality: int = 85) -> bytes:
    """A BGR image as JPEG bytes, scaled down to `max_width` pixels where it is wider."""
    from PIL import Image

    height, width = image.shape[:2]
    if max_width is not None and max_width < width:
        size = (max_width, max(1, round(height * max_width / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _decode(data: bytes, path: Path) -> np.ndarray:
    if data[:2] == _JPEG and b"Exif\0\0" not in data[: 1 << 16]:  # OpenCV knows what EXIF says of the orientation
        image = _decode_jpeg(data, path)
        if image is not None:
            return image
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"The image {path} cannot be decoded; it is damaged or no image.")
    return image


def _decode_jpeg(data: bytes, path: Path) -> np.ndarray | None:
    """The pixels that OpenCV's decoder gives, in a quarter of its time; None for kinds that are left to OpenCV."""
    import simplejpeg

    try:
        colours = simplejpeg.decode_jpeg_header(data)[2]
    except ValueError:  # an unusual kind, or no JPEG
        return None
    if colours not in ("YCbCr", "Gray", "RGB"):
        return None
    try:
        return simplejpeg.decode_jpeg(data, colorspace="BGR")
    except ValueError as error:
        if "extraneous bytes" not in str(error):  # those come from damage, but from some cameras as well
            raise SourceError(f"The image {path} is damaged ({error}); restore the file.") from error
        warnings.warn(f"The image {path} may be damaged ({error}); it is used as it is.", FairMOTLabWarning, 4)
        return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=False)


def _is_cut(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end marker."""
    if data[:8] == _PNG:
        return data.rfind(b"IEND") < 0
    if data[:2] != _JPEG:
        return False
    # Walk over the segments before the first scan: an embedded thumbnail has an end marker of its own.
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:  # padding
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return data.find(b"\xff\xd9", position) < 0


def crop(image: np.ndarray, box: Sequence[float], height: int = 88, margin: float = 0.05) -> np.ndarray:
    """Cut a box out of a frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The frame.
    box
        x, y, w, h in pixels; what lies outside the frame is black.
    height
        Height of the result in pixels; it keeps the aspect of the box, down to a width of 8.
    margin
        Share of the box's size that is added on each side.

    Returns
    -------
    (height, width, 3) uint8
    """
    import cv2

    x, y, w, h = (float(v) for v in box)
    left, top = int(np.floor(x - margin * w)), int(np.floor(y - margin * h))
    right, bottom = max(left + 1, int(np.ceil(x + w + margin * w))), max(top + 1, int(np.ceil(y + h + margin * h)))
    part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    missing = (bottom - top - part.shape[0], right - left - part.shape[1])
    above, before = min(max(-top, 0), missing[0]), min(max(-left, 0), missing[1])
    part = np.pad(part, ((above, missing[0] - above), (before, missing[1] - before), (0, 0)))
    width = int(np.clip(round((right - left) * height / (bottom - top)), 8, 3 * height))
    method = cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(part, (width, height), interpolation=method)
