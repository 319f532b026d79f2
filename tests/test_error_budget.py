"""The cause of every error, what each cause costs, and the life of one person."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.data import FrameDetections
from fairmot_lab.diagnosis.error_budget import CAUSES, error_budget, repaired
from fairmot_lab.diagnosis.person import person
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning

SETS = [
    *((f"MOT17-{number}", tracker) for number in ("09-SDP", "09-DPM", "05-FRCNN") for tracker in ("jde", "bytetrack")),
    *((f"MOT17-{number}", "sort") for number in ("02-FRCNN", "09-SDP", "11-DPM", "13-SDP")),
    ("MOT17-10-SDP", "ocsort"),
    ("MOT17-10-DPM", "ppdet_byte"),
]


def _evaluated(folder: Path, tracker: fl.Tracker, **options):
    detections = fl.open_detections(folder / "det" / "det.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        return fl.evaluate(fl.track(detections, tracker), folder, **options), detections


@pytest.mark.parametrize(("name", "tracker"), SETS)
def test_causes_sum_to_the_counts(mot17, name, tracker):
    tracker = fl.get_tracker(tracker, any_scores="DPM" in name)  # its scores are not in 0..1
    result, detections = _evaluated(mot17 / name, tracker, frames=(1, 300))
    budget = error_budget(result, detections, tracker)
    row = result.overall
    expected = {"MISS": row["num_misses"], "FP": row["num_false_positives"], "SWITCH": row["num_switches"]}
    assert budget.causes.groupby("kind")["errors"].sum().to_dict() == {k: n for k, n in expected.items() if n}
    assert budget.errors["kind"].value_counts().to_dict() == {k: n for k, n in expected.items() if n}
    assert not budget.errors.duplicated(["frame", "kind", "id"]).any()
    assert all(cause in CAUSES[kind] for kind, cause in zip(budget.errors["kind"], budget.errors["cause"], strict=True))
    assert budget.causes["share"].sum() == pytest.approx(1)
    listed = set(result.errors[["frame", "kind"]].itertuples(index=False, name=None))
    assert set(budget.errors[["frame", "kind"]].itertuples(index=False, name=None)) == listed


def test_repaired_metrics_by_hand(mot17_09):
    """Without some false positives nothing else changes, so MOTA follows from the counts; without any error it is 1."""
    tracker = fl.JDETracker()
    result, detections = _evaluated(mot17_09, tracker)
    budget = error_budget(result, detections, tracker)
    row, one = result.overall, next(iter(result.sequences.values()))
    for cause in budget.causes[budget.causes["kind"] == "FP"].itertuples():
        false = row["num_false_positives"] - cause.errors
        by_hand = 1 - (row["num_misses"] + false + row["num_switches"]) / row["num_objects"]
        assert cause.mota == pytest.approx(by_hand, abs=1e-12)
        found = row["idtp"]
        assert cause.idf1 == pytest.approx(2 * found / (row["num_objects"] + row["num_predictions"] - cause.errors))
    switches = budget.errors[budget.errors["kind"] == "SWITCH"]
    for part in (switches, switches.iloc[:5]):
        now = fl.evaluate(repaired(one, part), one.ground_truth).overall
        assert now["num_switches"] <= row["num_switches"] - len(part) + 1
        assert (now["num_misses"], now["num_false_positives"]) == (row["num_misses"], row["num_false_positives"])
    perfect = fl.evaluate(repaired(one, budget.errors), one.ground_truth).overall
    assert perfect["mota"] > 0.995
    assert (perfect["num_misses"], perfect["num_false_positives"]) == (0, 0)
    assert (budget.causes["lost_mota"] > -0.001).all()


def test_repaired_metrics_are_those_of_stock_motmetrics(mot17_09):
    """One cause repaired, evaluated by py-motmetrics itself."""
    import motmetrics as mm

    tracker = fl.JDETracker()
    result, detections = _evaluated(mot17_09, tracker, protocol="raw")
    budget = error_budget(result, detections, tracker)
    one = next(iter(result.sequences.values()))
    truth = one.ground_truth.table
    truth = truth[truth["conf"] != 0]
    row = budget.causes[budget.causes["kind"] == "MISS"].iloc[0]
    errors = budget.errors[(budget.errors["kind"] == "MISS") & (budget.errors["cause"] == row["cause"])]
    tracks = repaired(one, errors)
    accumulator = mm.MOTAccumulator()
    for frame in range(1, 526):
        there, ours = truth[truth["frame"] == frame], tracks[tracks["frame"] == frame]
        boxes = [side[list("xywh")].to_numpy() - [1, 1, 0, 0] for side in (there, ours)]
        with mock.patch.object(np, "asfarray", lambda a: np.asarray(a, float), create=True):  # gone from numpy 2
            distances = mm.distances.iou_matrix(*boxes, max_iou=0.5)
        accumulator.update(there["id"].to_numpy(), ours["id"].to_numpy(), distances, frameid=frame)
    stock = mm.metrics.create().compute(accumulator, metrics=["mota", "idf1"]).iloc[0]
    assert row["mota"] == pytest.approx(stock["mota"], abs=1e-12)
    assert row["idf1"] == pytest.approx(stock["idf1"], abs=1e-12)


# -- a scene in which each cause is made to happen


def _frame(number: int, *boxes: tuple[float, float]) -> FrameDetections:
    """Boxes of 40 x 100 pixels from (x, score), best first."""
    ordered = sorted(boxes, key=lambda box: -box[1])
    made = np.array([[x, 100.0, 40.0, 100.0] for x, _ in ordered], np.float32).reshape(-1, 4)
    return FrameDetections(number, made, np.array([score for _, score in ordered], np.float32))


def _scene(frames: list[list[tuple[float, float]]], people: list[list[float | None]], **settings):
    """Evaluate JDE on detections and people given by x, frame by frame; all stand at one height."""
    detections = fl.Detections.from_frames(
        [_frame(number, *boxes) for number, boxes in enumerate(frames, start=1)],
        name="made", frame_rate=10, width=1000, height=300,
    )  # fmt: skip
    rows = [
        (frame, person_id, x, 100.0, 40.0, 100.0)
        for frame, xs in enumerate(people, start=1)
        for person_id, x in enumerate(xs, start=1)
        if x is not None
    ]
    truth = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])
    truth.attrs = {"sequence": "made", "length": len(frames), "frame_rate": 10.0}
    tracker = fl.JDETracker(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        result = fl.evaluate(fl.track(detections, tracker), truth)
        return result, detections, tracker, error_budget(result, detections, tracker)


def _causes(budget: fl.ErrorBudget, kind: str) -> dict[int, str]:
    rows = budget.errors[budget.errors["kind"] == kind]
    return dict(zip(rows["frame"], rows["cause"], strict=True))


def test_causes_of_misses():
    here = [(100.0, 0.9)]
    frames = [here, here, [], [(100.0, 0.35)], [(125.0, 0.9)], here, here]
    *_, budget = _scene(frames, [[100.0]] * 7)
    assert _causes(budget, "MISS") == {
        3: "no detection",
        4: "score too low",
        5: "box too far off",
        6: "waiting for confirmation",
    }
    assert "The detector's: 2 of 4 missed boxes" in budget.caption
    row = budget.errors[budget.errors["cause"] == "score too low"].iloc[0]
    assert (row["measure"], row["setting"]) == ("score", "conf_thres")
    assert row["number"] == pytest.approx(0.35, abs=1e-6)
    far = budget.errors[(budget.errors["cause"] == "box too far off") & (budget.errors["kind"] == "MISS")].iloc[0]
    assert far["number"] == pytest.approx(15 / 65)


def test_a_weak_box_that_lies_badly_is_no_detection():
    """A box of a low score with an IoU of 0.23, or that of somebody else, is not the person's own."""
    here = [(100.0, 0.9)]
    *_, budget = _scene([here, here, [(125.0, 0.2)], here], [[100.0]] * 4)
    assert _causes(budget, "MISS") == {3: "no detection"}
    row = budget.errors[budget.errors["kind"] == "MISS"].iloc[0]
    assert (row["number"], row["det"]) == (pytest.approx(15 / 65), -1)
    *_, budget = _scene([here] * 3, [[100.0, 116.0]] * 3)
    assert set(_causes(budget, "MISS").values()) == {"no detection"}
    assert budget.errors["number"].iloc[0] == pytest.approx(24 / 56)


def test_a_new_track_waits_for_confirmation():
    *_, budget = _scene(
        [[(500.0, 0.9)], [(500.0, 0.9), (100.0, 0.9)], [(500.0, 0.9), (100.0, 0.9)]], [[500.0, 100.0]] * 3
    )
    assert _causes(budget, "MISS") == {1: "no detection", 2: "waiting for confirmation"}


def test_a_box_may_hide_a_second_person_and_be_filtered():
    *_, budget = _scene([[(100.0, 0.9)]] * 3, [[100.0, 110.0]] * 3)
    assert set(_causes(budget, "MISS").values()) == {"hidden by another box"}
    *_, budget = _scene([[(100.0, 0.9)]] * 3, [[100.0]] * 3, min_box_area=5000)
    assert set(_causes(budget, "MISS").values()) == {"filtered by size or shape"}
    row = budget.errors.iloc[0]
    assert (row["setting"], row["number"]) == ("min_box_area", 4000)


def test_suppression_is_named_where_the_detector_has_it():
    scene = fl.example()
    truth = scene.ground_truth
    twin = truth[truth["id"] == 1].assign(id=9, x=lambda t: t["x"] + 3)
    both = pd.concat([truth, twin], ignore_index=True)
    both.attrs = truth.attrs
    tracker = fl.JDETracker()
    result = fl.evaluate(fl.track(scene.detections, tracker), both)
    for described, setting in (({"nms_iou": 0.5}, "nms_iou"), ({"nms_iou": None}, ""), ({}, "")):
        detections = fl.Detections.from_frames(
            list(scene.detections), name="crossing", frame_rate=10, width=320, height=160
        )
        detections.info = SimpleNamespace(detector=described)
        rows = error_budget(result, detections, tracker).errors
        assert set(rows[rows["cause"] == "hidden by another box"]["setting"]) == {setting}


def test_causes_of_false_positives():
    frames = [[(100.0, 0.9), (500.0, 0.8), (800.0, 0.7)]] * 4
    *_, budget = _scene(frames, [[100.0, 525.0, 475.0]] * 2 + [[None, 525.0, 475.0]] * 2)
    assert set(budget.errors[budget.errors["id"] == 1]["cause"]) >= {"track without its person"}
    false = budget.errors[budget.errors["kind"] == "FP"].groupby("id")["cause"].agg(set).to_dict()
    assert false == {1: {"track without its person"}, 2: {"between people"}, 3: {"background"}}
    assert set(budget.errors[budget.errors["cause"] == "background"]["number"].round(5)) == {0.7}


def test_switches_have_the_reasons_of_explain_switches(mot17_09):
    tracker = fl.JDETracker()
    result, detections = _evaluated(mot17_09, tracker)
    why = fl.explain_switches(result, detections, tracker)
    rows = error_budget(result, detections, tracker).errors
    rows = rows[rows["kind"] == "SWITCH"].set_index(["frame", "id"])
    for row in why.itertuples():
        assert rows.loc[(row.frame, row.gt_id), "cause"] == row.why_kind
        if row.why_kind == "lost too long":
            assert rows.loc[(row.frame, row.gt_id), "setting"] == "track_buffer"


def test_several_sequences_and_other_tracks(mot17):
    tracker = fl.JDETracker()
    names = ["MOT17-09-SDP", "MOT17-05-SDP"]
    kept = {name: fl.open_detections(mot17 / name / "det" / "det.txt") for name in names}
    truths = {name: mot17 / name for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        result = fl.evaluate({name: fl.track(kept[name], tracker) for name in names}, truths, frames=(1, 100))
        budget = error_budget(result, kept, tracker)
        row = result.overall
        assert len(budget.errors) == row["num_misses"] + row["num_false_positives"] + row["num_switches"]
        assert budget.metrics["mota"] == pytest.approx(row["mota"])
        with pytest.raises(EvaluationError, match="give other tracks than were evaluated"):
            error_budget(result, kept, fl.JDETracker(conf_thres=0.7))
    assert "MOTA" in budget.sentences()[0]
    assert "no detection" in repr(budget)


# -- one person


def test_the_life_of_a_person():
    here = [(100.0, 0.9)]
    result, detections, tracker, _ = _scene([here, here, [], [(100.0, 0.35)], here], [[100.0]] * 5)
    life = person(result, 1, detections, tracker)
    assert life.frames["state"].tolist() == ["tracked", "tracked", "missed", "missed", "tracked"]
    assert life.frames["cause"].tolist() == ["", "", "no detection", "score too low", ""]
    assert life.frames["det"].tolist() == [0, 0, -1, 0, 0]
    assert life.frames["score"].round(2).tolist()[3:] == [0.35, 0.9]
    assert life.events["event"].tolist() == ["enters", "lost", "found", "leaves"]
    assert "tracked in 3 of them (60 %), by track 1" in life.sentence
    assert "in 1 frame the detector found the person; the tracker does not use a score so low" in life.sentence
    with pytest.raises(EvaluationError, match=r"no person 7 was scored; there are 1"):
        person(result, 7, detections, tracker)


def test_lives_agree_with_the_evaluation(mot17_09):
    tracker = fl.JDETracker()
    result, detections = _evaluated(mot17_09, tracker)
    people = result.per_object.set_index("gt_id")
    budget = error_budget(result, detections, tracker)
    for gt_id in people.sort_values("num_switches").index[-3:]:
        life = person(result, int(gt_id), detections, tracker)
        row = people.loc[gt_id]
        assert len(life.frames) == row["num_frames"]
        assert (life.frames["state"] != "missed").sum() == row["num_tracked"]
        assert (life.frames["state"] == "switched").sum() == row["num_switches"]
        assert (life.events["event"] == "switched").sum() == row["num_switches"]
        missed = budget.errors[(budget.errors["kind"] == "MISS") & (budget.errors["id"] == gt_id)]
        assert life.frames[life.frames["state"] == "missed"]["cause"].tolist() == missed["cause"].tolist()
        taken = life.frames[life.frames["state"] == "tracked"]
        assert (taken["taken_by"] == taken["track"]).mean() > 0.95
        assert (taken["cost"].dropna() <= taken["max_cost"].dropna()).all()
