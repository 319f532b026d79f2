"""The demo: a rendered street scene, tracked with the bundled model and judged against its exact ground truth."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .._files import atomic_write
from ..errors import ConfigError
from .scenes import SceneConfig, write_sequence
from .training_data import TRAINING_SEED

# The scene of the notebooks: of seven seeds the one in which the default tracker makes a swap and takeovers, the best
# conf_thres by MOTA is not the best by IDF1, and the fullest frame is not the first.
TOUR_SEED, TOUR = 2, SceneConfig(length=200, frame_rate=12, people=16, spread=1)


@dataclass(frozen=True)
class DemoReport:
    """What `run_demo` made."""

    sequence: Path  # folder of the rendered sequence, in MOT17's format
    summary: pd.DataFrame  # the figures, as from `evaluate`, under the protocol "motchallenge"
    text: Path  # the tracks
    picture: Path  # a frame with the tracks beside the ground truth
    video: Path | None  # the overlay video, if it was asked for
    frames: int  # length of the sequence
    seconds: float  # wall-clock time of network, tracker and the writing of the outputs, without the video


def make_sequence(
    folder: str | os.PathLike[str] = "data", seed: int = 0, config: SceneConfig | None = None, *, progress: bool = True
) -> Path:
    """Render the demo sequence of a seed to `folder/demo-SEED`, unless it is there already, and return that path.

    `config` is what the scene is like, if not as `SceneConfig` has it; `scenes.write_sequence` says what is written.
    ConfigError if the path holds something else, or the seed is not below 1,000,000: others were trained on.
    """
    if not 0 <= seed < TRAINING_SEED:
        raise ConfigError(f"The seed is {seed}; give one from 0 to {TRAINING_SEED - 1}: others were trained on.")
    return write_sequence(seed, config or SceneConfig(), Path(folder) / f"demo-{seed}", progress=progress)


def make_tour(folder: str | os.PathLike[str] = "data", *, progress: bool = True) -> Path:
    """Render the sequence that the notebooks take apart, `folder/tour`, unless it is there already."""
    return write_sequence(TOUR_SEED, TOUR, Path(folder) / "tour", progress=progress)


def run_demo(
    folder: str | os.PathLike[str] = "data",
    output: str | os.PathLike[str] = "outputs",
    *,
    seed: int = 0,
    config: SceneConfig | None = None,
    video: bool = True,
    progress: bool = True,
) -> DemoReport:
    """Render a sequence (as `make_sequence`), track it, evaluate it, and draw it.

    Tracks, the model's detections, the picture and, if asked for, the video go to the folder `output`.
    """
    import cv2

    from ..detection.model import load_model
    from ..drawing import render_frames, render_video
    from ..evaluation.evaluate import evaluate
    from ..formats.mot import read_mot
    from ..pipeline import track_files
    from ..sources.open import open_source

    sequence = make_sequence(folder, seed, config, progress=progress)
    source, model = open_source(sequence), load_model("fairmot_lite")
    started = time.perf_counter()
    report = track_files(source, model=model, folder=output, progress=progress)
    seconds = time.perf_counter() - started
    tracks = read_mot(report.text)
    summary = evaluate({source.name: tracks}, {source.name: source}, protocol="motchallenge").summary
    people = source.ground_truth.query("class_id == 1 and visibility > 0")
    picture = Path(output) / f"{source.name}.png"
    middle = len(source) // 2
    tables = {f"tracked by {model.name}": tracks, "ground truth": people.drop(columns="score")}
    *_, (_, drawn) = render_frames(source, tables, first=max(1, middle - 30), last=middle)
    with atomic_write(picture) as temporary:
        cv2.imwrite(str(temporary), drawn)
    film = Path(output) / f"{source.name}.mp4" if video else None
    if film is not None:
        render_video(source, tracks, film, progress=progress)
    return DemoReport(sequence, summary, report.text, picture, film, len(source), seconds)
