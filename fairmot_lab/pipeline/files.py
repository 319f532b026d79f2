"""Track a source into files."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from .._files import file_name, lock, make_folder, refuse_overwrite, write_text
from .._progress import progress_bar
from ..association.base import Tracker
from ..data import FrameDetections, FrameTracks
from ..detection.cache import REPLACEABLE, DetectionWriter, open_detections
from ..detection.detector import run_detector
from ..detection.model import as_detector
from ..drawing import FrameAnnotator, FrameRows, side_by_side
from ..errors import ConfigError, SourceError, WriteError, warn
from ..formats.mot import read_mot
from ..sources.base import Frame, Source
from ..sources.open import open_source
from ..video_writer import VideoWriter
from .frames import DEFAULT_MODEL, CameraInput, above, check_threshold, chosen_tracker
from .text import TextWriter

if TYPE_CHECKING:
    from ..detection.detector import Detector


class FrameCounter(Protocol):
    """What `track_files` asks of a counter, such as `contrib.counting.Counter`. It is copied before use."""

    def describe(self) -> dict[str, Any]:
        """Return all that decides its counts, as JSON."""

    def update(self, frame: int, time: float, tracks: Any) -> Any:
        """Count the tracks of the next frame; `time` is in seconds."""

    def draw(self, image: np.ndarray) -> np.ndarray:
        """Draw the state of the counter on an image (H, W, 3)."""

    def write(self, stem: Path) -> tuple[Path, Path]:
        """Write the tables of counts and events; return their paths."""


@dataclasses.dataclass
class TrackReport:
    """What `track_files` wrote.

    Attributes
    ----------
    name : str
        What the files are called.
    frames, rows, ids : int
        Frames that were tracked, rows that were written, and different tracks in them.
    complete : bool
        Whether the source was tracked to its end.
    text, record : pathlib.Path
        The MOTChallenge text and the record of settings.
    video, detections, counts, events : pathlib.Path or None
        The overlay video, the kept detections, and the tables of the counter.
    """

    name: str
    frames: int
    complete: bool
    text: Path
    record: Path
    rows: int = 0
    ids: int = 0
    video: Path | None = None
    detections: Path | None = None
    counts: Path | None = None
    events: Path | None = None


def track_files(
    source: Any,
    tracker: Tracker | str | None = None,
    folder: str | os.PathLike[str] = "outputs",
    *,
    model: Detector | str | os.PathLike[str] = DEFAULT_MODEL,
    video: bool = False,
    overlay: Mapping[str, Any] | None = None,
    compare: tuple[str, pd.DataFrame] | None = None,
    counter: FrameCounter | None = None,
    keep_detections: bool = True,
    resume: bool = False,
    score_threshold: float = 0.0,
    camera_motion: str | None = None,
    inputs: Iterable[str | os.PathLike[str] | None] = (),
    progress: bool = True,
) -> TrackReport:
    """Track a source into files, written as the frames come, in memory that does not grow.

    Into `folder` go `NAME.txt` (MOTChallenge text), `NAME.json` (a record of all that decides the result, and how far
    it went), `NAME.tar` (the detections), and on request `NAME.mp4`, `NAME.counts.csv` and `NAME.events.csv`. The text
    is called `NAME.partial.txt` until it is finished, and is valid at every moment, whatever ends the run.

    The overlay video is rendered afterwards, from the text and the kept detections. Where frames cannot be read twice
    (cameras, streams, iterators), or are drawn with heatmaps that are not kept, it is written as the frames come, into
    `NAME.partial.mp4`.

    When the user interrupts, or a live source ends, text, tables and record are finished as far as they go, and say the
    same. When an image or video that is read from disk turns out broken, the text is removed: half a result must not be
    taken for a whole one, and the detections are kept. When the disk is full the text stays, as `partial`.

    Parameters
    ----------
    source, tracker, model, score_threshold, camera_motion
        As for `stream`.
    folder
        Where the files go; it is made if it is missing.
    video
        Whether an overlay video is made.
    overlay
        Settings of `drawing.FrameAnnotator`: trails, scores, draw_threshold, heatmap.
    compare
        A title and a table of tracks (another run, or the ground truth) to be drawn beside the result.
    counter
        Counts people, lines and regions; its state is drawn on the video.
    keep_detections
        Whether the detections are kept. What was kept before is used again, so the network does not run twice.
    resume
        Resume an interrupted run of the same source and settings. Needs the kept detections. Of a finished run, only
        what is missing or was changed since is made again.
    inputs
        Further files that no output may overwrite; those of the source never are.
    progress
        Whether a progress bar is shown.

    Returns
    -------
    TrackReport

    Raises
    ------
    KeyboardInterrupt
        When the user interrupts, after the files were finished; its text says how far they go.
    WriteError
        If an output would overwrite an input or the files of another source, another run writes them, or the disk is
        full.
    ConfigError
        If a run is resumed with other settings.
    SourceError, DetectionsError
        If the source or the kept detections cannot be read.

    Examples
    --------
    >>> class Finder:
    ...     name = "finder"
    ...     def describe(self):
    ...         return {"box": 20}
    ...     def run(self, frames):
    ...         for frame in frames:
    ...             yield fl.FrameDetections(frame.number, np.array([[frame.number, 5, 20, 40]]), np.array([0.9]))
    >>> frames = [np.zeros((60, 80, 3), np.uint8)] * 5
    >>> report = track_files(frames, "bytetrack", getfixture("tmp_path"), model=Finder(), progress=False)
    >>> report.frames, report.complete, report.text.name
    (5, True, 'arrays.txt')
    """
    check_threshold("score_threshold", score_threshold)
    _annotator(overlay)
    source = open_source(source)
    if resume and not keep_detections:
        raise ConfigError("A run can only be resumed from kept detections; leave out the one or the other.")
    if resume and source.kind in ("camera", "stream"):
        raise ConfigError(f"{source.name} is live, and what it showed cannot be fetched again; start a new recording.")
    model = as_detector(model)
    tracker = chosen_tracker(tracker, model, source)
    camera = CameraInput(camera_motion, tracker, source)
    names: dict[int, str] = dict(getattr(model, "class_names", None) or {})
    settings = {
        "source": str(source.path or source.name),
        "fingerprint": source.fingerprint(),
        "frame_rate": source.frame_rate,
        "model": model.name,
        "detector": {key: value for key, value in model.describe().items() if key not in REPLACEABLE},
        "classes": {str(number): name for number, name in names.items()},
        "tracker": tracker.name,
        "settings": tracker.arguments(),
        "score_threshold": score_threshold,
        "camera_motion": camera_motion,
        "counting": None if counter is None else counter.describe(),
    }
    run = _Run(source, model, tracker, camera, counter, make_folder(folder) / file_name(source.name), settings)
    if video:
        run.overlay = {**(overlay or {}), "compare": None if compare is None else _digest_of(*compare)}
        run.drawing = _Drawing({"class_names": names, **(overlay or {})}, compare, copy.deepcopy(counter))
    with lock(
        run.stem, f"The results {run.stem}.* are being written by another run; wait for it, or choose another name."
    ):
        return run.go(keep_detections, resume, inputs, progress)


@dataclasses.dataclass(eq=False)
class _Run:
    """One call of `track_files`."""

    source: Source
    model: Detector
    tracker: Tracker
    camera: CameraInput
    counter: FrameCounter | None
    stem: Path  # of its files
    settings: dict[str, Any]  # all that decides the tracks
    overlay: dict[str, Any] | None = None  # all that decides the video, where one is wanted
    drawing: _Drawing | None = None

    def __post_init__(self) -> None:
        self.report = TrackReport(self.stem.name, 0, False, self._file(".txt"), self._file(".json"))
        self.video: VideoWriter | None = None  # where it is written as the frames come
        self._files: dict[str, str | None] = {}  # what runs of this name have made, with the digest of what is finished
        self._ids: set[int] = set()

    def _file(self, ending: str) -> Path:
        return self.stem.with_name(self.stem.name + ending)

    def go(
        self, keep_detections: bool, resume: bool, inputs: Iterable[str | os.PathLike[str] | None], progress: bool
    ) -> TrackReport:
        report = self.report
        earlier = self._earlier()
        self._refuse_overwrites(earlier, inputs)
        if resume and earlier is not None:
            self._refuse_other_settings(earlier)
            if self._is_whole(earlier):
                for key in ("frames", "rows", "ids", "complete"):
                    setattr(report, key, earlier[key])
                report.detections = path if (path := self._file(".tar")).is_file() else None
                if self.counter is not None:
                    report.counts, report.events = self._file(".counts.csv"), self._file(".events.csv")
                self._files = earlier["files"]
                self._make_video(progress, earlier)
                return report
        self._files = dict.fromkeys(earlier["files"] if earlier else ())
        self._track(keep_detections, progress)
        self._make_video(progress, None)
        return report

    # -- what is there ------------------------------------------------------------------------------------------------

    def _earlier(self) -> dict[str, Any] | None:
        """Return the record of an earlier run of this name."""
        path = self.report.record
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path} cannot be read as the record of a run ({error}); remove it to start again."
            ) from error
        if not isinstance(record, dict) or not {"complete", "frames", "rows", "ids", "files"} <= set(record):
            raise ConfigError(f"{path} is not the record of a run of this version; remove it to start again.")
        return record

    def _refuse_overwrites(
        self, earlier: dict[str, Any] | None, inputs: Iterable[str | os.PathLike[str] | None]
    ) -> None:
        outputs = [".txt", ".partial.txt", ".json", ".tar"]
        outputs += [".counts.csv", ".events.csv"] if self.counter is not None else []
        outputs += [".mp4", ".partial.mp4"] if self.overlay is not None else []
        used = [*self.source.inputs(), *inputs]
        for ending in outputs:
            refuse_overwrite(self._file(ending), used)
        if earlier is not None and earlier.get("fingerprint") != self.settings["fingerprint"]:
            raise WriteError(
                f"{self.report.text} holds the results of another source ({earlier.get('source')}, or it has changed "
                "since); choose another folder, or another name (name=, --name)."
            )
        made = earlier["files"] if earlier is not None else {}
        for path in map(self._file, [ending for ending in outputs if ending in (".txt", ".mp4") or ".csv" in ending]):
            if path.name not in made and path.exists():
                raise WriteError(
                    f"{path} is there already and was not written by a run that is recorded in "
                    f"{self.report.record.name}; choose another folder or name, or remove it."
                )

    def _refuse_other_settings(self, earlier: dict[str, Any]) -> None:
        """Refuse to resume a run with other settings: its halves would not fit together."""
        for key, value in json.loads(json.dumps(self.settings)).items():
            held = earlier.get(key)
            if key in ("source", "model") or held == value:  # a moved source and weights known by a path are the same
                continue
            if isinstance(value, dict) and isinstance(held, dict):
                names = [*value, *held]
                key = next(name for name in names if held.get(name) != value.get(name))
                held, value = held.get(key), value.get(key)
            raise ConfigError(
                f"{self.report.record} was begun with {key} {held} (now {value}); resume with the same, or leave out "
                "resume to start again."
            )

    def _is_whole(self, earlier: dict[str, Any]) -> bool:
        """Return whether an earlier run went to the end, and its files are what it wrote."""
        tables = [".counts.csv", ".events.csv"] if self.counter is not None else []
        paths = [self._file(ending) for ending in (".txt", *tables)]
        return bool(earlier["complete"]) and all(
            path.is_file() and earlier["files"].get(path.name) == _digest(path) for path in paths
        )

    # -- tracking -----------------------------------------------------------------------------------------------------

    def _track(self, keep_detections: bool, progress: bool) -> None:
        report = self.report
        live = self.source.length is None or (self._draws_heatmaps and not keep_detections)
        with contextlib.ExitStack() as stack:
            kept = (
                stack.enter_context(DetectionWriter(self.source, self.model, self.stem.parent))
                if keep_detections
                else None
            )
            self.text = TextWriter(report.text)
            if self.drawing is not None and live:
                report.video = self._file(".mp4")
                self.video = self._writer()
            report.detections = None if kept is None else kept.path
            self._write_record()
            # Each frame is written in one thread, to its end: an interrupt cannot stop it halfway.
            pool = stack.enter_context(ThreadPoolExecutor(1))
            results = stack.enter_context(contextlib.closing(self._results(kept)))  # type: ignore[type-var]
            try:
                for frame, detections in self._bar(results, progress):
                    pool.submit(self._step, frame, detections).result()
                report.complete = True
            except KeyboardInterrupt:
                pool.submit(self._finish).result()
                raise KeyboardInterrupt(self._so_far()) from None
            except SourceError:
                pool.submit(self._finish if self.source.kind in ("camera", "stream") else self._discard).result()
                raise
            except BaseException as error:
                pool.submit(self._stop).result()
                if isinstance(error, WriteError) and report.frames:
                    raise WriteError(f"{error} {self._so_far()}") from error
                raise
            pool.submit(self._finish).result()

    @property
    def _draws_heatmaps(self) -> bool:
        return self.drawing is not None and self.drawing.annotator.heatmap

    def _bar(self, frames: Iterable[Any], progress: bool, what: str = "") -> Iterable[Any]:
        return progress_bar(
            frames, total=self.source.length, unit="frame", desc=f"{self.report.name}{what}", disable=not progress
        )

    def _results(self, kept: DetectionWriter | None) -> Generator[tuple[Frame | None, FrameDetections], None, None]:
        """Yield frames with their detections; those that were kept come without their frame where nothing needs it."""
        if kept is None:
            results: Any = run_detector(self.model, self.source.frames())
        else:
            wanted = self.source.frames(1, kept.held) if self.camera.estimator is not None and kept.held else ()
            images = iter(wanted)
            image = next(images, None)
            for number in range(1, kept.held + 1):
                frame = None
                if image is not None and image.number == number:
                    frame, image = image, next(images, None)
                found = kept.read(number)
                if found is not None:  # a missing frame is not one without people
                    yield frame, found
            results = kept.run()
        with contextlib.closing(results):
            yield from results

    def _step(self, frame: Frame | None, detections: FrameDetections) -> None:
        tracks = above(
            self.tracker.update(detections, self.camera.warp(frame, detections)), self.settings["score_threshold"]
        )
        time = self.source.time_of(detections.frame) if frame is None else frame.time
        if self.video is not None and frame is not None and self.drawing is not None:
            self.video.write(self.drawing.draw(frame, tracks, detections), frame.time)
        self.text.append(tracks)
        if self.counter is not None:
            self.counter.update(detections.frame, time, tracks)
        self.report.rows += len(tracks)
        self._ids.update(tracks.ids.tolist())
        self.report.ids = len(self._ids)
        self.report.frames = detections.frame

    def _finish(self) -> None:
        """Move what was written to its place."""
        report = self.report
        for writer in self._writers():
            writer.close()
            if writer.path.exists():
                self._files[writer.path.name] = _digest(writer.path)
        if self.counter is not None:
            report.counts, report.events = self.counter.write(self.stem)
            self._files |= {path.name: _digest(path) for path in (report.counts, report.events)}
        self._write_record()
        dropped = getattr(self.source, "dropped", 0)
        if dropped:
            warn(f"{self.source.name}: {dropped} frames came while earlier ones were tracked, and were left out.")

    def _discard(self) -> None:
        for writer in self._writers():
            writer.discard()
        self.report.record.unlink(missing_ok=True)

    def _stop(self) -> None:
        for writer in self._writers():
            writer.stop()

    def _writers(self) -> list[TextWriter | VideoWriter]:
        return [self.text] if self.video is None else [self.text, self.video]

    def _write_record(self) -> None:
        report = self.report
        self._files.setdefault(report.text.name, None)
        if self.overlay is not None:
            self._files.setdefault(self._file(".mp4").name, None)
        state: dict[str, Any] = {
            "complete": report.complete,
            "frames": report.frames,
            "rows": report.rows,
            "ids": report.ids,
        }
        state |= {**self.settings, "overlay": self.overlay, "files": self._files}
        write_text(report.record, json.dumps(state, indent=1) + "\n")

    def _so_far(self) -> str:
        files = [writer.path if writer.path.exists() else writer.partial for writer in self._writers()]
        of = "" if self.source.length is None else f" of {self.source.length}"
        text = f"The results of the first {self.report.frames}{of} frames are in {' and '.join(map(str, files))}."
        if self.drawing is not None and self.video is None:
            text += " The video is rendered when the run is resumed."
        return text

    # -- overlay video ------------------------------------------------------------------------------------------------

    def _writer(self) -> VideoWriter:
        return VideoWriter(self._file(".mp4"), self.source.frame_rate, pixel_aspect=self.source.pixel_aspect)

    def _make_video(self, progress: bool, earlier: dict[str, Any] | None) -> None:
        """Render the overlay video from the text and the kept detections, unless it is there."""
        if self.drawing is None:
            return
        path = self.report.video = self._file(".mp4")
        same = earlier is not None and earlier["overlay"] == json.loads(json.dumps(self.overlay))
        if self.video is not None or (same and path.is_file() and self._files.get(path.name) == _digest(path)):
            return
        rows = _rows_of(self.report)
        kept = open_detections(self.report.detections) if self._draws_heatmaps and self.report.detections else None
        writer = self._writer()
        try:
            for frame in self._bar(self.source.frames(1, self.report.frames), progress, " (video)"):
                detections = None if kept is None else kept.frame(frame.number)
                writer.write(self.drawing.draw(frame, rows.at(frame.number), detections), frame.time)
            writer.close()
        except KeyboardInterrupt:
            writer.discard()
            raise KeyboardInterrupt(
                f"All {self.report.frames} frames are tracked, in {self.report.text}; the video is rendered when the "
                "run is resumed."
            ) from None
        except BaseException:
            writer.discard()
            raise
        self._files[path.name] = _digest(path)
        self._write_record()


class _Drawing:
    """Draws frames: the result, the counts, and another table beside it."""

    def __init__(
        self,
        overlay: Mapping[str, Any] | None,
        compare: tuple[str, pd.DataFrame] | None,
        counter: FrameCounter | None,
    ) -> None:
        self.annotator = _annotator(overlay)
        self.counter = counter
        self.other = None if compare is None else (compare[0], FrameRows(compare[1]), _annotator(overlay))

    def draw(self, frame: Frame, tracks: FrameTracks | pd.DataFrame, detections: FrameDetections | None) -> np.ndarray:
        image = self.annotator.draw(frame, tracks, detections)
        if self.counter is not None:
            self.counter.update(frame.number, frame.time, tracks)
            image = self.counter.draw(image)
        if self.other is not None:
            title, rows, annotator = self.other
            image = side_by_side(image, annotator.draw(frame, rows.at(frame.number)), ("result", title))
        return image


def _rows_of(report: TrackReport) -> Any:
    """Return the rows of a finished text by frame."""
    if report.rows:
        return FrameRows(read_mot(report.text))
    return FrameRows(pd.DataFrame({name: [] for name in ("frame", "id", "x", "y", "w", "h", "score")}))


def _annotator(settings: Mapping[str, Any] | None) -> FrameAnnotator:
    annotator = FrameAnnotator(**(settings or {}))
    check_threshold("draw_threshold", annotator.draw_threshold)
    return annotator


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _digest_of(title: str, table: pd.DataFrame) -> str:
    values = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return hashlib.sha256(title.encode() + values.tobytes()).hexdigest()
