"""The story of each ID switch, on scenes whose story is known."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.association.run import track_detections
from fairmot_lab.cli.main import main
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.diagnosis.reasons import REASONS, explain_switches
from fairmot_lab.diagnosis.what_if import single_changes, what_if
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning
from fairmot_lab.evaluation.switches import KINDS, describe
from fairmot_lab.formats.mot import write_mot


def people(*lives: tuple, rate: float | None = 10.0) -> pd.DataFrame:
    """Ground truth from (id, frames, x of the left edge, bottom); boxes are 40 x 100 pixels."""
    rows = [(frame, identity, x, bottom - 100) for identity, frames, x, bottom in lives for frame in frames]
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y"]).assign(
        w=40.0, h=100.0, conf=1.0, class_id=1, visibility=0.5
    )
    table = table.sort_values(["frame", "id"], ignore_index=True)
    table.attrs = {"sequence": "A", "length": int(table["frame"].max())} | ({"frame_rate": rate} if rate else {})
    return table


def tracks(*lives: tuple) -> pd.DataFrame:
    return people(*lives).drop(columns=["conf", "visibility"]).assign(score=1.0)


def evaluate(made: pd.DataFrame, truth: pd.DataFrame, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        return fl.evaluate(made, truth, **options)


TWO = people((1, range(1, 21), 100, 400), (2, range(1, 21), 600, 400))


@pytest.mark.parametrize(
    ("made", "kinds"),
    [
        (tracks((11, range(1, 9), 100, 400), (12, range(9, 21), 100, 400)), ["new id"]),
        (
            tracks((11, range(1, 9), 100, 400), (12, range(9, 14), 100, 400), (11, range(14, 21), 100, 400)),
            ["new id", "back to a known id"],
        ),
        (
            tracks((11, range(1, 9), 100, 400), (12, range(1, 9), 600, 400), (12, range(12, 21), 100, 400)),
            ["takeover"],
        ),
        (
            tracks((11, range(1, 9), 100, 400), (11, range(9, 21), 600, 400), (13, range(9, 21), 100, 400)),
            ["lost to another person"],
        ),
        (
            tracks(
                (11, range(1, 9), 100, 400), (12, range(1, 9), 600, 400),
                (12, range(9, 21), 100, 400), (11, range(9, 21), 600, 400),
            ),
            ["swap", "swap"],
        ),
        (  # the second half of the swap comes five frames later
            tracks(
                (11, range(1, 9), 100, 400), (12, range(1, 9), 600, 400),
                (12, range(9, 21), 100, 400), (11, range(14, 21), 600, 400),
            ),
            ["swap", "swap"],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
def test_kinds(made, kinds, evaluator):
    result = evaluate(made, TWO, evaluator=evaluator)
    assert result.switches["kind"].tolist() == kinds
    assert len(result.switches) == result.overall["num_switches"]
    assert set(kinds) <= set(KINDS)


def test_every_column_of_a_known_switch():
    truth = people(
        (1, [*range(1, 6), *range(8, 21)], 100, 400),  # away in frames 6 and 7
        (2, range(1, 21), 120, 420),  # nearer, covers half of person 1's width and 80 of its 100 pixels of height
        (3, range(1, 21), 900, 400),
    )
    made = tracks((11, range(1, 5), 100, 400), (12, range(10, 13), 100, 400), (13, range(13, 21), 100, 400))
    table = evaluate(made, truth).switches
    assert table["frame"].tolist() == [10, 13]
    row = table.iloc[0]
    expected = {
        "sequence": "A", "time": 0.9, "gt_id": 1, "from_id": 11, "to_id": 12, "kind": "new id", "last_frame": 4,
        "gap": 6, "missed": 3, "visibility": 0.5, "other_gt_id": 2, "x": 100, "y": 300, "w": 40, "h": 100,
        "new_length": 3, "from_fate": "ended in frame 4", "to_origin": "new",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["iou_other"] == pytest.approx(20 * 80 / (2 * 4000 - 20 * 80))
    assert row["covered"] == pytest.approx(20 * 80 / 4000)
    lines = (lambda result: describe(result.switches, result.caption))(evaluate(made, truth))
    assert "2 ID switches: 2 new id" in lines[0]
    assert "protocol motchallenge" in lines[0]
    assert "frame 10: person 1 11 -> 12, new id, after 6 frames (3 of them missed)" in lines[1]


def test_people_in_front_are_counted_once():
    truth = people((1, [1, 2], 100, 400), (2, [1, 2], 120, 420), (3, [1, 2], 120, 430))
    made = tracks((11, [1], 100, 400), (12, [2], 100, 400))
    row = evaluate(made, truth).switches.iloc[0]
    assert row["covered"] == pytest.approx(20 * 80 / 4000)


def test_alone_and_without_a_frame_rate():
    truth = people((1, range(1, 9), 100, 400), rate=None)
    made = tracks((11, range(1, 4), 100, 400), (12, range(4, 9), 100, 400))
    row = evaluate(made, truth).switches.iloc[0]
    assert (row["iou_other"], row["other_gt_id"], row["covered"]) == (0, -1, 0)
    assert np.isnan(row["time"])
    nobody = evaluate(made[:0], truth).switches
    assert list(nobody) == list(evaluate(made, truth).switches)
    assert len(nobody) == 0


def test_fates():
    made = tracks(
        (11, range(1, 9), 100, 400), (11, range(9, 12), 2000, 400),  # reported on nobody
        (12, range(9, 15), 100, 400), (12, range(18, 21), 600, 400),  # returns on person 2
        (13, range(15, 21), 100, 400),
    )  # fmt: skip
    assert evaluate(made, TWO).switches["from_fate"].tolist() == [
        "is reported on nobody",
        "returns in frame 18 on person 2",
    ]


def test_as_many_as_the_metric_counts_on_real_results(mot17, golden):
    for evaluator in ("motmetrics", "trackeval"):
        result = evaluate(golden, mot17, evaluator=evaluator)
        table = result.switches
        counted = result.summary.set_index("sequence")["num_switches"].drop("OVERALL")
        assert table["sequence"].value_counts().reindex(counted.index).tolist() == counted.tolist()
        assert set(table["kind"]) == set(KINDS)
        assert (table["gap"] >= 1).all()
        assert (table["missed"] < table["gap"]).all()
        assert table["covered"].between(0, 1).all()
        assert table["iou_other"].between(0, 1).all()
        assert not table.isna().any().any()
        # against motmetrics' own view: a switch is an ASCEND if and only if the id was on nobody before
        if evaluator == "motmetrics":
            ascend = (result.events["Type"] == "ASCEND").sum()
            fresh = table["to_origin"].str.startswith(("new", "on nobody"))
            assert fresh.sum() == ascend


# ----------------------------------------------------------------------------------------------------------- reasons


def detections_of(rows: list[tuple]) -> Detections:
    """Detections with embeddings, of rows of (frame, x, y, score, look)."""
    looks = np.eye(8, dtype=np.float32)
    frames = []
    for frame in sorted({row[0] for row in rows}):
        here = sorted(row for row in rows if row[0] == frame)
        boxes = np.array([(row[1], row[2], 40, 100) for row in here], np.float32)
        scores = np.array([row[3] for row in here], np.float32)
        frames.append(FrameDetections(frame, boxes, scores, looks[[row[4] for row in here]], np.zeros(len(here), int)))
    detections = Detections.from_frames(frames, name="A")
    detections.length = 200
    return detections


def story(rows: list[tuple], truth: pd.DataFrame, tracker: fl.Tracker | None = None):
    detections = detections_of(rows)
    made = track_detections(detections, tracker)
    truth.attrs["length"] = 200
    result = evaluate(made, truth)
    return result, detections, explain_switches(result, detections)


def walk(frames, x: float, score: float = 0.9, look: int = 0, y: float = 300, step: float = 0) -> list[tuple]:
    return [(frame, x + step * frame, y, score, look) for frame in frames]


def test_lost_longer_than_the_buffer_and_the_setting_that_avoids_it():
    rows = walk(range(1, 21), 100) + walk(range(21, 61), 100, score=0.25) + walk(range(61, 81), 100)
    result, detections, table = story(rows, people((1, range(1, 81), 100, 400)))
    row = table.iloc[0]
    assert len(table) == 1
    assert row["kind"] == "new id"
    assert row["why_kind"] == "lost too long"
    assert row["why"].startswith("not detected for 31 frames (best score near the box 0.25 against 0.40)")
    assert (row["buffer"], row["lost_for"], row["undetected"]) == (30, 31, 31)
    assert row["best_score"] == pytest.approx(0.25)
    assert row["appearance_distance"] == pytest.approx(0)
    tried = what_if(result, detections, progress=False)
    avoided = tried.switches.iloc[0]["avoided_by"].split(", ")
    assert {"track_buffer=60", "track_buffer=120", "conf_thres=0.2"} <= set(avoided)
    assert "track_buffer=15" not in avoided
    changes = tried.changes.set_index("change")
    assert changes.loc["track_buffer=60", "d_num_switches"] == -1
    assert changes.loc["track_buffer=60", ["avoided", "added"]].tolist() == [1, 0]
    assert changes.loc["as it is", "num_switches"] == 1
    assert changes.loc["conf_thres=0.2", "d_num_misses"] < 0
    shown = tried.table().set_index("change")
    assert set(shown.index) == {"track_buffer=60", "track_buffer=120"} | set(avoided)  # what alters nothing is left out
    assert shown.loc["track_buffer=60", "+IDF1"] == pytest.approx(
        100 * changes.loc["track_buffer=60", "d_idf1"], abs=0.05
    )
    assert f"1 of 1 ID switches are avoided by at least one of {len(changes) - 1} single changes" in tried.caption
    assert repr(tried).startswith("change")
    assert "track_buffer=60" in tried._repr_html_()


def test_a_score_just_below_the_threshold_is_told_with_as_many_decimals_as_tell_them_apart():
    rows = walk(range(1, 21), 100) + walk(range(21, 61), 100, score=0.3979) + walk(range(61, 81), 100)
    _, _, table = story(rows, people((1, range(1, 81), 100, 400)))
    assert "(best score near the box 0.3979 against 0.40)" in table.iloc[0]["why"]


def test_embedding_too_far():
    # a little aside: a newborn on the very spot of a lost track would be dropped as a duplicate
    rows = walk(range(1, 21), 100) + walk(range(26, 46), 110, look=1)
    _, _, table = story(rows, people((1, range(1, 46), 100, 400)))
    row = table.iloc[0]
    assert row["why_kind"] == "embedding too far"
    assert row["why_frame"] == 26
    assert row["embedding_distance"] == pytest.approx(1, abs=1e-3)
    assert row["appearance_distance"] == pytest.approx(1)
    assert row["cost"] > row["cost_limit"] == pytest.approx(0.4)
    assert "before that not detected for 5 frames (nothing near the box)" in row["why"]


def test_outside_the_motion_gate():
    truth = pd.concat([people((1, range(1, 26), 100, 400)), people((1, range(26, 46), 900, 400))], ignore_index=True)
    truth.attrs = {"sequence": "A"}
    _, _, table = story(walk(range(1, 21), 100) + walk(range(26, 46), 900), truth)
    row = table.iloc[0]
    assert row["why_kind"] == "outside the motion gate"
    assert row["gate"] > row["gate_limit"] == pytest.approx(9.4877)
    assert row["setting"] == "", "no setting moves the gate"
    assert row["embedding_distance"] == pytest.approx(0, abs=1e-3)


def test_not_detected_while_the_track_goes_over_to_another_person():
    # person 2 stands close by, looks the same and is detected only from frame 21 on, when person 1 no longer is
    truth = people((1, range(1, 61), 100, 400), (2, range(1, 61), 121, 400))
    rows = walk(range(1, 21), 100) + walk(range(21, 61), 121) + walk(range(41, 61), 100, look=1)
    _, _, table = story(rows, truth)
    row = table[table["gt_id"] == 1].iloc[0]
    assert row["kind"] == "lost to another person"
    assert row["why_kind"] == "not detected"
    assert row["why_frame"] == 21
    assert "went over to person 2 in frame 21" in row["why"]


def test_reasons_on_real_detections(mot17_09):
    """Without embeddings, from public detections: every switch has a reason, and its numbers bear it out."""
    detections = fl.open_detections(mot17_09)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        made = track_detections(detections)
        result = evaluate(made, fl.open_source(mot17_09).ground_truth)
        table = explain_switches(result, detections)
    assert len(table) == result.overall["num_switches"] > 10
    assert set(table["why_kind"]) <= set(REASONS)
    assert table["why"].str.len().gt(20).all()
    assert table["why_frame"].between(table["last_frame"] + 1, table["frame"]).all()
    expired = table[table["why_kind"] == "lost too long"]
    assert (expired["lost_for"] > expired["buffer"]).all()
    apart = table[table["why_kind"] == "IoU too low"]
    assert (apart["cost"] > apart["cost_limit"]).all()
    by_other = table[table["why_kind"] == "taken by another track"]
    assert (by_other["cost"] <= by_other["cost_limit"]).all()


@pytest.mark.parametrize("name", ["jde", "ppdet_byte", "bytetrack", "ocsort", "sort"])
def test_the_words_of_a_reason_hold_when_they_are_computed_again(mot17_09, name):
    """From the trace and the ground truth alone: who was offered what, at which cost, and who took it."""
    detections = fl.open_detections(mot17_09)
    truth = fl.open_source(mot17_09).ground_truth
    people_only = truth[truth["class_id"].isin([1, 2, 7])]
    at = {int(frame): part for frame, part in people_only.groupby("frame")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        whole = fl.trace(detections, name)
        result = evaluate(whole.tracks, truth)
        table = explain_switches(result, detections, name)

    def fitting(record, rows, person):
        """Of these detections, those that overlap with a person by half and with nobody more."""
        part = at[record.frame]
        own = np.flatnonzero(part["id"] == person)
        if not len(own) or not len(rows):
            return []
        overlap = fl.boxes.iou(part[list("xywh")].to_numpy(), record.detections.boxes[rows])
        good = (overlap[own[0]] >= 0.5) & (overlap.argmax(axis=0) == own[0])
        return [int(row) for row in np.asarray(rows)[good]]

    def offered(record, track):
        parts = [stage.detections for stage in record.stages if stage.row(track) is not None]
        return np.unique(np.concatenate(parts)) if parts else record.used()

    seen = set()
    for row in table.itertuples():
        record, old, frames = whole[row.why_frame], row.from_id, range(row.last_frame + 1, row.why_frame + 1)
        seen.add(row.why_kind)
        if row.why_kind == "lost too long":
            assert record.about(old, kinds=("expired",))
            assert f"a lost track is kept for {record.max_time_lost}" in row.why
            assert row.lost_for >= record.max_time_lost
        elif row.why_kind == "not detected":
            missing = [f for f in frames if f in at and not fitting(whole[f], offered(whole[f], old), row.gt_id)]
            assert missing
        elif row.why_kind == "another detection nearer":
            stage, i, j = record.meetings(old, record.taken(old))[0]
            own = fitting(record, offered(record, old), row.gt_id)
            costs = [one.cost[k, m] for d in own for one, k, m in record.meetings(old, d)[:1]]
            assert own
            assert stage.cost[i, j] < max(costs)
            assert row.cost == pytest.approx(min(costs, key=lambda cost: abs(cost - row.cost)))
        elif row.why_kind == "taken by another track":
            owners = {record.owner(d) for d in fitting(record, offered(record, old), row.gt_id)} | {row.to_id}
            assert any(f"track {owner} took the person's detection" in row.why for owner in owners - {old})
            assert row.cost <= row.cost_limit
        elif row.why_kind == "IoU too low":
            assert row.cost > row.cost_limit
            assert any(f"IoU {of}{row.iou:{digits}}" in row.why for of in ("", "of ") for digits in (".2f", ".4f"))
    assert len(seen) >= 3


def test_a_part_of_a_sequence_is_explained_too(mot17_09):
    """Half-validation: reasons and what-if of the second half of what was tracked whole."""
    detections, truth = fl.open_detections(mot17_09), fl.open_source(mot17_09).ground_truth
    made = track_detections(detections, fl.get_tracker("bytetrack"))
    result = evaluate(made, truth, frames=(263, 525))
    table = explain_switches(result, detections)
    assert len(table) == result.overall["num_switches"] > 0
    assert table["frame"].min() >= 263
    tried = what_if(result, detections, changes={"track_buffer": [60]}, progress=False)
    again = track_detections(detections, fl.get_tracker("bytetrack", track_buffer=60))
    expected = evaluate(again, truth, frames=(263, 525)).overall
    row = tried.changes.set_index("change").loc["track_buffer=60"]
    assert row["num_switches"] == expected["num_switches"]


def test_other_settings_are_noticed():
    rows = walk(range(1, 21), 100) + walk(range(26, 46), 110, look=1)
    result, detections, _ = story(rows, people((1, range(1, 46), 100, 400)))
    with pytest.raises(EvaluationError, match=r"other tracks than were evaluated \(first in frame 26\)"):
        explain_switches(result, detections, fl.JDETracker(tracked_thresh=2.0))
    with pytest.raises(EvaluationError, match="was not evaluated"):
        explain_switches(result, detections, sequence="B")


def test_single_changes_stay_in_range():
    tracker = fl.JDETracker(conf_thres=0.95, min_box_area=0.0)
    changes = single_changes(tracker)
    assert "min_box_area=0" not in changes
    assert not [text for text in changes if text.startswith("conf_thres=1.0")]
    for text, other in changes.items():
        differing = [key for key, value in other.to_dict().items() if tracker.to_dict().get(key, value) != value]
        assert differing == [text.partition("=")[0]]
    assert changes["tracker=ppdet_byte"].settings.conf_thres == 0.95
    assert "tracker=jde" in single_changes(fl.PPDetByteTracker())


def test_command_line(tmp_path, capsys, mot17, golden):
    arguments = ["switches", "--gt", str(mot17 / "MOT17-09-FRCNN"), "--results", str(golden / "MOT17-09-FRCNN.txt")]
    assert main([*arguments, "--csv", str(tmp_path / "switches.csv")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("32 ID switches: ")
    assert sum(not line.startswith(" ") for line in out.splitlines()) == 33
    assert max(map(len, out.splitlines())) <= 80
    table = pd.read_csv(tmp_path / "switches.csv")
    assert len(table) == 32
    assert {"kind", "from_fate", "covered", "protocol", "evaluator", "num_frames", "num_dropped"} <= set(table)


def test_command_line_with_public_detections(tmp_path, capsys, mot17_09):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        write_mot(track_detections(fl.open_detections(mot17_09)).drop(columns="det"), tmp_path / "MOT17-09-SDP.txt")
        code = main(
            [
                *("switches", "--gt", str(mot17_09), "--results", str(tmp_path), "--detections", str(mot17_09)),
                *("--csv", str(tmp_path / "switches.csv")),
            ]
        )
    assert code == 0
    assert "a lost track is kept for 30" in " ".join(capsys.readouterr().out.split())
    assert {"why", "why_kind"} <= set(pd.read_csv(tmp_path / "switches.csv"))


def test_every_reason_is_in_the_document():
    document = (Path(__file__).parents[1] / "docs" / "switch-kinds.md").read_text(encoding="utf-8")
    for kind in REASONS:
        assert f"| {kind} |" in document
