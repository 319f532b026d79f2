"""Boxes, ids, trails and heatmaps on frames, and videos of them.

Colours follow the id, the same in every picture and on every machine. They are the palette of Okabe and Ito (Color
Universal Design, 2008), which people with any kind of colour blindness can tell apart, in three lightnesses; lines
have a dark rim, so that they stand out on any ground, and the id is written at every box.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd

from ._progress import progress_bar
from .boxes import BOX
from .errors import ConfigError
from .video_writer import VideoWriter

if TYPE_CHECKING:
    from .data import Letterbox
    from .sources.base import Frame, Source

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2")
_RIM = (20, 20, 20)
_WIDEST = 4096
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def _mix(colour: str, other: int, share: float) -> str:
    channels = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(channel * (1 - share) + other * share):02x}" for channel in channels)


PALETTE: tuple[str, ...] = (
    *OKABE_ITO,
    *(_mix(colour, 255, 0.5) for colour in OKABE_ITO),
    *(_mix(colour, 0, 0.35) for colour in OKABE_ITO),
)
"""Colours as "#rrggbb"; track `id` has number `id % len(PALETTE)`."""


def id_color(track_id: int) -> tuple[int, int, int]:
    """Return the colour of a track as (blue, green, red), 0..255; always the same for the same id.

    Examples
    --------
    >>> id_color(1), id_color(1) == id_color(1 + len(PALETTE))
    ((233, 180, 86), True)
    """
    text = PALETTE[int(track_id) % len(PALETTE)]
    return int(text[5:7], 16), int(text[3:5], 16), int(text[1:3], 16)


class Trails:
    """Keep where the tracks of the last frames stood: the middle of the lower edge of each box.

    Parameters
    ----------
    length
        How many frames a trail reaches back.
    """

    def __init__(self, length: int = 30) -> None:
        self.length = length
        self._points: dict[int, deque[tuple[int, float, float]]] = {}

    def add(self, frame: int, tracks: Any) -> None:
        """Add the tracks of a frame; points older than `length` frames are dropped, so memory stays constant."""
        ids, boxes, _ = _columns(tracks)
        for track_id, (x, y, w, h) in zip(ids.tolist(), boxes.tolist(), strict=True):
            self._points.setdefault(track_id, deque()).append((frame, x + w / 2, y + h))
        for track_id in list(self._points):
            points = self._points[track_id]
            while points and points[0][0] <= frame - self.length:
                points.popleft()
            if not points:
                del self._points[track_id]

    def points(self, track_id: int) -> np.ndarray:
        """Return the trail of a track, (P, 2) float in pixels, oldest first."""
        return np.array([point[1:] for point in self._points.get(track_id, ())], np.float64).reshape(-1, 2)


def draw_tracks(
    image: np.ndarray,
    tracks: Any,
    *,
    trails: Trails | None = None,
    scores: bool = True,
    draw_threshold: float = 0.0,
    class_names: Mapping[int, str] | None = None,
) -> np.ndarray:
    """Draw the boxes of one frame, with ids, classes, scores and trails.

    Parameters
    ----------
    image : (H, W, 3) uint8
        BGR; it is not modified.
    tracks
        The rows of one frame: a tracks table (`id`, `x`, `y`, `w`, `h`, `score` where it is known), or `FrameTracks`.
    trails
        Trails to draw behind the boxes; the caller adds the frames.
    scores
        Whether the score is written beside the id.
    draw_threshold
        Tracks with a lower score are not drawn.
    class_names
        From class id to name; by default what `attrs["classes"]` of a table says. Names are written where there are
        several classes.

    Returns
    -------
    (H, W, 3) uint8
        A copy with the drawing.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracks = scene.tracks[scene.tracks["frame"] == 5]
    >>> draw_tracks(scene.source.image(5), tracks).shape == scene.source.image(5).shape
    True
    """
    canvas = image.copy()
    ids, boxes, values = _columns(tracks)
    drawn = np.ones(len(ids), bool) if values is None else ~(values < draw_threshold)  # unknown ones too
    line = max(1, round(min(canvas.shape[:2]) / 400))
    names = _class_labels(tracks, class_names, len(ids))
    if trails is not None:
        for track_id in ids[drawn].tolist():
            _draw_trail(canvas, trails.points(track_id), id_color(track_id), line)
    for row in np.flatnonzero(drawn):
        colour = id_color(ids[row])
        corner, opposite = _corners(boxes[row])
        cv2.rectangle(canvas, corner, opposite, _RIM, line + 2)
        cv2.rectangle(canvas, corner, opposite, colour, line)
    rows = np.flatnonzero(drawn)  # above all boxes, so that every id can be read
    texts = [
        " ".join([str(ids[row]), *names[row], *([] if values is None or not scores else [f"{values[row]:.2f}"])])
        for row in rows
    ]
    sizes = np.array([_label_size(canvas, text)[0] for text in texts]).reshape(-1, 2)
    corners = np.array([_corners(boxes[row])[0] for row in rows]).reshape(-1, 2)
    for row, text, place in zip(rows, texts, _apart(corners, sizes, canvas.shape[1::-1]).tolist(), strict=True):
        draw_label(canvas, text, tuple(place), id_color(ids[row]), above=False)
    return canvas


def _apart(corners: np.ndarray, sizes: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    """Return where labels go: on the upper edges of their boxes, moved up or down by some heights off those before."""
    places = np.zeros_like(sizes)
    for row, (corner, size) in enumerate(zip(corners, sizes, strict=True)):
        candidates = corner + np.array([[0, step] for step in (-1, -2, 0, -3, 1, 2)]) * size
        candidates = np.clip(candidates, 0, np.maximum(0, np.array(picture) - size))
        low = np.maximum(candidates[:, None], places[:row])
        high = np.minimum(candidates[:, None] + size, places[:row] + sizes[:row])
        covered = np.maximum(high - low, 0).prod(2).sum(1)
        places[row] = candidates[covered.argmin()]
    return places


def draw_heatmap(image: np.ndarray, heatmap: np.ndarray, box: Letterbox, opacity: float = 0.7) -> np.ndarray:
    """Draw the centre heatmap of a detector over a frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        BGR, of the size that the letterbox belongs to; it is not modified.
    heatmap : (h, w) float32
        Centre scores, 0..1.
    box
        How the frame was placed in the network's input.
    opacity
        Opacity where the score is 1; it falls to 0 with the score.

    Returns
    -------
    (H, W, 3) uint8

    Examples
    --------
    >>> scene = fl.example()
    >>> found = scene.detections.frame(1)
    >>> draw_heatmap(scene.source.image(1), found.heatmap, found.letterbox).shape
    (160, 320, 3)
    """
    height, width = image.shape[:2]
    # Where heatmap cell centres are in the image: two points fix scale and shift, cells and pixels count from 0.
    (x0, y0), (x1, y1) = box.to_image(np.array([[0.5, 0.5], [1.5, 1.5]])) - 0.5
    matrix = np.array([[x1 - x0, 0, x0], [0, y1 - y0, y0]])
    levels = np.rint(np.clip(heatmap, 0, 1) * 255).astype(np.uint8)
    scores = cv2.warpAffine(levels, matrix, (width, height), flags=cv2.INTER_LINEAR)
    # The dark end of the colour map is left out: it would be lost on dark clothes.
    colours = cv2.applyColorMap(np.rint(np.linspace(110, 255, 256)).astype(np.uint8), cv2.COLORMAP_INFERNO)
    colours = cv2.LUT(cv2.cvtColor(scores, cv2.COLOR_GRAY2BGR), colours)
    # The square root keeps faint responses visible beside strong ones.
    if not 0 <= opacity <= 1:
        raise ConfigError(f"opacity is {opacity}; it must lie from 0 to 1.")
    shares = np.rint(255 * opacity * np.sqrt(np.arange(256) / 255)).astype(np.uint8)
    share = cv2.cvtColor(cv2.LUT(scores, shares), cv2.COLOR_GRAY2BGR)
    return cv2.add(cv2.multiply(image, 255 - share, scale=1 / 255), cv2.multiply(colours, share, scale=1 / 255))


def side_by_side(left: np.ndarray, right: np.ndarray, titles: tuple[str, str] = ("", "")) -> np.ndarray:
    """Return two pictures of one size beside each other, with titles in their upper left corners.

    Both are scaled down where they would be wider than 4096 pixels together, which is what video decoders take.

    Examples
    --------
    >>> side_by_side(np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64, 3), np.uint8), ("JDE", "SORT")).shape
    (48, 128, 3)
    """
    canvas = np.ascontiguousarray(np.hstack([left, right]))
    height, width = canvas.shape[:2]
    if width > _WIDEST:
        size = (_WIDEST, max(1, round(height * _WIDEST / width)))
        canvas = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        height, width = canvas.shape[:2]
    for title, x in zip(titles, (0, width // 2), strict=True):
        if title:
            draw_label(canvas, title, (x, 0), (235, 235, 235), above=False)
    cv2.line(canvas, (width // 2, 0), (width // 2, height), _RIM, 2)
    return canvas


def _label_size(canvas: np.ndarray, text: str) -> tuple[tuple[int, int], float, int, int, int]:
    """Return width and height of a label, and the scale, stroke, margin and height of its text."""
    size = max(0.35, min(canvas.shape[:2]) / 1300)
    line = max(1, round(size * 1.6))
    (text_width, text_height), base = cv2.getTextSize(text, _FONT, size, line)
    pad = max(1, round(4 * size))
    return (text_width + 2 * pad, text_height + base + pad), size, line, pad, text_height


def draw_label(
    canvas: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, int, int], *, above: bool
) -> None:
    """Write text on a filled ground at a corner, moved into the picture where it would stick out; modifies `canvas`.

    Examples
    --------
    >>> canvas = np.zeros((60, 80, 3), np.uint8)
    >>> draw_label(canvas, "7", (10, 40), (255, 255, 255), above=True)
    >>> bool(canvas.any())
    True
    """
    height, width = canvas.shape[:2]
    (box_width, box_height), size, line, pad, text_height = _label_size(canvas, text)
    x = max(0, min(corner[0], width - box_width))
    y = max(0, min(corner[1] - box_height if above else corner[1], height - box_height))
    cv2.rectangle(canvas, (x, y), (x + box_width, y + box_height), colour, -1)
    bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 120
    ink = (0, 0, 0) if bright else (255, 255, 255)
    cv2.putText(canvas, text, (x + pad, y + text_height + pad), _FONT, size, ink, line, cv2.LINE_AA)


class FrameAnnotator:
    """Draw one frame after another: heatmap, trails, boxes, ids and scores.

    Parameters
    ----------
    trails
        How many frames the trails reach back; 0 for none.
    scores
        Whether scores are written beside the ids.
    draw_threshold
        Tracks with a lower score are not drawn. It acts on the drawing only.
    heatmap
        Whether the centre heatmap is drawn over the frame, where there is one.
    class_names
        As of `draw_tracks`.
    """

    def __init__(
        self,
        *,
        trails: int = 30,
        scores: bool = True,
        draw_threshold: float = 0.0,
        heatmap: bool = False,
        class_names: Mapping[int, str] | None = None,
    ) -> None:
        if trails < 0:
            raise ConfigError(f"trails is {trails}; it must be a number of frames, 0 for none.")
        self.class_names = class_names
        self.trails = Trails(trails) if trails else None
        self.scores = scores
        self.draw_threshold = draw_threshold
        self.heatmap = heatmap

    def draw(self, frame: Frame, tracks: Any, detections: Any = None) -> np.ndarray:
        """Return a drawn copy of a frame.

        Parameters
        ----------
        frame
            The frame; frames come in ascending order.
        tracks
            Its tracks, as in `draw_tracks`.
        detections
            Its `FrameDetections`, for the heatmap.
        """
        image = frame.image
        heatmap, letterbox = getattr(detections, "heatmap", None), getattr(detections, "letterbox", None)
        if self.heatmap and heatmap is not None and letterbox is not None:
            image = draw_heatmap(image, heatmap, letterbox)
        if self.trails is not None:
            self.trails.add(frame.number, tracks)
        return draw_tracks(
            image,
            tracks,
            trails=self.trails,
            scores=self.scores,
            draw_threshold=self.draw_threshold,
            class_names=self.class_names,
        )


class FrameRows:
    """Find the rows of each frame of a table by bisection.

    Parameters
    ----------
    table
        Tracks or ground truth, with the column `frame`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table.sort_values("frame", kind="stable")
        self._frames = self._table["frame"].to_numpy()

    def at(self, number: int) -> pd.DataFrame:
        """Return the rows of frame `number`."""
        first, last = np.searchsorted(self._frames, [number, number + 1])
        return self._table.iloc[first:last]


def render_frames(
    source: Source,
    tracks: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    first: int = 1,
    last: int | None = None,
    **settings: Any,
) -> Iterator[tuple[Frame, np.ndarray]]:
    """Draw tables of tracks on the frames of a source.

    Parameters
    ----------
    source
        The frames.
    tracks
        A tracks table; or one or two by title, drawn side by side: two runs, or a run and the ground truth.
    first, last
        The frames to draw, both included.
    **settings
        As for `FrameAnnotator`.

    Yields
    ------
    (Frame, numpy.ndarray)
        A frame and its drawing.

    Examples
    --------
    >>> scene = fl.example()
    >>> [frame.number for frame, image in render_frames(scene.source, scene.tracks, first=3, last=5)]
    [3, 4, 5]
    """
    tables = dict(tracks) if isinstance(tracks, Mapping) else {"": tracks}
    if not 1 <= len(tables) <= 2:
        raise ConfigError(f"One or two tables can be drawn side by side, not {len(tables)}; leave some out.")
    panels = [(title, FrameRows(table), FrameAnnotator(**settings)) for title, table in tables.items()]
    for frame in source.frames(first, last):
        images = [overlay.draw(frame, rows.at(frame.number)) for _, rows, overlay in panels]
        if len(images) == 2:
            yield frame, side_by_side(images[0], images[1], (panels[0][0], panels[1][0]))
        else:
            yield frame, images[0]


def render_video(
    source: Source,
    tracks: pd.DataFrame | Mapping[str, pd.DataFrame],
    path: str | os.PathLike[str],
    *,
    first: int = 1,
    last: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> None:
    """Write a video of tables of tracks on the frames of a source; parameters as of `render_frames`.

    Raises
    ------
    WriteError
        If the video cannot be written, or would overwrite a file of the source.
    SourceError
        If a frame cannot be read, or is asked for and does not exist.

    Examples
    --------
    >>> scene, path = fl.example(), getfixture("tmp_path") / "crossing.mp4"
    >>> render_video(scene.source, scene.tracks, path, progress=False)
    >>> fl.open_source(path)
    <video 'crossing': 40 frames, 320x160, 10 frames/s>
    """
    end = source.length if last is None else last
    total = None if end is None else end - first + 1
    drawn = render_frames(source, tracks, first=first, last=last, **settings)
    with VideoWriter(path, source.frame_rate, pixel_aspect=source.pixel_aspect, inputs=source) as writer:
        for frame, image in progress_bar(drawn, total=total, unit="frame", desc="video", disable=not progress):
            writer.write(image, frame.time)


def _columns(tracks: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """ids, boxes and scores (None where unknown) of a table or of FrameTracks."""
    if hasattr(tracks, "ids"):
        return np.asarray(tracks.ids), np.asarray(tracks.boxes, np.float64).reshape(-1, 4), np.asarray(tracks.scores)
    scores = tracks["score"].to_numpy() if "score" in tracks else None
    return tracks["id"].to_numpy(), tracks[BOX].to_numpy(np.float64), scores


def _class_labels(tracks: Any, class_names: Mapping[int, str] | None, count: int) -> list[list[str]]:
    """Return the class of each row, in a list; empty lists where there is one class or none is known."""
    names = class_names or getattr(tracks, "attrs", {}).get("classes") or {}
    class_ids = getattr(tracks, "class_ids", None)
    if class_ids is None and hasattr(tracks, "columns") and "class_id" in tracks:
        class_ids = tracks["class_id"].to_numpy()
    if len(names) < 2 or class_ids is None:
        return [[]] * count
    return [[str(names.get(int(number), number))] for number in class_ids]


def _corners(box: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    x, y, w, h = np.clip(box, -20_000, 20_000)  # OpenCV draws nothing beyond 16-bit coordinates
    return (round(x), round(y)), (round(x + w), round(y + h))


def _draw_trail(canvas: np.ndarray, points: np.ndarray, colour: tuple[int, int, int], line: int) -> None:
    """Draw a line that grows thicker towards the present."""
    if len(points) < 2:
        return
    whole = np.rint(np.clip(points, -20_000, 20_000)).astype(np.int32)
    third = max(1, (len(whole) + 2) // 3)
    for part, start in enumerate(range(0, len(whole) - 1, third)):
        width = max(1, line * (part + 1) // 2)
        cv2.polylines(canvas, [whole[start : start + third + 1]], False, colour, width, cv2.LINE_AA)
