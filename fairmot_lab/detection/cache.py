"""Detections kept on disk: computed once, resumable, checked, replayed at interactive speed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
import pandas as pd

from .._files import make_folder
from ..data import FrameDetections, Letterbox, SequenceArrays
from ..errors import ConfigError, DetectionsError, FairMOTLabWarning
from .archive import ArchiveScan, ArchiveWriter, is_being_written

if TYPE_CHECKING:
    from ..sources.base import Frame, Source
    from .model import Model


FORMAT = 1
MAP_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class DetectionsInfo:
    """What the outputs of a sequence were made from, and how: the first member of the file.

    Attributes
    ----------
    name, frame_rate, width, height, length
        Of the source; `length` is None where it was not known beforehand.
    source
        The source's fingerprint.
    model, architecture, weights_sha256, input_width, input_height, embedding_dim
        The network; `input_width` x `input_height` are pixels.
    score_floor, max_per_frame, heatmaps, nms_iou
        What was kept; `nms_iou` is the model's.
    engine, versions
        What ran the network, with the versions of the libraries that its figures depend on.
    """

    name: str
    frame_rate: float
    width: int
    height: int
    length: int | None
    source: str
    model: str
    architecture: str
    weights_sha256: str
    input_width: int
    input_height: int
    embedding_dim: int
    score_floor: float
    max_per_frame: int
    heatmaps: bool
    engine: str
    versions: dict[str, str]
    nms_iou: float | None = None
    format: int = FORMAT

    @property
    def letterbox(self) -> Letterbox:
        """How the frames lie in the network's input."""
        return Letterbox.fit((self.width, self.height), (self.input_width, self.input_height))


class Detections:
    """The detections of a sequence, by frame or all at once.

    Attributes
    ----------
    name, frame_rate, width, height, length
        Of the sequence. `width`, `height` and `length` are None where nothing tells them.
    fingerprint : dict
        What the outputs were made from.
    has_embeddings, has_heatmaps : bool
    """

    name: str
    frame_rate: float
    width: int | None
    height: int | None
    length: int | None
    fingerprint: dict[str, Any]
    has_embeddings: bool
    has_heatmaps: bool

    def __init__(self) -> None:
        self._arrays: SequenceArrays | None = None

    @property
    def frames(self) -> np.ndarray:
        """(F,) int64: the frame numbers that are held, ascending."""
        raise NotImplementedError

    def frame(self, number: int) -> FrameDetections:
        """The outputs of one frame.

        Raises
        ------
        DetectionsError
            If the frame is not held, or its bytes are damaged.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[FrameDetections]:
        return (self.frame(int(number)) for number in self.frames)

    def arrays(self) -> SequenceArrays:
        """All detections in flat arrays, read once and kept in memory."""
        raise NotImplementedError

    def embeddings(self) -> np.ndarray:
        """(T, D) float32: one row per detection, numbered as the column `det` of `detections()`.

        Raises
        ------
        DetectionsError
            If these are detections without embeddings.
        """
        embeddings = self.arrays().embeddings
        if embeddings is None:
            raise DetectionsError(
                f"{self.name} holds detections without embeddings; make outputs with detect() and a FairMOT model."
            )
        return embeddings

    def detections(self) -> pd.DataFrame:
        """All detections as a table.

        Returns
        -------
        pandas.DataFrame
            `frame` (from 1), `x`, `y`, `w`, `h` (pixels of the original image, top-left corner), `score`, `class_id`
            (-1 unknown), `det` (row in `embeddings()`).
        """
        arrays = self.arrays()
        table = pd.DataFrame(arrays.boxes.astype(np.float64), columns=["x", "y", "w", "h"])
        table.insert(0, "frame", np.repeat(arrays.frames, np.diff(arrays.offsets)))
        table["score"] = arrays.scores.astype(np.float64)
        table["class_id"] = arrays.class_ids
        table["det"] = np.arange(len(table))
        known = {"length": self.length, "width": self.width, "height": self.height}
        table.attrs.update(sequence=self.name, frame_rate=self.frame_rate, **{k: v for k, v in known.items() if v})
        return table

    def embedding_map(self, number: int, source: Source, model: Model) -> np.ndarray:
        """(D, H/4, W/4) float32: the appearance vector of every heatmap cell of one frame.

        Raises
        ------
        DetectionsError
            If these outputs come without embeddings.
        """
        raise DetectionsError(f"{self.name} comes without a network, so there is no embedding map to compute.")


def _join(frames: np.ndarray, parts: list[FrameDetections], embedding_dim: int) -> SequenceArrays:
    return SequenceArrays(
        frames=frames,
        offsets=np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64),
        boxes=np.concatenate([np.empty((0, 4), np.float32), *(part.boxes for part in parts)]),
        scores=np.concatenate([np.empty(0, np.float32), *(part.scores for part in parts)]),
        embeddings=np.concatenate([np.empty((0, embedding_dim), np.float32), *(part.embeddings for part in parts)]),  # type: ignore[misc]
        class_ids=np.concatenate([np.empty(0, np.int64), *(part.class_ids for part in parts)]),
    )


class CachedDetections(Detections):
    """Outputs that `detect()` wrote; also while it is still writing (see `refresh`).

    Parameters
    ----------
    path
        The `.tar` file.

    Raises
    ------
    DetectionsError
        If the file is no outputs file, is damaged, or holds nothing yet.
    """

    has_embeddings = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self._scan = ArchiveScan(self.path)
        with self._open() as file:
            self._scan.run(file)
            being_written = is_being_written(file)
            self._scan.check_digest()
            if not self._scan.places:
                raise DetectionsError(f"{self.path} holds no frame yet; call detect() to make the outputs.")
            self.info = info = _unpack_info(self._scan.read(file, 0), self.path)
        self.name, self.frame_rate, self.length = info.name, info.frame_rate, info.length
        self.width, self.height = info.width, info.height
        self.fingerprint = asdict(info)
        self.has_heatmaps = info.heatmaps
        self._maps: OrderedDict[int, np.ndarray] = OrderedDict()
        if not self.complete and not being_written:
            of = "" if self.length is None else f" of {self.length}"
            warnings.warn(
                f"{self.path} is not finished: it holds {len(self)}{of} frames; call detect() again to go on.",
                FairMOTLabWarning,
                stacklevel=3,
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return CachedDetections, (self.path,)

    @property
    def complete(self) -> bool:
        """Whether the last frame of the source is held."""
        return self._scan.closed

    @property
    def frames(self) -> np.ndarray:
        """(F,) int64: the frame numbers that are held, 1 to F."""
        return np.arange(1, len(self._scan.places), dtype=np.int64)

    def refresh(self) -> int:
        """Look for frames that were added since the file was opened; returns how many there are now."""
        with self._open() as file:
            self._scan.run(file)
        return len(self)

    def frame(self, number: int) -> FrameDetections:
        """The outputs of one frame; `heatmap` is in steps of 1/255.

        Raises
        ------
        DetectionsError
            If the frame is not held, or its bytes are damaged.
        """
        if not 1 <= number <= len(self):
            raise DetectionsError(f"{self.path} holds no frame {number}; it holds the frames 1 to {len(self)}.")
        with self._open() as file:
            return _unpack(self._scan.read(file, number), number, self.info)

    def arrays(self) -> SequenceArrays:
        """All detections in flat arrays, read once and kept in memory."""
        if self._arrays is None or len(self._arrays.frames) != len(self):
            with self._open() as file:
                parts = [
                    _unpack(self._scan.read(file, int(number)), number, self.info, False) for number in self.frames
                ]
            self._arrays = _join(self.frames, parts, self.info.embedding_dim)
        return self._arrays

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DetectionsError(f"{self.path} cannot be read ({error.strerror}).") from error

    def embedding_map(self, number: int, source: Source, model: Model) -> np.ndarray:
        """Run the network on one frame again for its embedding map; the latest maps stay in memory.

        Parameters
        ----------
        number
            Frame number, counted from 1.
        source
            The source that the outputs were made from.
        model
            The model that made them.

        Returns
        -------
        (D, H/4, W/4) float32
            Unit length along the first axis.

        Raises
        ------
        DetectionsError
            If the source or the model is another one.
        """
        if number not in self._maps:
            now = {
                "source": source.fingerprint(),
                "weights_sha256": model.weights_sha256,
                "input_width": model.input_size[0],
                "input_height": model.input_size[1],
            }
            _refuse_difference(self.path, self.fingerprint, now)
            embedding_map = model(source.image(number), frame=number, heatmap=False, embedding_map=True).embedding_map
            assert embedding_map is not None
            self._maps[number] = embedding_map
            while len(self._maps) > 1 and sum(kept.nbytes for kept in self._maps.values()) > MAP_CACHE_BYTES:
                self._maps.popitem(last=False)
        self._maps.move_to_end(number)
        return self._maps[number]


class PublicDetections(Detections):
    """Detections of a MOTChallenge `det.txt`: boxes and scores, no embeddings, no heatmaps.

    Parameters
    ----------
    path
        The text file. A `seqinfo.ini` beside it or in the folder above tells name, length, size and frame rate;
        without one the name is the file's, the length the last frame with a detection, the frame rate 30.
    """

    has_embeddings = False
    has_heatmaps = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from ..formats.mot import read_mot
        from ..formats.seqinfo import read_seqinfo

        super().__init__()
        self.path = Path(path)
        self.name, self.frame_rate, self.width, self.height, self.length = self.path.stem, 30.0, None, None, None
        for folder in (self.path.parent, self.path.parent.parent):
            if (folder / "seqinfo.ini").is_file():
                info = read_seqinfo(folder / "seqinfo.ini")
                self.name, self.frame_rate, self.length = info.name, float(info.frame_rate), info.length
                self.width, self.height = info.width, info.height
                break
        table = read_mot(self.path, kind="detections", length=self.length, width=self.width, height=self.height)
        table = table.sort_values(["frame", "score"], ascending=[True, False], kind="stable")
        if self.length is None:
            self.length = int(table["frame"].max()) if len(table) else 0
        numbers = np.arange(1, self.length + 1)
        self._arrays = SequenceArrays(
            frames=numbers,
            offsets=np.append(0, np.searchsorted(table["frame"].to_numpy(), numbers, side="right")).astype(np.int64),
            boxes=table[["x", "y", "w", "h"]].to_numpy(np.float32),
            scores=table["score"].to_numpy(np.float32),
            embeddings=None,
            class_ids=table["class_id"].to_numpy(np.int64) if "class_id" in table else np.full(len(table), -1),
        )
        self.fingerprint = {
            "name": self.name,
            "detections_sha256": hashlib.sha256(self.path.read_bytes()).hexdigest(),
            "engine": "public detections",
        }

    @property
    def frames(self) -> np.ndarray:
        """(F,) int64: every frame of the sequence, with or without a detection."""
        return self.arrays().frames

    def arrays(self) -> SequenceArrays:
        """All detections in flat arrays; `embeddings` is None."""
        assert self._arrays is not None
        return self._arrays

    def frame(self, number: int) -> FrameDetections:
        """The detections of one frame."""
        arrays = self.arrays()
        if not 1 <= number <= len(arrays.frames):
            raise DetectionsError(
                f"{self.path} holds no frame {number}; it holds the frames 1 to {len(arrays.frames)}."
            )
        rows = slice(arrays.offsets[number - 1], arrays.offsets[number])
        return FrameDetections(number, arrays.boxes[rows], arrays.scores[rows], class_ids=arrays.class_ids[rows])


def open_detections(path: str | os.PathLike[str], name: str | None = None) -> Detections:
    """Open kept network outputs, or MOTChallenge public detections.

    Parameters
    ----------
    path
        A folder or `.tar` file that `detect()` wrote, a `det.txt`, or a sequence folder with `det/det.txt`.
    name
        Which sequence, where the folder holds several.

    Returns
    -------
    Detections
        `CachedDetections` or `PublicDetections`. Every byte of kept outputs is checked now, and again when it is used.

    Raises
    ------
    DetectionsError
        If there is no such thing, the file is damaged, or `name` is needed to choose.
    MotFileError
        If a detection file is malformed.
    """
    path = Path(path)
    if path.is_dir():
        found = {file.stem: file for file in sorted(path.glob("*.tar"))}
        if name is None and len(found) == 1:
            name = next(iter(found))
        if name in found:
            return CachedDetections(found[name])  # type: ignore[index]
        if (path / "det" / "det.txt").is_file():
            return PublicDetections(path / "det" / "det.txt")
        if not found:
            raise DetectionsError(
                f"{path} holds neither network outputs (*.tar) nor det/det.txt; make some with detect()."
            )
        held = ", ".join(found)
        wanted = "several sequences" if name is None else f"no {name}"
        raise DetectionsError(f"{path} holds {wanted}: choose with name= among {held}, or name the .tar file.")
    if not path.exists():
        raise DetectionsError(f"{path} does not exist; make outputs with detect(), or name a det.txt.")
    return PublicDetections(path) if path.suffix == ".txt" else CachedDetections(path)


def detect(
    source: Any,
    model: Model | str,
    folder: str | os.PathLike[str],
    *,
    score_floor: float = 0.05,
    max_per_frame: int = 500,
    heatmaps: bool = True,
    progress: bool = True,
) -> CachedDetections:
    """Run the network over a source and keep what it says: every peak above a low floor, with its embedding.

    Called again it goes on behind the last complete frame, whatever ended it, and the file is in the end the same, byte
    for byte, as that of a run in one go. Reading, the network, and writing overlap.

    Parameters
    ----------
    source
        A `Source` or anything that `open_source()` takes.
    model
        A `Model`, or a name or path that `load_model()` takes.
    folder
        Where the outputs go: `folder/NAME.tar`, `NAME` being the source's name.
    score_floor
        Smallest centre score that is kept, in 0..1.
    max_per_frame
        Largest number of peaks kept of a frame, best first.
    heatmaps
        Whether the centre heatmaps are kept too (as 8-bit PNG).
    progress
        Whether a progress bar is shown.

    Returns
    -------
    CachedDetections

    Raises
    ------
    DetectionsError
        If the file was made from something else (it names what differs), is damaged, or is being written by another
        process.
    SourceError
        If a frame cannot be read; the frames before it are kept.
    WriteError
        If the folder cannot be written.
    """
    from tqdm.auto import tqdm

    with DetectionWriter(
        source, model, folder, score_floor=score_floor, max_per_frame=max_per_frame, heatmaps=heatmaps
    ) as writer:
        info = writer.info
        bar = tqdm(total=info.length, initial=writer.held, unit="frame", desc=info.name, disable=not progress)
        with bar:
            for _ in writer.run():
                bar.update()
    return CachedDetections(writer.path)


class DetectionWriter:
    """Makes the outputs of a source frame by frame; what `detect` does in one call. Used in a `with` block.

    Parameters are those of `detect`, and so are the errors.

    Attributes
    ----------
    source, model
        The opened source and the loaded model.
    path : pathlib.Path
        The file.
    info : DetectionsInfo
    held : int
        How many frames were kept by an earlier run: `read` gives them, and `run` begins behind them.
    """

    def __init__(
        self,
        source: Any,
        model: Model | str,
        folder: str | os.PathLike[str],
        *,
        score_floor: float = 0.05,
        max_per_frame: int = 500,
        heatmaps: bool = True,
    ) -> None:
        from ..sources.open import open_source
        from .model import load_model

        if not 0 < score_floor < 1:
            raise ConfigError(f"score_floor is {score_floor}; it must lie between 0 and 1.")
        if max_per_frame < 1:
            raise ConfigError(f"max_per_frame is {max_per_frame}; it must be 1 or more.")
        self.source = source = open_source(source)
        folder = make_folder(folder)
        if isinstance(model, str | os.PathLike):
            model = load_model(model)
        self.model = model
        self.info = info = DetectionsInfo(
            name=source.name,
            frame_rate=float(source.frame_rate),
            width=source.width,
            height=source.height,
            length=source.length,
            source=source.fingerprint(),
            model=model.name,
            architecture=model.architecture,
            weights_sha256=model.weights_sha256,
            input_width=model.input_size[0],
            input_height=model.input_size[1],
            embedding_dim=model.embedding_dim,
            score_floor=score_floor,
            max_per_frame=max_per_frame,
            heatmaps=heatmaps,
            engine=model.engine,
            versions=model.versions,
            nms_iou=model.nms_iou,
        )
        self.path = folder / (re.sub(r"[^-.=+@ ()\w]", "_", source.name) + ".tar")
        self._archive = ArchiveWriter(self.path)
        try:
            if self._archive.groups:
                _compare(self.path, _unpack_info(self._archive.read(0), self.path), info, self._archive.closed)
            else:
                self._archive.append({"json": json.dumps(asdict(info), indent=1).encode() + b"\n"})
        except BaseException:
            self._archive.__exit__()
            raise
        self.held = self._archive.groups - 1
        self.closed = self._archive.closed

    def __enter__(self) -> DetectionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.__exit__()

    def read(self, number: int) -> FrameDetections:
        """The outputs of a frame that an earlier run kept."""
        return _unpack(self._archive.read(number), number, self.info)

    def run(self) -> Iterator[tuple[Frame, FrameDetections]]:
        """Run the network over the frames that are not held; each is kept before it is given.

        A frame that the source leaves out because it is damaged is kept without detections, and not given.
        """
        if not self.closed:
            info = self.info
            results = self.model.run(
                self.source.frames(first=self.held + 1),
                score_floor=info.score_floor,
                max_per_frame=info.max_per_frame,
                heatmap=info.heatmaps,
            )
            with contextlib.closing(results):  # type: ignore[type-var]
                for frame, outputs in results:
                    self._fill(outputs.frame)
                    self._archive.append(_pack(outputs))
                    yield frame, outputs
            if info.length is not None:
                self._fill(info.length + 1)
        self._archive.close_archive()

    def _fill(self, number: int) -> None:
        """Keep frames without detections up to frame `number`, which comes next."""
        if number < self._archive.groups:
            raise DetectionsError(f"{self.info.name} gave frame {number} where {self._archive.groups} was expected.")
        while self._archive.groups < number:
            self._archive.append(_pack(_nothing(self._archive.groups, self.info.embedding_dim)))


def _nothing(frame: int, embedding_dim: int) -> FrameDetections:
    return FrameDetections(
        frame,
        np.empty((0, 4), np.float32),
        np.empty(0, np.float32),
        np.empty((0, embedding_dim), np.float32),
        peaks=np.empty((0, 2), np.int64),
    )


def _pack(outputs: FrameDetections) -> dict[str, bytes]:
    from safetensors.numpy import save

    arrays = {
        "boxes": outputs.boxes,
        "scores": outputs.scores,
        "embeddings": np.asarray(outputs.embeddings, np.float16),
        "class_ids": outputs.class_ids.astype(np.int16),
        "peaks": np.asarray(outputs.peaks, np.uint16),
        "discarded": np.array([outputs.discarded], np.uint16),
    }
    members = {"safetensors": save({key: np.ascontiguousarray(value) for key, value in arrays.items()})}
    if outputs.heatmap is not None:
        members["png"] = cv2.imencode(".png", np.rint(outputs.heatmap * 255).astype(np.uint8))[1].tobytes()
    return members


def _unpack(members: dict[str, bytes], number: int, info: DetectionsInfo, heatmap: bool = True) -> FrameDetections:
    from safetensors.numpy import load

    arrays = load(members["safetensors"])
    scores = None
    if heatmap and "png" in members:
        pixels = cv2.imdecode(np.frombuffer(members["png"], np.uint8), cv2.IMREAD_GRAYSCALE)
        scores = pixels.astype(np.float32) / np.float32(255)
    return FrameDetections(
        frame=number,
        boxes=arrays["boxes"],
        scores=arrays["scores"],
        embeddings=arrays["embeddings"].astype(np.float32),
        class_ids=arrays["class_ids"].astype(np.int64),
        heatmap=scores,
        letterbox=info.letterbox,
        peaks=arrays["peaks"].astype(np.int64),
        discarded=int(arrays["discarded"][0]),
    )


def _unpack_info(members: dict[str, bytes], path: Path) -> DetectionsInfo:
    try:
        content = json.loads(members["json"])
        if content["format"] != FORMAT:
            raise DetectionsError(f"{path} has format {content['format']}; this version reads {FORMAT}: make it again.")
        return DetectionsInfo(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise DetectionsError(f"{path} is a tar file, but not one that detect() wrote.") from error


def _compare(path: Path, held: DetectionsInfo, wanted: DetectionsInfo, closed: bool) -> None:
    """Refuse to go on with another source, network or setting; a finished file may come from another engine."""
    before, now = asdict(held), asdict(wanted)
    del now["model"]  # the same weights may be known by a name or by a path
    engine = {key: now.pop(key) for key in ("engine", "versions")}
    _refuse_difference(path, before, now)
    changed = _differences(before, engine)
    if changed and not closed:
        raise DetectionsError(
            f"{path} was begun with {changed}; go on with the same, or remove the file to start again."
        )
    if changed:
        warnings.warn(f"{path} was made with {changed}; it is used as it is.", FairMOTLabWarning, stacklevel=4)


def _refuse_difference(path: Path, held: dict[str, Any], now: dict[str, Any]) -> None:
    if changed := _differences(held, now):
        raise DetectionsError(
            f"{path} was made from something else: {changed}; choose another folder, or remove the file to start again."
        )


def _differences(held: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(f"{key} {held[key]} (now {value})" for key, value in now.items() if held[key] != value)
