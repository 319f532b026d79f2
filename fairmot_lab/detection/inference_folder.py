"""Folders that PaddleDetection's `export_model.py` writes: a program without maps, run by paddle.inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import from_corners
from ..data import FrameDetections
from ..errors import ConfigError, EngineError, WeightsError
from .decode import round_embeddings
from .engines import library_versions, paddle_predictor, read_ahead
from .letterbox import check_image, letterbox
from .weights import file_sha256

_EXPORT = "export FairMOT with PaddleDetection's export_model.py"
CONFIG = "infer_cfg.yml"
_TRACKER = {  # PaddleDetection's names of settings that the trackers here have too
    "conf_thres", "tracked_thresh", "metric_type", "min_box_area", "vertical_ratio", "det_thresh", "track_buffer",
    "match_thres", "low_conf_thres",
}  # fmt: skip


class InferenceFolderDetector:
    """An exported FairMOT with its own decoding: boxes, scores, classes and embeddings, no heatmaps.

    Parameters
    ----------
    folder
        With `infer_cfg.yml`, `model.pdiparams`, and `model.json` (paddle 3) or `model.pdmodel` (paddle 2).
    device
        "cpu" or "gpu".
    threads
        CPU threads that compute.
    score_floor
        Smallest score of a detection, in 0..1.

    Attributes
    ----------
    name : str
        Of the folder.
    input_size : (int, int)
        Width and height in pixels.
    class_names : dict
        From class id to name, as the folder says.
    default_tracker : dict
        Name and settings of the tracker, as the folder says.

    Raises
    ------
    WeightsError
        If a file is missing, or `infer_cfg.yml` prepares images in another way than FairMOT.
    EngineError
        If paddle cannot run the program.

    Examples
    --------
    >>> InferenceFolderDetector(getfixture("tmp_path"))
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.WeightsError: ... holds no infer_cfg.yml; give a folder that export_model.py of PaddleDetection \
wrote.
    """

    def __init__(self, folder: Path, *, device: str = "cpu", threads: int = 1, score_floor: float = 0.05) -> None:
        if not 0 < score_floor < 1:
            raise ConfigError(f"score_floor is {score_floor}; it must lie between 0 and 1.")
        self.name, self.score_floor, self.device = folder.resolve().name, score_floor, device
        config = _read_config(folder)
        program = next((folder / name for name in ("model.json", "model.pdmodel") if (folder / name).is_file()), None)
        parameters = folder / "model.pdiparams"
        if program is None or not parameters.is_file():
            raise WeightsError(f"{folder} holds no model.json or model.pdmodel with model.pdiparams; export it again.")
        self.input_size = _input_size(folder, config)
        labels = config.get("label_list") or []
        self.class_names = {
            number: str(label) for number, label in enumerate(labels if isinstance(labels, list) else [])
        }
        self.default_tracker = _tracker(config)
        self.weights_sha256 = file_sha256(program, parameters)
        self._predictor = _predictor(program, parameters, device, threads)
        names = self._predictor.get_input_names()
        if set(names) != {"image", "im_shape", "scale_factor"}:
            raise WeightsError(
                f"{folder} is not an exported FairMOT: its inputs are {', '.join(map(str, names))}; {_EXPORT}."
            )

    def __repr__(self) -> str:
        return f"<{self.name}: exported FairMOT at {self.input_size[0]}x{self.input_size[1]}, paddle on {self.device}>"

    def describe(self) -> dict[str, Any]:
        """Return all that decides the numbers, and what computed them."""
        return {
            "architecture": "inference folder",
            "weights_sha256": self.weights_sha256,
            "input_width": self.input_size[0],
            "input_height": self.input_size[1],
            "score_floor": self.score_floor,
            "engine": "paddle",
            "versions": library_versions(("paddlepaddle", "paddlepaddle-gpu")),
        }

    def __call__(self, image: np.ndarray, *, frame: int = 0) -> FrameDetections:
        """Return the detections of one image (H, W, 3) uint8, blue first; boxes in pixels of the image."""
        check_image(image)
        blob, box = letterbox(image, self.input_size)
        given = {
            "image": blob,
            "im_shape": np.array([box.content_size[::-1]], np.float32),
            "scale_factor": np.array([[box.scale, box.scale]], np.float32),
        }
        for name, values in given.items():
            self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(values))
        self._predictor.run()
        outputs = self._predictor.get_output_names()
        rows, vectors = (self._predictor.get_output_handle(name).copy_to_cpu() for name in outputs[:2])
        if rows.ndim != 2 or rows.shape[1] != 6 or len(vectors) != len(rows):
            raise WeightsError(
                f"{self.name} is not an exported FairMOT: it gives {rows.shape} and {vectors.shape}; {_EXPORT}."
            )
        if not (np.isfinite(rows).all() and np.isfinite(vectors).all()):
            raise WeightsError(f"{self.name} gives numbers that are not finite in frame {frame}; {_EXPORT}.")
        scores, corners = rows[:, 1], rows[:, 2:]
        likely = scores >= self.score_floor
        good = likely & (corners[:, 2:] > corners[:, :2]).all(1)
        keep = np.flatnonzero(good)[np.argsort(-scores[good], kind="stable")]
        boxes = from_corners(corners)[keep]
        return FrameDetections(
            frame=frame,
            boxes=boxes.astype(np.float32),
            scores=scores[keep].astype(np.float32),
            embeddings=round_embeddings(vectors[keep]),
            class_ids=rows[keep, 0].astype(np.int64),
            discarded=int((likely & ~good).sum()),
        )

    run = read_ahead


def _read_config(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / CONFIG
    if not path.is_file():
        raise WeightsError(f"{folder} holds no {CONFIG}; give a folder that export_model.py of PaddleDetection wrote.")
    try:
        if path.stat().st_size > 2**20:
            raise ValueError("more than 1 MiB")
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path} cannot be read ({reason}); {_EXPORT}.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is not the description of an export; {_EXPORT}.")
    if config.get("arch") not in ("FairMOT", None):
        raise WeightsError(f"{folder} is an export of {config['arch']}, not of FairMOT; {_EXPORT}.")
    return config


def _input_size(folder: Path, config: dict[str, Any]) -> tuple[int, int]:
    """(width, height), if images are prepared as FairMOT's."""
    steps = config.get("Preprocess")
    steps = {step.get("type"): step for step in steps if isinstance(step, dict)} if isinstance(steps, list) else {}
    letterboxing, normalising = steps.get("LetterBoxResize", {}), steps.get("NormalizeImage", {})
    size = letterboxing.get("target_size")
    plain = normalising.get("mean") == [0, 0, 0] and normalising.get("std") == [1, 1, 1]
    plain = plain and normalising.get("is_scale", True) is True
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) and 32 <= n <= 8192 for n in size)):
        raise WeightsError(f"{folder / CONFIG} has no LetterBoxResize with a target_size; {_EXPORT}.")
    if not plain or set(steps) != {"LetterBoxResize", "NormalizeImage", "Permute"}:
        raise WeightsError(
            f"{folder / CONFIG} prepares images in another way than FairMOT ({', '.join(map(str, steps))}); {_EXPORT}."
        )
    return size[1], size[0]


def _tracker(config: dict[str, Any]) -> dict[str, Any]:
    said = config.get("tracker")
    said = said if isinstance(said, dict) else {}
    settings = {name: value for name, value in said.items() if name in _TRACKER}
    return {"tracker": "ppdet_byte", **settings} if said.get("use_byte") else settings


def _predictor(program: Path, parameters: Path, device: str, threads: int) -> Any:
    try:
        return paddle_predictor(str(program), str(parameters), device, threads)
    except Exception as error:  # paddle raises classes of its own C++ module
        reason = " ".join(str(error).split())[-300:]
        raise EngineError(
            f"{program.parent} cannot be run by paddle ({reason}); export it with this paddle."
        ) from error
