"""Detections with embeddings that are generated: crowds that walk, and appearances for real boxes."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np

from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.detections import Detections


def crowd(
    people: int, frames: int, *, seed: int = 0, dimension: int = 64, missed: float = 0.05, noise: float = 0.05
) -> Detections:
    """People who wander in a 1920x1080 image, bounce off its edges, and are missed now and then.

    Parameters
    ----------
    people, frames
        How many.
    seed
        Of the random numbers.
    dimension
        Length of the embeddings; 0: none.
    missed
        Share of boxes that are not detected.
    noise
        Standard deviation added to each number of an embedding of unit length.
    """
    random = np.random.default_rng(seed)
    height = random.uniform(80, 320, people)
    size = np.stack([height * random.uniform(0.32, 0.45, people), height], axis=1)
    limits = np.array([1920.0, 1080.0])
    centre = random.uniform(0, 1, (people, 2)) * limits
    velocity = random.normal(0, 2.5, (people, 2))
    look = _unit(random.standard_normal((people, max(dimension, 1))))
    found = []
    for frame in range(1, frames + 1):
        velocity = 0.995 * velocity + random.normal(0, 0.2, (people, 2))
        centre = centre + velocity
        velocity = np.where((centre < 0) | (centre > limits), -velocity, velocity)
        seen = random.random(people) >= missed
        box = np.concatenate([centre - size / 2, size], axis=1)[seen]
        box = (box + random.normal(0, 1.5, box.shape)).astype(np.float32)
        scores = random.beta(6, 2, len(box)).astype(np.float32)
        vectors = _unit(look[seen] + noise * random.standard_normal((len(box), max(dimension, 1))))
        embeddings = vectors.astype(np.float32) if dimension else None
        found.append(FrameDetections(frame, box, scores, embeddings, np.zeros(len(box), np.int64)))
    return Detections.from_frames(found)


def with_looks(detections: Detections, *, dimension: int = 64, seed: int = 0) -> Detections:
    """The same boxes with embeddings that vary smoothly with place and size, and from box to box by chance."""
    random = np.random.default_rng(seed)
    x, y, _, h = detections.boxes.astype(np.float64).T
    place = np.stack([x / 300, y / 300, h / 200, np.ones_like(x)], axis=1)
    look = np.sin(place @ random.standard_normal((4, dimension)) + random.standard_normal(dimension))
    look += 0.35 * random.standard_normal(look.shape)
    looks = np.split(_unit(look).astype(np.float32), detections.offsets[1:-1])
    return changed(
        detections, *(dataclasses.replace(one, embeddings=part) for one, part in zip(detections, looks, strict=True))
    )


def changed(detections: Detections, *frames: FrameDetections, frame_rate: float | None = None) -> Detections:
    """The same sequence with other frames, or at another rate."""
    result = Detections.from_frames(frames) if frames else copy.copy(detections)
    result.name, result.frame_rate = detections.name, frame_rate or detections.frame_rate
    return result


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
