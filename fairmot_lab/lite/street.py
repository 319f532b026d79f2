"""A scene but for its people: settings, camera, canvas, houses and ground, things in front of them, the light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from ..errors import ConfigError

CLASSES = {"walker": 1, "rider": 2, "bicycle": 4, "static": 7, "poster": 8, "reflection": 12}  # MOT17's numbers
ALWAYS = np.array((-1e9, 1e9))  # seconds: the times of what stands
OVERSAMPLE = 2  # figures are drawn this much larger, then shrunk: smooth outlines


@dataclass(frozen=True)
class SceneConfig:
    """What a scene is like; ConfigError for a value outside its range."""

    width: int = 960  # of the image, in pixels
    height: int = 540
    length: int = 300  # frames
    frame_rate: float = 30.0  # frames a second
    people: int = 14  # walkers that are in the scene at any time
    nearest: float = 260.0  # height in pixels of a person of 1.75 m on the nearest path
    farthest: float = 80.0  # and on the farthest, at most 0.6 of it
    clutter: float = 0.35  # how many occluders and distractors there are, 0 (none) to 1
    jitter: float = 0.8  # standard deviation of the camera's shake in pixels
    spread: int = 16  # ways drawn for each walker, of which the least crowded is taken: people avoid each other
    companions: float = 0.02  # how often somebody walks beside a walker, 0 to 1
    camera_height: tuple[float, float] = (3.5, 6.0)  # least and most, in metres; seen from above, people hide less

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in ("clutter", "companions") and not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}; a scene needs a value from 0 to 1.")
            if name not in ("clutter", "companions", "jitter") and not np.all(np.array(value) > 0):
                raise ConfigError(f"{name} is {value}; a scene needs a value above 0.")


class Camera:
    """Where the camera of a scene stands, and where a point appears to it; `scenes` has the geometry."""

    def __init__(self, config: SceneConfig, rng: np.random.Generator) -> None:
        self.config = c = config
        self.horizon = c.height * rng.uniform(0.14, 0.3)
        self.camera_height = rng.uniform(*c.camera_height)
        # the nearest person's feet stay in the image: their row gives the largest height a camera so placed can show
        nearest = min(c.nearest, 1.75 / self.camera_height * (0.97 * c.height - self.horizon))
        farthest = min(c.farthest, 0.6 * nearest)
        self.focal = c.width * rng.uniform(0.9, 1.4)
        self.z_near, self.z_far = self.focal * 1.75 / nearest, self.focal * 1.75 / farthest
        self.z_wall = self.z_far * rng.uniform(1.12, 1.5)

    def project(self, x: Any, z: Any) -> tuple[Any, Any, Any]:
        """Project a point on the ground (or arrays of points) to image x, y, with the pixels per metre there."""
        scale = self.focal / z
        return self.config.width / 2 + scale * x, self.horizon + scale * self.camera_height, scale


class Way(NamedTuple):
    """Where something is at what time: on straight lines between points, at the ends before and after."""

    times: np.ndarray  # (K,) seconds
    points: np.ndarray  # (K, 2): X, Z in metres

    def at(self, time: float | np.ndarray) -> np.ndarray:
        """Return X, Z in metres."""
        return np.array([np.interp(time, self.times, column) for column in self.points.T])

    def walked(self, time: float) -> float:
        """Return the metres walked since the start: what drives the gait, so that who stands does not step."""
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        return float(np.interp(time, self.times, np.concatenate(([0], np.cumsum(steps)))))


class RenderedFrame:
    """A frame in the making, and what is known about it; sprites are laid on it from the farthest to the nearest.

    `image` (H, W, 3) is uint8 with blue first, once the light is on it. `labels` (H, W) int32 has the id of whose pixel
    is seen; 0 is background, -1 an occluder.
    """

    def __init__(self, background: np.ndarray, shift: np.ndarray) -> None:
        size = background.shape[1::-1]
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        self.image = cv2.warpAffine(background, move, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        self.labels = np.zeros(background.shape[:2], np.int32)
        self._rows: list[tuple[int, ...]] = []

    def lay(
        self, colour: np.ndarray, alpha: np.ndarray, corner: tuple[int, int], number: int, kind: str = "", window=None
    ) -> None:
        """Lay an object's picture over the image, and its number over the labels; note its extent if it is of a `kind`.

        The picture is its colour (H, W, 3) and coverage (H, W) from 0 to 1, with the upper left corner at x, y. With a
        mask of windows it is drawn there only, and faintly.
        """
        (x, y), (height, width), solid = corner, self.labels.shape, alpha > 0.5
        y0, y1 = np.clip((y, y + alpha.shape[0]), 0, height)
        x0, x1 = np.clip((x, x + alpha.shape[1]), 0, width)
        here, part = np.s_[y0:y1, x0:x1], np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
        alpha, strength = (alpha[part], 1.0) if window is None else (alpha[part] * window[here], 0.3)
        self.image[here] += (colour[part] - self.image[here]) * (alpha * strength)[..., None]
        self.labels[here][alpha > 0.5] = number
        left, top, w, h = cv2.boundingRect(solid.astype(np.uint8))
        x, y = x + left, y + top
        if kind and w and -w < x < width and -h < y < height:
            self._rows.append((number, x, y, w, h, CLASSES[kind], np.count_nonzero(solid)))

    def darken(self, x: float, y: float, half_width: float) -> None:
        """Draw a shadow on the ground: a soft ellipse around x, y."""
        half_height = max(1.0, 0.22 * half_width)
        x0, x1 = np.clip((int(x - 1.6 * half_width), int(x + 1.6 * half_width) + 1), 0, self.image.shape[1])
        y0, y1 = np.clip((int(y - 1.6 * half_height), int(y + 1.6 * half_height) + 1), 0, self.image.shape[0])
        across, down = (np.arange(x0, x1) - x) / half_width, (np.arange(y0, y1) - y) / half_height
        shade = 1 - 0.45 * np.exp(-1.5 * (across**2 + (down**2)[:, None]))
        self.image[y0:y1, x0:x1] *= shade[..., None].astype(np.float32)

    @property
    def objects(self) -> pd.DataFrame:
        """One row for each object of which a pixel lies in the image, hidden or not.

        Its columns are `id`, `x`, `y`, `w`, `h` (pixels, not cut at the image's edges), `class_id`, `visibility`.
        """
        columns = ["id", "x", "y", "w", "h", "class_id", "pixels"]
        table = pd.DataFrame(self._rows, columns=columns, dtype="int64")
        seen = pd.Series(np.bincount(np.maximum(self.labels, 0).ravel())).reindex(table["id"], fill_value=0)
        table["visibility"] = seen.to_numpy() / table.pop("pixels")
        # a reflection that no window shows is not there
        there = (table["class_id"] != CLASSES["reflection"]) | (table["visibility"] > 0.05)
        return table[there].reset_index(drop=True)


def random_texture(rng: np.random.Generator, size: tuple[int, int], octaves: int = 5, rough: float = 0.6) -> np.ndarray:
    """Return fractal noise around 0, about -1 to 1, for a size of (width, height): float32."""
    total = np.zeros(size[::-1], np.float32)
    for octave in range(octaves):
        cells = [max(2, 2 ** (octave + 2) * side // max(size)) for side in size]
        coarse = rng.normal(0, 1, cells[::-1]).astype(np.float32)
        total += rough**octave * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return total / np.abs(total).max()


def random_colour(rng: np.random.Generator, low: float = 30, high: float = 220, saturation: float = 0.6) -> np.ndarray:
    """Return a random colour (BGR), more often dull than bright."""
    grey, vivid = rng.uniform(low, high), rng.uniform(low, high, 3)
    part = rng.uniform(0, 1) ** 1.3 * saturation / 0.6
    return np.clip(grey * (1 - part) + vivid * part, 5, 250)


class Occluder:
    """A car, tree, lamp post or box, where people pass before and behind it: it hides them and is nobody."""

    kind = ""

    def __init__(self, scene: Camera, rng: np.random.Generator) -> None:
        kind = rng.choice(["car", "tree", "post", "post", "box"])
        z = np.exp(rng.uniform(np.log(scene.z_near * 1.05), np.log(scene.z_wall)))
        x = rng.uniform(-0.55, 0.55) * scene.config.width * z / scene.focal
        heights = rng.uniform((1.35, 5, 3.5, 0.7), (1.6, 8, 6, 1.3))
        self.height = heights[("car", "tree", "post", "box").index(kind)]
        if kind == "car":  # parked along the far side: a near one would hide a third of the street
            z = max(z, 0.95 * scene.z_far)
        scale = OVERSAMPLE * scene.focal / z
        self.way = Way(ALWAYS, np.array([(x, z)] * 2))
        self.colour, self.alpha = _paint_thing(kind, self.height * scale, scale, rng)

    def draw(self, frame: RenderedFrame, _time: float, x: float, y: float, scale: float) -> None:
        """Draw it with its foot at x, y, at `scale` pixels a metre."""
        height, width = self.alpha.shape
        factor = scale * self.height / height
        left, top = x - width * factor / 2, y - height * factor
        corner = int(np.floor(left)), int(np.floor(top))
        move = np.array([[factor, 0, left - corner[0]], [0, factor, top - corner[1]]])
        size = int(np.ceil(width * factor)) + 2, int(np.ceil(height * factor)) + 2
        alpha = cv2.warpAffine(self.alpha, move, size, flags=cv2.INTER_AREA)
        colour = cv2.warpAffine(self.colour, move, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        frame.darken(x, y, size[0] * 0.5)
        frame.lay(colour, alpha, corner, -1)


class Light:
    """Exposure that drifts and sometimes jumps, a passing shadow, vignetting, and the sensor's noise."""

    def __init__(self, rng: np.random.Generator, config: SceneConfig) -> None:
        drift = 1 + 0.08 * smooth_noise(rng, config.length, 1, config.frame_rate)[:, 0]
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
        self.noise, self.seed = noise.astype(np.float32), int(rng.integers(2**31))

    def apply(self, image: np.ndarray, number: int) -> np.ndarray:
        """Return the frame as the camera would give it: uint8."""
        edge = (self.cloud_at - self.start - self.speed * number) * 4
        shade = self.vignette * (1 - self.cloud / (1 + np.exp(-edge)))
        dy, dx = np.random.default_rng((self.seed, number)).integers(0, 64, 2)
        noise = self.noise[dy : dy + image.shape[0], dx : dx + image.shape[1]]
        tint = self.tint * np.float32(self.gain[number - 1])
        lit = cv2.multiply(image, cv2.merge([shade * part for part in tint])) + cv2.merge([noise] * 3)
        return np.clip(lit, 0, 255, out=lit).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, length: int, columns: int, width: float) -> np.ndarray:
    """Return noise of standard deviation 1 that changes over about `width` samples: (length, columns)."""
    reach = int(4 * width) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 0.3)) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.normal(0, 1, (length + 2 * reach, columns))
    return np.column_stack([np.convolve(column, kernel, "valid") for column in white.T])


def paint_background(scene: Camera, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the empty street, and a mask (H, W) float32 of the shop windows that mirror who passes."""
    width, height = scene.config.width, scene.config.height
    image, mirror = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    image[:] = random_colour(rng, 150, 235, 0.4) * np.linspace(1.05, 0.85, height)[:, None, None]
    image += 12 * random_texture(rng, (width, height))[..., None]
    _, base, scale = scene.project(0, scene.z_wall)
    _paint_facade(rng, image, mirror, round(base), scale)
    _paint_ground(scene, rng, image[max(0, round(base)) :])
    return np.clip(image, 0, 255), mirror


def _paint_facade(rng: np.random.Generator, image: np.ndarray, mirror: np.ndarray, base: int, scale: float) -> None:
    """Houses along the far edge of the street, feet in row `base`: bricks, windows, shops, signs, hedges, gaps."""
    x = -rng.uniform(0, 4) * scale
    while x < image.shape[1]:
        width = rng.uniform(5, 14) * scale
        left, right = int(max(0, x)), int(min(image.shape[1], x + width))
        x += width + (rng.uniform(0, 3) * scale if rng.random() < 0.3 else 0)
        top = int(max(0, base - rng.uniform(4, 16) * scale))
        if right - left < 4 or base - top < 4:
            continue
        house, size = image[top:base, left:right], (right - left, base - top)
        if rng.random() < 0.18:  # a hedge or trees
            green = rng.uniform((20, 70, 30), (60, 120, 80))
            house[:] = green * (1 + 0.5 * random_texture(rng, size, 7, 0.8)[..., None])
            continue
        house[:] = random_colour(rng, 60, 210, 0.5) * (1 + 0.18 * random_texture(rng, size, 6)[..., None])
        if rng.random() < 0.5:
            brick = max(3, round(0.3 * scale))
            house[::brick] *= 0.8
            house[:, :: 2 * brick] *= 0.9
        _paint_windows(rng, image, (left, top, right, base), scale)
        _paint_shops(rng, image, mirror, (left, right, base), scale)


def _paint_windows(rng: np.random.Generator, image: np.ndarray, box: tuple, scale: float) -> None:
    left, top, right, base = box
    pitch_x, pitch_y = rng.uniform(1.6, 3) * scale, rng.uniform(2.6, 3.6) * scale
    glass = random_colour(rng, 20, 110, 0.4)
    for y in np.arange(base - pitch_y - 0.6 * scale, top + pitch_y, -pitch_y):
        for x in np.arange(left + 0.5 * scale, right - 0.9 * scale, pitch_x):
            corners = (int(x), int(y - 1.5 * scale)), (int(x + scale), int(y))
            cv2.rectangle(image, *corners, glass * rng.uniform(0.5, 1.5), -1)
            cv2.rectangle(image, *corners, glass * 1.8 + 40, max(1, round(0.07 * scale)))


def _paint_shops(rng: np.random.Generator, image: np.ndarray, mirror: np.ndarray, box: tuple, scale: float) -> None:
    """Shop windows and doors on the ground floor."""
    left, right, base = box
    x = left + rng.uniform(0.2, 1) * scale
    while x + 2 * scale < right:
        width = rng.uniform(1.2, 4) * scale
        x0, x1 = int(x), int(min(x + width, right - 0.2 * scale))
        y0, y1 = max(0, int(base - rng.uniform(2, 2.6) * scale)), int(base - rng.uniform(0, 0.4) * scale)
        x += width + rng.uniform(0.3, 1.5) * scale
        if x1 - x0 < 3 or y1 - y0 < 3:
            continue
        pane = image[y0:y1, x0:x1]
        pane[:] = random_colour(rng, 15, 120, 0.4) * np.linspace(0.7, 1.3, y1 - y0)[:, None, None]
        pane += 25 * random_texture(rng, (x1 - x0, y1 - y0), 6, 0.9)[..., None]
        for _ in range(rng.integers(0, 6)):  # goods in the window
            corner = rng.integers((x0, y0), (x1, y1))
            other = np.minimum(corner + rng.uniform(0.15, 0.8, 2) * scale, (x1, y1)).astype(int)
            cv2.rectangle(image, corner.tolist(), other.tolist(), random_colour(rng), -1)
        mirror[y0:y1, x0:x1] = 1
        if rng.random() < 0.6:  # a sign above
            sign = int(max(0, y0 - 0.6 * scale))
            cv2.rectangle(image, (x0, sign), (x1, y0), random_colour(rng, 40, 240, 1.0), -1)
            for x2 in np.arange(x0 + 0.2 * scale, x1 - 0.3 * scale, 0.3 * scale):
                start, end = (int(x2), int((sign + y0) / 2)), (int(x2 + 0.15 * scale), y0 - 2)
                cv2.line(image, start, end, random_colour(rng), 1)


def _paint_ground(scene: Camera, rng: np.random.Generator, image: np.ndarray) -> None:
    """Paving, asphalt and grass in bands along the street, seen in perspective: the rows below the facade."""
    width, height = scene.config.width, scene.config.height
    rows = np.arange(height - len(image), height)
    z = (scene.focal * scene.camera_height / np.maximum(rows + 0.5 - scene.horizon, 1))[:, None]
    x = (np.arange(width) - width / 2)[None] * z / scene.focal
    z, tile = np.broadcast_to(z, x.shape), 512
    grain = random_texture(rng, (tile, tile), 8, 0.85)

    def grained(metres: float) -> np.ndarray:
        at = [(((value / metres) % 1) * tile).astype(np.float32) for value in (x, z)]
        return cv2.remap(grain, *at, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)

    edges = np.sort(rng.uniform(scene.z_near, scene.z_wall, rng.integers(1, 4)))
    band = np.digitize(z, edges)
    for index in range(len(edges) + 1):
        kind, colour = rng.choice(["asphalt", "paving", "paving", "grass"]), random_colour(rng, 70, 200, 0.25)
        contrast = rng.uniform(0.08, 0.25)
        if kind == "grass":
            colour, contrast = rng.uniform((30, 90, 50), (60, 140, 100)), 0.4
        shade = 1 + contrast * grained(rng.uniform(1, 3)) + 0.12 * grained(17)
        if kind == "paving":
            size, joint = rng.uniform(0.4, 1.5), rng.uniform(0.03, 0.06)
            shade = shade * np.where(((x % size) < joint) | ((z % size) < joint * 2), 0.75, 1)
            checks = ((x // size).astype(int) + (z // size).astype(int)) % 2
            shade = shade * (1 + rng.choice([0, 0, 0.15]) * checks)
        image[band == index] = (colour * shade[..., None])[band == index]
    for edge in edges:
        if rng.random() < 0.6:  # a kerb or a painted line
            image[np.abs(z - edge) < 0.12] = rng.uniform(120, 235)


def _paint_thing(kind: str, height: float, scale: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colour and coverage of an occluder whose foot is at the middle of the lower edge; `scale` is pixels a metre."""
    width = {"car": 4.2, "tree": rng.uniform(2, 3.5), "post": 0.9, "box": rng.uniform(0.5, 1.6)}[kind] * scale
    w, h = max(4, round(width)), max(4, round(height))
    canvas = np.zeros((h, w, 4), np.float32)  # blue, green, red, coverage
    paint = random_colour(rng, 20, 230, 0.9)

    def polygon(tint, *points: tuple[float, float]) -> None:
        cv2.fillPoly(canvas, [np.round(np.array(points) * (w, h)).astype(np.int32)], (*tint, 1))

    if kind == "car":
        polygon(paint, (0, 0.45), (0.03, 0.85), (0.97, 0.85), (1, 0.5), (0.85, 0.42), (0.15, 0.42))
        polygon(0.9 * paint, (0.15, 0.45), (0.28, 0.02), (0.7, 0.02), (0.86, 0.45))
        polygon((70, 60, 55), (0.2, 0.43), (0.3, 0.08), (0.48, 0.08), (0.48, 0.43))
        polygon((80, 70, 60), (0.51, 0.43), (0.51, 0.08), (0.68, 0.08), (0.79, 0.43))
        for x in (0.2, 0.8):
            centre, radius = (round(x * w), round(0.8 * h)), max(1, round(0.19 * h))
            cv2.circle(canvas, centre, radius, (25, 25, 25, 1), -1)
            cv2.circle(canvas, centre, max(1, radius // 2), (150, 150, 150, 1), -1)
    elif kind == "tree":
        polygon((40, 60, 80), (0.46, 0.3), (0.44, 1), (0.56, 1), (0.54, 0.3))
        crown = random_texture(rng, (w, max(2, round(0.58 * h))), 6, 0.8)  # people pass below it
        y, x = np.mgrid[-1 : 1 : crown.shape[0] * 1j, -1 : 1 : w * 1j]
        inside = x**2 + y**2 + 0.5 * crown < 0.75
        green = rng.uniform((20, 60, 30), (50, 110, 80)).astype(np.float32)
        canvas[: len(crown), :, :3][inside] = (green * (1 + 0.6 * crown[..., None]))[inside]
        canvas[: len(crown), :, 3][inside] = 1
    elif kind == "post":
        thick = 0.07 + 0.06 * rng.random()
        polygon(paint, (0.5 - thick, 0), (0.5 - thick, 1), (0.5 + thick, 1), (0.5 + thick, 0))
        if rng.random() < 0.6:  # a traffic sign
            y = rng.uniform(0.1, 0.4)
            polygon(random_colour(rng, 40, 240, 1.0), (0.1, y), (0.1, y + 0.14), (0.9, y + 0.14), (0.9, y))
    else:
        polygon(paint, (0, 0), (0, 1), (1, 1), (1, 0))
    colour = canvas[..., :3] * (1 + 0.15 * random_texture(rng, (w, h), 6)[..., None])
    colour *= np.linspace(rng.uniform(0.75, 1), rng.uniform(0.75, 1.1), w)[None, :, None]
    return np.clip(colour, 0, 255), canvas[..., 3].copy()
