"""Breakdowns of errors, maps of errors, and detections before any tracking."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning
from fairmot_lab.evaluation.breakdown import BINS, BOXES_TOO, error_map


def _truth() -> pd.DataFrame:
    """Person 1 stands at the left edge, 2 walks 10 pixels a frame beside 3; 50 frames at 10 a second."""
    rows = [(f, 1, 5.0, 100.0, 40.0, 100.0, 0.2) for f in range(1, 51)]
    rows += [(f, 2, 100.0 + 10 * f, 100.0, 40.0, 50.0, 0.6) for f in range(11, 51)]
    rows += [(f, 3, 110.0 + 10 * f, 100.0, 40.0, 50.0, 1.0) for f in range(11, 51)]
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h", "visibility"])
    table.attrs = {"sequence": "made", "length": 50, "frame_rate": 10.0, "width": 1000, "height": 300}
    return table


def test_breakdowns_by_hand():
    truth = _truth()
    tracks = truth[(truth["id"] != 3) & (truth["frame"] != 20)]
    ghost = tracks.iloc[:1].assign(id=99, x=500.0, h=20.0)
    tracks = pd.concat([tracks, ghost]).sort_values("frame", ignore_index=True)
    tracks.attrs = truth.attrs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        result = fl.evaluate(tracks, truth)
    by = result.by("visibility").set_index("bin")
    assert by["num_objects"].to_dict() == {"0 to 0.25": 50, "0.5 to 0.75": 40, "0.75 to 1": 40}
    assert by["num_misses"].to_dict() == {"0 to 0.25": 1, "0.5 to 0.75": 1, "0.75 to 1": 40}
    assert result.by("visibility").attrs["unknown"] == 1  # the ghost
    by = result.by("height").set_index("bin")
    assert by.loc["0 to 30", "num_false_positives"] == 1
    assert by.loc["90 to 120", ["num_objects", "recall", "precision"]].tolist() == [50, 49 / 50, 1]
    by = result.by("crowding").set_index("bin")
    assert by.loc["0.4 to 1", "num_objects"] == 80  # 30 of 40 pixels: IoU 0.6
    by = result.by("border").set_index("bin")
    assert by.loc["0 to 20", "num_objects"] == 50
    by = result.by("speed").set_index("bin")
    assert by.loc["from 0.5", "num_objects"] == 80  # 100 pixels a second, 2 heights
    by = result.by("time since entry").set_index("bin")
    assert by.loc["0 to 5", "num_objects"] == 15
    custom = result.by("height", [0, 75, 200])
    assert custom["num_objects"].tolist() == [80, 50]
    with pytest.raises(EvaluationError, match="no breakdown by 'colour'"):
        result.by("colour")


def test_breakdowns_sum_to_the_counts(golden, mot17):
    result = fl.evaluate(golden, mot17, sequences=["MOT17-09-FRCNN", "MOT17-05-FRCNN"])
    row = result.overall
    for name in BINS:
        table = result.by(name)
        sums = table[["num_objects", "num_misses", "num_switches", "num_false_positives"]].sum()
        unknown = table.attrs["unknown"]
        assert 0 <= row["num_objects"] - sums["num_objects"] <= unknown
        if name in BOXES_TOO:
            assert unknown == 0
            assert sums["num_misses"] == row["num_misses"]
            assert sums["num_false_positives"] == row["num_false_positives"]
            assert sums["num_switches"] == row["num_switches"]
        assert table["share_errors"].sum() == pytest.approx(1)
    errors = result.errors
    assert error_map(errors, (1920, 1080)).sum() == len(errors)


# -- detections


def _boxes(rows: list[tuple[int, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["frame", "x", "score"]).assign(y=100.0, w=40.0, h=100.0, class_id=-1)
    table.attrs["sequence"] = "made"
    return table


def test_detections_by_hand():
    truth = pd.DataFrame({"frame": [1, 1, 2], "id": [1, 2, 1], "x": [0.0, 200.0, 0.0]}).assign(y=100.0, w=40.0, h=100.0)
    truth.attrs["sequence"] = "made"
    # a hit, a second box on the same person, a box on nobody, a hit with a low score; person 1 is missed in frame 2
    found = fl.evaluate_detections(
        _boxes([(1, 0, 0.9), (1, 4, 0.8), (2, 500, 0.7), (1, 200, 0.2)]), truth, threshold=0.5
    )
    assert found.curve["recall"].round(3).tolist() == [0.333, 0.333, 0.333, 0.667]
    assert found.curve["precision"].round(3).tolist() == [1, 0.5, 0.333, 0.5]
    assert found.summary["ap"] == pytest.approx(1 / 3 * 1 + 1 / 3 * 0.5)
    assert (found.summary["recall_floor"], found.summary["recall_threshold"]) == pytest.approx((2 / 3, 1 / 3))
    assert found.summary["precision_threshold"] == pytest.approx(1 / 3)
    assert found.best["score"].tolist()[:2] == [0.9, 0.2]
    assert np.isnan(found.best["score"].iloc[2])
    row = found.by_height.iloc[0]
    assert (row["num_objects"], row["recall_floor"], row["recall_threshold"]) == pytest.approx((3, 2 / 3, 1 / 3))
    assert found.calibration["num_detections"].sum() == 4
    with pytest.raises(EvaluationError, match="give the same sequence"):
        other = truth.copy()
        other.attrs["sequence"] = "other"
        fl.evaluate_detections(_boxes([(1, 0, 0.9)]), other)


def test_a_box_on_two_people_finds_one_of_them_in_every_table():
    truth = pd.DataFrame({"frame": 1, "id": [1, 2], "x": [0.0, 4.0]}).assign(y=100.0, w=40.0, h=100.0)
    truth.attrs["sequence"] = "made"
    found = fl.evaluate_detections(_boxes([(1, 4, 0.9)]), truth)
    assert found.best["score"].tolist() == pytest.approx([np.nan, 0.9], nan_ok=True)
    assert (
        found.summary["recall_floor"] == found.by_height["recall_floor"].iloc[0] == found.curve["recall"].max() == 0.5
    )


def test_recall_at_the_floor_is_that_of_an_assignment(mot17_09):
    """Greedy matching finds almost as many people as the best assignment, which the tracker's evaluation uses."""
    from scipy.optimize import linear_sum_assignment

    from fairmot_lab.boxes import BOX, iou

    detections = fl.open_detections(mot17_09 / "det" / "det.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        found = fl.evaluate_detections(detections, mot17_09, protocol="raw")
    truth = fl.open_source(mot17_09).ground_truth
    truth, table, matched = truth[truth["conf"] != 0], detections.table(), 0
    for frame, rows in truth.groupby("frame"):
        overlap = iou(rows[BOX].to_numpy(), table[table["frame"] == frame][BOX].to_numpy()) >= 0.5
        matched += overlap[linear_sum_assignment(overlap, maximize=True)].sum()
    assert found.summary["num_objects"] == len(truth)
    assert found.summary["recall_floor"] == pytest.approx(matched / len(truth), abs=0.002)
    assert found.summary["recall_floor"] <= matched / len(truth)


def test_detections_agree_with_pycocotools(mot17_09):
    """Every match, and so recall and precision at every score; COCO reads its curve at 101 points of recall."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is an extra for tests")
    from pycocotools.cocoeval import COCOeval

    detections = fl.open_detections(mot17_09 / "det" / "det.txt")
    found = fl.evaluate_detections(detections, mot17_09, protocol="raw")
    truth = fl.open_source(mot17_09).ground_truth
    truth = truth[truth["conf"] != 0]
    rows = detections.table()
    labels = coco.COCO()
    labels.dataset = {
        "images": [{"id": number} for number in range(1, 526)],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": n, "image_id": r.frame, "category_id": 1, "bbox": [r.x, r.y, r.w, r.h], "area": 1e4, "iscrowd": 0}
            for n, r in enumerate(truth.itertuples(), start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        labels.createIndex()
        results = labels.loadRes(
            np.column_stack([rows[["frame", *"xywh", "score"]].to_numpy(float), np.ones(len(rows))])
        )
        peer = COCOeval(labels, results, "bbox")
        peer.params.maxDets, peer.params.iouThrs, peer.params.areaRng = [1000], [0.5], [[0, 1e10]]
        peer.params.areaRngLbl = ["all"]
        peer.evaluate()
        peer.accumulate()
    assert peer.eval["recall"].item() == pytest.approx(found.summary["recall_floor"], abs=1e-12)
    recall, precision = found.curve["recall"].to_numpy(), found.curve["precision"].to_numpy()
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, peer.params.recThrs, side="left")
    ours = np.append(best, 0.0)[np.minimum(at, len(best))]
    np.testing.assert_allclose(ours, peer.eval["precision"][0, :, 0, 0, 0], atol=1e-9)
    assert found.summary["ap"] == pytest.approx(ours.mean(), abs=0.01)


def test_time_since_entry_is_that_of_the_whole_sequence():
    truth = pd.DataFrame({"frame": range(1, 101), "id": 1, "x": 10.0, "y": 10.0, "w": 20.0, "h": 50.0})
    truth.attrs.update(sequence="long", length=100)
    by = fl.evaluate(truth, truth, frames=(51, 100)).by("time since entry").set_index("bin")["num_objects"]
    assert by.to_dict() == {"30 to 90": 40, "from 90": 10}  # frames 51 to 90 and 91 to 100 are 50 to 99 after the entry
