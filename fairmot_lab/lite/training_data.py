"""What the compact model is trained on: crops around people, in pairs, cut from sequences with ground truth.

A `Footage` holds the frames of one sequence and its people. `sample_batch` cuts views of the same person at two times,
so that a batch teaches both where people are and who they are. Everything is drawn from the generator it is given.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write
from ..data import DISTRACTORS, PEDESTRIAN, STRIDE
from ..detection.letterbox import GREY
from ..errors import TrainingError
from ..formats.classes import ignored_rows, motchallenge_classes, people_rows
from ..sources.base import Source
from ..sources.open import open_source
from .scenes import Scene, SceneConfig, write_sequence

TRAINING_SEED = 1_000_000  # scenes of smaller seeds are never trained on
IGNORED_TARGET = 0.999  # ppdet's focal loss weighs a cell by (1 - target)^4: 1e-12 here


@dataclass(frozen=True)
class Augmentation:
    """How views are cut and changed.

    Attributes
    ----------
    size
        (width, height) of a view in pixels.
    height_range
        Smallest and largest height in pixels that the person in the centre of interest gets, drawn log-uniformly.
    max_zoom
        Largest magnification of a frame: beyond it, magnified footage teaches blur.
    max_gap
        Longest time between the two views of a pair, in seconds.
    mosaic
        Probability that a view is made of four smaller ones, whose people are half as high.
    paste
        Probability that people of other footage are pasted into a view.
    flip
        Probability that both views of a pair are mirrored.
    """

    size: tuple[int, int] = (384, 256)
    height_range: tuple[float, float] = (20.0, 230.0)
    max_zoom: float = 2.0
    max_gap: float = 2.0
    mosaic: float = 0.35
    paste: float = 0.35
    flip: float = 0.5


@dataclass
class People:
    """Who is in an image: boxes x, y, w, h in its pixels, identities, visibility; and areas that count for nothing."""

    boxes: np.ndarray
    identities: np.ndarray
    visibility: np.ndarray
    ignored: np.ndarray

    def mapped(self, scale: float, shift: tuple[float, float]) -> People:
        """The same people after scaling about the origin, then shifting."""

        def move(boxes: np.ndarray) -> np.ndarray:
            return np.concatenate((boxes[:, :2] * scale + shift, boxes[:, 2:] * scale), axis=1)

        return People(move(self.boxes), self.identities, self.visibility, move(self.ignored))


@dataclass
class Footage:
    """A sequence that training can draw from.

    Attributes
    ----------
    name
        The sequence.
    frames : (F, H, W, 3) uint8
        Blue first; kept in a file and mapped, not loaded.
    frame_rate
        Frames a second.
    people
        `People` of every frame; identities count from 0 within the footage.
    identities
        How many there are.
    weight
        How often it is drawn from, relative to others.
    rendered
        Whether it is a drawn scene.
    """

    name: str
    frames: np.ndarray
    frame_rate: float
    people: list[People]
    identities: int
    weight: float = 1.0
    rendered: bool = False
    anchors: np.ndarray = field(init=False)
    appearances: dict[int, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        rows = [
            (frame, index, who)
            for frame, people in enumerate(self.people)
            for index, (who, visible) in enumerate(zip(people.identities, people.visibility, strict=True))
            if visible >= 0.3
        ]
        if not rows:
            raise TrainingError(f"{self.name} has no person in its ground truth; leave it out of the training.")
        self.anchors = np.array(rows)
        self.appearances = {who: self.anchors[self.anchors[:, 2] == who] for who in np.unique(self.anchors[:, 2])}


def prepare_footage(
    source: Source,
    cache: str | os.PathLike[str],
    *,
    truth: pd.DataFrame | None = None,
    max_height: int = 576,
    weight: float = 1.0,
    progress: bool = True,
) -> Footage:
    """Read a sequence's frames once, shrink them, and keep them in one file that later runs map.

    Parameters
    ----------
    source
        A sequence; with ground truth if `truth` is None.
    cache
        Folder for the file of frames.
    truth
        Ground truth for a source that has none of its own, such as a video.
    max_height
        Frames higher than this many pixels are shrunk to it.
    weight
        How often it is drawn from.

    Raises
    ------
    TrainingError
        If no person is in the ground truth.
    SourceError
        If the ground truth or a frame cannot be read.
    """
    from tqdm.auto import tqdm

    truth, count = source.ground_truth if truth is None else truth, len(source)
    scale = min(1.0, max_height / source.height)
    width, height = round(source.width * scale), round(source.height * scale)
    key = hashlib.sha256(f"{source.fingerprint()} {width}x{height}".encode()).hexdigest()[:16]
    path = Path(cache) / f"{source.name}-{key}.npy"
    if not path.exists():
        with atomic_write(path) as temporary:
            frames = np.lib.format.open_memmap(temporary, "w+", np.uint8, (count, height, width, 3))
            for frame in tqdm(source, total=count, desc=f"{source.name}: frames", disable=not progress, unit="frame"):
                frames[frame.number - 1] = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
            frames.flush()
            del frames
    people, identities = people_of(truth, count, source.name)
    return Footage(
        source.name,
        np.load(path, mmap_mode="r"),
        source.frame_rate,
        [one.mapped(scale, (0, 0)) for one in people],
        identities,
        weight,
    )


def rendered_footage(
    count: int,
    cache: str | os.PathLike[str],
    *,
    seed: int = TRAINING_SEED,
    frames: int = 20,
    weight: float = 1.0,
    progress: bool = True,
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
    weight
        Of all of them together.
    """
    from tqdm.auto import tqdm

    footages = []
    for number in tqdm(range(seed, seed + count), desc="scenes", disable=not progress, unit="scene"):
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
        footages.append(prepare_footage(open_source(folder), cache, weight=weight / count, progress=False))
        footages[-1].rendered = True
    return footages


def people_of(truth: pd.DataFrame, length: int, name: str) -> tuple[list[People], int]:
    """Sort a ground-truth table into what is to be found and what counts for nothing, frame by frame.

    The rows that evaluation scores are people (see `formats.classes`). Distractors, regions to ignore, and people with
    conf below 1 are areas to ignore. Where the file gives no visibility it is estimated
    from the boxes that stand in front.

    Returns
    -------
    people : list of People, one for each of `length` frames
    identities : int
    """
    if len(truth) and truth["frame"].max() > length:
        raise TrainingError(f"{name} has ground truth for frame {truth['frame'].max()} but only {length} frames.")
    is_person = pd.Series(people_rows(truth), truth.index)
    roles = motchallenge_classes(truth)
    is_ignored = ~is_person & (np.isin(roles, (*DISTRACTORS, PEDESTRIAN, -1)) | ignored_rows(truth))
    codes, known = pd.factorize(truth["id"].where(is_person))
    boxes, frames = truth[["x", "y", "w", "h"]].to_numpy(float), truth["frame"].to_numpy()
    visibility = truth["visibility"].to_numpy(float)
    people = []
    for frame in range(1, length + 1):
        here = frames == frame
        chosen = here & is_person.to_numpy()
        seen = visibility[chosen]
        if np.isnan(seen).any():
            seen = np.where(np.isnan(seen), 1 - covered_by_nearer(boxes[chosen]), seen)
        people.append(People(boxes[chosen], codes[chosen], seen, boxes[here & is_ignored.to_numpy()]))
    return people, len(known)


def covered_by_nearer(boxes: np.ndarray, cells: int = 12) -> np.ndarray:
    """Part of each box, 0 to 1, that lies in boxes whose lower edge is lower: nearer to a camera above the ground."""
    steps = (np.arange(cells) + 0.5) / cells
    x = (boxes[:, 0, None] + boxes[:, 2, None] * steps)[:, None, :, None]
    y = (boxes[:, 1, None] + boxes[:, 3, None] * steps)[:, :, None, None]
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    nearer = bottom[None, :] > bottom[:, None]
    return (inside & nearer[:, None, None, :]).any(-1).mean((1, 2))


def sample_batch(
    footages: Sequence[Footage], pairs: int, settings: Augmentation, rng: np.random.Generator
) -> list[tuple[np.ndarray, People]]:
    """Draw pairs of views: 2k and 2k + 1 show the same people at two times.

    Returns
    -------
    list of (image, people)
        Images (H, W, 3) uint8, blue first; identities are unique over all footages, in their order.
    """
    weights = np.array([footage.weight for footage in footages])
    first_identity = np.cumsum([0, *(footage.identities for footage in footages)])
    views = []
    for _ in range(pairs):
        chosen = rng.choice(len(footages), p=weights / weights.sum())
        if rng.random() < settings.mosaic:
            width, height = settings.size
            tile = Augmentation((width // 2, height // 2), tuple(h / 2 for h in settings.height_range))  # type: ignore
            tiles = [_pair(footages[chosen], tile, rng) for _ in range(4)]
            pair = [_join([one[side] for one in tiles]) for side in (0, 1)]
        else:
            pair = _pair(footages[chosen], settings, rng)
        if rng.random() < settings.flip:
            pair = [_mirror(*view) for view in pair]
        for _, people in pair:
            people.identities = people.identities + first_identity[chosen]
        if rng.random() < settings.paste:
            other = rng.choice(len(footages), p=weights / weights.sum())
            _paste(pair, footages[other], first_identity[other], rng)
        views += _recolour(pair, rng)
    return views


def _pair(footage: Footage, settings: Augmentation, rng: np.random.Generator) -> list[tuple[np.ndarray, People]]:
    """Two views of one person of a footage, at most `max_gap` apart."""
    frame, index, who = footage.anchors[rng.integers(len(footage.anchors))]
    candidates = footage.appearances[who]
    near = candidates[np.abs(candidates[:, 0] - frame) <= settings.max_gap * footage.frame_rate]
    second, second_index, _ = near[rng.integers(len(near))]
    height = np.exp(rng.uniform(*np.log(settings.height_range)))
    return [
        _view(footage, one, footage.people[one].boxes[which], height * rng.uniform(0.85, 1.18), settings, rng)
        for one, which in ((frame, index), (second, second_index))
    ]


def _view(footage, frame, anchor, height, settings, rng) -> tuple[np.ndarray, People]:
    """Cut a view in which the anchor box is `height` pixels high and lies somewhere inside."""
    width_out, height_out = settings.size
    frame_height, frame_width = footage.frames.shape[1:3]
    smallest = 0.9 * max(width_out / frame_width, height_out / frame_height)
    scale = float(np.clip(height / anchor[3], smallest, settings.max_zoom))
    centre = (anchor[:2] + anchor[2:] / 2) * scale
    place = rng.uniform(0.1, 0.9, 2) * settings.size
    shift = place - centre
    for axis, (size, inner) in enumerate(((width_out, frame_width * scale), (height_out, frame_height * scale))):
        if inner >= size:  # no border where the frame can fill the view
            shift[axis] = np.clip(shift[axis], size - inner, 0)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    x0, y0 = np.clip(np.floor(-shift / scale).astype(int), 0, (frame_width - 1, frame_height - 1))
    x1, y1 = np.clip(
        np.ceil((settings.size - shift) / scale).astype(int), (x0 + 1, y0 + 1), (frame_width, frame_height)
    )
    part = footage.frames[frame, y0:y1, x0:x1]
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    part = cv2.resize(np.ascontiguousarray(part), size, interpolation=interpolation)
    left, top = round(x0 * scale + shift[0]), round(y0 * scale + shift[1])
    image = np.full((height_out, width_out, 3), round(GREY), np.uint8)
    target_x, target_y = max(0, left), max(0, top)
    piece = part[target_y - top : height_out - top, target_x - left : width_out - left]
    image[target_y : target_y + piece.shape[0], target_x : target_x + piece.shape[1]] = piece
    return image, _clip_people(footage.people[frame].mapped(scale, tuple(shift)), settings.size)


def _clip_people(people: People, size: tuple[int, int]) -> People:
    """Keep who is mostly in the view; who is partly in it becomes an area to ignore."""
    width, height = size

    def inside(boxes: np.ndarray) -> np.ndarray:
        overlap_x = np.minimum(boxes[:, 0] + boxes[:, 2], width) - np.maximum(boxes[:, 0], 0)
        overlap_y = np.minimum(boxes[:, 1] + boxes[:, 3], height) - np.maximum(boxes[:, 1], 0)
        return np.maximum(overlap_x, 0) * np.maximum(overlap_y, 0) / np.maximum(boxes[:, 2] * boxes[:, 3], 1e-6)

    part = inside(people.boxes)
    keep = (part >= 0.35) & (people.visibility >= 0.15) & (people.boxes[:, 3] >= 8)
    ignore = (part > 0) & ~keep
    ignored = np.concatenate((people.ignored[inside(people.ignored) > 0], people.boxes[ignore]))
    return People(people.boxes[keep], people.identities[keep], people.visibility[keep], ignored)


def _join(views: list[tuple[np.ndarray, People]]) -> tuple[np.ndarray, People]:
    """Four views of one size as the quarters of one image; boxes end at the seams, where the people end."""
    images = [image for image, _ in views]
    height, width = images[0].shape[:2]
    image = np.vstack((np.hstack(images[:2]), np.hstack(images[2:])))
    parts = []
    for (_, people), shift in zip(views, ((0, 0), (width, 0), (0, height), (width, height)), strict=True):
        cut = People(
            _cut(people.boxes, images[0]), people.identities, people.visibility, _cut(people.ignored, images[0])
        )
        parts.append(cut.mapped(1, shift))
    names = ("boxes", "identities", "visibility", "ignored")
    return image, People(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _cut(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The part of each box that lies in the image."""
    corner = (image.shape[1], image.shape[0])
    upper_left, lower_right = np.clip(boxes[:, :2], 0, corner), np.clip(boxes[:, :2] + boxes[:, 2:], 0, corner)
    return np.concatenate((upper_left, lower_right - upper_left), axis=1)


def _mirror(image: np.ndarray, people: People) -> tuple[np.ndarray, People]:
    def turned(boxes: np.ndarray) -> np.ndarray:
        return np.column_stack((image.shape[1] - boxes[:, 0] - boxes[:, 2], boxes[:, 1:]))

    flipped = np.ascontiguousarray(image[:, ::-1])
    return flipped, People(turned(people.boxes), people.identities, people.visibility, turned(people.ignored))


def _paste(
    pair: list[tuple[np.ndarray, People]], footage: Footage, first_identity: int, rng: np.random.Generator
) -> None:
    """Paste one to three people of a footage into both views of a pair, with soft outlines, and hide who is behind."""
    for _ in range(rng.integers(1, 4)):
        frame, index, who = footage.anchors[rng.integers(len(footage.anchors))]
        if footage.people[frame].visibility[index] < 0.9:
            continue
        others = footage.appearances[who]
        other = others[rng.integers(len(others))]
        if footage.people[other[0]].visibility[other[1]] < 0.9:
            other = (frame, index)
        height = np.exp(rng.uniform(np.log(24), np.log(200)))
        for side, (at, which) in enumerate(((frame, index), (other[0], other[1]))):
            image, people = pair[side]
            box = footage.people[at].boxes[which]
            x0, y0 = np.maximum(np.round(box[:2]).astype(int), 0)
            x1, y1 = np.round(box[:2] + box[2:]).astype(int)
            cutout = footage.frames[at, y0:y1, x0:x1]
            if min(cutout.shape[:2]) < 8 or cutout.shape[0] < 0.9 * box[3] or cutout.shape[1] < 0.9 * box[2]:
                continue
            scale = min(height / cutout.shape[0], 2.0)
            size = max(4, round(cutout.shape[1] * scale)), max(8, round(cutout.shape[0] * scale))
            if size[0] >= image.shape[1] or size[1] >= image.shape[0]:
                continue
            cutout = cv2.resize(
                np.ascontiguousarray(cutout), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            )
            left, top = rng.integers(image.shape[1] - size[0]), rng.integers(image.shape[0] - size[1])
            alpha = _soft_outline(*size)[..., None]
            under = image[top : top + size[1], left : left + size[0]]
            under[:] = (cutout * alpha + under * (1 - alpha)).astype(np.uint8)
            new = np.array([[left, top, *size]], float)
            hidden = _covered(people.boxes, new[0])
            people.visibility = people.visibility * (1 - hidden)
            gone = people.visibility < 0.15
            pair[side] = (
                image,
                People(
                    np.concatenate((people.boxes[~gone], new)),
                    np.append(people.identities[~gone], who + first_identity),
                    np.append(people.visibility[~gone], 1.0),
                    np.concatenate((people.ignored, people.boxes[gone])),
                ),
            )


def _soft_outline(width: int, height: int) -> np.ndarray:
    """A (height, width) mask: an upright rounded shape, 1 inside, falling to 0 at the edges of the box."""
    x = np.linspace(-1, 1, width)[None]
    y = np.linspace(-1, 1, height)[:, None]
    radius = np.abs(x) ** 3 + np.abs(y) ** 6
    return np.clip((1 - radius) * 2.5, 0, 1)


def _covered(boxes: np.ndarray, cover: np.ndarray) -> np.ndarray:
    overlap = np.minimum(boxes[:, :2] + boxes[:, 2:], cover[:2] + cover[2:]) - np.maximum(boxes[:, :2], cover[:2])
    return np.maximum(overlap, 0).prod(1) / np.maximum(boxes[:, 2:].prod(1), 1e-6)


def _recolour(pair: list[tuple[np.ndarray, People]], rng: np.random.Generator) -> list[tuple[np.ndarray, People]]:
    """Change exposure, colour balance, saturation, sharpness and noise of a pair alike, and each view a little more.

    A camera hardly changes within seconds: what is learned to be one person's are colours that stay.
    """
    levels = np.arange(256)[:, None] / 255
    gain, contrast, gamma = rng.uniform(0.7, 1.35), rng.uniform(0.75, 1.3), np.exp(rng.uniform(-0.3, 0.3))
    balance = rng.uniform(0.93, 1.07, 3)
    saturation = rng.uniform(0.4, 1.4) if rng.random() < 0.5 else None
    blur = rng.uniform(0.4, 1.3) if rng.random() < 0.25 else None
    noise = rng.uniform(2, 9) if rng.random() < 0.25 else None
    recoloured = []
    for image, people in pair:
        own_gain, own_gamma = rng.uniform(0.92, 1.08), np.exp(rng.uniform(-0.1, 0.1))
        colour = levels ** (gamma * own_gamma) * gain * own_gain * balance * rng.uniform(0.98, 1.02, 3)
        table = np.clip((colour - 0.5) * contrast + 0.5, 0, 1) * 255
        image = cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3))
        if saturation is not None:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            image = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
        if blur is not None:
            image = cv2.GaussianBlur(image, (0, 0), blur)
        if noise is not None:
            image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
        recoloured.append((image, people))
    return recoloured


def build_targets(views: Sequence[tuple[np.ndarray, People]], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the network should say about a batch of views.

    Centres and heatmaps are ppdet's `Gt2FairMOTTarget`. Sizes are asked for at each centre and at one cell beside it,
    since a peak may be found there.

    Returns
    -------
    dict
        `image` (N, 3, H, W) float32 RGB 0..1; `heatmap` (N, 1, H/4, W/4); for P cells: `cell` (P, 3) int64 (image, row,
        column), `size` (P, 4) and `offset` (P, 2) float32 in cells, `identity` (P,) int64; `recognisable` (K,) int64,
        the rows of those visible enough (0.3) to learn who they are.
    """
    from .network import fairmot_target

    heatmaps, cells, sizes, offsets, identities, seen = [], [], [], [], [], []
    for number, (image, people) in enumerate(views):
        height, width = image.shape[0] // STRIDE, image.shape[1] // STRIDE
        target = fairmot_target(people.boxes, (image.shape[1], image.shape[0]))
        heatmap = target["heatmap"]
        for x, y, w, h in people.ignored / STRIDE:
            area = heatmap[
                0, max(0, int(y)) : max(0, int(np.ceil(y + h))), max(0, int(x)) : max(0, int(np.ceil(x + w)))
            ]
            area[area < 1] = IGNORED_TARGET
        heatmaps.append(heatmap)
        count = len(people.boxes)
        row, column = np.divmod(target["index"][:count], width)
        beside = rng.integers(-1, 2, (count, 2))
        for dy, dx in ((0, 0), beside.T):
            y, x = np.clip(row + dy, 0, height - 1), np.clip(column + dx, 0, width - 1)
            cells.append(np.column_stack((np.full(count, number), y, x)))
            sizes.append(target["size"][:count])
            offsets.append(target["offset"][:count] + np.column_stack((column - x, row - y)))
            identities.append(people.identities)
            seen.append(people.visibility >= 0.3)
    images = np.stack([image[:, :, ::-1].transpose(2, 0, 1) for image, _ in views])
    return {
        "image": images.astype(np.float32) / 255,
        "heatmap": np.stack(heatmaps).astype(np.float32),
        "cell": np.concatenate(cells).astype(np.int64),
        "size": np.concatenate(sizes).astype(np.float32),
        "offset": np.concatenate(offsets).astype(np.float32),
        "identity": np.concatenate(identities).astype(np.int64),
        "recognisable": np.flatnonzero(np.concatenate(seen)),
    }
