"""Track a source or kept detections: as a table, frame by frame, or into files."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
import warnings
from collections.abc import Generator, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from ._files import atomic_write, make_folder, write_error
from .association.base import Tracker, as_tracker, tracker_from_dict
from .association.camera_motion import MASK_SCORE, METHODS, MotionEstimator, motion_by_sequence
from .association.per_class import PerClass
from .association.run import track_detections, tracks_table
from .data import FrameDetections, FrameTracks, join_sequences
from .detection.cache import DetectionWriter, open_detections
from .detection.detections import Detections
from .detection.detector import check_detector, run_detector
from .errors import ConfigError, FairMOTLabWarning, SourceError, WriteError
from .sources.base import Frame, Source
from .sources.many import run_each, several
from .sources.open import open_source

if TYPE_CHECKING:
    from .detection.detector import Detector
    from .drawing import Overlay


DEFAULT_MODEL = "fairmot_lite"


class FrameCounter(Protocol):
    """What `track_files` asks of a counter, such as `contrib.counting.Counter`."""

    def update(self, frame: int, time: float, tracks: Any) -> Any:
        """Count the tracks of the next frame; `time` is in seconds."""

    def draw(self, image: np.ndarray) -> np.ndarray:
        """Draw the state of the counter on an image (H, W, 3)."""

    def write(self, stem: Path) -> tuple[Path, Path]:
        """Write the tables of counts and events; return their paths."""


@dataclasses.dataclass(frozen=True)
class FrameResult:
    """The tracking result of one frame.

    Attributes
    ----------
    frame : Frame
        Number (from 1), image and time.
    frame_tracks : FrameTracks
        Its tracks as arrays.
    outputs : FrameDetections
        What the network said; with a heatmap where one was asked for.
    """

    frame: Frame
    frame_tracks: FrameTracks
    outputs: FrameDetections

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """The tracks of this frame: `frame`, `id`, `x`, `y`, `w`, `h` (pixels), `score`, `class_id`, `det`."""
        return tracks_table([self.frame_tracks])


def stream(
    source: Any,
    tracker: Tracker | str | None = None,
    *,
    model: Detector | str | os.PathLike[str] = DEFAULT_MODEL,
    score_threshold: float = 0.0,
    heatmaps: bool = False,
    camera_motion: str | None = None,
) -> Iterator[FrameResult]:
    """Track frame by frame, in memory that does not grow.

    Parameters
    ----------
    source
        Anything that `open_source` takes: a file, a camera number, an RTSP address, an iterator of arrays.
    tracker
        A tracker, of which a clone is used, or its name; that which the model was published with unless given.
    model
        A `Detector`, or a name or path that `load_model` takes; the bundled compact model unless given.
    score_threshold
        Tracks with a lower score are not reported. The tracker itself sees every detection.
    heatmaps
        Whether the outputs carry the centre heatmap.
    camera_motion
        How the camera's motion is estimated for the tracker: "flow", "orb" or "ecc"; not at all unless given.

    Yields
    ------
    FrameResult
        One for each frame, at once.

    Raises
    ------
    SourceError
        If the source cannot be opened (before the first frame) or read further.

    Examples
    --------
    >>> scene = fl.example()
    >>> results = stream(scene.source, model="fairmot_lite")
    >>> next(results).frame.number
    1
    >>> results.close()
    """
    _check_threshold("score_threshold", score_threshold)
    source, model = open_source(source), _load(model)
    tracker = _tracker(tracker, model, source)
    return _stream(source, model, tracker, score_threshold, heatmaps, _Camera(camera_motion, tracker, source))


class _Camera:
    """The camera's motion of one frame after another: given, estimated, or not wanted."""

    def __init__(self, motion: Mapping[int, np.ndarray] | str | None, tracker: Tracker, source: Source) -> None:
        if motion is not None and not tracker.uses_camera_motion:
            raise ConfigError(f"{tracker.name} does not use camera motion; leave camera_motion out.")
        self.given = motion if isinstance(motion, Mapping) else {}
        self.estimator = None
        if isinstance(motion, str):
            if motion not in METHODS:
                raise ConfigError(f"There is no camera motion {motion!r}; there are {', '.join(METHODS)}.")
            self.estimator = MotionEstimator(source.width, source.height, motion)

    def warp(self, frame: Frame | None, outputs: FrameDetections) -> np.ndarray | None:
        """Return the matrix (2, 3) of a frame."""
        if self.estimator is None or frame is None:
            return self.given.get(outputs.frame)
        matrix = self.estimator.update(frame.image, outputs.boxes[outputs.scores >= MASK_SCORE])[:6]
        return np.reshape(matrix, (2, 3))


def _stream(
    source: Source, model: Detector, tracker: Tracker, score_threshold: float, heatmaps: bool, camera: _Camera
) -> Iterator[FrameResult]:
    results = run_detector(model, source.frames())
    with contextlib.closing(results):  # type: ignore[type-var]
        for frame, outputs in results:
            if not heatmaps:
                outputs.heatmap = None
            tracks = tracker.update(outputs, camera.warp(frame, outputs))
            yield FrameResult(frame, above(tracks, score_threshold), outputs)


def track(
    source: Any,
    tracker: Tracker | str | None = None,
    *,
    model: Detector | str | os.PathLike[str] | None = None,
    score_threshold: float = 0.0,
    camera_motion: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Track a whole sequence, or several.

    Parameters
    ----------
    source
        Kept detections (`detect`, `open_detections`), which need no model; or anything that `open_source` takes.
        Several sequences: a folder of them such as `MOT17/train`, a folder of kept detections, a list, or a dict from
        name to one.
    tracker
        A tracker, of which a clone is used, or its name. Unless given, `JDETracker()` for kept detections, else the
        tracker that the model was published with.
    model
        A `Detector`, or a name or path that `load_model` takes; the bundled compact model unless given.
    score_threshold
        Rows with a lower score are left out. The tracker itself sees every detection.
    camera_motion
        What `camera_motion` gave for the same sequence, or any mapping from a frame's number to the matrix (2, 3) that
        moves points of the frame before to where they are in it; of several sequences a list, or a dict by name. For a
        source also "flow", "orb" or "ecc": it is then estimated on the way.
    n_jobs
        Of several sequences: processes, as joblib counts them; by default joblib's own setting, or the cluster of
        `joblib.parallel_config`.
    progress
        Whether a progress bar is shown while the network runs, or while several sequences are tracked.

    Returns
    -------
    pandas.DataFrame
        `frame` (from 1), `id`, `x`, `y`, `w`, `h` (pixels of the original image, top-left), `score`, `class_id`,
        `det` (row of the detection). `attrs` hold sequence, frame_rate, length, tracker, settings, and score_threshold
        if one was set.

    Raises
    ------
    ConfigError
        If a threshold is out of its range, or a model is given with kept detections.

    Examples
    --------
    >>> scene = fl.example()
    >>> track(scene.detections, fl.JDETracker(conf_thres=0.3)).columns.tolist()
    ['frame', 'id', 'x', 'y', 'w', 'h', 'score', 'class_id', 'det']
    """
    _check_threshold("score_threshold", score_threshold)
    sequences = several(source)
    if sequences is not None:
        named = isinstance(camera_motion, str) or camera_motion is None
        each = functools.partial(
            _track_one,
            tracker=tracker,
            model=model,
            score_threshold=score_threshold,
            motions=camera_motion if named else motion_by_sequence(camera_motion, list(sequences)),
        )
        return join_sequences(run_each(each, sequences, n_jobs=n_jobs, description="track", progress=progress))
    if isinstance(source, Detections):
        if model is not None:
            raise ConfigError("Kept detections were made by a model already; give the tracker alone.")
        if isinstance(camera_motion, str):
            raise ConfigError(
                "Kept detections have no frames; give camera_motion=fl.camera_motion(source, detections)."
            )
        tracks = track_detections(source, as_tracker(tracker), camera_motion=camera_motion)
    else:
        tracks = _track_source(open_source(source), tracker, _load(model or DEFAULT_MODEL), camera_motion, progress)
    if score_threshold > 0:
        attributes = tracks.attrs
        tracks = tracks[tracks["score"] >= score_threshold].reset_index(drop=True)
        tracks.attrs = {**attributes, "score_threshold": score_threshold}
    return tracks


def _track_one(name: str, source: Any, *, motions: Any, **options: Any) -> pd.DataFrame:
    """Track one sequence of several; paths of kept detections are opened."""
    if isinstance(source, str | os.PathLike) and Path(source).suffix in (".tar", ".txt"):
        source = open_detections(source)
    motion = motions.get(name) if isinstance(motions, dict) else motions
    tracks = track(source, camera_motion=motion, progress=False, **options)
    tracks.attrs["sequence"] = name
    return tracks


def _track_source(
    source: Source,
    tracker: Tracker | str | None,
    model: Detector,
    camera_motion: Mapping[int, np.ndarray] | str | None,
    progress: bool,
) -> pd.DataFrame:
    from tqdm.auto import tqdm

    tracker = _tracker(tracker, model, source)
    kept: list[FrameTracks] = []
    counts: list[int] = []
    results = _stream(source, model, tracker, 0.0, False, _Camera(camera_motion, tracker, source))
    for result in tqdm(results, total=source.length, unit="frame", desc=source.name, disable=not progress):
        kept.append(result.frame_tracks)
        counts.append(len(result.outputs))
    tracks = tracks_table(kept, np.cumsum([0, *counts])[:-1])
    tracks.attrs = {
        "sequence": source.name,
        "frame_rate": source.frame_rate,
        "length": source.length or len(kept),
        "tracker": tracker.name,
        "settings": tracker.settings.to_dict(),
    }
    return tracks


@dataclasses.dataclass
class TrackReport:
    """What `track_files` wrote.

    Attributes
    ----------
    name : str
        Of the source.
    frames, rows, ids : int
        Frames that were tracked, rows that were written, and different tracks in them.
    complete : bool
        Whether the source was tracked to its end.
    text, record : pathlib.Path
        The MOTChallenge text and the record of settings.
    video, outputs, counts, events : pathlib.Path or None
        The overlay video, the network's outputs, and the tables of the counter.
    """

    name: str
    frames: int
    complete: bool
    text: Path
    record: Path
    rows: int = 0
    ids: int = 0
    video: Path | None = None
    outputs: Path | None = None
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
    keep_outputs: bool = True,
    resume: bool = False,
    score_threshold: float = 0.0,
    camera_motion: str | None = None,
    progress: bool = True,
) -> TrackReport:
    """Track a source into files, written as the frames come, in memory that does not grow.

    Into `folder` go `NAME.txt` (MOTChallenge text), `NAME.json` (settings, and how far it went), `NAME.tar` (the
    network's outputs), and on request `NAME.mp4`, `NAME.counts.csv` and `NAME.events.csv`. Text and video are called
    `NAME.partial.txt` and `NAME.partial.mp4` until they are finished; both are valid at every moment, whatever ends the
    run. When the user interrupts, or a live source ends, they are finished as far as they go. When an image or video
    that is read from disk turns out broken, they are removed: half a result must not be taken for a whole one, and the
    network's outputs are kept. When the disk is full they stay, as `partial`.

    Parameters
    ----------
    source, tracker, model, score_threshold, camera_motion
        As for `stream`.
    folder
        Where the files go; it is made if it is missing.
    video
        Whether an overlay video is made.
    overlay
        Settings of `drawing.Overlay`: trails, scores, draw_threshold, heatmap.
    compare
        A title and a table of tracks (another run, or the ground truth) to be drawn beside the result.
    counter
        Counts people, lines and regions; its state is drawn on the video.
    keep_outputs
        Whether the network's outputs are kept. What was kept before is used again, so the network does not run twice.
    resume
        Go on where an interrupted run of the same settings stopped, with its video too. Needs the kept outputs.
    progress
        Whether a progress bar is shown.

    Returns
    -------
    TrackReport

    Raises
    ------
    KeyboardInterrupt
        When the user interrupts, after the files were finished; its text says how far they go.
    SourceError, WriteError, DetectionsError, ConfigError
        As described above.
    """
    _check_threshold("score_threshold", score_threshold)
    _make_overlay(overlay)
    source = open_source(source)
    if resume and not keep_outputs:
        raise ConfigError("A run can only be resumed from kept outputs; leave out the one or the other.")
    if resume and source.kind in ("camera", "stream"):
        raise ConfigError(f"{source.name} is live, and what it showed cannot be fetched again; start a new recording.")
    model = _load(model)
    tracker = _tracker(tracker, model, source)
    camera = _Camera(camera_motion, tracker, source)
    run = _Run(source, tracker, camera, make_folder(folder), score_threshold, overlay, compare, counter)
    settings = {
        "source": str(source.path or source.name),
        "model": model.name,
        "detector": model.describe(),
        "frame_rate": source.frame_rate,
        "tracker": tracker.name,
        "settings": tracker.settings.to_dict(),
        "score_threshold": score_threshold,
        "overlay": dict(overlay or {}) if video else None,
    }
    if camera_motion is not None:
        settings["camera_motion"] = camera_motion
    return run.go(model, settings, video, keep_outputs, resume, progress)


class _Run:
    """One call of `track_files`."""

    def __init__(
        self,
        source: Source,
        tracker: Tracker,
        camera: _Camera,
        folder: Path,
        score_threshold: float,
        overlay: Mapping[str, Any] | None,
        compare: tuple[str, pd.DataFrame] | None,
        counter: FrameCounter | None,
    ) -> None:
        from .drawing import FrameRows

        self.source = source
        self.tracker = tracker
        self.camera = camera
        self.score_threshold = score_threshold
        self.overlay = _make_overlay(overlay)
        self.counter = counter
        self.other = None
        if compare is not None:
            self.other = (compare[0], FrameRows(compare[1]), _make_overlay(overlay))
        name = re.sub(r"[^-.=+@ ()\w]", "_", source.name)
        self.report = TrackReport(name, 0, False, folder / f"{name}.txt", folder / f"{name}.json")
        self.folder = folder
        self._ids: set[int] = set()

    def go(
        self, model: Detector, settings: dict[str, Any], video: bool, keep_outputs: bool, resume: bool, progress: bool
    ) -> TrackReport:
        from tqdm.auto import tqdm

        report = self.report
        earlier = _read_record(report.record) if resume else None
        if earlier is not None:
            _refuse_other_settings(report.record, earlier, settings)
            finished = self.folder / f"{report.name}.mp4"
            if earlier["complete"] and report.text.is_file() and (not video or finished.is_file()):
                report.frames, report.rows, report.ids = (earlier[key] for key in ("frames", "rows", "ids"))
                report.complete = True
                report.video = finished if video else None
                report.outputs, report.counts, report.events = (
                    path if path.is_file() else None
                    for path in (self.folder / f"{report.name}{end}" for end in (".tar", ".counts.csv", ".events.csv"))
                )
                return report
        writer: Any = contextlib.nullcontext()
        if keep_outputs:
            writer = DetectionWriter(self.source, model, self.folder)
        with writer as kept, contextlib.ExitStack() as stack:
            self.text = TextWriter(report.text)
            self.video = None
            if video:
                from .video_writer import VideoWriter

                report.video = self.folder / f"{report.name}.mp4"
                self.video = VideoWriter(report.video, self.source.frame_rate, resume=earlier is not None)
            if kept is not None:
                report.outputs = kept.path
            self._write_record(settings)
            results = self._results(model, kept)
            stack.callback(results.close)
            bar = tqdm(total=self.source.length, unit="frame", desc=report.name, disable=not progress)
            try:
                with bar:
                    for frame, outputs in results:
                        self._step(frame, outputs)
                        bar.update()
                report.complete = True
            except KeyboardInterrupt:
                self._finish(settings)
                raise KeyboardInterrupt(self._so_far()) from None
            except SourceError:
                if self.source.kind in ("camera", "stream"):
                    self._finish(settings)
                else:
                    self._discard()
                raise
            except BaseException as error:
                self._stop()
                if isinstance(error, WriteError) and report.frames:
                    raise WriteError(f"{error} {self._so_far()}") from error
                raise
            self._finish(settings)
        return report

    def _results(
        self, model: Detector, kept: DetectionWriter | None
    ) -> Generator[tuple[Frame | None, FrameDetections], None, None]:
        """Frames with their outputs; those that were kept come without their frame where nothing needs it."""
        if kept is None:
            results = run_detector(model, self.source.frames())
        else:
            images: Iterator[Frame] = iter(())
            if (self.video is not None or self.camera.estimator is not None) and kept.held:
                start = 1
                if self.camera.estimator is None and self.video is not None and self.video.last_time is not None:
                    start = self.source.number_at(self.video.last_time + 1e-3) + 1
                images = self.source.frames(start, kept.held)
            image = next(images, None)
            for number in range(1, kept.held + 1):
                frame = None
                if image is not None and image.number == number:
                    frame, image = image, next(images, None)
                yield frame, kept.read(number)
            results = kept.run()
        with contextlib.closing(results):  # type: ignore[type-var]
            yield from results

    def _step(self, frame: Frame | None, outputs: FrameDetections) -> None:
        tracks = above(self.tracker.update(outputs, self.camera.warp(frame, outputs)), self.score_threshold)
        self.text.append(tracks)
        self.report.rows += len(tracks)
        self._ids.update(tracks.ids.tolist())
        self.report.ids = len(self._ids)
        time = self.source.time_of(outputs.frame) if frame is None else frame.time
        if self.counter is not None:
            self.counter.update(outputs.frame, time, tracks)
        if self.overlay.trails is not None and frame is None:
            self.overlay.trails.add(outputs.frame, tracks)
        if self.video is not None and frame is not None and not self._shown(frame):
            self.video.write(self._draw(frame, tracks, outputs), frame.time)
        self.report.frames = outputs.frame

    def _shown(self, frame: Frame) -> bool:
        """Whether the video of an earlier run holds this frame."""
        return self.video is not None and self.video.last_time is not None and frame.time <= self.video.last_time + 1e-4

    def _draw(self, frame: Frame, tracks: FrameTracks, outputs: FrameDetections) -> np.ndarray:
        from .drawing import side_by_side

        image = self.overlay.draw(frame, tracks, outputs)
        if self.counter is not None:
            image = self.counter.draw(image)
        if self.other is not None:
            title, rows, overlay = self.other
            image = side_by_side(image, overlay.draw(frame, rows.at(frame.number)), ("result", title))
        return image

    def _finish(self, settings: dict[str, Any]) -> None:
        """Move what was written to its place."""
        self.text.close()
        if self.video is not None:
            self.video.close()
        if self.counter is not None:
            self.report.counts, self.report.events = self.counter.write(self.folder / self.report.name)
        self._write_record(settings)
        dropped = getattr(self.source, "dropped", 0)
        if dropped:
            warnings.warn(
                f"{self.source.name}: {dropped} frames came while earlier ones were tracked, and were left out.",
                FairMOTLabWarning,
                stacklevel=4,
            )

    def _discard(self) -> None:
        self.text.discard()
        if self.video is not None:
            self.video.discard()
        self.report.record.unlink(missing_ok=True)

    def _stop(self) -> None:
        self.text.stop()
        if self.video is not None:
            self.video.stop()

    def _write_record(self, settings: dict[str, Any]) -> None:
        report = self.report
        state = {"complete": report.complete, "frames": report.frames, "rows": report.rows, "ids": report.ids}
        state |= settings
        with atomic_write(self.report.record) as path:
            path.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")

    def _so_far(self) -> str:
        files = [self.text.path if self.text.path.exists() else self.text.partial]
        if self.video is not None:
            files.append(self.video.path if self.video.path.exists() else self.video.partial)
        of = "" if self.source.length is None else f" of {self.source.length}"
        names = " and ".join(str(file) for file in files)
        return f"The results of the first {self.report.frames}{of} frames are in {names}."


class TextWriter:
    """Appends tracks to a MOTChallenge text that is valid at every moment.

    It is called `NAME.partial.txt` until it is closed. The lines are those of `write_mot`.

    Parameters
    ----------
    path
        The file to make or replace.

    Raises
    ------
    WriteError
        If the file cannot be written; the lines of earlier frames are whole.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        make_folder(self.path.parent)
        try:
            self._file = self.partial.open("wb", buffering=0)
        except OSError as error:
            raise write_error(self.partial, error) from error
        self._end = 0

    def append(self, tracks: FrameTracks) -> None:
        """Write the rows of a frame; when this returns they survive the end of the program."""
        rows = zip(
            tracks.ids.tolist(),
            tracks.boxes.astype(np.float64).tolist(),
            tracks.scores.astype(np.float64).tolist(),
            tracks.class_ids.tolist(),
            strict=True,
        )
        lines = "".join(
            f"{tracks.frame},{number},{x},{y},{w},{h},{score},{class_id},-1,-1\n"
            for number, (x, y, w, h), score, class_id in rows
        )
        self.write(lines.encode("ascii"))

    def write(self, lines: bytes) -> None:
        """Append whole lines, or none of them."""
        try:
            left = memoryview(lines)
            while left:
                left = left[self._file.write(left) :]
            self._end += len(lines)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise write_error(self.partial, error) from error

    def close(self) -> None:
        """Move the file to its place."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.partial, self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    def stop(self) -> None:
        """Leave the partial file where it is."""
        self._file.close()

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self.partial.unlink(missing_ok=True)


def read_tracks(path: str | os.PathLike[str], source: Source) -> tuple[str, pd.DataFrame]:
    """A title and a table to compare with: the word "gt" means the source's ground truth, anything else a result file.

    Of the ground truth those boxes are taken that count in the benchmark (conf 1, and class 1 where classes are known).
    """
    from .formats.mot import read_mot

    if os.fspath(path) == "gt":
        truth = source.ground_truth
        counted = truth["conf"] != 0
        if (truth["class_id"] != -1).any():
            counted &= truth["class_id"] == 1
        return "ground truth", truth.loc[counted].drop(columns="score")
    return Path(path).stem, read_mot(path, length=source.length)


def above(tracks: FrameTracks, threshold: float) -> FrameTracks:
    """The tracks of a frame whose score is at least `threshold`."""
    if threshold <= 0 or not len(tracks):
        return tracks
    rows = tracks.scores >= threshold
    return FrameTracks(
        tracks.frame,
        tracks.ids[rows],
        tracks.boxes[rows],
        tracks.scores[rows],
        tracks.class_ids[rows],
        tracks.detections[rows],
    )


def _load(model: Any) -> Detector:
    if isinstance(model, str | os.PathLike):
        from .detection.model import load_model

        return load_model(model)
    return check_detector(model)


def _tracker(tracker: Tracker | str | None, model: Detector, source: Source) -> Tracker:
    wanted = recommended_tracker(model) if tracker is None else as_tracker(tracker)
    return wanted.clone(source.frame_rate)


def recommended_tracker(model: Detector | str | os.PathLike[str]) -> Tracker:
    """Return the tracker that a model was published with, with its settings; `JDETracker()` where that is unknown.

    Parameters
    ----------
    model
        A detector, or a name or path that `load_model` takes. Detectors of several classes get `PerClass` of it.

    Examples
    --------
    >>> recommended_tracker("fairmot_dla34_30e_1088x608_airplane")
    JDETracker(min_box_area=0.0, vertical_ratio=0.0)
    >>> recommended_tracker("mcfairmot_dla34_30e_1088x608_visdrone")
    PerClass(JDETracker(min_box_area=0.0, vertical_ratio=0.0))
    """
    if isinstance(model, str | os.PathLike):
        from .detection.zoo import ALIASES, CARDS, card_of_file

        name = os.fspath(model)
        card = CARDS.get(ALIASES.get(name, name)) or card_of_file(Path(name))
        settings, classes = (card.tracker, len(card.classes)) if card else ({}, 1)
    else:
        settings = getattr(model, "default_tracker", None) or {}
        classes = len(getattr(model, "class_names", None) or {})
    tracker = tracker_from_dict(settings)
    return PerClass(tracker) if classes > 1 else tracker


def _check_threshold(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value}; it must lie from 0 to 1.")


def _make_overlay(settings: Mapping[str, Any] | None) -> Overlay:
    from .drawing import Overlay

    overlay = Overlay(**(settings or {}))
    _check_threshold("draw_threshold", overlay.draw_threshold)
    return overlay


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}), so the run cannot be resumed; leave out resume."
        ) from error
    if not isinstance(record, dict) or not {"complete", "frames", "rows", "ids"} <= set(record):
        raise ConfigError(f"{path} is no record of a run, so it cannot be resumed; leave out resume.")
    return record


def _refuse_other_settings(path: Path, earlier: dict[str, Any], now: dict[str, Any]) -> None:
    """A run goes on with what it began with, or its first half would not fit its second."""
    for key, value in json.loads(json.dumps(now)).items():
        held = earlier.get(key)
        if key == "source" or held == value:
            continue
        if isinstance(value, dict) and isinstance(held, dict):
            key, held, value = next((part, held.get(part), new) for part, new in value.items() if held.get(part) != new)
        raise ConfigError(
            f"{path} was begun with {key} {held} (now {value}); go on with the same, or leave out resume."
        )
