"""Procedural street scenes with exact ground truth: the demo sequence, and unlimited training data.

A scene is a flat street seen by one camera: a textured ground in perspective, a facade with shop windows, walkers with
their own looks and gaits, occluders (cars, trees, lamp posts), and what fools a detector: standing figures, posters,
reflections, bicycles with and without riders. Everything follows from the seed. `street` and `people` paint it.

Geometry: metres on the ground, X to the right of the camera's axis, Z away from it. With focal length f in pixels, a
point on the ground appears at x = cx + f X / Z, y = horizon + f * camera height / Z, and a body of height b is
f b / Z pixels high. Boxes are the extent of a figure's own pixels, also of those that are hidden or out of the image;
visibility is the share of its pixels that can be seen.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import atomic_write, write_text
from .._progress import progress_bar
from ..data import PEDESTRIAN
from ..errors import ConfigError
from ..formats.seqinfo import write_seqinfo
from ..sources.images import encode_jpeg
from .people import Actor, dress
from .street import ALWAYS, Camera, Light, Occluder, RenderedFrame, SceneConfig, Way, paint_background, smooth_noise


class Scene(Camera):
    """A street scene: frames and their ground truth, all from a seed."""

    def __init__(self, seed: int, config: SceneConfig | None = None) -> None:
        self.seed, c, rng = seed, config or SceneConfig(), np.random.default_rng((seed, 1))
        super().__init__(c, rng)
        self.background, self.windows = paint_background(self, rng)
        self.occluders = [Occluder(self, rng) for _ in range(rng.poisson(5 * c.clutter))]
        self.actors = _cast(self, rng)
        self._light = Light(rng, c)
        self._shake = smooth_noise(rng, c.length, 2, c.frame_rate * 0.12) * c.jitter

    def render(self, number: int) -> RenderedFrame:
        """Draw a frame; they are counted from 1."""
        if not 1 <= number <= self.config.length:
            raise ConfigError(f"Frame {number} is asked for; the scene has frames 1 to {self.config.length}.")
        time, shake = (number - 1) / self.config.frame_rate, np.append(self._shake[number - 1], 0)
        frame = RenderedFrame(self.background, shake)
        things: list[Any] = [*self.occluders, *self.actors]
        there = [(*one.way.at(time), one) for one in things if one.way.times[0] <= time <= one.way.times[-1]]
        for x, z, one in there:
            if one.kind == "walker" and self.z_wall - z <= 0.45 * (self.z_wall - self.z_near):
                one.draw(frame, time, *np.add(self.project(x, 2 * self.z_wall - z), shake), self.windows)
        for x, z, one in sorted(there, key=lambda each: -each[1]):
            one.draw(frame, time, *np.add(self.project(x, z), shake))
        frame.image = self._light.apply(frame.image, number)
        return frame


def write_sequence(seed: int, config: SceneConfig, folder: str | os.PathLike[str], *, progress: bool = True) -> Path:
    """Write a scene in MOT17's format to a folder, unless it is there already: ConfigError if something else is.

    The folder is made, with img1/, gt/gt.txt, det/det.txt (people at least 0.3 visible, with jitter, misses and false
    alarms), seqinfo.ini (written last: a folder that has one is complete), and scene.json with seed and config.
    """
    folder, recipe = Path(folder), json.dumps({"seed": seed} | dataclasses.asdict(config), indent=1)
    if any(folder.glob("[!.]*")):  # hidden files alone: another program begins to draw the same
        note = folder / "scene.json"
        if not note.exists() or note.read_text(encoding="utf-8") != recipe:
            raise ConfigError(f"{folder} holds something else than the scene that is asked for; move it or remove it.")
        if (folder / "seqinfo.ini").exists():
            return folder
    write_text(folder / "scene.json", recipe)
    scene, numbers, tables = Scene(seed, config), range(1, config.length + 1), []
    for number in progress_bar(numbers, desc=f"{folder.name}: drawing", disable=not progress, unit="frame"):
        frame = scene.render(number)
        with atomic_write(folder / "img1" / f"{number:06d}.jpg") as temporary:
            temporary.write_bytes(encode_jpeg(frame.image, quality=92))
        tables.append(frame.objects)
    truth = ground_truth(tables)
    columns = ["frame", "id", "x", "y", "w", "h", "conf", "class_id", "visibility"]
    bare: Any = {"header": False, "index": False}
    write_text(folder / "gt" / "gt.txt", truth[columns].to_csv(float_format="%.5g", **bare))
    write_text(folder / "det" / "det.txt", _detections(truth, scene).to_csv(float_format="%.6g", **bare))
    write_seqinfo(folder / "seqinfo.ini", folder.name, config.frame_rate, config.length, (config.width, config.height))
    return folder


def ground_truth(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join the objects of frames 1, 2 and so on to a table of ground truth, with ids from 1 on."""
    truth = pd.concat([one.assign(frame=number) for number, one in enumerate(tables, 1)], ignore_index=True)
    truth["conf"] = (truth["class_id"] == PEDESTRIAN).astype(int)  # as in MOT17: other classes are not evaluated
    truth["id"] = pd.factorize(truth["id"])[0] + 1
    return truth.sort_values(["id", "frame"], ignore_index=True)


def _detections(truth: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    rng, length = np.random.default_rng((scene.seed, 2)), scene.config.length
    seen = truth[(truth["class_id"] == PEDESTRIAN) & (truth["visibility"] >= 0.3)]
    seen = seen[rng.random(len(seen)) < 0.93]
    boxes = seen[["x", "y", "w", "h"]].to_numpy(float)
    boxes += rng.normal(0, 0.02, boxes.shape) * boxes[:, [2, 3, 2, 3]]
    scores = np.clip(0.55 + 0.45 * seen["visibility"] - np.abs(rng.normal(0, 0.1, len(seen))), 0.05, 1)
    alarms = np.repeat(np.arange(1, length + 1), rng.poisson(0.3, length))
    height, x = rng.uniform(40, 150, len(alarms)), rng.uniform(0, scene.config.width - 60, len(alarms))
    y = rng.uniform(0, scene.config.height - 160, len(alarms))
    false = np.column_stack((alarms, x, y, 0.4 * height, height, rng.uniform(0.05, 0.6, len(alarms))))
    found = np.concatenate((np.column_stack((seen["frame"], boxes, scores)), false))
    table = pd.DataFrame(found, columns=["frame", *"xywh", "score"]).astype({"frame": int})
    columns = ["frame", "id", *"xywh", "score", "world_x", "world_y", "world_z"]  # -1 where nothing is known
    return table.sort_values("frame", kind="stable").reindex(columns=columns, fill_value=-1)


def _cast(scene: Scene, rng: np.random.Generator) -> list[Actor]:
    """Everyone who appears: walkers, then standing figures, parked bicycles, posters and riders."""
    c, duration = scene.config, scene.config.length / scene.config.frame_rate
    actors: list[Actor] = []

    def add(kind: str, way: Way, facing: float = 0.0) -> None:
        actors.append(Actor(len(actors) + 1, kind, way, facing, dress(rng)))

    for _ in range(c.people):  # one place in the scene each: when its walker has left, the next one comes
        time = None
        while time is None or time < duration:
            ways = [_walk(scene, rng, time) for _ in range(c.spread)]
            way = min(ways, key=lambda one: _crowding(scene, one, actors))
            add("walker", way)
            if rng.random() < c.companions:  # a companion at arm's length
                beside = way.points + rng.uniform(0.45, 0.7) * np.array((0.3, 1.0)) * rng.choice([-1, 1])
                beside[:, 1] = np.clip(beside[:, 1], scene.z_near, scene.z_far)
                add("walker", Way(way.times, beside))
            time = way.times[-1]
    for kind, expected in (("static", 1.2), ("bicycle", 1.5), ("poster", 1.2)):
        for _ in range(rng.poisson(expected * c.clutter)):
            z = scene.z_wall - 0.05 if kind == "poster" else rng.uniform(scene.z_near * 1.1, scene.z_far)
            x = rng.uniform(-0.45, 0.45) * c.width * z / scene.focal
            facing = rng.choice([0, np.pi]) if kind == "bicycle" else rng.uniform(0, 6.28)
            add(kind, Way(ALWAYS, np.array([(x, z)] * 2)), facing)
    for _ in range(rng.poisson(0.12 * duration * c.clutter)):
        z, side, speed = rng.uniform(scene.z_near * 1.2, scene.z_far), rng.choice([-1, 1]), rng.uniform(3, 6)
        edge, start = (0.5 * c.width + 150) * z / scene.focal, rng.uniform(0, duration)
        way = Way(np.array((start, start + 2 * edge / speed)), np.array(((-side * edge, z), (side * edge, z))))
        add("bicycle", way)
        add("rider", Way(way.times, way.points - (0, 0.01)))
    return actors


def _crowding(scene: Scene, way: Way, actors: list[Actor]) -> float:
    """How much a walker on this way would overlap the others in the image, summed over time."""
    moments = np.arange(max(0.0, way.times[0]), min(way.times[-1], scene.config.length / scene.config.frame_rate), 0.3)

    def corners(way: Way) -> tuple[np.ndarray, np.ndarray]:
        middle, foot, scale = scene.project(*way.at(moments))
        return np.stack((middle - 0.35 * scale, foot - 1.75 * scale)), np.stack((middle + 0.35 * scale, foot))

    low, high = corners(way)
    total = 0.0
    for actor in actors:
        there = (moments >= actor.way.times[0]) & (moments <= actor.way.times[-1])
        other_low, other_high = corners(actor.way)
        common = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None).prod(0)
        smaller = np.minimum((high - low).prod(0), (other_high - other_low).prod(0))
        total += float((common / smaller * there).sum())
    return total


def _walk(scene: Scene, rng: np.random.Generator, start: float | None) -> Way:
    """A way through the scene in at most 40 s.

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
        times.append(times[-1] + max(0.3, np.hypot(*(corner - points[-1])) / speed))
        points.append(corner)
        if rng.random() < 0.12:  # stand for a while
            times.append(times[-1] + rng.uniform(1, 4))
            points.append(corner)
    fine = np.linspace(times[0], times[-1], max(2, round((times[-1] - times[0]) / 0.2)))
    path = Way(np.array(times), np.array(points)).at(fine).T
    sway = np.sin(np.linspace(0, rng.uniform(2, 6), len(fine))) * rng.uniform(0, 0.25)
    path[:, 1] = np.clip(path[:, 1] + sway, scene.z_near, scene.z_far)
    return Way(fine, path)
