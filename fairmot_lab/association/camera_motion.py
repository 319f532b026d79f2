"""How the camera moved from each frame to the next: estimated once per sequence, kept, and given to any tracker.

Points of the background (everything outside the detections) are followed from one frame to the next, and the rotation,
scale and shift that most of them agree on is the camera's motion. BoT-SORT made this common in tracking: N. Aharon,
R. Orfaig, B. Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write, file_name, write_error
from .._progress import progress_bar
from ..detection.cache import CachedDetections, as_detections
from ..errors import ConfigError, TrackingError
from ..sources.many import run_each, several
from ..sources.open import open_source

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..sources.base import Frame, Source

METHODS = {
    "flow": "corners followed by sparse optical flow (Lucas-Kanade), RANSAC",
    "orb": "ORB features matched by their descriptors, RANSAC; for large motion between frames",
    "ecc": "the whole picture aligned by its correlation (ECC); for pictures without corners",
}
FORMAT = 1
COLUMNS = ("frame", "xx", "xy", "dx", "yx", "yy", "dy", "points", "inliers", "before", "after")
_KINDS: dict[str, Any] = {name: np.int64 if name in ("frame", "points", "inliers") else float for name in COLUMNS}
WIDTH = {"flow": 640, "orb": 640, "ecc": 320}  # frames are scaled down to about this many pixels
FEWEST = 10  # points that must agree
MASK_SCORE = 0.3  # boxes with a lower score are not left out


class CameraMotion(Mapping[int, np.ndarray]):
    """The motion of the camera in a sequence: from a frame's number to an affine matrix (2, 3).

    The matrix moves points of the frame before to where they are in this one, in pixels of the original image.

    Attributes
    ----------
    name : str
        Of the sequence.
    method : str
        One of `METHODS`.
    table : pandas.DataFrame
        One row per frame: `frame`; the matrix, `x' = xx x + xy y + dx` and `y' = yx x + yy y + dy`; `points` followed
        and `inliers` that agree with it; `before` and `after`, the mean difference of the frame to the one before,
        outside the detections, in grey levels (0 to 255), before and after the motion is compensated.
    path : pathlib.Path or None
        The file it is kept in.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame([[2, 1, 0, 5.0, 0, 1, 0, 90, 88, 9.1, 2.0]], columns=COLUMNS)
    >>> motion = CameraMotion("shift", "flow", table)
    >>> motion[2]
    array([[1., 0., 5.],
           [0., 1., 0.]])
    """

    def __init__(self, name: str, method: str, table: pd.DataFrame, path: Path | None = None) -> None:
        self.name, self.method, self.table, self.path = name, method, table, path
        matrices = table[list(COLUMNS[1:7])].to_numpy(np.float64).reshape(-1, 2, 3)
        self._matrices = dict(zip(table["frame"].tolist(), matrices, strict=True))

    def __getitem__(self, frame: int) -> np.ndarray:
        return self._matrices[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(self._matrices)

    def __len__(self) -> int:
        return len(self._matrices)

    def __repr__(self) -> str:
        return f"<camera motion of {self.name!r}: {self.method}, {len(self)} frames>"

    @property
    def digest(self) -> str:
        """SHA-256 of the matrices."""
        return hashlib.sha256(self.table[list(COLUMNS[:7])].to_numpy("<f8").tobytes()).hexdigest()


def camera_motion(
    source: Any,
    detections: Any = None,
    *,
    method: str = "flow",
    min_score: float = MASK_SCORE,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Any:
    """Estimate how the camera moved in every frame of a sequence.

    The result is kept on disk beside detections that `detect()` kept. Called again it is read from there; after an
    interruption it resumes behind the last complete frame.

    Parameters
    ----------
    source
        A `Source` or anything that `open_source` takes. Several sequences, as for `detect`: a folder of them such as
        `MOT17/train`, a list, or a dict from name to one.
    detections
        Of the same sequence: people move by themselves, so that their boxes are left out. Of several sequences a dict
        by name, as `detect` returns it.
    method
        "flow", "orb" or "ecc"; see `METHODS`.
    min_score
        Boxes with a lower score are not left out.
    folder
        Where the result is kept; needed to keep it for public detections, or without detections.
    n_jobs
        Of several sequences: processes, as joblib counts them; by default joblib's own setting.
    progress
        Show a progress bar.

    Returns
    -------
    CameraMotion
        It can be given to `track`, `trace` and `sweep` as `camera_motion`, or kept with the detections, as
        `detections.camera_motion`, for all that tracks them. The first frame has no motion; a frame in
        which fewer than 10 points agree, or in which the motion found does not bring the pictures closer, has none.
        Of several sequences a dict by name, which `track` takes too; sequences that fail are named at the end.

    Raises
    ------
    ConfigError
        If there is no such method, or the detections of several sequences are not by name.
    TrackingError
        If the detections are of a sequence of another size or length.
    SourceError
        If a frame cannot be read; what was found before is kept.
    WriteError
        If the result cannot be written.

    Examples
    --------
    >>> pictures = [np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)] * 3
    >>> motion = camera_motion(pictures, progress=False)
    >>> motion[3].round(3)
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    if method not in METHODS:
        raise ConfigError(f"There is no method {method!r} for camera motion; there are {', '.join(METHODS)}.")
    sequences = several(source)
    if sequences is not None:
        if detections is not None and not isinstance(detections, Mapping):
            raise ConfigError(
                f"{len(sequences)} sequences need their detections as a dict by name; detect() returns one."
            )
        each = functools.partial(
            _motion_of, detections=detections or {}, method=method, min_score=min_score, folder=folder
        )
        return run_each(each, sequences, n_jobs=n_jobs, description="camera motion", progress=progress)
    source = open_source(source)
    detections = None if detections is None else as_detections(detections)
    _check_same(source, detections)
    path = _place(source, detections, method, min_score, folder)
    rows, is_whole = ([], False) if path is None else _read(path)
    if not is_whole:
        rows = _estimate(source, detections, method, min_score, path, rows, progress)
    return CameraMotion(source.name, method, pd.DataFrame(rows, columns=COLUMNS).astype(_KINDS), path)


def _motion_of(name: str, source: Any, *, detections: Mapping[str, Any], **options: Any) -> CameraMotion:
    return camera_motion(source, detections.get(name), progress=False, **options)


def motion_by_sequence(camera_motion: Any, names: list[str]) -> dict[str, Any]:
    """Return the camera motion of each sequence by name, from that of one, a list, or a dict.

    Raises
    ------
    ConfigError
        If it is of a sequence that is not among `names`.
    """
    if camera_motion is None:
        return {}
    if isinstance(camera_motion, CameraMotion):
        camera_motion = [camera_motion]
    if not isinstance(camera_motion, Mapping):
        camera_motion = {one.name: one for one in camera_motion}
    elif camera_motion and len(names) == 1 and not any(isinstance(key, str) for key in camera_motion):
        camera_motion = {names[0]: camera_motion}  # matrices by frame
    unknown = [name for name in camera_motion if name not in names]
    if unknown:
        raise ConfigError(f"camera_motion is of {unknown[0]}, and the detections are of {', '.join(names)}.")
    return dict(camera_motion)


# -- one pair of frames


class MotionEstimator:
    """Estimate the motion from each frame to the next, one at a time.

    Parameters
    ----------
    width, height
        Of the frames in pixels.
    method
        One of `METHODS`.

    Examples
    --------
    >>> estimator = MotionEstimator(160, 120)
    >>> estimator.update(np.zeros((120, 160, 3), np.uint8))[:6]
    (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    """

    def __init__(self, width: int, height: int, method: str = "flow") -> None:
        self._method = method
        self._factor = max(1, round(width / WIDTH[method]))
        self._size = (max(1, width // self._factor), max(1, height // self._factor))
        # pixel (0, 0) of the smaller picture is the centre of factor x factor pixels
        self._scale = np.array([width / self._size[0], height / self._size[1]])
        self._before: np.ndarray | None = None
        self._mask: np.ndarray | None = None
        self._features: Any = None

    def update(self, image: np.ndarray, boxes: np.ndarray | None = None) -> tuple[float, ...]:
        """Return the matrix (6 numbers, row by row), points, inliers, and the difference before and after.

        Parameters
        ----------
        image : (H, W, 3) uint8, BGR
        boxes : (N, 4) or None
            x, y, w, h in pixels: left out.
        """
        picture = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if self._factor > 1:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        mask = self._background(boxes)
        before, before_mask = self._before, self._mask
        self._before, self._mask = picture, mask
        if before is None or before_mask is None:
            self._features = self._describe(picture, mask)
            return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0, 0, 0.0, 0.0)
        matrix, points, inliers = getattr(self, f"_{self._method}")(before, picture, before_mask, mask)
        seen = before_mask & mask
        plain = _difference(before, picture, seen)
        if matrix is not None:
            moved = cv2.warpAffine(before, matrix, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            inside = cv2.warpAffine(before_mask, matrix, self._size, flags=cv2.INTER_NEAREST)
            after = _difference(moved, picture, inside & mask)
            if after < plain:
                return (*self._enlarged(matrix), points, inliers, plain, after)
        return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, points, 0, plain, plain)

    def _background(self, boxes: np.ndarray | None) -> np.ndarray:
        mask = np.full(self._size[::-1], 255, np.uint8)
        for x, y, w, h in np.empty((0, 4)) if boxes is None else np.asarray(boxes, np.float64):
            left, top = max(0, int(x / self._scale[0])), max(0, int(y / self._scale[1]))
            mask[top : max(0, int((y + h) / self._scale[1]) + 1), left : max(0, int((x + w) / self._scale[0]) + 1)] = 0
        return mask

    def _enlarged(self, matrix: np.ndarray) -> tuple[float, ...]:
        """Return the matrix in pixels of the original image."""
        scale, half = np.diag(self._scale), (self._scale - 1) / 2
        turn = scale @ matrix[:, :2] @ np.linalg.inv(scale)
        shift = scale @ matrix[:, 2] + half - turn @ half
        return (*turn[0].tolist(), float(shift[0]), *turn[1].tolist(), float(shift[1]))

    def _describe(self, picture: np.ndarray, mask: np.ndarray) -> Any:
        """Return what the next frame is compared with besides the picture."""
        if self._method == "orb":
            return _ORB.detectAndCompute(picture, mask)
        return None

    def _flow(self, before: np.ndarray, picture: np.ndarray, before_mask: np.ndarray, mask: np.ndarray) -> _Found:
        start = cv2.goodFeaturesToTrack(before, 300, 0.01, 8, mask=before_mask)
        if start is None or len(start) < FEWEST:
            return None, 0, 0
        end, is_found, _ = cv2.calcOpticalFlowPyrLK(before, picture, start, None, winSize=(15, 15), maxLevel=3)
        kept = is_found[:, 0] == 1
        return _agree(start[kept, 0], end[kept, 0])

    def _orb(self, before: np.ndarray, picture: np.ndarray, before_mask: np.ndarray, mask: np.ndarray) -> _Found:
        (old, old_words), (new, new_words) = self._features, self._describe(picture, mask)
        self._features = new, new_words
        if min(len(old), len(new)) < FEWEST:
            return None, 0, 0
        pairs = [pair for pair in _MATCHER.knnMatch(old_words, new_words, 2) if len(pair) == 2]
        good = [first for first, second in pairs if first.distance < 0.9 * second.distance]
        start = np.array([old[match.queryIdx].pt for match in good], np.float32).reshape(-1, 2)
        end = np.array([new[match.trainIdx].pt for match in good], np.float32).reshape(-1, 2)
        near = (np.abs(end - start) < 0.25 * np.array(self._size)).all(1)
        return _agree(start[near], end[near])

    def _ecc(self, before: np.ndarray, picture: np.ndarray, before_mask: np.ndarray, mask: np.ndarray) -> _Found:
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
        try:
            _, matrix = cv2.findTransformECC(
                before, picture, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, mask, 5
            )
        except cv2.error:  # it does not converge, or nothing is left to compare
            return None, 0, 0
        return matrix.astype(np.float64), int(np.count_nonzero(mask)), int(np.count_nonzero(mask))


_Found = tuple[np.ndarray | None, int, int]
_ORB = cv2.ORB_create(nfeatures=500, nlevels=2, fastThreshold=15)
_MATCHER = cv2.BFMatcher(cv2.NORM_HAMMING)


def _agree(start: np.ndarray, end: np.ndarray) -> _Found:
    """Return the rotation, scale and shift that most points agree on."""
    if len(start) < FEWEST:
        return None, len(start), 0
    cv2.setRNGSeed(0)  # RANSAC draws points: the same ones each time
    matrix, inliers = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    count = 0 if inliers is None else int(inliers.sum())
    return (matrix if count >= FEWEST else None), len(start), count


def _difference(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    return float(cv2.mean(cv2.absdiff(one, other), mask=mask)[0])


# -- a sequence, and the file


def _check_same(source: Source, detections: Detections | None) -> None:
    if detections is None:
        return
    size = detections.width, detections.height
    if None not in size and size != (source.width, source.height):
        raise TrackingError(
            f"The detections of {detections.name} belong to frames of {size[0]}x{size[1]} and {source.name} has "
            f"{source.width}x{source.height}; give the detections of the same sequence."
        )
    if detections.length and source.length and detections.length != source.length:
        raise TrackingError(
            f"The detections of {detections.name} cover {detections.length} frames and {source.name} has "
            f"{source.length}; give the detections of the same sequence."
        )


def _place(source: Source, detections: Detections | None, method: str, min_score: float, folder: Any) -> Path | None:
    """Return the file that the result is kept in; its name holds a digest of all that it depends on."""
    if folder is None and isinstance(detections, CachedDetections):
        folder = detections.path.parent
    if folder is None:
        return None
    key = {
        "format": FORMAT,
        "method": method,
        "min_score": min_score,
        "width": WIDTH[method],
        "source": source.fingerprint(),
        "detections": None if detections is None else _digest(detections),
        "opencv": cv2.__version__,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return Path(folder) / f"{file_name(source.name)}.camera-{method}-{digest}.csv"


def _digest(detections: Detections) -> str:
    parts = (detections.frames, detections.offsets, detections.boxes, detections.scores)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def _read(path: Path) -> tuple[list[list[float]], bool]:
    """Return the complete rows of a result, or of one that was interrupted or damaged; and whether it is whole."""
    file = path if path.is_file() else _part(path)
    if not file.is_file():
        return [], False
    header, *lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    rows: list[list[float]] = []
    if header != ",".join(COLUMNS):
        return rows, False
    for line in lines[:-1]:  # what follows the last line break is not complete
        try:
            rows.append([kind(value) for kind, value in zip(_KINDS.values(), line.split(","), strict=True)])
        except ValueError:
            return rows, False
    return rows, file == path and bool(rows) and not lines[-1]


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _estimate(
    source: Source,
    detections: Detections | None,
    method: str,
    min_score: float,
    path: Path | None,
    rows: list[list[float]],
    progress: bool,
) -> list[list[float]]:
    estimator = MotionEstimator(source.width, source.height, method)
    threads = cv2.getNumThreads()
    bar = progress_bar(
        total=source.length, initial=len(rows), unit="frame", desc=f"{source.name}: camera", disable=not progress
    )
    file = None
    try:
        if path is not None:
            file = _open_part(path, rows)
        cv2.setNumThreads(1)
        for frame in source.frames(max(1, len(rows))):
            motion = estimator.update(frame.image, _boxes(detections, frame, min_score))
            if frame.number <= len(rows):  # the frame before the first one that is missing
                continue
            rows.append([frame.number, *motion])
            if file is not None and path is not None:
                try:
                    file.write(_line(rows[-1]))
                    file.flush()
                except OSError as error:
                    raise write_error(path, error) from error
            bar.update()
    finally:
        cv2.setNumThreads(threads)
        bar.close()
        if file is not None:
            file.close()
    if path is not None:
        with atomic_write(path) as temporary:
            os.replace(_part(path), temporary)
    return rows


def _open_part(path: Path, rows: list[list[float]]) -> Any:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _part(path).open("w", encoding="utf-8", newline="\n")
        file.write("".join(map(_line, [COLUMNS, *rows])))
    except OSError as error:
        raise write_error(path, error) from error
    return file


def _line(row: Iterable[Any]) -> str:
    return ",".join(map(str, row)) + "\n"


def _boxes(detections: Detections | None, frame: Frame, min_score: float) -> np.ndarray | None:
    if detections is None or frame.number not in detections.frames:
        return None
    found = detections.frame(frame.number)
    return found.boxes[found.scores >= min_score]
