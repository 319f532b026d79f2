"""The demo: a rendered street scene, tracked with the bundled model and judged against its exact ground truth."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .._files import atomic_write
from ..errors import ConfigError
from .scenes import Scene, SceneConfig, write_sequence
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
    folder: str | os.PathLike[str] = "data",
    seed: int = 0,
    config: SceneConfig | None = None,
    *,
    name: str | None = None,
    progress: bool = True,
) -> Path:
    """Render the demo sequence of a seed, unless it is there already.

    Parameters
    ----------
    folder
        Where the sequence's folder goes.
    seed
        Below 1,000,000: from there on scenes were trained on.
    config
        What the scene is like; the defaults unless given.
    name
        Of the sequence and its folder; demo-SEED unless given.

    Returns
    -------
    pathlib.Path
        The sequence: img1/, gt/gt.txt, det/det.txt, seqinfo.ini, and scene.json with what it was made from.

    Raises
    ------
    ConfigError
        If the seed is out of its range, or the folder holds something else.
    """
    if not 0 <= seed < TRAINING_SEED:
        raise ConfigError(
            f"The seed is {seed}; a demo needs one from 0 to {TRAINING_SEED - 1}: others were trained on."
        )
    config = config or SceneConfig()
    path = Path(folder) / (name or f"demo-{seed}")
    recipe = json.loads(json.dumps({"seed": seed} | dataclasses.asdict(config)))  # as it is read back: no tuples
    note = path / "scene.json"
    if path.exists():
        if not note.exists() or json.loads(note.read_text(encoding="utf-8")) != recipe:
            raise ConfigError(f"{path} holds something else than the scene that is asked for; move it or remove it.")
        if (path / "seqinfo.ini").exists():
            return path
    with atomic_write(note) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1), encoding="utf-8")
    return write_sequence(Scene(seed, config), path, progress=progress)


def make_tour(folder: str | os.PathLike[str] = "data", *, progress: bool = True) -> Path:
    """Render the sequence that the notebooks take apart, `folder/tour`, unless it is there already.

    200 frames of a crowded street: with the bundled model and the default tracker there are a swap and takeovers, and
    MOTA and IDF1 disagree about the best `conf_thres`.
    """
    return make_sequence(folder, TOUR_SEED, TOUR, name="tour", progress=progress)


def run_demo(
    folder: str | os.PathLike[str] = "data",
    output: str | os.PathLike[str] = "outputs",
    *,
    seed: int = 0,
    config: SceneConfig | None = None,
    model: str = "fairmot_lite",
    video: bool = True,
    progress: bool = True,
) -> DemoReport:
    """Render a sequence (as `make_sequence`), track it, evaluate it, and draw it.

    Tracks, the network's outputs, the picture and, if asked for, the video go to the folder `output`. `model` is a name
    or path that `load_model` takes.
    """
    import cv2

    from ..detection.model import load_model
    from ..drawing import render_frames, render_video
    from ..evaluation.evaluate import evaluate
    from ..formats.mot import read_mot
    from ..pipeline import track_files
    from ..sources.open import open_source

    sequence = make_sequence(folder, seed, config, progress=progress)
    source, network = open_source(sequence), load_model(model)
    started = time.perf_counter()
    report = track_files(source, model=network, folder=output, progress=progress)
    seconds = time.perf_counter() - started
    tracks = read_mot(report.text)
    summary = evaluate({source.name: tracks}, {source.name: source}, protocol="motchallenge").summary
    truth = source.ground_truth
    people = truth[(truth["class_id"] == 1) & (truth["visibility"] > 0)]
    picture = Path(output) / f"{source.name}.png"
    middle = len(source) // 2
    tables = {f"tracked by {network.name}": tracks, "ground truth": people.drop(columns="score")}
    *_, (_, drawn) = render_frames(source, tables, first=max(1, middle - 30), last=middle)
    with atomic_write(picture) as temporary:
        cv2.imwrite(str(temporary), drawn)
    film = Path(output) / f"{source.name}.mp4" if video else None
    if film is not None:
        render_video(source, tracks, film, progress=progress)
    return DemoReport(sequence, summary, report.text, picture, film, len(source), seconds)
