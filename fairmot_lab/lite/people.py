"""Who is in a scene: how people are dressed, walk and ride, and how that is drawn."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np

from .street import OVERSAMPLE, RenderedFrame, Way, random_colour, random_texture

_SKIN = np.array(((150, 185, 230), (120, 160, 215), (90, 130, 190), (60, 95, 150), (40, 65, 105)), float)
_HAIR = np.array(((20, 20, 25), (30, 45, 70), (45, 80, 120), (90, 150, 190), (140, 140, 145), (25, 30, 90)), float)
_REFLECTED = 10_000  # added to a walker's number for the mirror image


@dataclass
class Actor:
    """Something that moves or stands in a scene and has rows in the ground truth."""

    number: int
    kind: str  # of street.CLASSES
    way: Way
    facing: float  # where it looks while it stands: 0 to the right, pi/2 away from the camera
    looks: SimpleNamespace  # as from `dress`

    def draw(self, frame: RenderedFrame, time: float, x: float, y: float, scale: float, window=None) -> None:
        """Draw it with its feet at x, y, at `scale` pixels a metre; with a mask of windows, as its reflection there."""
        kind, looks, height = self.kind, self.looks, scale * self.looks.height
        wide = 1.9 if kind in ("bicycle", "rider") else 0.9  # in heights of the body
        left, top = int(np.floor(x - wide * height / 2)) - 1, int(np.floor(y - 1.06 * height)) - 1
        width, tall = int(np.ceil(wide * height)) + 3, int(np.ceil(1.12 * height)) + 3
        canvas = np.zeros((tall * OVERSAMPLE, width * OVERSAMPLE, 4), np.uint8)
        pen = _Pen(canvas, (x - left) * OVERSAMPLE, (y - top) * OVERSAMPLE, OVERSAMPLE * height)
        velocity = (self.way.at(time + 0.05) - self.way.at(time - 0.05)) / 0.1
        speed, walked = np.hypot(*velocity), self.way.walked(time)
        facing = np.arctan2(velocity[1], velocity[0]) if speed > 0.05 else self.facing
        if kind in ("bicycle", "rider") and np.cos(facing) < 0:
            pen.right = -pen.right
        if kind == "bicycle":
            _draw_bicycle(pen, looks)
        elif kind == "rider":
            _draw_rider(pen, looks, looks.phase + walked * 2.5)
        else:
            if kind == "poster":
                pen.polygon([(-0.36, 0.02), (-0.36, 1.05), (0.36, 1.05), (0.36, 0.02)], looks.bag_colour)
            stride = looks.stride * looks.height / 1.75
            swing = min(1.0, speed / 0.9) if kind == "walker" else 0.0
            _draw_body(pen, looks, facing, looks.phase + np.pi * walked / stride, swing)
        light = 1 + 0.22 * cv2.resize(looks.texture, canvas.shape[1::-1])
        light *= np.linspace(0.82, 1.12, canvas.shape[1], dtype=np.float32)  # the sun stands on the right
        *parts, solid = cv2.split(canvas.astype(np.float32))
        solid /= 255
        lit = cv2.merge([*(part * light * solid for part in parts), solid])
        *parts, alpha = cv2.split(cv2.resize(lit, (width, tall), interpolation=cv2.INTER_AREA))
        colour = cv2.merge([part / np.maximum(alpha, 1e-3) for part in parts])
        number = self.number
        if window is not None:
            number, kind = number + _REFLECTED, "reflection"
        elif kind != "poster":
            frame.darken(x, y, 0.2 * looks.height * scale)
        frame.lay(colour, alpha, (left, top), number, kind, window)


def dress(rng: np.random.Generator) -> SimpleNamespace:
    """Return how somebody looks: height in metres, colours (BGR), clothes, the unevenness of all colours, the gait."""
    top = random_colour(rng, 15, 235, 1.0)
    stripes = np.clip(top * rng.uniform(0.4, 0.7) + rng.uniform(0, 110), 0, 255)
    dull = rng.random() < 0.65  # trousers are mostly dark or denim
    bottom = random_colour(rng, 15, 90, 0.5) if dull else random_colour(rng, 20, 220, 0.9)
    if rng.random() < 0.25:
        bottom = rng.uniform((90, 60, 40), (140, 90, 70))
    return SimpleNamespace(
        top=top,
        stripes=stripes,
        bottom=bottom,
        height=np.clip(rng.normal(1.72, 0.1), 1.2, 2.0),
        build=rng.uniform(0.85, 1.3),
        skin=rng.choice(_SKIN),
        hair=rng.choice(_HAIR),
        shoes=random_colour(rng, 10, 230, 0.4),
        pattern=rng.choice(["plain", "plain", "plain", "stripes", "checks", "logo", "open"]),
        garment=rng.choice(["trousers", "trousers", "trousers", "shorts", "skirt", "coat"]),
        hat=random_colour(rng) if rng.random() < 0.2 else None,
        bag=rng.choice(["none", "none", "backpack", "handbag", "shoulder"]),
        bag_colour=random_colour(rng, 15, 200, 0.9),
        long_hair=rng.random() < 0.4,
        texture=random_texture(rng, (64, 64), 5, 0.8),
        stride=rng.uniform(0.66, 0.82),  # metres, for a height of 1.75 m
        phase=rng.uniform(0, 2 * np.pi),  # of the gait, before the first step
    )


class _Pen:
    """Draws colour and coverage in body heights: x from the feet to the right, y up from the ground."""

    def __init__(self, canvas: np.ndarray, x: float, y: float, size: float) -> None:
        self.canvas, self.x, self.y, self.size = canvas, x, y, size
        self.right = size  # pixels; below 0 everything is drawn mirrored

    def _pixels(self, points) -> np.ndarray:
        return np.round((self.x, self.y) + np.array(points) * (self.right, -self.size)).astype(np.int32)

    def _thickness(self, part: float) -> int:
        return max(1, round(part * self.size))

    def polygon(self, points, tint) -> None:
        cv2.fillPoly(self.canvas, [self._pixels(points)], (*tint, 255))

    def limb(self, points, thickness, tint) -> None:
        cv2.polylines(self.canvas, [self._pixels(points)], False, (*tint, 255), self._thickness(thickness))

    def ellipse(self, centre, radii, tint, outline: float | None = None) -> None:
        axes, width = tuple(map(self._thickness, radii)), -1 if outline is None else self._thickness(outline)
        cv2.ellipse(self.canvas, self._pixels(centre).tolist(), axes, 0, 0, 360, (*tint, 255), width)


def _draw_body(pen: _Pen, looks: SimpleNamespace, facing: float, phase: float, swing: float) -> None:
    """A person: `facing` 0 walks to the right, pi/2 away from the camera; a step is half a turn of `phase`."""
    side, front, away = np.cos(facing), abs(np.sin(facing)), np.sin(facing) > 0
    shoulder, hip = looks.build * (0.07 + 0.055 * front), looks.build * (0.06 + 0.025 * front)
    thick, arm, hand, toe = 0.062 * looks.build, 0.05 * looks.build, 0.04 * looks.build, 0.055 * side
    legs, arms = [], []
    for offset, lane in ((np.pi, -1), (0.0, 1)):  # the far side first
        x, angle = lane * 0.045 * front, 0.45 * swing * np.sin(phase + offset)
        knee = _bone((x, 0.515), 0.245, angle, side)
        foot = _bone(knee, 0.235, angle - 0.7 * swing * max(0.0, np.cos(phase + offset)) ** 2, side)
        legs.append([(x * 0.7, 0.515), knee, (foot[0], max(0.03, foot[1]))])
        x, angle = lane * shoulder * front, 0.4 * swing * np.sin(phase + (np.pi - offset))
        elbow = _bone((x * 1.08, 0.8), 0.17, angle, side)
        arms.append([(x, 0.8), elbow, _bone(elbow, 0.16, angle + 0.3 * swing, side)])
    sleeve = looks.skin if looks.garment == "shorts" else looks.top
    pen.limb(arms[0][:2], arm, 0.8 * looks.top)
    pen.limb(arms[0][1:], hand, 0.8 * sleeve)
    for leg, shade in zip(legs, (0.8, 1), strict=True):
        pen.limb(leg, thick, looks.skin if looks.garment == "skirt" else shade * looks.bottom)
        if looks.garment == "shorts":
            pen.limb(leg[1:], 0.8 * thick, looks.skin)
        x, y = leg[2]
        pen.limb([(x - 0.2 * toe, y - 0.02), (x + toe, y - 0.022)], 0.04, looks.shoes)
    if looks.garment in ("skirt", "coat"):
        spread = hip * 1.15 + 0.05 * swing * abs(side * np.sin(phase))
        hem = [(-hip, 0.6), (-spread, 0.3), (spread, 0.3), (hip, 0.6)]
        pen.polygon(hem, looks.top if looks.garment == "coat" else looks.bottom)
    on_back = looks.bag == "backpack" and away and front >= 0.7
    if looks.bag == "backpack" and not on_back:
        pen.ellipse((-0.8 * shoulder * np.sign(side or 1) * (1 - 0.6 * front), 0.7), (0.06, 0.11), looks.bag_colour)
    upper, neck = copy(pen), 0.6 * shoulder
    upper.y -= pen.size * 0.012 * swing * abs(np.sin(phase))  # trunk and head go up and down
    trunk = [(-shoulder, 0.81), (-hip, 0.5), (hip, 0.5), (shoulder, 0.81), (neck, 0.845), (-neck, 0.845)]
    upper.polygon(trunk, looks.top)
    _draw_pattern(upper, looks, 0.85 * shoulder, away)
    if on_back:
        upper.ellipse((0, 0.69), (0.08, 0.115), looks.bag_colour)
    if looks.bag in ("handbag", "shoulder"):
        x, y = arms[1][2] if looks.bag == "handbag" else (shoulder * 1.05, 0.52)
        corners = [(x - 0.05, y - 0.09), (x - 0.05, y - 0.01), (x + 0.05, y - 0.01), (x + 0.05, y - 0.09)]
        pen.polygon(corners, looks.bag_colour)
    pen.limb(arms[1][:2], arm, 0.92 * looks.top)
    pen.limb(arms[1][1:], hand, 0.95 * sleeve)
    pen.ellipse(arms[1][2], (0.018, 0.022), looks.skin)
    _draw_head(upper, looks, side, away and front > 0.5)


def _bone(start, length: float, angle: float, side: float) -> tuple[float, float]:
    """The lower end of a bone that hangs from `start`, turned forwards by an angle."""
    return start[0] + length * np.sin(angle) * side, start[1] - length * np.cos(angle)


def _draw_pattern(pen: _Pen, looks: SimpleNamespace, half: float, away: bool) -> None:
    """What is on the front or back of somebody whose trunk is twice `half` wide."""
    if looks.pattern in ("stripes", "checks"):
        for y in np.arange(0.53, 0.81, 0.055):
            pen.limb([(-0.8 * half, y), (0.8 * half, y)], 0.018, looks.stripes)
    if looks.pattern == "checks":
        for x in np.linspace(-0.7 * half, 0.7 * half, 4):
            pen.limb([(x, 0.53), (x, 0.81)], 0.014, looks.stripes)
    if looks.pattern == "logo":
        pen.ellipse((0, 0.72), (0.5 * half, 0.045), looks.stripes)
    if looks.pattern == "open" and not away:
        pen.limb([(0, 0.53), (0, 0.82)], 0.05, looks.stripes)


def _draw_head(pen: _Pen, looks: SimpleNamespace, side: float, from_behind: bool) -> None:
    lean = 0.02 * side
    pen.limb([(lean * 0.5, 0.84), (lean, 0.88)], 0.05, looks.skin)
    if looks.long_hair:
        pen.ellipse((lean - 0.025 * side, 0.905), (0.06, 0.085), looks.hair)
    pen.ellipse((lean, 0.925), (0.052, 0.068), looks.skin)
    if from_behind:
        pen.ellipse((lean, 0.932), (0.055, 0.064), looks.hair)
    else:
        pen.ellipse((0, 0.958), (0.052, 0.042), looks.hair)
    if looks.hat is not None:
        pen.ellipse((lean, 0.968), (0.058, 0.035), looks.hat)
        pen.limb([(lean - 0.05, 0.955), (lean + 0.06 * side + 0.02, 0.955)], 0.015, looks.hat)


def _draw_bicycle(pen: _Pen, looks: SimpleNamespace) -> None:
    for x in (-0.3, 0.3):
        pen.ellipse((x, 0.19), (0.19, 0.19), (30, 30, 30), outline=0.022)
    pen.limb([(-0.3, 0.19), (-0.1, 0.48), (0.2, 0.46), (0.0, 0.19), (-0.1, 0.48)], 0.025, looks.top)
    pen.limb([(-0.3, 0.19), (0.0, 0.19)], 0.025, looks.top)
    pen.limb([(0.3, 0.19), (0.2, 0.46), (0.17, 0.58), (0.24, 0.6)], 0.025, looks.top)
    pen.limb([(-0.16, 0.53), (-0.05, 0.53)], 0.035, (25, 25, 25))


def _draw_rider(pen: _Pen, looks: SimpleNamespace, turn: float) -> None:
    for angle in (turn + np.pi, turn):
        foot = (0.08 * np.cos(angle), 0.2 + 0.08 * np.sin(angle))
        pen.limb([(-0.1, 0.56), (foot[0] / 2 + 0.12, foot[1] / 2 + 0.33), foot], 0.065, looks.bottom)
        pen.limb([foot, (foot[0] + 0.05, foot[1])], 0.04, looks.shoes)
    pen.polygon([(-0.18, 0.56), (-0.02, 0.56), (0.1, 0.84), (0.0, 0.86)], looks.top)
    pen.limb([(0.05, 0.8), (0.14, 0.68), (0.22, 0.61)], 0.045, looks.top)
    pen.ellipse((0.09, 0.94), (0.05, 0.065), looks.skin)
    pen.ellipse((0.08, 0.975), (0.055, 0.04), looks.hair if looks.hat is None else looks.hat)
