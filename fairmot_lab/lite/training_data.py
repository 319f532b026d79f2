"""What the compact model is trained on: views cut from real sequences and from rendered scenes.

Boxes are `x, y, w, h` in pixels, `x, y` being the top-left corner. Everything random is drawn from the generator that a
function is given.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write
from .._progress import progress_bar
from ..data import DISTRACTORS, PEDESTRIAN
from ..detection.letterbox import GREY
from ..errors import ConfigError, TrainingError, warn
from ..formats.classes import class_notes, frames_without_labels, ignored_rows, motchallenge_classes, people_rows
from ..sources.base import Source
from ..sources.open import open_source
from .scenes import SceneConfig, write_sequence

TRAINING_SEED = 1_000_000  # scenes of smaller seeds are never trained on
VISIBLE = 0.15  # people of whom less is seen are neither to be found nor to be missed
SCENE = SceneConfig(length=20, frame_rate=8, spread=1, companions=0.2, camera_height=(2.2, 4.5))  # what all have
HEIGHT = 648  # pixels to which higher frames are shrunk


@dataclass
class Footage:
    """A sequence that views are cut from; each list has one entry for each frame."""

    name: str
    frames: np.ndarray  # (F, H, W, 3) uint8, blue first; mapped from a file
    frame_rate: float
    people: list[np.ndarray]  # boxes (P, 4) of the people to be found
    identities: list[np.ndarray]  # who they are (P,)
    ignored: list[np.ndarray]  # areas (K, 4) where nothing is asked
    rendered: bool = False


@dataclass
class View:
    """An image (H, W, 3) uint8, blue first, with the boxes of its people and the areas to ignore."""

    image: np.ndarray
    people: np.ndarray
    ignored: np.ndarray


def prepare_footage(
    source: Source, cache: str | os.PathLike[str], *, truth: pd.DataFrame | None = None, progress: bool = True
) -> Footage:
    """Read a sequence's frames once, shrink them, and keep them in a file in `cache` that later runs map.

    `truth` is the ground truth of a source that has none of its own, such as a video. What of it is not used is warned
    about (`formats.classes`). TrainingError if it has no person, or more frames than the source.
    """
    truth, count = source.ground_truth if truth is None else truth, len(source)
    if len(truth) and truth["frame"].max() > count:
        raise TrainingError(f"{source.name} has ground truth for frame {truth['frame'].max()}, but {count} frames.")
    are_people = people_rows(truth)
    wanted = are_people & ~(truth["visibility"].to_numpy() < VISIBLE)
    if not wanted.any():
        why = class_notes(truth)
        if are_people.any():
            why += [f"Visibility (column 9) is below {VISIBLE:g} wherever a person is; write -1 where it is not known."]
        raise TrainingError(
            f"{source.name} has no person to learn from. {' '.join(why) or 'Leave it out of the training.'}"
        )
    scale = min(1.0, HEIGHT / source.height)
    size = round(source.width * scale), round(source.height * scale)
    key = hashlib.sha256(f"{source.fingerprint()} {size[0]}x{size[1]}".encode()).hexdigest()[:16]
    path = Path(cache) / f"{source.name}-{key}.npy"
    if not path.exists():
        bar = progress_bar(source, total=count, desc=f"{source.name}: frames", disable=not progress, unit="frame")
        with atomic_write(path) as temporary:
            frames = np.lib.format.open_memmap(temporary, "w+", np.uint8, (count, *size[::-1], 3))
            for frame in bar:
                frames[frame.number - 1] = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            del frames  # which writes and closes the file
    known = np.isin(motchallenge_classes(truth), (*DISTRACTORS, PEDESTRIAN, -1)) | ignored_rows(truth)
    boxes = truth[["x", "y", "w", "h"]].to_numpy() * scale
    ids, numbers = truth["id"].to_numpy(), truth["frame"].to_numpy()

    def by_frame(values: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        return [values[rows & (numbers == number)] for number in range(1, count + 1)]

    ignored = by_frame(boxes, known & ~wanted)
    notes, empty = class_notes(truth), frames_without_labels(truth, count)
    for number in empty:  # whoever is there is neither to be found nor to be missed
        ignored[number - 1] = np.array([[0.0, 0.0, source.width, source.height]]) * scale
    if len(empty):
        notes += [f"{source.name}: {len(empty)} of {count} frames have no ground truth; nothing is learnt from them."]
    for note in notes:
        warn(note)
    frames, people = np.load(path, mmap_mode="r"), by_frame(boxes, wanted)
    return Footage(source.name, frames, source.frame_rate, people, by_frame(ids, wanted), ignored)


def rendered_footage(count: int, cache: str | os.PathLike[str], *, progress: bool = True) -> list[Footage]:
    """Draw street scenes of many kinds to train on; those that `cache` holds are not drawn again."""
    if count < 0:
        raise ConfigError(f"scenes is {count}; give how many are to be drawn, or 0.")
    footages, numbers = [], range(TRAINING_SEED, TRAINING_SEED + count)
    for number in progress_bar(numbers, desc="scenes", disable=not progress, unit="scene"):
        folder = Path(cache) / f"scene-{number}-{SCENE.length}"
        rng = np.random.default_rng((number, 0))
        farthest = rng.uniform(30, 90)
        people, nearest, clutter = int(rng.integers(6, 20)), farthest * rng.uniform(1.8, 6), rng.uniform(0.3, 1)
        config = replace(SCENE, people=people, nearest=nearest, farthest=farthest, clutter=clutter)
        write_sequence(number, config, folder, progress=False)
        footage = prepare_footage(open_source(folder), cache, progress=False)
        footages.append(replace(footage, rendered=True))
    return footages


def draw_views(footages: Sequence[Footage], count: int, size: tuple[int, int], rng: np.random.Generator) -> list[View]:
    """Draw views of (width, height); a footage is drawn as often as the root of its length is large."""
    weights = np.sqrt([len(footage.frames) for footage in footages])
    chosen = rng.choice(len(footages), count, p=weights / weights.sum())
    return [_cut(footages[which], size, rng) for which in chosen]


def _cut(footage: Footage, size: tuple[int, int], rng: np.random.Generator) -> View:
    """A part of a frame, magnified 0.8 to 2.2 times as much as a view of the whole; maybe mirrored, and recoloured."""
    number = rng.integers(len(footage.frames))
    frame = np.asarray(footage.frames[number])
    whole = np.array(frame.shape[1::-1])
    scale = (size / whole).min() * np.exp(rng.uniform(*np.log((0.8, 2.2))))
    spare = np.round(whole * scale - size)
    shift = np.round(rng.uniform(np.minimum(0, spare), np.maximum(0, spare)))
    mirrored = rng.random() < 0.5
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(frame, np.round(whole * scale).astype(int), interpolation=method)
    move = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]])
    image = cv2.warpAffine(resized, move, size, flags=cv2.INTER_NEAREST, borderValue=(GREY,) * 3)

    def placed(boxes: np.ndarray) -> np.ndarray:
        (x, y), (w, h) = (boxes[:, :2] * scale - shift).T, boxes[:, 2:].T * scale
        return np.column_stack((size[0] - x - w if mirrored else x, y, w, h))

    people, ignored = placed(footage.people[number]), placed(footage.ignored[number])
    lower, upper = np.clip(people[:, :2], 0, size), np.clip(people[:, :2] + people[:, 2:], 0, size)
    inside = (upper - lower).prod(1) / people[:, 2:].prod(1)
    clear = (inside >= 0.4) & (people[:, 3] >= 8)
    ignored = np.concatenate((ignored, people[~clear & (inside > 0)]))
    return View(_recoloured(image[:, ::-1].copy() if mirrored else image, rng), people[clear], ignored)


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change exposure and colour balance, sometimes sharpness and noise."""
    if rng.random() < 0.8:
        levels = np.arange(256)[:, None] / 255
        gamma, gain, balance = np.exp(rng.uniform(-0.35, 0.35)), rng.uniform(0.75, 1.3), rng.uniform(0.94, 1.06, 3)
        table = np.clip(levels**gamma * gain * balance, 0, 1) * 255
        image = cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.2:
        image = np.clip(image + rng.normal(0, rng.uniform(2, 8), image.shape), 0, 255).astype(np.uint8)
    return image
