"""Read, scale, crop and encode images.

Files are read whole or refused; pixels are blue first. A decoded image is 8-bit BGR, or deep: one or three channels of
more than 8 bits or of floats, which `to_bgr` scales to 8 bits.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import cv2
import numpy as np
import simplejpeg

from .._files import cannot_read
from ..errors import SourceError, warn

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
ValueRange = tuple[float, float]
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_DEEP_PPM = re.compile(rb"P6\s+(#[^\n]*\s+)*\d+\s+\d+\s+65535\s")  # Pillow knows these colours with 8 bits only
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_image(path: str | os.PathLike[str], value_range: ValueRange | None = None) -> np.ndarray:
    """Read one image as (H, W, 3) uint8 BGR.

    Grey images get three equal channels, transparency is dropped, and EXIF orientation is applied. Values of more than
    8 bits and floats are scaled by `value_range`, or by their own range. A JPEG or PNG that is cut short is an error,
    and so is a JPEG whose data end too early: decoders would silently fill the rest. Surplus bytes in a JPEG's
    data give a warning.

    Parameters
    ----------
    path
        The file. Of several pages the first is read.
    value_range
        The values that become 0 and 255, for images of more than 8 bits.

    Raises
    ------
    SourceError
        If the file is missing, cut short, damaged, or not an image.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "thermal.png"
    >>> cv2.imwrite(str(path), np.array([[7000, 7500, 8000]], np.uint16))
    True
    >>> read_image(path)[..., 0].tolist(), read_image(path, (6000, 8000))[..., 0].tolist()
    ([[0, 128, 255]], [[128, 192, 255]])
    """
    raw = read_raw(path)
    return to_bgr(raw, value_range or (None if raw.dtype == np.uint8 else own_range([raw])))


def read_raw(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one image without conversion: (H, W, 3) uint8 BGR, or a deep image (H, W) or (H, W, 3)."""
    return _decode(read_bytes(path), Path(path))


def to_bgr(raw: np.ndarray, value_range: ValueRange | None) -> np.ndarray:
    """Scale a deep image to (H, W, 3) uint8; an 8-bit image is returned unchanged. NaN becomes 0."""
    if raw.dtype == np.uint8:
        return raw
    low, high = value_range or (0.0, 1.0)
    scaled = (raw.astype(np.float64) - low) * (256 / (high - low))
    image = np.clip(np.nan_to_num(scaled, nan=0, posinf=255, neginf=0), 0, 255).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image


def own_range(images: Iterable[np.ndarray]) -> ValueRange:
    """Return the smallest and largest finite value of deep images.

    Where a few pixels reach far beyond all others (dead or hot ones), it is the range of 99.9 % of the pixels. Images
    of one value only have the range of their type.
    """
    low, high = math.inf, -math.inf
    parts: list[np.ndarray] = []
    dtype: Any = np.dtype(float)
    for image in images:
        if image.dtype == np.uint8:
            continue
        dtype = image.dtype
        values = image[np.isfinite(image)] if dtype.kind == "f" else image.reshape(-1)
        if len(values):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            parts.append(values[:: max(1, len(values) // 50_000)])
    if parts:
        inner = np.percentile(np.concatenate(parts), [0.05, 99.95])
        if 0 < inner[1] - inner[0] < (high - low) / 4:
            low, high = (float(value) for value in inner)
    if low < high:
        return low, high
    return (0.0, 1.0) if dtype.kind == "f" else (0.0, float(np.iinfo(dtype).max) + 1)


def warn_of_range(name: str, dtype: np.dtype, value_range: ValueRange) -> None:
    """Warn that values of more than 8 bits are scaled, and by which range."""
    bits = f"{8 * dtype.itemsize}-bit {'floats' if dtype.kind == 'f' else 'integers'}"
    warn(
        f"{name} has {bits}; values from {value_range[0]:g} to {value_range[1]:g} are shown as 0 to 255 (for another "
        "range: value_range=(low, high), --value-range LOW HIGH)."
    )


def checked_range(value_range: Any) -> ValueRange | None:
    """Return `value_range` as two floats.

    Raises
    ------
    SourceError
        If it is not two finite numbers, the smaller first.
    """
    if value_range is None:
        return None
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SourceError(
            f"value_range is {value_range}; give the two values that become black and white, as (0, 4095)."
        )
    return low, high


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read an image file without decoding it.

    Raises
    ------
    SourceError
        If the file is missing, empty or cut short.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SourceError(f"The image {cannot_read(path, error)}") from error
    if not data:
        raise SourceError(f"The image {path} is empty (0 bytes); restore the file.")
    if _is_cut(data):
        raise SourceError(f"The image {path} is cut short (its end is missing after {len(data)} bytes); restore it.")
    return data


def encode_jpeg(image: np.ndarray, max_width: int | None = None, quality: int = 85) -> bytes:
    """Return a BGR image as JPEG bytes, scaled down to `max_width` pixels where it is wider.

    Examples
    --------
    >>> encode_jpeg(np.zeros((8, 8, 3), np.uint8))[:2]
    b'\xff\xd8'
    """
    from PIL import Image

    height, width = image.shape[:2]
    if max_width is not None and max_width < 1:
        raise SourceError(f"max_width is {max_width}; give at least 1 pixel.")
    if max_width is not None and max_width < width:
        size = (max_width, max(1, round(height * max_width / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Make Pillow refuse truncated images: ppdet, once imported, makes it fill them with grey."""
    from PIL import ImageFile

    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def from_pillow(image: Any) -> np.ndarray:
    """Turn a Pillow image upright and into an array: (H, W, 3) uint8 BGR, or a deep image (H, W)."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode[:1] in ("I", "F"):  # 16 or 32 bits, or floats
        array = np.asarray(image)
        return array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def _decode(data: bytes, path: Path) -> np.ndarray:
    from PIL import Image

    if data[:2] == _JPEG and b"Exif\0\0" not in data[: _first_scan(data)]:  # OpenCV applies its orientation
        image = _decode_jpeg(data, path)
        if image is not None:
            return image
    # OpenCV ignores the orientation of others, and knows fewer kinds of them
    if data[:2] not in (_JPEG, b"BM") and not (data[:8] == _PNG and b"eXIf" not in data) and not _DEEP_PPM.match(data):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tags that Pillow does not know
                with strict_pillow(), Image.open(io.BytesIO(data)) as picture:
                    if not is_left_to_opencv(picture):
                        return from_pillow(picture)
        except (OSError, ValueError, SyntaxError, KeyError, TypeError, Image.DecompressionBombError):
            if data[:4] not in _TIFF:
                raise _broken(path) from None
    kind = cv2.IMREAD_UNCHANGED if data[:4] in _TIFF else cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), kind)
    except cv2.error:
        image = None
    if image is None:
        raise _broken(path)
    return _channels(image) if data[:4] in _TIFF else image


def read_page(path: Path, number: int) -> np.ndarray:
    """Read one page of a TIFF, counted from 1, as OpenCV knows it: also 16-bit colours, and 64 bits.

    Raises
    ------
    SourceError
        If it cannot be decoded.
    """
    try:
        _, pages = cv2.imreadmulti(str(path), number - 1, 1, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pages = ()
    if not pages:
        raise SourceError(f"Page {number} of {path} cannot be decoded; restore the file.")
    return _channels(pages[0])


def _channels(image: np.ndarray) -> np.ndarray:
    """Return one or three channels of a TIFF, which may also have transparency."""
    image = image[..., :3] if image.ndim == 3 and image.shape[2] > 2 else image.reshape(image.shape[:2])
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.dtype == np.uint8 and image.ndim == 2 else image


def is_left_to_opencv(picture: Any) -> bool:
    """Return whether Pillow would lose depth: PNG and TIFF with colours of 16 bits, and signed or 64-bit TIFF."""
    if picture.format == "PNG":
        return picture.mode.startswith("I")
    if picture.format != "TIFF":
        return False
    bits = picture.tag_v2.get(258, (1,))
    formats = picture.tag_v2.get(339, (1,))
    return max(bits) > 32 or (max(bits) > 8 and (len(bits) > 1 or (max(bits) == 16 and max(formats) == 2)))


def _broken(path: Path) -> SourceError:
    return SourceError(f"The image {path} cannot be decoded, as it is damaged or of an unknown kind; give a PNG.")


def _decode_jpeg(data: bytes, path: Path) -> np.ndarray | None:
    """Return the pixels of OpenCV's decoder in a quarter of its time; None for kinds that are left to OpenCV."""
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
        warn(f"The image {path} may be damaged ({error}); it is used unchanged.")
        return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=False)


def _is_cut(data: bytes) -> bool:
    """Return whether a JPEG or PNG lacks its end marker, or a TIFF one of its pages."""
    if data[:8] == _PNG:
        return data.rfind(b"IEND") < 0
    if data[:4] in _TIFF:
        return tiff_pages(io.BytesIO(data), len(data)) is None
    # an embedded thumbnail has an end marker of its own
    return data[:2] == _JPEG and data.find(b"\xff\xd9", _first_scan(data)) < 0


def _first_scan(data: bytes) -> int:
    """Return where the segments of a JPEG that describe it end, and its first scan begins."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:  # padding
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position


def tiff_pages(file: BinaryIO, size: int) -> int | None:
    """Return how many pages a TIFF has; None if it refers to one beyond its end.

    TIFF 6.0, section 2; BigTIFF has longer fields.
    """
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
    big = head[2:4] in (b"+\0", b"\0+")
    counted, entry, offset = (8, 20, 8) if big else (2, 12, 4)  # bytes of the count, an entry, an offset
    place = int.from_bytes(head[8:16] if big else head[4:8], order)
    seen: set[int] = set()
    while place and place not in seen:
        seen.add(place)
        file.seek(place)
        count = int.from_bytes(file.read(counted), order)
        end = place + counted + count * entry + offset
        if end > size:
            return None
        file.seek(end - offset)
        place = int.from_bytes(file.read(offset), order)
    return len(seen)


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

    Examples
    --------
    >>> crop(np.zeros((100, 200, 3), np.uint8), (10, 10, 20, 40), height=88).shape
    (88, 44, 3)
    """
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
