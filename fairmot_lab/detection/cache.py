"""Detections kept on disk: computed once, resumable, checked, replayed at interactive speed.

The file of a sequence is `FOLDER/NAME.tar` (see `archive` for how it is kept whole):

    detections.json           source, detector, what is kept
    detections.sha256
    000001.safetensors        boxes, scores, class_ids, discarded; embeddings (float16) and peaks where there are any
    000001.png                heatmap, 8 bits: round(255 * score), where there is one
    000001.json               only where the frame is missing, or its letterbox is not that of the detector's input
    000001.sha256             checksum of the members of frame 1 and of all before
    000002.safetensors ...
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .._files import cannot_read, exists, file_name, make_folder
from .._progress import progress_bar
from ..data import STRIDE, FrameDetections, Letterbox, frame_grid
from ..errors import DetectionsError, SourceError, warn
from ..sources.many import run_each, several
from ..sources.open import open_source
from .archive import ArchiveScan, ArchiveWriter, is_being_written
from .detections import Columns, Detections, PublicDetections, join_frames
from .detector import Detector, check_detector, run_detector
from .download import download_first
from .model import as_detector

if TYPE_CHECKING:
    from ..sources.base import Frame, Source

FORMAT = 2
MAP_CACHE_BYTES = 256 * 2**20
REPLACEABLE = ("engine", "versions")  # parts of a description that may differ for complete detections


@dataclass(frozen=True)
class DetectionsInfo:
    """What the detections of a sequence were made from: the first member of the file.

    Attributes
    ----------
    name, frame_rate, width, height, length
        Of the source; `length` is None where it was not known beforehand.
    source
        The source's fingerprint.
    model
        The detector's name.
    detector
        All that decides the detector's numbers, as its `describe()` gave it.
    heatmaps
        Whether heatmaps were kept, where the detector gives them.
    class_names
        From class id (as text) to name.
    tracker
        Name and settings of the tracker that the detector was published with; empty where that is unknown.
    """

    name: str
    frame_rate: float
    width: int
    height: int
    length: int | None
    source: str
    model: str
    detector: dict[str, Any]
    heatmaps: bool
    class_names: dict[str, str] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @functools.cached_property
    def letterbox(self) -> Letterbox | None:
        """How the frames lie in the detector's input; None where the detector does not say its size."""
        width, height = self.detector.get("input_width"), self.detector.get("input_height")
        stride = self.detector.get("stride", STRIDE)
        return Letterbox.fit((self.width, self.height), (width, height), stride) if width and height else None


class CachedDetections(Detections):
    """Detections that `detect()` wrote; also while it is still writing (see `refresh`).

    Parameters
    ----------
    path
        The `.tar` file.

    Raises
    ------
    DetectionsError
        If the file is not one of detections, is damaged, or holds nothing yet.
    """

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self._scan = ArchiveScan(self.path)
        with self._open() as file:
            self._scan.run(file)
            if not self._scan.places:
                raise DetectionsError(f"{self.path} holds no frame yet; call detect() to compute the detections.")
            self.info = info = _unpack_info(self._scan.read(file, 0), self.path)
        self.name, self.frame_rate, self.length = info.name, info.frame_rate, info.length
        self.width, self.height = info.width, info.height
        self.class_names = {int(key): name for key, name in info.class_names.items()}
        self.fingerprint = {**info.detector, **asdict(info)}
        self._maps: OrderedDict[int, np.ndarray] = OrderedDict()
        self._has_heatmaps: bool | None = None
        if not self.complete and not is_being_written(self.path):
            of = "" if self.length is None else f" of {self.length}"
            warn(f"{self.path} is not finished: it holds {len(self)}{of} frames; call detect() again to resume.")

    def __reduce__(self) -> tuple[Any, ...]:
        return CachedDetections, (self.path,), {"camera_motion": self.camera_motion} if self.camera_motion else None

    @property
    def complete(self) -> bool:
        """Whether the last frame of the source is held."""
        return self._scan.closed

    @property
    def has_heatmaps(self) -> bool:  # type: ignore[override]
        """Whether heatmaps are kept, read from the first frame that is not missing."""
        if self._has_heatmaps is None and len(self):
            known = np.setdiff1d(self.frames, self.missing)
            self._has_heatmaps = len(known) > 0 and self.frame(int(known[0])).heatmap is not None
        return bool(self._has_heatmaps)

    @property
    def frames(self) -> np.ndarray:
        """Frame numbers (F,) int64 that are held, 1 to F."""
        return np.arange(1, len(self._scan.places), dtype=np.int64)

    def refresh(self) -> int:
        """Look for frames that were added since the file was opened; return how many there are now."""
        with self._open() as file:
            self._scan.run(file)
        return len(self)

    def frame(self, number: int) -> FrameDetections:
        """Return the detections of one frame; `heatmap` is in steps of 1/255.

        Raises
        ------
        DetectionsError
            If the frame is not held, or its bytes are damaged.
        """
        if not 1 <= number <= len(self):
            raise DetectionsError(f"{self.path} holds no frame {number}; it holds the frames 1 to {len(self)}.")
        with self._open() as file:
            return _unpack(self._scan.read(file, number), number, self.info, self.path)

    def _columns(self) -> Columns:
        if self._held is None or len(self._held.frames) != len(self):
            parts, missing = [], []
            with self._open() as file:
                for number in self.frames.tolist():
                    members = self._scan.read(file, number)
                    parts.append(_unpack(members, number, self.info, self.path, heatmap=False))
                    if "safetensors" not in members:
                        missing.append(number)
            self._held, self._missing = join_frames(self.frames, parts), tuple(missing)
            self._grid = frame_grid(np.setdiff1d(self.frames, missing)) if missing else None  # type: ignore[arg-type]
        return self._held

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DetectionsError(cannot_read(self.path, error)) from error

    def embedding_map(self, number: int, source: Source, detector: Any) -> np.ndarray:
        """Run the network on one frame again for its embedding map; the latest maps stay in memory.

        Parameters
        ----------
        number
            Frame number, counted from 1.
        source
            The source that the detections were made from.
        detector
            The detector that made them.

        Returns
        -------
        (D, H, W) float32
            Unit length along the first axis.

        Raises
        ------
        DetectionsError
            If the source or the detector is another one, or the detector has no embedding maps.
        """
        if number not in self._maps:
            if not hasattr(detector, "embedding_map"):
                raise DetectionsError(f"{check_detector(detector).name} has no embedding_map(); use a FairMOT model.")
            held = {"source": self.info.source, **_essential(self.info.detector)}
            _refuse_difference(self.path, held, {"source": source.fingerprint(), **_essential(detector.describe())})
            self._maps[number] = detector.embedding_map(source.image(number))
            while len(self._maps) > 1 and sum(kept.nbytes for kept in self._maps.values()) > MAP_CACHE_BYTES:
                self._maps.popitem(last=False)
        self._maps.move_to_end(number)
        return self._maps[number]


def open_detections(path: str | os.PathLike[str], name: str | None = None) -> Detections:
    """Open kept detections, or MOTChallenge public detections.

    Parameters
    ----------
    path
        A folder or `.tar` file that `detect()` wrote, a `det.txt`, or a sequence folder with `det/det.txt`.
    name
        Which sequence, where the folder holds several; of a text file, the name of its sequence.

    Returns
    -------
    Detections
        `CachedDetections` or `PublicDetections`. Every byte of kept detections is checked now, and again when it is
        used.

    Raises
    ------
    DetectionsError
        If there is no such thing, the file is damaged, or `name` is needed to choose.
    MotFileError
        If a detection file is malformed.

    Examples
    --------
    >>> import tempfile
    >>> scene = fl.example()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = detect(scene.source, "fairmot_lite", folder, progress=False)
    ...     print(open_detections(folder).name)
    crossing
    """
    path = Path(path)
    if not exists(path, DetectionsError):
        raise DetectionsError(f"{path} does not exist; compute detections with detect(), or name a det.txt.")
    if path.is_dir():
        found = {file.stem: file for file in sorted(path.glob("*.tar"))}
        if name is None and len(found) == 1:
            name = next(iter(found))
        known = found.get(name or "") or found.get(file_name(name or "-"))
        if known is not None:
            return CachedDetections(known)
        if (path / "det" / "det.txt").is_file():
            return PublicDetections(path / "det" / "det.txt")
        if not found:
            raise DetectionsError(
                f"{path} holds neither kept detections (*.tar) nor det/det.txt; compute some with detect()."
            )
        held = ", ".join(found)
        wanted = "several sequences" if name is None else f"no {name}"
        raise DetectionsError(f"{path} holds {wanted}; it holds {held}: name one, or its .tar file.")
    if path.name.endswith((".txt", ".txt.gz", ".csv")):
        return PublicDetections(path, name)
    if path.suffix != ".tar" and not tarfile.is_tarfile(path):
        raise DetectionsError(
            f"{path} is not a file of detections; give a .tar that detect() wrote, or text in the form of det.txt."
        )
    return CachedDetections(path)


def as_detections(detections: Any) -> Detections:
    """Return detections: those that are given, or those of a path that `open_detections` takes.

    Raises
    ------
    DetectionsError
        If it is neither.

    Examples
    --------
    >>> as_detections([1, 2])
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.DetectionsError: Detections cannot be a list; give what detect() or open_detections() returns, \
or its path.
    """
    if isinstance(detections, str | os.PathLike):
        return open_detections(detections)
    if not hasattr(detections, "offsets"):
        raise DetectionsError(
            f"Detections cannot be a {type(detections).__name__}; give what detect() or open_detections() returns, or "
            "its path."
        )
    return detections


def detect(
    source: Any,
    model: Detector | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    heatmaps: bool = True,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Any:
    """Run a detector over a source, or over several, and keep the detections.

    Called again it resumes after the last complete frame, whatever ended the run before; in the end the file has the
    same bytes as that of a run in one go. Reading, the network, and writing overlap.

    Parameters
    ----------
    source
        A `Source` or anything that `open_source()` takes. Several sequences: a folder of them such as `MOT17/train`, a
        list, or a dict from name to one.
    model
        A `Detector`, or a name or path that `load_model()` takes.
    folder
        Where the detections go: `folder/NAME.tar`, `NAME` being the source's name.
    heatmaps
        Whether the centre heatmaps are kept too (as 8-bit PNG), where the detector gives them.
    n_jobs
        Of several sequences: processes, as joblib counts them; by default joblib's own setting.
    progress
        Whether a progress bar is shown.

    Returns
    -------
    CachedDetections
        Of several sequences a dict from name to `CachedDetections`. A sequence that fails is reported at the end; the
        others are kept.

    Raises
    ------
    DetectionsError
        If the file was made from something else (it names what differs), is damaged, or is being written by another
        process; or if the detector breaks its protocol.
    SourceError
        If a frame cannot be read, or the source changes while it is read; the frames before are kept.
    WriteError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> scene = fl.example()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     detections = detect(scene.source, "fairmot_lite", folder, progress=False)
    ...     print(len(detections), detections.has_embeddings)
    40 True
    """
    sequences = several(source)
    if sequences is not None:
        download_first(model)
        each = functools.partial(
            _detect_one, model=model, folder=folder, heatmaps=heatmaps, named=isinstance(source, Mapping)
        )
        return run_each(each, sequences, n_jobs=n_jobs, description="detect", progress=progress)
    with DetectionWriter(source, model, folder, heatmaps=heatmaps) as writer:
        info = writer.info
        off = not progress or writer.held == info.length  # nothing is left to do
        bar = progress_bar(total=info.length, initial=writer.held, unit="frame", desc=info.name, disable=off)
        with bar:
            for _ in writer.run():
                bar.update()
    return CachedDetections(writer.path)


def _detect_one(name: str, source: Any, *, named: bool, **options: Any) -> CachedDetections:
    if named:
        source = copy.copy(open_source(source))
        source.name = name
    return detect(source, progress=False, **options)


class DetectionWriter:
    """Compute and keep the detections of a source frame by frame, in a `with` block; `detect` does it in one call.

    Parameters are those of `detect`, and so are the errors.

    Attributes
    ----------
    source, model
        The opened source and the detector.
    path : pathlib.Path
        The file.
    info : DetectionsInfo
    held : int
        How many frames were kept by an earlier run: `read` gives them, and `run` begins after them.
    """

    def __init__(
        self,
        source: Any,
        model: Detector | str | os.PathLike[str],
        folder: str | os.PathLike[str],
        *,
        heatmaps: bool = True,
    ) -> None:
        self.source = source = open_source(source)
        folder = make_folder(folder)
        self.model = model = as_detector(model)
        self.info = info = DetectionsInfo(
            name=source.name,
            frame_rate=float(source.frame_rate),
            width=source.width,
            height=source.height,
            length=source.length,
            source=source.fingerprint(),
            model=model.name,
            detector=_json(model.describe(), model.name),
            heatmaps=heatmaps,
            class_names={str(key): str(name) for key, name in getattr(model, "class_names", {}).items()},
            tracker=_json(dict(getattr(model, "default_tracker", None) or {}), model.name),
        )
        self.path = folder / f"{file_name(source.name)}.tar"
        self._archive = ArchiveWriter(self.path)
        try:
            if self._archive.groups:
                _compare(self.path, _unpack_info(self._archive.read(0), self.path), info, self._archive.closed)
            else:
                self._archive.append({"json": json.dumps(asdict(info), indent=1).encode() + b"\n"})
        except BaseException:
            self._archive.close()
            raise
        self.held = self._archive.groups - 1
        self.closed = self._archive.closed

    def __enter__(self) -> DetectionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, number: int) -> FrameDetections | None:
        """Return the detections of a frame that an earlier run kept; None where it kept the frame as missing."""
        members = self._archive.read(number)
        return _unpack(members, number, self.info, self.path) if "safetensors" in members else None

    def run(self) -> Iterator[tuple[Frame, FrameDetections]]:
        """Run the detector over the frames that are not held, and yield each after it is kept.

        A frame that the source leaves out because it is damaged is kept as missing, and not yielded.
        """
        if not self.closed:
            rest: Iterator[Frame] = iter(())
            if self.held != self.source.length:
                rest = self.source.frames(first=self.held + 1)
            results = run_detector(self.model, rest)
            with contextlib.closing(results):  # type: ignore[type-var]
                for frame, detections in results:
                    self._mark_missing(frame.number)
                    self._archive.append(_pack(detections, self.info))
                    yield frame, detections
            self._finish()
        self._archive.finish()

    def _finish(self) -> None:
        """Mark what the source could not give at its end, unless the source is no longer what it was."""
        length, held = self.info.length, self._archive.groups - 1
        if length is None or held >= length:
            return
        if self.source.fingerprint() != self.info.source:
            raise SourceError(
                f"{self.source.name} changed while it was read: {held} of {length} frames were read and are kept in "
                f"{self.path}; call detect() again when the source is whole."
            )
        self._mark_missing(length + 1)

    def _mark_missing(self, number: int) -> None:
        """Keep frames up to `number`, which comes next, as missing."""
        if number < self._archive.groups:
            raise DetectionsError(
                f"{self.info.name} gave frame {number} where {self._archive.groups} was expected; run() must yield "
                "the frames in order."
            )
        while self._archive.groups < number:
            self._archive.append({"json": b'{"missing": true}\n'})


def _json(description: Any, name: str) -> dict[str, Any]:
    """Return the description as it comes back from a file."""
    try:
        return dict(json.loads(json.dumps(description)))
    except (TypeError, ValueError) as error:
        raise DetectionsError(f"{name}: describe() must return a dict of what JSON can hold ({error}).") from error


def _pack(detections: FrameDetections, info: DetectionsInfo) -> dict[str, bytes]:
    ids, heatmap = np.asarray(detections.class_ids), detections.heatmap
    if len(ids) and not -(2**15) <= ids.min() <= ids.max() < 2**15:
        odd = ids[np.abs(ids).argmax()]
        raise DetectionsError(f"Frame {detections.frame} has the class id {odd}; ids up to {2**15 - 1} can be kept.")
    if info.heatmaps and heatmap is not None and not (np.min(heatmap) >= -0.002 and np.max(heatmap) <= 1.002):
        raise DetectionsError(
            f"Frame {detections.frame} has a heatmap from {np.min(heatmap):g} to {np.max(heatmap):g}; those that are "
            "kept go from 0 to 1 (or leave them out: heatmaps=False)."
        )
    arrays = {
        "boxes": np.asarray(detections.boxes, np.float32),
        "scores": np.asarray(detections.scores, np.float32),
        "class_ids": np.asarray(detections.class_ids, np.int16),
        "discarded": np.array([detections.discarded], np.uint16),
    }
    if detections.embeddings is not None:
        arrays["embeddings"] = np.asarray(detections.embeddings, np.float16)
    if detections.peaks is not None:
        arrays["peaks"] = np.asarray(detections.peaks, np.uint16)
    members = {"safetensors": save({key: np.ascontiguousarray(value) for key, value in arrays.items()})}
    if info.heatmaps and detections.heatmap is not None:
        pixels = np.rint(np.clip(detections.heatmap, 0, 1) * 255).astype(np.uint8)
        members["png"] = cv2.imencode(".png", pixels)[1].tobytes()
        if detections.letterbox is not None and detections.letterbox != info.letterbox:
            members["json"] = json.dumps({"letterbox": asdict(detections.letterbox)}).encode() + b"\n"
    return members


def _unpack(
    members: dict[str, bytes], number: int, info: DetectionsInfo, path: Path, heatmap: bool = True
) -> FrameDetections:
    try:
        beside = json.loads(members.get("json", b"{}"))
        if "safetensors" not in members:
            return FrameDetections(number, np.empty((0, 4), np.float32), np.empty(0, np.float32))
        arrays = load(members["safetensors"])
        count = len(arrays["scores"])
        wanted = {"boxes": (count, 4), "scores": (count,), "class_ids": (count,), "discarded": (1,)}
        if any(arrays[key].shape != shape for key, shape in wanted.items()):
            raise ValueError("arrays that do not belong together")
        scores = None
        if heatmap and "png" in members:
            pixels = cv2.imdecode(np.frombuffer(members["png"], np.uint8), cv2.IMREAD_GRAYSCALE)
            if pixels is None:
                raise ValueError("a heatmap that is not a PNG")
            scores = pixels.astype(np.float32) / np.float32(255)
        embeddings, peaks = arrays.get("embeddings"), arrays.get("peaks")
        if embeddings is not None and len(embeddings) != count:
            raise ValueError("arrays that do not belong together")
        return FrameDetections(
            frame=number,
            boxes=arrays["boxes"].astype(np.float32),
            scores=arrays["scores"].astype(np.float32),
            embeddings=None if embeddings is None else embeddings.astype(np.float32),
            class_ids=arrays["class_ids"].astype(np.int64),
            heatmap=scores,
            letterbox=Letterbox(**beside["letterbox"]) if "letterbox" in beside else info.letterbox,
            peaks=None if peaks is None else peaks.astype(np.int64).reshape(count, 2),
            discarded=int(arrays["discarded"][0]),
        )
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DetectionsError(
            f"{path}: frame {number} was not written by detect() ({error}); remove it and call detect() again."
        ) from error


def _unpack_info(members: dict[str, bytes], path: Path) -> DetectionsInfo:
    try:
        content = json.loads(members["json"])
        if content["format"] != FORMAT:
            raise DetectionsError(
                f"{path} has format {content['format']}, not {FORMAT}; remove it and compute it again."
            )
        info = DetectionsInfo(**content)
        whole = {"width": info.width, "height": info.height, "length": info.length or 1}
        if not all(isinstance(value, int) and 0 < value < 2**31 for value in whole.values()):
            raise ValueError("impossible sizes")
        if not (
            isinstance(info.name, str)
            and isinstance(info.detector, dict)
            and isinstance(info.tracker, dict)
            and 0 < float(info.frame_rate) < 1e6
        ):
            raise ValueError("impossible values")
        info.letterbox  # noqa: B018  # an input size that cannot be
        return info
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, ArithmeticError) as error:
        raise DetectionsError(
            f"{path} is a tar file, but not one that detect() wrote; name one that it did."
        ) from error


def _essential(description: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in description.items() if key not in REPLACEABLE}


def _compare(path: Path, held: DetectionsInfo, wanted: DetectionsInfo, closed: bool) -> None:
    """Refuse to resume with another source, detector or setting; a finished file may come from another engine."""
    before, now = asdict(held), asdict(wanted)
    for part in (before, now):
        del part["model"]  # the same weights may be known by a name or by a path
        detector = part.pop("detector")
        part.update({f"{key} of the detector" if key in part else key: value for key, value in detector.items()})
    if closed and not now["heatmaps"]:
        now["heatmaps"] = before["heatmaps"]  # more than was asked for may be there
    kept = [{name: part.pop(name) for name in ("class_names", "tracker")} for part in (before, now)]
    _refuse_difference(path, _essential(before), _essential(now))
    if changed := _differences(*kept):
        warn(f"{path} was made with {changed}; it is used unchanged: for the new, choose another folder.")
    changed = _differences(*({key: part.get(key) for key in REPLACEABLE} for part in (before, now)))
    if changed and not closed:
        raise DetectionsError(
            f"{path} was begun with {changed}; resume with the same, or remove the file to start again."
        )
    if changed:
        warn(f"{path} was made with {changed}; it is used unchanged.")


def _refuse_difference(path: Path, held: dict[str, Any], now: dict[str, Any]) -> None:
    if changed := _differences(held, now):
        raise DetectionsError(
            f"{path} was made from something else: {changed}; choose another folder, or remove the file to start again."
        )


def _differences(held: dict[str, Any], now: dict[str, Any]) -> str:
    keys = dict.fromkeys([*now, *held])
    return ", ".join(f"{key} {held.get(key)} (now {now.get(key)})" for key in keys if held.get(key) != now.get(key))
