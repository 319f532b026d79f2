"""Detections with embeddings that are generated: crowds that walk, and appearances for real boxes."""

from __future__ import annotations

import numpy as np

from fairmot_lab.data import SequenceArrays


def crowd(
    people: int, frames: int, *, seed: int = 0, dimension: int = 64, missed: float = 0.05, noise: float = 0.05
) -> SequenceArrays:
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
    boxes, scores, embeddings = [], [], []
    for _ in range(frames):
        velocity = 0.995 * velocity + random.normal(0, 0.2, (people, 2))
        centre = centre + velocity
        velocity = np.where((centre < 0) | (centre > limits), -velocity, velocity)
        seen = random.random(people) >= missed
        box = np.concatenate([centre - size / 2, size], axis=1)[seen]
        boxes.append(box + random.normal(0, 1.5, box.shape))
        scores.append(random.beta(6, 2, len(box)))
        embeddings.append(_unit(look[seen] + noise * random.standard_normal((len(box), max(dimension, 1)))))
    return SequenceArrays(
        frames=np.arange(1, frames + 1),
        offsets=np.concatenate([[0], np.cumsum([len(box) for box in boxes])]),
        boxes=np.concatenate(boxes).astype(np.float32),
        scores=np.concatenate(scores).astype(np.float32),
        embeddings=np.concatenate(embeddings).astype(np.float32) if dimension else None,
        class_ids=np.zeros(sum(len(box) for box in boxes), np.int64),
    )


def with_looks(arrays: SequenceArrays, *, dimension: int = 64, seed: int = 0) -> SequenceArrays:
    """The same boxes with embeddings that vary smoothly with place and size, and from box to box by chance."""
    random = np.random.default_rng(seed)
    x, y, _, h = arrays.boxes.astype(np.float64).T
    place = np.stack([x / 300, y / 300, h / 200, np.ones_like(x)], axis=1)
    look = np.sin(place @ random.standard_normal((4, dimension)) + random.standard_normal(dimension))
    look += 0.35 * random.standard_normal(look.shape)
    return SequenceArrays(
        arrays.frames, arrays.offsets, arrays.boxes, arrays.scores, _unit(look).astype(np.float32), arrays.class_ids
    )


def first_frames(arrays: SequenceArrays, count: int) -> SequenceArrays:
    """The first frames of a sequence."""
    count = min(count, len(arrays.frames))
    end = arrays.offsets[count]
    return SequenceArrays(
        arrays.frames[:count],
        arrays.offsets[: count + 1],
        arrays.boxes[:end],
        arrays.scores[:end],
        None if arrays.embeddings is None else arrays.embeddings[:end],
        arrays.class_ids[:end],
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
