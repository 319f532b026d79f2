"""Procedural street scenes with exact ground truth: the demo sequence, and unlimited training data.

A scene is a flat street seen by one camera: a textured ground in perspective, a facade with shop windows, walkers with
their own looks and gaits, occluders (cars, trees, lamp posts), and what fools a detector: standing figures, posters,
reflections, bicycles with and without riders. Everything follows from the seed.

Geometry: metres on the ground, X to the right of the camera's axis, Z away from it. With focal length f in pixels, a
point on the ground appears at x = cx + f X / Z, y = horizon + f * camera height / Z, and a body of height b is
f b / Z pixels high. Boxes are the extent of a figure's own pixels, also of those that are hidden or out of the image;
visibility is the share of its pixels that can be seen.
"""

from __future__ import annotations

import configparser
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write, make_folder
from ..errors import ConfigError

PEDESTRIAN, ON_VEHICLE, BICYCLE, STATIC_PERSON, DISTRACTOR, REFLECTION = 1, 2, 4, 7, 8, 12  # MOT17's class numbers
_REFLECTED = 10_000  # added to a walker's number for the mirror image
_OVERSAMPLE = 2  # figures are drawn this much larger, then shrunk: smooth outlines
_BODY = (0.9, 1.12)  # width and height of a figure's canvas in body heights
_SKIN = ((150, 185, 230), (120, 160, 215), (90, 130, 190), (60, 95, 150), (40, 65, 105))
_HAIR = ((20, 20, 25), (30, 45, 70), (45, 80, 120), (90, 150, 190), (140, 140, 145), (25, 30, 90))


@dataclass(frozen=True)
class SceneConfig:
    """What a scene is like.

    Attributes
    ----------
    width, height
        Size of the image in pixels.
    length
        Number of frames.
    frame_rate
        Frames a second.
    people
        Walkers that are in the scene at any time.
    nearest, farthest
        Height in pixels of a person of 1.75 m on the nearest and on the farthest path.
    clutter
        How many occluders and distractors there are, 0 (none) to 1.
    jitter
        Standard deviation of the camera's shake in pixels.
    spread
        How many ways are drawn for each walker, of which the least crowded is taken: people avoid each other.
    companions
        How often somebody walks beside a walker, 0 to 1.
    camera_height
        Lowest and highest place of the camera in metres; the higher it is, the less people hide each other.
    """

    width: int = 960
    height: int = 540
    length: int = 300
    frame_rate: float = 30.0
    people: int = 14
    nearest: float = 260.0
    farthest: float = 80.0
    clutter: float = 0.35
    jitter: float = 0.8
    spread: int = 16
    companions: float = 0.02
    camera_height: tuple[float, float] = (3.5, 6.0)

    def __post_init__(self) -> None:
        for name in ("width", "height", "length", "frame_rate", "people", "farthest", "spread"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; a scene needs a value above 0.")
        if not 0 < self.camera_height[0] <= self.camera_height[1]:
            raise ConfigError(
                f"camera_height is {self.camera_height}; it needs two heights above 0, the lower one first."
            )
        if not self.nearest > self.farthest:
            raise ConfigError(f"nearest is {self.nearest} and farthest {self.farthest}; nearest must be larger.")
        for name in ("clutter", "companions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it goes from 0 to 1.")


@dataclass
class RenderedFrame:
    """A frame with what is known about it.

    Attributes
    ----------
    image : (H, W, 3) uint8
        Blue first.
    objects : pandas.DataFrame
        `id`, `x`, `y`, `w`, `h` (pixels, not cut at the image's edges), `class_id`, `visibility`; one row per object of
        which a pixel lies in the image, hidden or not.
    labels : (H, W) int32
        Which object's pixels are seen, by id; 0 is background, -1 an occluder.
    """

    image: np.ndarray
    objects: pd.DataFrame
    labels: np.ndarray


@dataclass
class _Sprite:
    """Pixels of one object in one frame: colour, coverage 0..1, and where its upper left corner lies."""

    colour: np.ndarray
    alpha: np.ndarray
    x: int
    y: int


@dataclass
class _Looks:
    """How a figure is dressed; colours are BGR."""

    height: float
    build: float
    skin: tuple
    hair: tuple
    top: tuple
    bottom: tuple
    shoes: tuple
    pattern: str
    stripes: tuple
    garment: str
    hat: tuple | None
    bag: str
    bag_colour: tuple
    long_hair: bool
    texture: np.ndarray


@dataclass
class _Actor:
    """Something that moves or stands in the scene and has a row in the ground truth."""

    number: int
    class_id: int
    looks: _Looks
    times: np.ndarray
    path: np.ndarray
    stride: float
    phase: float
    kind: Literal["walker", "rider", "bicycle", "static", "poster"] = "walker"
    facing: float = 0.0

    def position(self, time: float) -> np.ndarray:
        """X, Z in metres."""
        return np.array([np.interp(time, self.times, self.path[:, axis]) for axis in (0, 1)])

    def velocity(self, time: float) -> np.ndarray:
        """Metres a second."""
        return (self.position(time + 0.05) - self.position(time - 0.05)) / 0.1

    def walked(self, time: float) -> float:
        """Metres walked since the start: what drives the gait, so that who stands does not step."""
        steps = np.hypot(*np.diff(self.path, axis=0).T)
        return float(np.interp(time, self.times, np.concatenate(([0], np.cumsum(steps)))))

    def present(self, time: float) -> bool:
        return bool(self.times[0] <= time <= self.times[-1])


@dataclass
class _Occluder:
    """A thing that hides people and is nobody."""

    sprite: np.ndarray
    alpha: np.ndarray
    x: float
    z: float
    height: float


class Scene:
    """A street scene: frames and their ground truth, all from a seed.

    Parameters
    ----------
    seed
        Of everything random.
    config
        What the scene is like.

    Raises
    ------
    ConfigError
        If a setting is outside its range.
    """

    def __init__(self, seed: int, config: SceneConfig | None = None) -> None:
        self.seed, self.config = seed, config or SceneConfig()
        rng = np.random.default_rng((seed, 1))
        c = self.config
        self.horizon = c.height * rng.uniform(0.14, 0.3)
        self.camera_height = rng.uniform(*c.camera_height)
        # the nearest person's feet stay in the image: their row gives the largest height a camera so placed can show
        nearest = min(c.nearest, 1.75 / self.camera_height * (0.97 * c.height - self.horizon))
        farthest = min(c.farthest, 0.6 * nearest)
        self.focal = c.width * rng.uniform(0.9, 1.4)
        self.z_near, self.z_far = self.focal * 1.75 / nearest, self.focal * 1.75 / farthest
        self.z_wall = self.z_far * rng.uniform(1.12, 1.5)
        self.background, self.windows = _paint_background(self, rng)
        self.occluders = _place_occluders(self, rng)
        self.actors = _cast(self, rng)
        self._light = _Light(rng, c)
        self._shake = _smooth_noise(rng, c.length, 2, c.frame_rate * 0.12) * c.jitter

    def __len__(self) -> int:
        return self.config.length

    def project(self, x: Any, z: Any) -> tuple[Any, Any, Any]:
        """Image x, y of a point on the ground (or of arrays of points), and pixels per metre there."""
        scale = self.focal / z
        return self.config.width / 2 + scale * x, self.horizon + scale * self.camera_height, scale

    def render(self, number: int, only: int | None = None) -> RenderedFrame:
        """Draw a frame.

        Parameters
        ----------
        number
            Frame number, counted from 1.
        only
            Draw this object alone, and no occluder.
        """
        if not 1 <= number <= self.config.length:
            raise ConfigError(f"frame {number} is asked for; the scene has frames 1 to {self.config.length}.")
        c, time, shake = self.config, (number - 1) / self.config.frame_rate, self._shake[number - 1]
        move = np.array([[1, 0, shake[0]], [0, 1, shake[1]]])
        image = cv2.warpAffine(self.background, move, (c.width, c.height), borderMode=cv2.BORDER_REPLICATE)
        image = image.astype(np.float32)
        labels = np.zeros((c.height, c.width), np.int32)
        rows: list[tuple] = []
        areas: dict[int, int] = {}
        present = [actor for actor in self.actors if actor.present(time) and only in (None, actor.number)]
        for actor in present:
            self._draw_reflection(actor, time, shake, image, labels, rows, areas)
        things = [(actor.position(time)[1], actor) for actor in present]
        if only is None:
            things += [(occluder.z, occluder) for occluder in self.occluders]  # type: ignore[misc]
        for z, thing in sorted(things, key=lambda one: -one[0]):
            if isinstance(thing, _Occluder):
                x, y, scale = self.project(thing.x, z)
                sprite = _scaled(thing, x + shake[0], y + shake[1], scale)
                _shadow(image, x + shake[0], y + shake[1], sprite.alpha.shape[1] * 0.5, scale)
                _composite(image, labels, sprite, -1)
            else:
                self._draw_actor(thing, time, shake, image, labels, rows, areas)
        return RenderedFrame(self._light.apply(image, number), self._objects(rows, areas, labels), labels)

    def ground_truth(self) -> pd.DataFrame:
        """The objects of all frames, with `frame`; frames are drawn for it, so keep it."""
        return _ground_truth((number, self.render(number).objects) for number in range(1, len(self) + 1))

    def _draw_actor(self, actor, time, shake, image, labels, rows, areas) -> None:
        x, z = actor.position(time)
        x, y, scale = self.project(x, z)
        x, y = x + shake[0], y + shake[1]
        sprite = _draw_figure(actor, time, x, y, scale * actor.looks.height)
        if actor.kind != "poster":
            _shadow(image, x, y, 0.2 * actor.looks.height * scale, scale)
        _composite(image, labels, sprite, actor.number)
        _note(rows, areas, actor.number, actor.class_id, sprite)

    def _draw_reflection(self, actor, time, shake, image, labels, rows, areas) -> None:
        """The walker's mirror image in the shop windows, at its mirrored distance behind the wall."""
        x, z = actor.position(time)
        if actor.kind != "walker" or self.z_wall - z > 0.45 * (self.z_wall - self.z_near):
            return
        x, y, scale = self.project(x, 2 * self.z_wall - z)
        sprite = _draw_figure(actor, time, x + shake[0], y + shake[1], scale * actor.looks.height)
        seen = self.windows[_roi(self.windows, sprite)]
        if not seen.size:
            return
        _composite(image, labels, sprite, actor.number + _REFLECTED, strength=0.3, where=self.windows)
        _note(rows, areas, actor.number + _REFLECTED, REFLECTION, sprite)

    def _objects(self, rows, areas, labels) -> pd.DataFrame:
        names = ["id", "x", "y", "w", "h", "class_id"]
        table = pd.DataFrame(rows, columns=names).astype({"id": "int64", "class_id": "int64"})
        height, width = labels.shape
        inside = (table.x < width) & (table.y < height) & (table.x + table.w > 0) & (table.y + table.h > 0)
        table = table[inside].reset_index(drop=True)
        seen = np.bincount(labels.ravel() + 1, minlength=2 * _REFLECTED)  # from label -1 on
        table["visibility"] = [seen[number + 1] / areas[number] for number in table["id"]]
        # a reflection that no window shows is not there
        return table[(table["class_id"] != REFLECTION) | (table["visibility"] > 0.05)].reset_index(drop=True)


def write_sequence(
    scene: Scene, folder: str | os.PathLike[str], *, name: str | None = None, progress: bool = True
) -> Path:
    """Write a scene in MOT17's format: img1/, gt/gt.txt, det/det.txt and seqinfo.ini.

    Parameters
    ----------
    scene
        What to draw.
    folder
        The sequence's folder; it is made. seqinfo.ini is written last, so a folder that has one is complete.
    name
        Of the sequence; the folder's if None.

    Returns
    -------
    pathlib.Path
        The folder.

    Notes
    -----
    The detections are the ground truth of people at least 0.3 visible, with jitter, misses and false alarms.
    """
    from .._progress import progress_bar
    from ..sources.images import encode_jpeg

    folder = make_folder(folder)
    name = name or folder.name
    make_folder(folder / "img1")
    tables = []
    for number in progress_bar(range(1, len(scene) + 1), desc=f"{name}: drawing", disable=not progress, unit="frame"):
        frame = scene.render(number)
        with atomic_write(folder / "img1" / f"{number:06d}.jpg") as temporary:
            temporary.write_bytes(encode_jpeg(frame.image, quality=92))
        tables.append((number, frame.objects))
    truth = _ground_truth(tables)
    with atomic_write(folder / "gt" / "gt.txt") as temporary:
        columns = ["frame", "id", "x", "y", "w", "h", "conf", "class_id", "visibility"]
        truth[columns].to_csv(temporary, header=False, index=False, float_format="%.5g")
    with atomic_write(folder / "det" / "det.txt") as temporary:
        _detections(truth, scene).to_csv(temporary, header=False, index=False, float_format="%.6g")
    info = configparser.ConfigParser()
    info.optionxform = str  # type: ignore[assignment, method-assign]
    c = scene.config
    info["Sequence"] = {
        "name": name,
        "imDir": "img1",
        "frameRate": f"{c.frame_rate:g}",
        "seqLength": str(c.length),
        "imWidth": str(c.width),
        "imHeight": str(c.height),
        "imExt": ".jpg",
    }
    with atomic_write(folder / "seqinfo.ini") as temporary, open(temporary, "w", encoding="utf-8") as file:
        info.write(file, space_around_delimiters=False)
    return folder


def _ground_truth(frames: Iterator[tuple[int, pd.DataFrame]] | list[tuple[int, pd.DataFrame]]) -> pd.DataFrame:
    tables = [objects.assign(frame=number) for number, objects in frames]
    truth = pd.concat(tables, ignore_index=True)
    truth["conf"] = (truth["class_id"] == PEDESTRIAN).astype(int)  # as in MOT17: other classes are not evaluated
    truth["id"] = pd.factorize(truth["id"])[0] + 1
    return truth.sort_values(["id", "frame"], ignore_index=True)


def _detections(truth: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    rng = np.random.default_rng((scene.seed, 2))
    seen = truth[(truth["class_id"] == PEDESTRIAN) & (truth["visibility"] >= 0.3)]
    seen = seen[rng.random(len(seen)) < 0.93].reset_index(drop=True)
    boxes = seen[["x", "y", "w", "h"]].to_numpy()
    sizes = boxes[:, [2, 3, 2, 3]]
    boxes = boxes + rng.normal(0, 0.02, boxes.shape) * sizes
    found = pd.DataFrame(boxes, columns=list("xywh"))
    found.insert(0, "frame", seen["frame"])
    found["score"] = np.clip(0.55 + 0.45 * seen["visibility"] - np.abs(rng.normal(0, 0.1, len(seen))), 0.05, 1)
    count = rng.poisson(0.3, len(scene))
    frames = np.repeat(np.arange(1, len(scene) + 1), count)
    heights = rng.uniform(40, 150, len(frames))
    alarms = pd.DataFrame({"frame": frames, "x": rng.uniform(0, scene.config.width - 60, len(frames))})
    alarms["y"] = rng.uniform(0, scene.config.height - 160, len(frames))
    alarms["w"], alarms["h"], alarms["score"] = 0.4 * heights, heights, rng.uniform(0.05, 0.6, len(frames))
    both = pd.concat((found, alarms), ignore_index=True).sort_values("frame", kind="stable", ignore_index=True)
    both.insert(1, "id", -1)
    return both.assign(world_x=-1, world_y=-1, world_z=-1)


def _note(rows, areas, number, class_id, sprite) -> None:
    solid = sprite.alpha > 0.5
    columns, lines = np.flatnonzero(solid.any(0)), np.flatnonzero(solid.any(1))
    if not len(columns):
        return
    areas[number] = int(solid.sum())
    left, top = sprite.x + columns[0], sprite.y + lines[0]
    rows.append((number, left, top, columns[-1] - columns[0] + 1, lines[-1] - lines[0] + 1, class_id))


def _roi(image: np.ndarray, sprite: _Sprite) -> tuple[slice, slice]:
    height, width = sprite.alpha.shape
    rows = slice(min(max(sprite.y, 0), image.shape[0]), min(max(sprite.y + height, 0), image.shape[0]))
    return rows, slice(min(max(sprite.x, 0), image.shape[1]), min(max(sprite.x + width, 0), image.shape[1]))


def _composite(image, labels, sprite, number, strength=1.0, where=None) -> None:
    """Lay a sprite over the image, and its number over the labels where it covers more than half a pixel."""
    roi = _roi(image, sprite)
    inner = (
        slice(roi[0].start - sprite.y, roi[0].stop - sprite.y),
        slice(roi[1].start - sprite.x, roi[1].stop - sprite.x),
    )
    alpha = sprite.alpha[inner]
    if not alpha.size:
        return
    if where is not None:
        alpha = alpha * where[roi]
    blend = (alpha * strength)[..., None]
    image[roi] += (sprite.colour[inner] - image[roi]) * blend
    labels[roi][alpha > 0.5] = number


def _shadow(image: np.ndarray, x: float, y: float, half_width: float, scale: float) -> None:
    """Darken a soft ellipse on the ground."""
    half_height = max(1.0, 0.22 * half_width)
    x0, x1 = int(x - 1.6 * half_width), int(x + 1.6 * half_width) + 1
    y0, y1 = int(y - 1.6 * half_height), int(y + 1.6 * half_height) + 1
    x0, x1 = np.clip((x0, x1), 0, image.shape[1])
    y0, y1 = np.clip((y0, y1), 0, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    distance = ((np.arange(x0, x1) - x) / half_width) ** 2 + (((np.arange(y0, y1) - y) / half_height) ** 2)[:, None]
    image[y0:y1, x0:x1] *= (1 - 0.45 * np.exp(-1.5 * distance))[..., None].astype(np.float32)


class _Light:
    """Exposure that drifts and sometimes jumps, a passing shadow, vignetting, and the sensor's noise."""

    def __init__(self, rng: np.random.Generator, config: SceneConfig) -> None:
        drift = 1 + 0.08 * _smooth_noise(rng, config.length, 1, config.frame_rate)[:, 0]
        if rng.random() < 0.5:  # the automatic exposure answers to something out of sight
            jump, speed = rng.integers(config.length), config.frame_rate * 0.15
            drift *= 1 + rng.uniform(-0.2, 0.2) / (1 + np.exp(-(np.arange(config.length) - jump) / speed))
        self.gain = drift * rng.uniform(0.72, 1.2)
        self.tint = rng.uniform(0.93, 1.07, 3).astype(np.float32)
        y, x = np.mgrid[-1 : 1 : config.height * 1j, -1 : 1 : config.width * 1j]
        self.vignette = (1 - rng.uniform(0, 0.25) * (x**2 + y**2) / 2).astype(np.float32)
        slope, self.speed = rng.uniform(-0.5, 0.5), rng.uniform(0.05, 0.2) / config.frame_rate
        self.cloud_at, self.cloud = (x + slope * y).astype(np.float32), rng.uniform(0, 0.3)
        self.start = rng.uniform(-1.5, 1)
        noise = rng.normal(0, rng.uniform(1, 4), (config.height + 64, config.width + 64))
        self.noise, self.rng_seed = noise.astype(np.float32), int(rng.integers(2**31))

    def apply(self, image: np.ndarray, number: int) -> np.ndarray:
        """The frame as the camera would give it."""
        edge = (self.cloud_at - self.start - self.speed * number) * 4
        shade = self.vignette * (1 - self.cloud / (1 + np.exp(-edge)))
        dy, dx = np.random.default_rng((self.rng_seed, number)).integers(0, 64, 2)
        noise = self.noise[dy : dy + image.shape[0], dx : dx + image.shape[1]]
        tint = self.tint * np.float32(self.gain[number - 1])
        lit = cv2.multiply(image, cv2.merge([shade * part for part in tint])) + cv2.merge([noise] * 3)
        return np.clip(lit, 0, 255, out=lit).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, length: int, columns: int, width: float) -> np.ndarray:
    """Noise of standard deviation 1 that changes over about `width` samples; (length, columns)."""
    reach = int(4 * width) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 0.3)) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.normal(0, 1, (length + 2 * reach, columns))
    return np.column_stack([np.convolve(column, kernel, "valid") for column in white.T])


def _texture(rng: np.random.Generator, width: int, height: int, octaves: int = 5, rough: float = 0.6) -> np.ndarray:
    """Fractal noise around 0, about -1 to 1; (height, width) float32."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        size = max(2, cells * width // max(width, height)), max(2, cells * height // max(width, height))
        coarse = rng.normal(0, 1, size[::-1]).astype(np.float32)
        total += rough**octave * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / np.abs(total).max()


def _colour(rng: np.random.Generator, low: float = 30, high: float = 220, saturation: float = 0.6) -> tuple:
    """A random colour, more often dull than bright."""
    grey = rng.uniform(low, high)
    vivid = rng.uniform(low, high, 3)
    part = rng.uniform(0, 1) ** 1.3 * saturation / 0.6
    return tuple(float(v) for v in np.clip(grey * (1 - part) + vivid * part, 5, 250))


def _paint_background(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The empty street, and a mask (H, W) float32 of the shop windows that mirror who passes."""
    c = scene.config
    image = np.zeros((c.height, c.width, 3), np.float32)
    sky = np.array(_colour(rng, 150, 235, 0.4))
    image[:] = sky * np.linspace(1.05, 0.85, c.height)[:, None, None]
    image += 12 * _texture(rng, c.width, c.height)[..., None]
    windows = np.zeros((c.height, c.width), np.float32)
    _paint_facade(scene, rng, image, windows)
    _paint_ground(scene, rng, image)
    return np.clip(image, 0, 255), windows


def _paint_facade(scene: Scene, rng: np.random.Generator, image: np.ndarray, windows: np.ndarray) -> None:
    """Houses side by side along the far edge of the street: bricks, rows of windows, shops, signs, hedges, gaps."""
    c = scene.config
    _, base, scale = scene.project(0, scene.z_wall)
    base, x = round(base), -rng.uniform(0, 4) * scale
    while x < c.width:
        width = rng.uniform(5, 14) * scale
        left, right = int(max(0, x)), int(min(c.width, x + width))
        x += width + (rng.uniform(0, 3) * scale if rng.random() < 0.3 else 0)
        top = int(max(0, base - rng.uniform(4, 16) * scale))
        if right - left < 4 or base - top < 4:
            continue
        house = image[top:base, left:right]
        size = (right - left, base - top)
        if rng.random() < 0.18:  # a hedge or trees
            green = np.array((rng.uniform(20, 60), rng.uniform(70, 120), rng.uniform(30, 80)))
            house[:] = green * (1 + 0.5 * _texture(rng, *size, 7, 0.8)[..., None])
            continue
        colour = np.array(_colour(rng, 60, 210, 0.5))
        house[:] = colour * (1 + 0.18 * _texture(rng, *size, 6)[..., None])
        if rng.random() < 0.5:
            brick = max(3, round(0.3 * scale))
            house[::brick] *= 0.8
            house[:, :: 2 * brick] *= 0.9
        _paint_windows(scene, rng, image, windows, (left, top, right, base), scale)


def _paint_windows(scene, rng, image, mirror, box, scale) -> None:
    left, top, right, base = box
    pitch_x, pitch_y = rng.uniform(1.6, 3) * scale, rng.uniform(2.6, 3.6) * scale
    glass = np.array(_colour(rng, 20, 110, 0.4))
    y = base - pitch_y - 0.6 * scale
    while y - pitch_y > top:
        for x in np.arange(left + 0.5 * scale, right - 0.9 * scale, pitch_x):
            y0, y1, x0, x1 = int(y - 1.5 * scale), int(y), int(x), int(x + 1.0 * scale)
            image[max(y0, 0) : max(y1, 0), x0:x1] = glass * rng.uniform(0.5, 1.5)
            cv2.rectangle(image, (x0, y0), (x1, y1), tuple(glass * 1.8 + 40), max(1, round(0.07 * scale)))
        y -= pitch_y
    x = left + rng.uniform(0.2, 1) * scale
    while x + 2 * scale < right:  # shops and doors on the ground floor
        width = rng.uniform(1.2, 4) * scale
        x0, x1 = int(x), int(min(x + width, right - 0.2 * scale))
        y0, y1 = int(base - rng.uniform(2, 2.6) * scale), int(base - rng.uniform(0, 0.4) * scale)
        x += width + rng.uniform(0.3, 1.5) * scale
        if x1 - x0 < 3 or y1 - max(y0, 0) < 3:
            continue
        y0 = max(y0, 0)
        pane = image[y0:y1, x0:x1]
        pane[:] = np.array(_colour(rng, 15, 120, 0.4)) * np.linspace(0.7, 1.3, y1 - y0)[:, None, None]
        pane += 25 * _texture(rng, x1 - x0, y1 - y0, 6, 0.9)[..., None]
        for _ in range(rng.integers(0, 6)):  # goods in the window
            gx, gy = rng.integers(x0, x1), rng.integers(y0, y1)
            gw, gh = rng.uniform(0.15, 0.8, 2) * scale
            cv2.rectangle(image, (gx, gy), (int(min(gx + gw, x1)), int(min(gy + gh, y1))), _colour(rng), -1)
        mirror[y0:y1, x0:x1] = 1
        if rng.random() < 0.6:  # a sign above
            sign = int(max(0, y0 - 0.6 * scale))
            cv2.rectangle(image, (x0, sign), (x1, y0), _colour(rng, 40, 240, 1.0), -1)
            for gx in np.arange(x0 + 0.2 * scale, x1 - 0.3 * scale, 0.3 * scale):
                cv2.line(image, (int(gx), int((sign + y0) / 2)), (int(gx + 0.15 * scale), y0 - 2), _colour(rng), 1)


def _paint_ground(scene: Scene, rng: np.random.Generator, image: np.ndarray) -> None:
    """Paving, asphalt and grass in bands along the street, seen in perspective."""
    c = scene.config
    _, base, _ = scene.project(0, scene.z_wall)
    rows = np.arange(max(0, round(base)), c.height)
    z = (scene.focal * scene.camera_height / np.maximum(rows + 0.5 - scene.horizon, 1))[:, None]
    x = (np.arange(c.width) - c.width / 2)[None] * z / scene.focal
    z = np.broadcast_to(z, x.shape)
    tile = 512
    grain = _texture(rng, tile, tile, 8, 0.85)

    def sample(texture: np.ndarray, metres: float) -> np.ndarray:
        at_x, at_z = ((x / metres) % 1) * tile, ((z / metres) % 1) * tile
        return cv2.remap(
            texture, at_x.astype(np.float32), at_z.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
        )

    ground = np.zeros((*x.shape, 3), np.float32)
    edges = np.sort(rng.uniform(scene.z_near, scene.z_wall, rng.integers(1, 4)))
    band = np.digitize(z, edges)
    for index in range(len(edges) + 1):
        kind, colour = rng.choice(["asphalt", "paving", "paving", "grass"]), np.array(_colour(rng, 70, 200, 0.25))
        contrast = rng.uniform(0.08, 0.25)
        if kind == "grass":
            colour, contrast = np.array((rng.uniform(30, 60), rng.uniform(90, 140), rng.uniform(50, 100))), 0.4
        shade = 1 + contrast * sample(grain, rng.uniform(1, 3)) + 0.12 * sample(grain, 17)
        if kind == "paving":
            size, joint = rng.uniform(0.4, 1.5), rng.uniform(0.03, 0.06)
            seams = ((x % size) < joint) | ((z % size) < joint * 2)
            shade = shade * np.where(seams, 0.75, 1)
            checks = ((x // size).astype(int) + (z // size).astype(int)) % 2
            shade = shade * (1 + rng.choice([0, 0, 0.15]) * checks)
        ground += np.where((band == index)[..., None], colour * shade[..., None], 0)
    for edge in edges:
        if rng.random() < 0.6:  # a kerb or a painted line
            ground[np.abs(z - edge) < 0.12] = rng.uniform(120, 235)
    image[rows[0] :] = ground


def _place_occluders(scene: Scene, rng: np.random.Generator) -> list[_Occluder]:
    """Cars, trees, lamp posts and boxes, at distances where people pass before and behind them."""
    occluders = []
    for _ in range(rng.poisson(5 * scene.config.clutter)):
        kind = rng.choice(["car", "tree", "post", "post", "box"])
        z = np.exp(rng.uniform(np.log(scene.z_near * 1.05), np.log(scene.z_wall)))
        x = rng.uniform(-0.55, 0.55) * scene.config.width * z / scene.focal
        scale = _OVERSAMPLE * scene.focal / z
        height = {"car": rng.uniform(1.35, 1.6), "tree": rng.uniform(5, 8), "post": rng.uniform(3.5, 6)}.get(
            kind, rng.uniform(0.7, 1.3)
        )
        if kind == "car":  # parked along the far side: a near one would hide a third of the street
            z = max(z, 0.95 * scene.z_far)
            scale = _OVERSAMPLE * scene.focal / z
        colour, alpha = _paint_thing(kind, height * scale, scale, rng)
        occluders.append(_Occluder(colour, alpha, x, z, height))
    return occluders


def _paint_thing(kind: str, height: float, scale: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colour and coverage of an occluder whose foot is at the middle of the lower edge; `scale` is pixels a metre."""
    width = {"car": 4.2, "tree": rng.uniform(2, 3.5), "post": 0.9, "box": rng.uniform(0.5, 1.6)}[kind] * scale
    w, h = max(4, round(width)), max(4, round(height))
    colour, alpha = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.float32)
    paint = _colour(rng, 20, 230, 0.9)

    def polygon(points, tint) -> None:
        corners = np.round(np.array(points) * (w, h)).astype(np.int32)
        cv2.fillPoly(colour, [corners], tint)
        cv2.fillPoly(alpha, [corners], 1.0)

    if kind == "car":
        polygon([(0, 0.45), (0.03, 0.85), (0.97, 0.85), (1, 0.5), (0.85, 0.42), (0.15, 0.42)], paint)
        polygon([(0.15, 0.45), (0.28, 0.02), (0.7, 0.02), (0.86, 0.45)], tuple(0.9 * v for v in paint))
        polygon([(0.2, 0.43), (0.3, 0.08), (0.48, 0.08), (0.48, 0.43)], (70, 60, 55))
        polygon([(0.51, 0.43), (0.51, 0.08), (0.68, 0.08), (0.79, 0.43)], (80, 70, 60))
        for x in (0.2, 0.8):
            centre, radius = (round(x * w), round(0.8 * h)), max(1, round(0.19 * h))
            cv2.circle(colour, centre, radius, (25, 25, 25), -1)
            cv2.circle(alpha, centre, radius, 1.0, -1)
            cv2.circle(colour, centre, max(1, radius // 2), (150, 150, 150), -1)
    elif kind == "tree":
        polygon([(0.46, 0.3), (0.44, 1), (0.56, 1), (0.54, 0.3)], (40, 60, 80))
        crown = _texture(rng, w, max(2, round(0.58 * h)), 6, 0.8)  # people pass below it
        y, x = np.mgrid[-1 : 1 : crown.shape[0] * 1j, -1 : 1 : w * 1j]
        inside = x**2 + y**2 + 0.5 * crown < 0.75
        green = np.array((rng.uniform(20, 50), rng.uniform(60, 110), rng.uniform(30, 80)), np.float32)
        colour[: len(crown)][inside] = (green * (1 + 0.6 * crown[..., None]))[inside]
        alpha[: len(crown)][inside] = 1
    elif kind == "post":
        thick = 0.07 + 0.06 * rng.random()
        polygon([(0.5 - thick, 0), (0.5 - thick, 1), (0.5 + thick, 1), (0.5 + thick, 0)], paint)
        if rng.random() < 0.6:  # a traffic sign
            y = rng.uniform(0.1, 0.4)
            polygon([(0.1, y), (0.1, y + 0.14), (0.9, y + 0.14), (0.9, y)], _colour(rng, 40, 240, 1.0))
    else:
        polygon([(0, 0), (0, 1), (1, 1), (1, 0)], paint)
    colour *= 1 + 0.15 * _texture(rng, w, h, 6)[..., None]
    colour *= np.linspace(rng.uniform(0.75, 1), rng.uniform(0.75, 1.1), w)[None, :, None]
    return np.clip(colour, 0, 255), alpha


def _scaled(occluder: _Occluder, x: float, y: float, scale: float) -> _Sprite:
    """An occluder as it appears with its foot at x, y."""
    height, width = occluder.alpha.shape
    factor = scale * occluder.height / height
    left, top = x - width * factor / 2, y - height * factor
    size = int(np.ceil(width * factor)) + 2, int(np.ceil(height * factor)) + 2
    move = np.array([[factor, 0, left - np.floor(left)], [0, factor, top - np.floor(top)]])
    alpha = cv2.warpAffine(occluder.alpha, move, size, flags=cv2.INTER_AREA)
    colour = cv2.warpAffine(occluder.sprite, move, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return _Sprite(colour, alpha, int(np.floor(left)), int(np.floor(top)))


def _cast(scene: Scene, rng: np.random.Generator) -> list[_Actor]:
    """Everyone who appears: walkers, then riders, parked bicycles, standing figures and posters."""
    c, duration = scene.config, scene.config.length / scene.config.frame_rate
    actors: list[_Actor] = []

    def add(**settings) -> None:
        actors.append(_Actor(len(actors) + 1, looks=_dress(rng), stride=rng.uniform(0.66, 0.82), **settings))
        actors[-1].phase = rng.uniform(0, 2 * np.pi)

    for _ in range(c.people):  # one place in the scene each: when its walker has left, the next one comes
        time = None
        while time is None or time < duration:
            ways = [_walk(scene, rng, time) for _ in range(c.spread)]
            times, path = min(ways, key=lambda way: _crowding(scene, way, actors)) if c.spread > 1 else ways[0]
            add(class_id=PEDESTRIAN, times=times, path=path, phase=0.0)
            if rng.random() < c.companions:  # a companion at arm's length
                beside = path + rng.uniform(0.45, 0.7) * np.array((0.3, 1.0)) * rng.choice([-1, 1])
                beside[:, 1] = np.clip(beside[:, 1], scene.z_near, scene.z_far)
                add(class_id=PEDESTRIAN, times=times, path=beside, phase=0.0)
            time = times[-1]
    forever = np.array((-1.0, duration + 1))

    def somewhere(far: float = 1.0) -> np.ndarray:
        z = rng.uniform(scene.z_near * 1.1, scene.z_far * far)
        spot = np.array((rng.uniform(-0.45, 0.45) * c.width * z / scene.focal, z))
        return np.stack((spot, spot))

    for _ in range(rng.poisson(1.2 * c.clutter)):
        add(
            class_id=STATIC_PERSON,
            times=forever,
            path=somewhere(),
            kind="static",
            facing=rng.uniform(0, 6.28),
            phase=0.0,
        )
    for _ in range(rng.poisson(1.5 * c.clutter)):
        add(class_id=BICYCLE, times=forever, path=somewhere(), kind="bicycle", facing=rng.choice([0, np.pi]), phase=0.0)
    for _ in range(rng.poisson(1.2 * c.clutter)):
        z = scene.z_wall - 0.05
        spot = np.array((rng.uniform(-0.45, 0.45) * c.width * z / scene.focal, z))
        path = np.stack((spot, spot))
        add(class_id=DISTRACTOR, times=forever, path=path, kind="poster", facing=rng.uniform(0, 6.28), phase=0.0)
    for _ in range(rng.poisson(0.12 * duration * c.clutter)):
        z, way, speed = rng.uniform(scene.z_near * 1.2, scene.z_far), rng.choice([-1, 1]), rng.uniform(3, 6)
        edge = (0.5 * c.width + 150) * z / scene.focal
        start = rng.uniform(0, duration)
        times = np.array((start, start + 2 * edge / speed))
        path = np.array(((-way * edge, z), (way * edge, z)))
        add(class_id=BICYCLE, times=times, path=path, kind="bicycle", phase=0.0)
        add(class_id=ON_VEHICLE, times=times, path=path - (0, 0.01), kind="rider", phase=0.0)
    return actors


def _crowding(scene: Scene, way: tuple[np.ndarray, np.ndarray], actors: list[_Actor]) -> float:
    """How much a walker on this way would overlap the others in the image, summed over time."""

    def boxes(times: np.ndarray, path: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, ...]:
        x, z = (np.interp(moments, times, path[:, axis]) for axis in (0, 1))
        middle, foot, scale = scene.project(x, z)
        return middle - 0.35 * scale, foot - 1.75 * scale, middle + 0.35 * scale, foot

    moments = np.arange(max(0.0, way[0][0]), min(way[0][-1], scene.config.length / scene.config.frame_rate), 0.3)
    left, top, right, bottom = boxes(*way, moments)
    total = 0.0
    for actor in actors:
        there = (moments >= actor.times[0]) & (moments <= actor.times[-1])
        other = boxes(actor.times, actor.path, moments)
        wide = np.clip(np.minimum(right, other[2]) - np.maximum(left, other[0]), 0, None)
        high = np.clip(np.minimum(bottom, other[3]) - np.maximum(top, other[1]), 0, None)
        smaller = np.minimum((right - left) * (bottom - top), (other[2] - other[0]) * (other[3] - other[1]))
        total += float(((wide * high / smaller) * there).sum())
    return total


def _walk(scene: Scene, rng: np.random.Generator, start: float | None) -> tuple[np.ndarray, np.ndarray]:
    """A way through the scene in at most 40 s: times (K,) in seconds and points (K, 2) in metres.

    Without a start the walker is somewhere on the way at time 0; with one, it enters at an edge then.
    """
    speed = np.clip(rng.normal(1.3, 0.25), 0.6, 2.2)

    def point(side: float | None) -> np.ndarray:
        z = 1 / rng.uniform(1 / scene.z_far, 1 / scene.z_near)  # even over the rows of the image
        reach = (0.5 * scene.config.width + 0.4 * scene.focal * 1.75 / z) * z / scene.focal
        return np.array((side * reach if side is not None else rng.uniform(-0.9, 0.9) * reach, z))

    way = rng.choice([-1, 1])
    corners = [point(None if start is None else -way), point(way)]
    if rng.random() < 0.4:
        corners.insert(1, point(None))
    times, points = [start if start is not None else -0.01], [corners[0]]
    for corner in corners[1:]:
        step = corner - points[-1]
        times.append(times[-1] + max(0.3, np.hypot(*step) / speed))
        points.append(corner)
        if rng.random() < 0.12:  # stand for a while
            times.append(times[-1] + rng.uniform(1, 4))
            points.append(corner)
    fine = np.linspace(times[0], times[-1], max(2, round((times[-1] - times[0]) / 0.2)))
    path = np.column_stack([np.interp(fine, times, np.array(points)[:, axis]) for axis in (0, 1)])
    sway = np.sin(np.linspace(0, rng.uniform(2, 6), len(fine))) * rng.uniform(0, 0.25)
    path[:, 1] = np.clip(path[:, 1] + sway, scene.z_near, scene.z_far)
    return fine, path


def _dress(rng: np.random.Generator) -> _Looks:
    top = _colour(rng, 15, 235, 1.0)
    stripes = tuple(np.clip(np.array(top) * rng.uniform(0.4, 0.7) + rng.uniform(0, 110), 0, 255))
    dull = rng.random() < 0.65  # trousers are mostly dark or denim
    bottom = _colour(rng, 15, 90, 0.5) if dull else _colour(rng, 20, 220, 0.9)
    if rng.random() < 0.25:
        bottom = (rng.uniform(90, 140), rng.uniform(60, 90), rng.uniform(40, 70))
    return _Looks(
        height=float(np.clip(rng.normal(1.72, 0.1), 1.2, 2.0)),
        build=float(rng.uniform(0.85, 1.3)),
        skin=_SKIN[rng.integers(len(_SKIN))],
        hair=_HAIR[rng.integers(len(_HAIR))],
        top=top,
        bottom=bottom,
        shoes=_colour(rng, 10, 230, 0.4),
        pattern=str(rng.choice(["plain", "plain", "plain", "stripes", "checks", "logo", "open"])),
        stripes=stripes,
        garment=str(rng.choice(["trousers", "trousers", "trousers", "shorts", "skirt", "coat"])),
        hat=_colour(rng) if rng.random() < 0.2 else None,
        bag=str(rng.choice(["none", "none", "backpack", "handbag", "shoulder"])),
        bag_colour=_colour(rng, 15, 200, 0.9),
        long_hair=bool(rng.random() < 0.4),
        texture=_texture(rng, 64, 64, 5, 0.8),
    )


def _draw_figure(actor: _Actor, time: float, x: float, y: float, height: float) -> _Sprite:
    """Draw an actor whose feet are at x, y in the image and whose body is `height` pixels high."""
    size = _OVERSAMPLE * height
    wide = 1.9 if actor.kind in ("bicycle", "rider") else _BODY[0]
    left, top = int(np.floor(x - wide * height / 2)) - 1, int(np.floor(y - 1.06 * height)) - 1
    width, tall = int(np.ceil(wide * height)) + 3, int(np.ceil(_BODY[1] * height)) + 3
    canvas = np.zeros((tall * _OVERSAMPLE, width * _OVERSAMPLE, 3), np.uint8)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    pen = _Pen(canvas, mask, (x - left) * _OVERSAMPLE, (y - top) * _OVERSAMPLE, size)
    velocity = actor.velocity(time)
    speed = float(np.hypot(*velocity))
    facing = float(np.arctan2(velocity[1], velocity[0])) if speed > 0.05 else actor.facing
    if actor.kind == "bicycle":
        _draw_bicycle(pen, actor, 1.0 if np.cos(facing) >= 0 else -1.0)
    elif actor.kind == "rider":
        _draw_rider(pen, actor, 1.0 if np.cos(facing) >= 0 else -1.0, actor.walked(time))
    else:
        if actor.kind == "poster":
            pen.polygon([(-0.36, 0.02), (-0.36, 1.05), (0.36, 1.05), (0.36, 0.02)], actor.looks.bag_colour)
        stride = actor.stride * actor.looks.height / 1.75
        swing = 0.0 if actor.kind != "walker" else min(1.0, speed / 0.9)
        _draw_body(pen, actor.looks, facing, actor.phase + np.pi * actor.walked(time) / stride, swing)
    colour = canvas.astype(np.float32)
    light = 1 + 0.22 * cv2.resize(actor.looks.texture, mask.shape[::-1])
    light *= np.linspace(0.82, 1.12, mask.shape[1], dtype=np.float32)  # the sun stands on the right
    solid = mask.astype(np.float32) / 255
    colour = cv2.multiply(cv2.multiply(colour, cv2.merge([light] * 3)), cv2.merge([solid] * 3))
    *small, alpha = cv2.split(cv2.resize(cv2.merge([colour, solid]), (width, tall), interpolation=cv2.INTER_AREA))
    return _Sprite(cv2.merge([part / np.maximum(alpha, 1e-3) for part in small]), alpha, left, top)


class _Pen:
    """Draws in body heights: x to the right of the feet, y up from the ground."""

    def __init__(self, canvas: np.ndarray, mask: np.ndarray, x: float, y: float, size: float) -> None:
        self.canvas, self.mask, self.x, self.y, self.size = canvas, mask, x, y, size

    def _at(self, point) -> tuple[int, int]:
        return round(self.x + point[0] * self.size), round(self.y - point[1] * self.size)

    def polygon(self, points, colour) -> None:
        corners = np.array([self._at(point) for point in points], np.int32)
        cv2.fillPoly(self.canvas, [corners], colour)
        cv2.fillPoly(self.mask, [corners], 255)

    def limb(self, points, thickness, colour) -> None:
        width = max(1, round(thickness * self.size))
        for first, second in itertools.pairwise(points):
            cv2.line(self.canvas, self._at(first), self._at(second), colour, width)
            cv2.line(self.mask, self._at(first), self._at(second), 255, width)

    def ellipse(self, centre, radii, colour, outline: float | None = None) -> None:
        axes = tuple(max(1, round(radius * self.size)) for radius in radii)
        width = -1 if outline is None else max(1, round(outline * self.size))
        cv2.ellipse(self.canvas, self._at(centre), axes, 0, 0, 360, colour, width)
        cv2.ellipse(self.mask, self._at(centre), axes, 0, 0, 360, 255, width)


def _draw_body(pen: _Pen, looks: _Looks, facing: float, phase: float, swing: float) -> None:
    """A person: `facing` 0 walks to the right, pi/2 away from the camera; a step is half a turn of `phase`."""
    side, front = float(np.cos(facing)), abs(float(np.sin(facing)))
    away = np.sin(facing) > 0
    shoulder = looks.build * (0.07 + 0.055 * front)
    hip = looks.build * (0.06 + 0.025 * front)
    bob = 0.012 * swing * abs(np.sin(phase))
    dark = tuple(0.8 * v for v in looks.bottom)
    legs = [_leg(phase + offset, side, swing, lane * 0.045 * front, hip) for offset, lane in ((np.pi, -1), (0.0, 1))]
    arms = [_arm(phase + offset, side, swing, lane * shoulder * front) for offset, lane in ((0.0, -1), (np.pi, 1))]
    sleeve = looks.skin if looks.garment == "shorts" else looks.top
    thick = 0.062 * looks.build
    for index, tint in ((0, dark), (1, looks.bottom)):
        (knee_x, knee_y), (foot_x, foot_y) = legs[index][1:]
        if index == 0:
            pen.limb(arms[0][:2], 0.05 * looks.build, tuple(0.8 * v for v in looks.top))
            pen.limb(arms[0][1:], 0.04 * looks.build, tuple(0.8 * v for v in sleeve))
        pen.limb(legs[index], thick, looks.skin if looks.garment in ("skirt",) else tint)
        if looks.garment == "shorts":
            pen.limb([(knee_x, knee_y), (foot_x, foot_y)], 0.8 * thick, looks.skin)
        toe = 0.055 * side
        pen.limb([(foot_x - 0.2 * toe, foot_y - 0.02), (foot_x + toe, foot_y - 0.022)], 0.04, looks.shoes)
    torso = [
        (-shoulder, 0.81),
        (-hip, 0.5),
        (hip, 0.5),
        (shoulder, 0.81),
        (0.6 * shoulder, 0.845),
        (-0.6 * shoulder, 0.845),
    ]
    if looks.garment in ("skirt", "coat"):
        colour = looks.top if looks.garment == "coat" else looks.bottom
        spread = hip * 1.15 + 0.05 * swing * abs(side * np.sin(phase))
        pen.polygon([(-hip, 0.6), (-spread, 0.3), (spread, 0.3), (hip, 0.6)], colour)
    if looks.bag == "backpack" and (not away or front < 0.7):
        pen.ellipse((-0.8 * shoulder * np.sign(side or 1) * (1 - 0.6 * front), 0.7), (0.06, 0.11), looks.bag_colour)
    pen.polygon([(x, y + bob) for x, y in torso], looks.top)
    _draw_pattern(pen, looks, shoulder, bob, away)
    if looks.bag == "backpack" and away and front >= 0.7:
        pen.ellipse((0, 0.69 + bob), (0.08, 0.115), looks.bag_colour)
    if looks.bag in ("handbag", "shoulder"):
        hand = arms[1][2] if looks.bag == "handbag" else (shoulder * 1.05, 0.52)
        x, y = hand[0], hand[1] - 0.04
        pen.polygon(
            [(x - 0.05, y - 0.05), (x - 0.05, y + 0.03), (x + 0.05, y + 0.03), (x + 0.05, y - 0.05)], looks.bag_colour
        )
    pen.limb(arms[1][:2], 0.05 * looks.build, tuple(0.92 * v for v in looks.top))
    pen.limb(arms[1][1:], 0.04 * looks.build, tuple(0.95 * v for v in sleeve))
    pen.ellipse(arms[1][2], (0.018, 0.022), looks.skin)
    _draw_head(pen, looks, side, front, away, bob)


def _draw_pattern(pen: _Pen, looks: _Looks, shoulder: float, bob: float, away: bool) -> None:
    inner = 0.85 * shoulder
    if looks.pattern in ("stripes", "checks"):
        for y in np.arange(0.53, 0.81, 0.055):
            pen.limb([(-0.8 * inner, y + bob), (0.8 * inner, y + bob)], 0.018, looks.stripes)
    if looks.pattern == "checks":
        for x in np.linspace(-0.7 * inner, 0.7 * inner, 4):
            pen.limb([(x, 0.53 + bob), (x, 0.81 + bob)], 0.014, looks.stripes)
    if looks.pattern == "logo":
        pen.ellipse((0, 0.72 + bob), (0.5 * inner, 0.045), looks.stripes)
    if looks.pattern == "open" and not away:
        pen.limb([(0, 0.53 + bob), (0, 0.82 + bob)], 0.05, looks.stripes)


def _draw_head(pen: _Pen, looks: _Looks, side: float, front: float, away: bool, bob: float) -> None:
    lean = 0.02 * side
    pen.limb([(lean * 0.5, 0.84 + bob), (lean, 0.88 + bob)], 0.05, looks.skin)
    if looks.long_hair:
        pen.ellipse((lean - 0.025 * side, 0.905 + bob), (0.06, 0.085), looks.hair)
    pen.ellipse((lean, 0.925 + bob), (0.052, 0.068), looks.skin)
    if away and front > 0.5:
        pen.ellipse((lean, 0.932 + bob), (0.055, 0.064), looks.hair)
    else:
        pen.ellipse((lean - 0.02 * side, 0.958 + bob), (0.052, 0.042), looks.hair)
    if looks.hat is not None:
        pen.ellipse((lean, 0.968 + bob), (0.058, 0.035), looks.hat)
        pen.limb([(lean - 0.05, 0.955 + bob), (lean + 0.06 * side + 0.02, 0.955 + bob)], 0.015, looks.hat)


def _leg(phase: float, side: float, swing: float, lane: float, hip: float) -> list[tuple[float, float]]:
    """Hip, knee and ankle."""
    angle = 0.45 * swing * np.sin(phase)
    bend = 0.7 * swing * max(0.0, np.cos(phase)) ** 2
    knee = (lane + 0.245 * np.sin(angle) * side, 0.515 - 0.245 * np.cos(angle))
    lower = angle - bend
    foot = (knee[0] + 0.235 * np.sin(lower) * side, knee[1] - 0.235 * np.cos(lower))
    return [(lane * 0.7, 0.515), knee, (foot[0], max(0.03, foot[1]))]


def _arm(phase: float, side: float, swing: float, lane: float) -> list[tuple[float, float]]:
    """Shoulder, elbow and hand."""
    angle = 0.4 * swing * np.sin(phase)
    elbow = (lane * 1.08 + 0.17 * np.sin(angle) * side, 0.8 - 0.17 * np.cos(angle))
    hand = (elbow[0] + 0.16 * np.sin(angle + 0.3 * swing) * side, elbow[1] - 0.16 * np.cos(angle + 0.3 * swing))
    return [(lane, 0.8), elbow, hand]


def _draw_bicycle(pen: _Pen, actor: _Actor, way: float) -> None:
    colour = actor.looks.top
    for x in (-0.3, 0.3):
        pen.ellipse((x, 0.19), (0.19, 0.19), (30, 30, 30), outline=0.022)
    frame = [(-0.3, 0.19), (-0.1, 0.48), (0.2, 0.46), (0.0, 0.19), (-0.1, 0.48)]
    pen.limb([(way * x, y) for x, y in frame], 0.025, colour)
    pen.limb([(way * x, y) for x, y in ((-0.3, 0.19), (0.0, 0.19))], 0.025, colour)
    pen.limb([(way * x, y) for x, y in ((0.3, 0.19), (0.2, 0.46), (0.17, 0.58), (0.24, 0.6))], 0.025, colour)
    pen.limb([(way * -0.16, 0.53), (way * -0.05, 0.53)], 0.035, (25, 25, 25))


def _draw_rider(pen: _Pen, actor: _Actor, way: float, travelled: float) -> None:
    looks = actor.looks
    turn = actor.phase + travelled * 2.5
    for offset in (np.pi, 0.0):
        foot = (way * 0.08 * np.cos(turn + offset), 0.2 + 0.08 * np.sin(turn + offset))
        knee = (foot[0] / 2 + way * 0.12, (0.56 + foot[1]) / 2 + 0.05)
        pen.limb([(way * -0.1, 0.56), knee, foot], 0.065, looks.bottom)
        pen.limb([foot, (foot[0] + way * 0.05, foot[1])], 0.04, looks.shoes)
    pen.polygon([(way * x, y) for x, y in ((-0.18, 0.56), (-0.02, 0.56), (0.1, 0.84), (0.0, 0.86))], looks.top)
    pen.limb([(way * 0.05, 0.8), (way * 0.14, 0.68), (way * 0.22, 0.61)], 0.045, looks.top)
    pen.ellipse((way * 0.09, 0.94), (0.05, 0.065), looks.skin)
    pen.ellipse((way * 0.08, 0.975), (0.055, 0.04), looks.hat or looks.hair)
