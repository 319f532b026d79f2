"""A scene of cars and people, with its faults, written as KITTI and as BDD100K publish ground truth and results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

LENGTH, SEQUENCES = 30, ("0001", "0002")
# class, ground truth or neighbour, of each object; KITTI's types and BDD100K's categories
KITTI = ("Car", "Car", "Car", "Van", "Pedestrian", "Pedestrian", "Pedestrian", "Person", "Cyclist", "Truck")
BDD100K = (
    "car", "car", "truck", "other vehicle", "pedestrian", "pedestrian", "rider", "other person", "bicycle", "trailer",
)  # fmt: skip
_FOUND_AS = {"Van": "Car", "Person": "Pedestrian", "other vehicle": "car", "other person": "pedestrian"}
_REGIONS = ((0, 0, 300, 130), (250, 0, 500, 110), (900, 200, 1200, 370))


def scene(seed: int, kinds: tuple[str, ...]) -> tuple[list[tuple], list[tuple]]:
    """Ground truth (frame from 0, id, class, truncated, occluded, x1, y1, x2, y2) and results (..., score)."""
    random = np.random.RandomState(seed)
    truth, results = [], []
    for index, kind in enumerate(kinds):
        size = random.uniform((40, 30), (130, 120))
        place, speed = random.uniform((0, 0), (1000, 250)), random.uniform(-6, 6, 2)
        found_as, identity = _FOUND_AS.get(kind, kind), index
        for frame in range(LENGTH):
            low = place + speed * frame
            box = np.round([*low, *(low + size)], 2)
            truncated, occluded = int(random.rand() < 0.1), random.randint(0, 4)
            truth.append((frame, index, kind, truncated, occluded, *box))
            if random.rand() < 0.05:
                identity += 100  # the tracker gives it another id
            if random.rand() < 0.85:
                noisy = np.round(box + random.normal(0, 3, 4), 2)
                results.append((frame, identity, found_as, *noisy, round(random.uniform(0.4, 1), 3)))
    for frame in range(LENGTH):  # what is not there: in regions, and elsewhere, low and high
        for number in range(6):
            low, size = random.uniform((0, 0), (1100, 300)), random.uniform((15, 10), (90, 60))
            kind = str(random.choice([kinds[0], kinds[4]]))
            results.append((frame, 5000 + number, kind, *np.round([*low, *(low + size)], 2), 0.5))
    return truth, results


def kitti(root: Path) -> tuple[Path, Path]:
    """Return label_02 and the folder of results, in TrackEval's layout."""
    labels, found = root / "label_02", root / "trackers" / "it" / "data"
    for folder in (labels, found):
        folder.mkdir(parents=True)
    rest = "-1 -1 -1 -1000 -1000 -1000 -10"
    for number, name in enumerate(SEQUENCES):
        truth, results = scene(number, KITTI)
        lines = [f"{f} {i} {k} {t} {o} -10 {a} {b} {c} {d} {rest}" for f, i, k, t, o, a, b, c, d in truth]
        for frame in range(LENGTH):
            regions = (" ".join(map(str, region)) for region in _REGIONS)
            lines += [f"{frame} -1 DontCare -1 -1 -10 {region} {rest}" for region in regions]
        (labels / f"{name}.txt").write_text("\n".join(lines) + "\n")
        lines = [f"{f} {i} {k} -1 -1 -10 {a} {b} {c} {d} {rest} {s}" for f, i, k, a, b, c, d, s in results]
        (found / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return labels, found


def bdd100k(root: Path, capital: bool = False) -> tuple[Path, Path]:
    """Return the folders of ground truth and results; `capital` writes the attribute as TrackEval expects it."""
    labels, found = root / "gt", root / "trackers" / "it" / "data"
    crowd = "Crowd" if capital else "crowd"
    for folder in (labels, found):
        folder.mkdir(parents=True)
    for number, name in enumerate(SEQUENCES):
        truth, results = scene(number + 10, BDD100K)
        regions = [
            (frame, 900 + place, "pedestrian", 1, 0, *box)
            for frame in range(LENGTH)
            for place, box in enumerate(_REGIONS)
        ]
        for folder, rows in ((labels, [*truth, *regions]), (found, [(*r[:3], 0, 0, *r[3:7]) for r in results])):
            frames = []
            for frame in range(LENGTH):
                here = [row for row in rows if row[0] == frame]
                frames.append(
                    {
                        "name": f"{name}-{frame:07d}.jpg", "videoName": name, "index": frame, "frameIndex": frame,
                        "labels": [
                            {
                                "id": str(row[1]), "category": row[2],
                                "attributes": {crowd: row[1] >= 900 and folder == labels},
                                "box2d": dict(zip(("x1", "y1", "x2", "y2"), map(float, row[5:]), strict=True)),
                            }
                            for row in here
                        ],
                    }
                )  # fmt: skip
            (folder / f"{name}.json").write_text(json.dumps(frames))
    return labels, found
