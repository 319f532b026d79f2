"""What the published protocol of each data set scores, class by class.

Sources: evaluate_tracking.py of KITTI's devkit and TrackEval's kitti_2d_box.py; TrackEval's bdd100k.py; the toolkits
VisDrone2018-MOT-toolkit (dropObjects.m, classEval.m) and DETRAC-MOT-toolkit (dropObjectsInIgr.m). UAVDT is scored as
UA-DETRAC is: its own toolkit was not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Scoring:
    """What a protocol scores.

    Attributes
    ----------
    classes
        Names of the classes that are scored, each by itself; none where all objects are one class.
    neutral
        By class, the names of those that may be found or not: results on them are dropped.
    regions
        Names of classes that are regions to ignore, beside those that say so.
    limits
        The largest value of a column that is scored; rows above it may be found or not.
    lowest
        Results without a partner of at most this height (pixels) are dropped.
    spares_matches
        Regions drop only results without a partner, and only those of which one region covers more than half (as
        TrackEval does); otherwise all results of which the regions together cover that much.
    drops_truth
        Regions drop ground truth, too.
    skips_absent
        A sequence without ground truth of a class does not count for this class, whatever is found in it.
    """

    classes: tuple[str, ...] = ()
    neutral: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    lowest: float = 0.0
    spares_matches: bool = False
    drops_truth: bool = False
    skips_absent: bool = False


_BDD100K = ("pedestrian", "rider", "car", "bus", "truck", "train", "motorcycle", "bicycle")
SCORING = {
    "MOTChallenge": Scoring(
        classes=("pedestrian",),
        neutral={"pedestrian": ("person on vehicle", "static person", "distractor", "reflection")},
    ),
    "KITTI tracking": Scoring(
        classes=("Car", "Pedestrian"),
        neutral={"car": ("Van",), "pedestrian": ("Person_sitting",)},
        limits={"truncated": 0, "occluded": 2},
        lowest=25,
        spares_matches=True,
    ),
    "VisDrone-MOT": Scoring(
        classes=("pedestrian", "car", "van", "truck", "bus"), regions=("others",), drops_truth=True, skips_absent=True
    ),
    "UA-DETRAC": Scoring(drops_truth=True),
    "UAVDT": Scoring(drops_truth=True),
    "BDD100K box tracking": Scoring(
        classes=_BDD100K, regions=("other person", "trailer", "other vehicle"), spares_matches=True
    ),
    "MOTS": Scoring(classes=("car", "pedestrian")),
}


def scoring_of(table: pd.DataFrame) -> Scoring:
    """Return what the protocol of a table's format scores (`attrs["format"]`).

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [1]})
    >>> table.attrs["format"] = "KITTI tracking"
    >>> scoring_of(table).classes
    ('Car', 'Pedestrian')
    """
    return SCORING.get(table.attrs.get("format", ""), Scoring())
