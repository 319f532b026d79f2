"""What the compact model is trained on: views cut from real sequences and from rendered scenes.

Boxes are `x, y, w, h` in pixels, `x, y` being the top-left corner. Everything random is drawn from the generator that a
function is given.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write
from ..data import DISTRACTORS, PEDESTRIAN
from ..detection.letterbox import GREY
from ..errors import FairMOTLabWarning, TrainingError
from ..formats.classes import class_notes, frames_without_labels, ignored_rows, motchallenge_classes, people_rows
from ..sources.base import Source
from ..sources.open import open_source
from .scenes import Scene, SceneConfig, write_sequence

TRAINING_SEED = 1_000_000  # scenes of smaller seeds are never trained on
VISIBLE = 0.15  # people of whom less is seen are neither to be found nor to be missed


@dataclass
class Footage:
    """A sequence that views are cut from.

    Attributes
    ----------
    name
        The sequence.
    frames : (F, H, W, 3) uint8
        Blue first; mapped from a file.
    frame_rate
        Frames a second.
    people, identities, ignored
        For each frame: boxes (P, 4) of the people to be found, their identities (P,), and areas (K, 4) where nothing is
        asked.
    rendered
        Whether it is a drawn scene.
    """

    name: str
    frames: np.ndarray
    frame_rate: float
    people: list[np.ndarray]
    identities: list[np.ndarray]
    ignored: list[np.ndarray]
    rendered: bool = False


@dataclass
class View:
    """An image (H, W, 3) uint8, blue first, with the boxes of its people and the areas to ignore."""

    image: np.ndarray
    people: np.ndarray
    ignored: np.ndarray


def prepare_footage(
    source: Source,
    cache: str | os.PathLike[str],
    *,
    truth: pd.DataFrame | None = None,
    max_height: int = 648,
    rendered: bool = False,
    progress: bool = True,
) -> Footage:
    """Read a sequence's frames once, shrink them, and keep them in a file that later runs map.

    Parameters
    ----------
    source
        A sequence; with ground truth if `truth` is None.
    cache
        Folder for the file of frames.
    truth
        Ground truth of a source that has none of its own, such as a video.
    max_height
        Frames higher than this many pixels are shrunk to it.
    rendered
        Whether it is a drawn scene.

    Raises
    ------
    TrainingError
        If no person is in the ground truth, or it has more frames than the source.
    SourceError
        If the ground truth or a frame cannot be read.

    Warns
    -----
    FairMOTLabWarning
        If rows or frames of the ground truth are left out; see `formats.classes`.
    """
    from .._progress import progress_bar

    truth, count = source.ground_truth if truth is None else truth, len(source)
    if len(truth) and truth["frame"].max() > count:
        raise TrainingError(f"{source.name} has ground truth for frame {truth['frame'].max()}, but {count} frames.")
    scale = min(1.0, max_height / source.height)
    width, height = round(source.width * scale), round(source.height * scale)
    key = hashlib.sha256(f"{source.fingerprint()} {width}x{height}".encode()).hexdigest()[:16]
    path = Path(cache) / f"{source.name}-{key}.npy"
    if not path.exists():
        with atomic_write(path) as temporary:
            frames = np.lib.format.open_memmap(temporary, "w+", np.uint8, (count, height, width, 3))
            for frame in progress_bar(
                source, total=count, desc=f"{source.name}: frames", disable=not progress, unit="frame"
            ):
                frames[frame.number - 1] = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
            frames.flush()
            del frames
    wanted = people_rows(truth) & ~(truth["visibility"].to_numpy() < VISIBLE)
    known = np.isin(motchallenge_classes(truth), (*DISTRACTORS, PEDESTRIAN, -1)) | ignored_rows(truth)
    ignored = known & ~wanted
    if not wanted.any():
        raise TrainingError(f"{source.name} has no person in its ground truth; leave it out of the training.")

    def by_frame(rows: np.ndarray, columns: Any) -> list[np.ndarray]:
        chosen = truth[rows]
        order = [chosen["frame"].to_numpy() == number for number in range(1, count + 1)]
        return [chosen[columns].to_numpy()[here] for here in order]

    boxes = ["x", "y", "w", "h"]
    areas = by_frame(ignored, boxes)
    unlabelled = frames_without_labels(truth, count)
    for number in unlabelled.tolist():  # whoever is there is neither to be found nor to be missed
        areas[number - 1] = np.array([[0.0, 0.0, source.width, source.height]])
    notes = class_notes(truth)
    if len(unlabelled):
        notes.append(
            f"{source.name}: {len(unlabelled)} of {count} frames have no ground truth; nothing is learnt from them."
        )
    for note in notes:
        warnings.warn(note, FairMOTLabWarning, stacklevel=2)
    return Footage(
        source.name,
        np.load(path, mmap_mode="r"),
        source.frame_rate,
        [one * scale for one in by_frame(wanted, boxes)],
        by_frame(wanted, "id"),
        [one * scale for one in areas],
        rendered,
    )


def rendered_footage(
    count: int, cache: str | os.PathLike[str], *, seed: int = TRAINING_SEED, frames: int = 20, progress: bool = True
) -> list[Footage]:
    """Draw street scenes of many kinds to train on; those that the cache holds are not drawn again.

    Parameters
    ----------
    count
        Number of scenes.
    cache
        Folder for them.
    seed
        Of the first scene; the others follow.
    frames
        Frames of each scene, 8 a second.
    """
    from .._progress import progress_bar

    footages = []
    for number in progress_bar(range(seed, seed + count), desc="scenes", disable=not progress, unit="scene"):
        folder = Path(cache) / f"scene-{number}-{frames}"
        if not (folder / "seqinfo.ini").exists():
            rng = np.random.default_rng((number, 0))
            farthest = rng.uniform(30, 90)
            config = SceneConfig(
                length=frames,
                frame_rate=8,
                people=int(rng.integers(6, 20)),
                nearest=farthest * rng.uniform(1.8, 6),
                farthest=farthest,
                clutter=rng.uniform(0.3, 1),
                spread=1,
                companions=0.2,
                camera_height=(2.2, 4.5),
            )
            write_sequence(Scene(number, config), folder, progress=False)
        footages.append(prepare_footage(open_source(folder), cache, rendered=True, progress=False))
    return footages


def draw_views(footages: Sequence[Footage], count: int, size: tuple[int, int], rng: np.random.Generator) -> list[View]:
    """Draw views of (width, height); a footage is drawn as often as the root of its length is large."""
    weights = np.sqrt([len(footage.frames) for footage in footages])
    chosen = rng.choice(len(footages), count, p=weights / weights.sum())
    return [_recoloured(_cut(footages[which], size, rng), rng) for which in chosen]


def _cut(footage: Footage, size: tuple[int, int], rng: np.random.Generator) -> View:
    """A part of a frame, magnified 0.8 to 2.2 times as much as if the whole frame filled the view; maybe mirrored."""
    number = rng.integers(len(footage.frames))
    frame = np.asarray(footage.frames[number])
    whole = np.array(frame.shape[1::-1])
    scale = (size / whole).min() * np.exp(rng.uniform(*np.log((0.8, 2.2))))
    spare = np.round(whole * scale - size)
    shift = np.round(rng.uniform(np.minimum(0, spare), np.maximum(0, spare)))
    resized = cv2.resize(
        frame, np.round(whole * scale).astype(int), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    move = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]])
    image = cv2.warpAffine(resized, move, size, flags=cv2.INTER_NEAREST, borderValue=(GREY,) * 3)
    people, ignored = (
        np.concatenate((boxes[:, :2] * scale - shift, boxes[:, 2:] * scale), axis=1)
        for boxes in (footage.people[number], footage.ignored[number])
    )
    corners = np.clip(people[:, :2], 0, size), np.clip(people[:, :2] + people[:, 2:], 0, size)
    inside = (corners[1] - corners[0]).prod(1) / people[:, 2:].prod(1)
    clear = (inside >= 0.4) & (people[:, 3] >= 8)
    view = View(image, people[clear], np.concatenate((ignored, people[~clear & (inside > 0)])))
    return _mirrored(view) if rng.random() < 0.5 else view


def _mirrored(view: View) -> View:
    width = view.image.shape[1]
    people, ignored = (
        np.column_stack((width - boxes[:, 0] - boxes[:, 2], boxes[:, 1:])) for boxes in (view.people, view.ignored)
    )
    return View(np.ascontiguousarray(view.image[:, ::-1]), people, ignored)


def _recoloured(view: View, rng: np.random.Generator) -> View:
    """Change exposure and colour balance, sometimes sharpness and noise."""
    image = view.image
    if rng.random() < 0.8:
        levels = np.arange(256)[:, None] / 255
        gamma, gain, balance = np.exp(rng.uniform(-0.35, 0.35)), rng.uniform(0.75, 1.3), rng.uniform(0.94, 1.06, 3)
        table = np.clip(levels**gamma * gain * balance, 0, 1) * 255
        image = cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.2:
        image = np.clip(image + rng.normal(0, rng.uniform(2, 8), image.shape), 0, 255).astype(np.uint8)
    return replace(view, image=image)
