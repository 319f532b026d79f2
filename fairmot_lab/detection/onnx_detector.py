"""Detectors and ReID networks from ONNX files: the common exports of YOLOX, YOLOv5, YOLOv8 and RTMDet."""

from __future__ import annotations

import ast
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .._files import exists
from ..boxes import from_corners
from ..data import FrameDetections
from ..errors import ConfigError, DetectionsError, WeightsError
from ..formats.classes import people_classes
from .decode import best_boxes, round_embeddings
from .engines import checked_threads, library_versions, open_session, read_ahead, run_session
from .letterbox import check_image
from .weights import file_sha256

GREY = 114
STRIDES = (8, 16, 32)
_COCO = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
)
COCO = tuple(name.replace("_", " ") for name in _COCO.split())


@dataclass(frozen=True)
class Layout:
    """How a family of exports takes images and gives boxes.

    Attributes
    ----------
    title
        What it is called.
    rgb
        Whether red comes first.
    mean, deviation
        Subtracted from the pixel values 0..255, in the order of the channels, and what the rest is divided by.
    centred
        Whether the image is in the middle of the grey input, or in its upper left corner.
    """

    title: str
    rgb: bool
    mean: tuple[float, float, float] = (0, 0, 0)
    deviation: tuple[float, float, float] = (1, 1, 1)
    centred: bool = False


_UNIT = (255.0, 255.0, 255.0)
LAYOUTS: Mapping[str, Layout] = {
    "yolox": Layout("YOLOX: (1, cells, 5 + classes), to be placed on the grid", rgb=False),
    "yolox_decoded": Layout("YOLOX with decode_in_inference: (1, cells, 5 + classes) in pixels", rgb=False),
    "yolov5": Layout("YOLOv5: (1, 3 x cells, 5 + classes)", rgb=True, deviation=_UNIT, centred=True),
    "yolov8": Layout("YOLOv8 and later: (1, 4 + classes, cells)", rgb=True, deviation=_UNIT, centred=True),
    "end2end": Layout("Ultralytics with NMS: (1, N, 6)", rgb=True, deviation=_UNIT, centred=True),
    "rtmdet": Layout(
        "RTMDet by MMDeploy: dets (1, N, 5), labels (1, N)",
        rgb=False,
        mean=(103.53, 116.28, 123.675),
        deviation=(57.375, 57.12, 58.395),
    ),
}


def load_detector(
    path: str | os.PathLike[str],
    *,
    reid: str | os.PathLike[str] | None = None,
    layout: str = "auto",
    classes: Sequence[str] | str = "auto",
    class_names: Mapping[int, str] | Sequence[str] | None = None,
    input_size: tuple[int, int] | None = None,
    score_floor: float = 0.1,
    nms_iou: float = 0.65,
    max_per_frame: int = 300,
    device: str = "cpu",
    threads: int | None = None,
) -> OnnxDetector:
    """Load a detector from an ONNX file, and a ReID network for its embeddings from another.

    Parameters
    ----------
    path
        Exported from YOLOX, YOLOv5, YOLOv8 (and what has its output), or RTMDet (MMDeploy), for one image.
    reid
        A network that makes embeddings (N, D) of crops (N, 3, H, W), RGB with ImageNet's mean and deviation, as
        OSNet's. Without one, detections have boxes and scores only.
    layout
        A key of `LAYOUTS`, or "auto": inferred from the shapes of the outputs. "yolox_decoded" looks like "yolox" and
        has to be named.
    classes
        Names to keep, or one; "all"; or "auto": people where the detector has such a class, else all.
    class_names
        From class id to name; by default what the file says, COCO's for 80 classes, else the number.
    input_size
        (width, height), for a file that takes several.
    score_floor
        Smallest score of a detection.
    nms_iou
        Boxes that overlap a better one of their class by more are left out. Not used where the file does that itself.
    max_per_frame
        Largest number of detections of a frame, best first.
    device
        "cpu", "gpu" (CUDA), "openvino" or "auto", as far as the installed onnxruntime has them.
    threads
        CPU threads; all that this process may use unless given.

    Returns
    -------
    OnnxDetector
        A `Detector`: `fl.detect` and `fl.track` take it.

    Raises
    ------
    WeightsError
        If a file is missing, or its inputs and outputs are not of a known layout.
    EngineError
        If onnxruntime cannot run it, or lacks the device.
    ConfigError
        If an option is out of range, or the detector does not have a class.

    Examples
    --------
    >>> load_detector("yolox.onnx")
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.WeightsError: There is no file yolox.onnx; give an ONNX export.
    """
    for name, value in (("score_floor", score_floor), ("nms_iou", nms_iou)):
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}; it must lie from 0 to 1.")
    if max_per_frame < 1:
        raise ConfigError(f"max_per_frame is {max_per_frame}; it must be 1 or more.")
    if layout not in ("auto", *LAYOUTS):
        raise ConfigError(f"layout is {layout!r}; it must be 'auto' or one of {', '.join(LAYOUTS)}.")
    threads = checked_threads(threads)
    network = _Network(Path(path), layout, class_names, input_size, device, threads)
    embedder = None if reid is None else Embedder(reid, device=device, threads=threads)
    return OnnxDetector(network, embedder, classes, score_floor, nms_iou, max_per_frame)


class OnnxDetector:
    """A detector that `load_detector` loaded, ready to run.

    Attributes
    ----------
    name : str
        The stem of the file.
    layout : str
        A key of `LAYOUTS`.
    input_size : (int, int)
        Width and height in pixels.
    class_names : dict
        From class id to name, of the classes that are kept.
    """

    def __init__(
        self,
        network: _Network,
        embedder: Embedder | None,
        classes: Sequence[str] | str,
        score_floor: float,
        nms_iou: float,
        max_per_frame: int,
    ) -> None:
        self._network, self._embedder = network, embedder
        self.name, self.layout, self.input_size = network.path.stem, network.layout, network.input_size
        self.score_floor, self.nms_iou, self.max_per_frame = score_floor, nms_iou, max_per_frame
        names = network.names
        if classes == "auto":
            classes = [names[number] for number in people_classes(names)]
        elif classes == "all":
            classes = list(names.values())
        wanted = [classes] if isinstance(classes, str) else list(classes)
        if unknown := [name for name in wanted if name not in names.values()]:
            raise ConfigError(
                f"{self.name} has no class {unknown[0]!r}; it has {', '.join(list(names.values())[:20])}."
            )
        self.class_names = {number: name for number, name in names.items() if name in wanted}
        self.device = network.device

    def __repr__(self) -> str:
        width, height = self.input_size
        return f"<{self.name}: {self.layout} at {width}x{height}, onnxruntime on {self.device}>"

    def describe(self) -> dict[str, Any]:
        """Return all that decides the numbers, and what computed them."""
        return {
            "detector": "onnx",
            "layout": self.layout,
            "weights_sha256": self._network.sha256,
            "reid_sha256": None if self._embedder is None else self._embedder.sha256,
            "input_width": self.input_size[0],
            "input_height": self.input_size[1],
            "classes": sorted(self.class_names),
            "score_floor": self.score_floor,
            "nms_iou": self.nms_iou,
            "max_per_frame": self.max_per_frame,
            "engine": f"onnxruntime on {self.device}",
            "versions": library_versions(("onnxruntime",)),
        }

    def __call__(self, image: np.ndarray, *, frame: int = 0) -> FrameDetections:
        """Return the detections of one image (H, W, 3) uint8, blue first; boxes in pixels of the image."""
        check_image(image)
        corners, scores, classes = self._network.run(image, frame)
        keep = (scores >= self.score_floor) & np.isin(classes, list(self.class_names))
        keep &= (corners[:, 2:] > corners[:, :2]).all(1)
        corners, scores, classes = corners[keep], scores[keep], classes[keep]
        order = np.argsort(-scores, kind="stable")
        corners, scores, classes = corners[order], scores[order], classes[order]
        if self.layout not in ("end2end", "rtmdet"):
            best = suppress(corners, scores, classes, self.nms_iou)
            corners, scores, classes = corners[best], scores[best], classes[best]
        corners, scores, classes = (values[: self.max_per_frame] for values in (corners, scores, classes))
        boxes = from_corners(corners).astype(np.float32)
        embeddings = None if self._embedder is None else self._embedder(image, boxes)
        return FrameDetections(frame, boxes, np.minimum(scores, 1), embeddings, classes)

    run = read_ahead


class Embedder:
    """A ReID network: an appearance vector for every box.

    Parameters
    ----------
    path
        An ONNX file with one input (N, 3, H, W), RGB with ImageNet's mean and deviation, and one output (N, D).
    device, threads
        As of `load_detector`.

    Attributes
    ----------
    input_size : (int, int)
        Width and height of a crop; 128 x 256 where the file does not say.
    """

    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, path: str | os.PathLike[str], *, device: str = "cpu", threads: int | None = None) -> None:
        self.path = _existing(Path(path))
        self.sha256 = file_sha256(self.path)
        self._session, self.device = open_session(self.path, checked_threads(threads), device)
        (given, *others), (out, *_) = self._session.get_inputs(), self._session.get_outputs()
        if others or len(given.shape) != 4 or len(out.shape) != 2:
            raise WeightsError(
                f"{self.path} is not a ReID network; give one that makes (N, D) of (N, 3, height, width)."
            )
        self._input = given.name
        self._fixed = isinstance(given.shape[0], int)
        self._batch = given.shape[0] if self._fixed else 64
        height, width = given.shape[2:]
        self.input_size = (width if isinstance(width, int) else 128, height if isinstance(height, int) else 256)

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Return unit vectors (N, D) float32, rounded to half precision, of the boxes (N, 4: x, y, w, h) of an image.

        Raises
        ------
        DetectionsError
            If the network gives numbers that are not finite, or zeros.
        """
        crops = [self._crop(image, box) for box in boxes]
        parts = []
        for first in range(0, max(1, len(crops)), self._batch):
            batch = np.stack(crops[first : first + self._batch] or [np.zeros((3, *self.input_size[::-1]), np.float32)])
            if self._fixed and len(batch) < self._batch:
                batch = np.concatenate((batch, np.repeat(batch[:1], self._batch - len(batch), axis=0)))
            parts.append(run_session(self._session, {self._input: batch}, self.path)[0])
        vectors = np.concatenate(parts)[: len(crops)]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or (lengths == 0).any():
            raise DetectionsError(f"{self.path} gives embeddings that are zero or not finite; export it again.")
        return round_embeddings(vectors / lengths)

    def _crop(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        left, top = int(np.clip(box[0], 0, width - 1)), int(np.clip(box[1], 0, height - 1))
        right = int(np.clip(np.ceil(box[0] + box[2]), left + 1, width))
        bottom = int(np.clip(np.ceil(box[1] + box[3]), top + 1, height))
        crop = cv2.resize(image[top:bottom, left:right], self.input_size, interpolation=cv2.INTER_LINEAR)
        values = (crop[:, :, ::-1].astype(np.float32) / 255 - self.mean) / self.deviation
        return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


class _Network:
    """An ONNX file of a known layout."""

    def __init__(
        self,
        path: Path,
        layout: str,
        class_names: Mapping[int, str] | Sequence[str] | None,
        input_size: tuple[int, int] | None,
        device: str,
        threads: int,
    ) -> None:
        self.path = _existing(path)
        self.sha256 = file_sha256(path)
        self._session, self.device = open_session(path, threads, device)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            raise WeightsError(f"{path} is not a detector; give one with one input (1, 3, height, width).")
        self._input, self._half = inputs[0].name, inputs[0].type == "tensor(float16)"
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.input_size = _input_size(path, inputs[0].shape, input_size, metadata)
        # the outputs' shapes may be open, so they are measured on a grey image
        shapes = [values.shape for values in self._outputs(np.full((1, 3, *self.input_size[::-1]), GREY, np.float32))]
        self.layout = _infer_layout(path, shapes, self.input_size) if layout == "auto" else layout
        self._form = LAYOUTS[self.layout]
        wanted = 2 if self.layout == "rtmdet" else 1
        if layout != "auto" and (len(shapes) < wanted or len(shapes[0]) != 3):
            raise WeightsError(
                f"{path} is not a file of {self._form.title}; its outputs are {', '.join(map(str, shapes))}; give "
                "another layout=."
            )
        self.names = _names(path, class_names, metadata, _class_count(self.layout, shapes))

    def _outputs(self, blob: np.ndarray) -> list[np.ndarray]:
        return run_session(self._session, {self._input: blob.astype(np.float16) if self._half else blob}, self.path)

    def run(self, image: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return corners (N, 4) in pixels of the image, scores (N,) and classes (N,) of all candidates."""
        width, height = self.input_size
        scale = min(width / image.shape[1], height / image.shape[0])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        pad = ((width - size[0]) / 2, (height - size[1]) / 2) if self._form.centred else (0.0, 0.0)
        left, top = round(pad[0] - 0.1), round(pad[1] - 0.1)
        canvas = np.full((height, width, 3), GREY, np.uint8)
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        pixels = canvas[:, :, ::-1] if self._form.rgb else canvas
        values = (pixels.astype(np.float32) - self._form.mean) / self._form.deviation
        outputs = self._outputs(np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32))
        if not all(np.isfinite(part).all() for part in outputs):
            raise DetectionsError(f"{self.path} gives numbers that are not finite in frame {frame}; export it again.")
        corners, scores, classes = self._decode(outputs)
        return (corners - (left, top, left, top)) / scale, scores, classes

    def _decode(self, outputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corners in pixels of the input, scores and classes."""
        if self.layout == "rtmdet":
            first = 0 if outputs[0].ndim == 3 else 1
            rows, labels = outputs[first][0].astype(np.float64), outputs[1 - first][0]
            return rows[:, :4], rows[:, 4].astype(np.float32), labels.astype(np.int64)
        rows = outputs[0][0].astype(np.float64)
        if self.layout == "end2end":
            return rows[:, :4], rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int64)
        if self.layout == "yolov8":
            rows = rows.T
        likely = rows[:, 4:] if self.layout == "yolov8" else rows[:, 5:] * rows[:, 4:5]
        centres, sizes = rows[:, :2], rows[:, 2:4]
        if self.layout == "yolox":
            grid, stride = _grid(self.input_size)
            centres, sizes = (centres + grid) * stride, np.exp(np.minimum(sizes, 20)) * stride
        classes = likely.argmax(1)
        scores = likely[np.arange(len(likely)), classes].astype(np.float32)
        return np.concatenate((centres - sizes / 2, centres + sizes / 2), axis=1), scores, classes


def suppress(corners: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float) -> np.ndarray:
    """Return the rows that remain, best first, when boxes that overlap a better one of their class are left out.

    Parameters
    ----------
    corners : (N, 4)
        x1, y1, x2, y2.
    scores, classes : (N,)
    iou
        Largest intersection over union of two that remain.

    Examples
    --------
    >>> corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10.0]])
    >>> suppress(corners, np.array([0.5, 0.9, 0.4]), np.array([0, 0, 1]), 0.5).tolist()
    [1, 2]
    """
    if not len(corners):
        return np.empty(0, np.int64)
    span = corners.max() - corners.min() + 1  # boxes of different classes are moved apart
    return best_boxes(from_corners(corners + (classes * span)[:, None]), scores, iou)


def _existing(path: Path) -> Path:
    if not (exists(path, WeightsError) and path.is_file()):
        raise WeightsError(f"There is no file {path}; give an ONNX export.")
    return path


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cell (x, y) and stride of every row of YOLOX's output."""
    cells, strides = [], []
    for stride in STRIDES:
        xs, ys = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride))
        cells.append(np.stack((xs.ravel(), ys.ravel()), axis=1))
        strides.append(np.full((xs.size, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def _input_size(
    path: Path, shape: Sequence[Any], wanted: tuple[int, int] | None, metadata: Mapping[str, str]
) -> tuple[int, int]:
    fixed = (shape[3], shape[2])
    if all(isinstance(side, int) and side > 0 for side in fixed):
        if wanted and tuple(wanted) != fixed:
            raise ConfigError(f"{path} takes {fixed[0]}x{fixed[1]} pixels only, not {wanted[0]}x{wanted[1]}.")
        return fixed
    size = wanted or _literal(metadata.get("imgsz", ""), list, [640, 640])[::-1]
    if len(size) != 2 or not all(isinstance(side, int) and 32 <= side <= 8192 and not side % 32 for side in size):
        raise ConfigError(f"input_size is {size}; width and height must be multiples of 32.")
    return size[0], size[1]


def _infer_layout(path: Path, shapes: list[tuple[int, ...]], size: tuple[int, int]) -> str:
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
    if len(shapes) >= 2 and sorted(len(shape) for shape in shapes[:2]) == [2, 3]:
        return "rtmdet"
    if len(shapes) == 1 and len(shapes[0]) == 3:
        _, rows, columns = shapes[0]
        if columns == 6 and rows not in (cells, 3 * cells):
            return "end2end"
        if rows == cells and columns > 5:
            return "yolox"
        if rows == 3 * cells and columns > 5:
            return "yolov5"
        if columns == cells and rows > 4:
            return "yolov8"
    raise WeightsError(
        f"{path} is of no layout that is known here: its outputs are {', '.join(map(str, shapes)) or 'none'}; give "
        f"layout= ({', '.join(LAYOUTS)}), or wrap it yourself (docs/detectors.md)."
    )


def _class_count(layout: str, shapes: list[tuple[int, ...]]) -> int | None:
    if layout in ("end2end", "rtmdet"):
        return None
    return shapes[0][1] - 4 if layout == "yolov8" else shapes[0][2] - 5


def _names(
    path: Path, given: Mapping[int, str] | Sequence[str] | None, metadata: Mapping[str, str], count: int | None
) -> dict[int, str]:
    """Return names by class id: those given, those in the file (Ultralytics writes them), COCO's, or numbers."""
    if given is None:
        given = _literal(metadata.get("names", ""), dict, None)
    if given is None:
        given = COCO if count in (80, None) else [str(number) for number in range(count)]
    names = {
        int(number): str(name) for number, name in (given.items() if isinstance(given, Mapping) else enumerate(given))
    }
    if count is not None and (len(names) != count or set(names) != set(range(count))):
        raise ConfigError(f"{path} has {count} classes and class_names names {len(names)}; give one name for each.")
    return names


def _literal(text: str, kind: type, default: Any) -> Any:
    """Return what an export wrote about itself as Python's literals; the default where it is nothing of the kind."""
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        value = ast.literal_eval(text[:100_000])
        if isinstance(value, kind):
            return value
    return default
