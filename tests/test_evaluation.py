"""Evaluation against the stock libraries, TrackEval's published figures, and scenes counted by hand."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning, MotFileError
from fairmot_lab.evaluation.evaluate import compute_metrics, half_split
from fairmot_lab.evaluation.names import MOTMETRICS
from fairmot_lab.evaluation.protocols import prepare
from fairmot_lab.formats.cvat import write_cvat
from fairmot_lab.formats.mot import read_mot, write_mot
from fairmot_lab.formats.text import EXACT

COUNTS = [
    name for name in MOTMETRICS if name.startswith(("num_", "mostly", "partially", "idt", "idf")) and name != "idf1"
]


def table(*rows: tuple, name: str = "A", length: int | None = None, classes: bool = False) -> pd.DataFrame:
    """Boxes of 10 x 20 pixels from (frame, id, x) or (frame, id, x, class, conf)."""
    result = pd.DataFrame(
        {
            "frame": [row[0] for row in rows],
            "id": [row[1] for row in rows],
            "x": [float(row[2]) for row in rows],
            "y": 50.0,
            "w": 10.0,
            "h": 20.0,
            "score": 1.0,
            "class_id": [row[3] if len(row) > 3 else 1 if classes else -1 for row in rows],
            "conf": [float(row[4]) if len(row) > 4 else 1.0 for row in rows],
            "visibility": 1.0,
        }
    ).astype({"frame": np.int64, "id": np.int64, "class_id": np.int64})
    result.attrs["sequence"] = name
    if length:
        result.attrs["length"] = length
    return result


def alone(result):
    """Return the events of the one sequence, as motmetrics has them."""
    (one,) = result.sequences.values()
    assert result.events.loc[one.name].equals(one.events)
    return one.events


def evaluate(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        return fl.evaluate(*arguments, **options)


# -------------------------------------------------------------------------------------------- a scene counted by hand

# Person 1 walks through frames 1-6: tracked by 11, 11, missed, 12, 12, 11.  Person 2 is never found.  13 is a ghost.
TRUTH = table(*[(f, 1, 100 + f) for f in range(1, 7)], *[(f, 2, 500) for f in range(1, 3)], length=6)
TRACKS = table((1, 11, 101), (2, 11, 102), (4, 12, 104), (5, 12, 105), (6, 11, 106), (4, 13, 900))


@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
def test_a_scene_counted_by_hand(evaluator):
    result = evaluate(TRACKS, TRUTH, evaluator=evaluator)
    row = result.overall
    assert result.protocol == "raw"
    assert row["num_objects"] == 8
    assert row["num_predictions"] == 6
    assert row["num_detections"] == 5
    assert row["num_misses"] == 3
    assert row["num_false_positives"] == 1
    assert row["num_switches"] == 2
    # TrackEval passes over a frame without results as if it were not there: for it, person 1 was not lost in frame 3
    fragments = 1 if evaluator == "motmetrics" else 0
    assert row["num_fragmentations"] == fragments
    assert (row["mostly_tracked"], row["partially_tracked"], row["mostly_lost"]) == (1, 0, 1)
    assert row["mota"] == pytest.approx(1 - (3 + 1 + 2) / 8)
    # person 1 goes with track 11 for three frames: IDTP 3 of 8 ground-truth and 6 predicted boxes
    assert (row["idtp"], row["idfp"], row["idfn"]) == (3, 3, 5)
    assert row["idf1"] == pytest.approx(2 * 3 / (8 + 6))
    assert row["motp"] == (0 if evaluator == "motmetrics" else 1)
    # HOTA by hand, alike for every alpha: TP 5, FN 3, FP 1; 11 has 3 of 3 boxes on person 1, 12 has 2 of 2
    assert row["deta"] == pytest.approx(5 / 9)
    assert row["assa"] == pytest.approx((3 * 3 / 6 + 2 * 2 / 6) / 5)
    assert row["hota"] == pytest.approx(np.sqrt(5 / 9 * (3 * 3 / 6 + 2 * 2 / 6) / 5))
    frames = result.per_frame.set_index("frame")
    assert frames["num_switches"].to_dict() == {1: 0, 2: 0, 3: 0, 4: 1, 5: 0, 6: 1}
    assert frames["num_misses"].to_dict() == {1: 1, 2: 1, 3: 1, 4: 0, 5: 0, 6: 0}
    person = result.per_object.set_index("gt_id").loc[1]
    assert (person["num_frames"], person["num_tracked"], person["num_ids"]) == (6, 5, 2)
    assert (person["num_switches"], person["num_fragmentations"]) == (2, fragments)
    assert person["state"] == "mostly tracked"
    for made in (result.per_frame, result.per_object, result.switches):
        assert made.attrs["evaluator"] == evaluator
        assert (made.attrs["num_frames"], made.attrs["num_dropped"]) == (6, 0)


def test_mostly_tracked_differs_at_exactly_four_fifths():
    truth = table(*[(f, 1, 100) for f in range(1, 6)])
    tracks = table(*[(f, 1, 100) for f in range(1, 5)])
    assert evaluate(tracks, truth).overall["mostly_tracked"] == 1
    assert evaluate(tracks, truth, evaluator="trackeval").overall["partially_tracked"] == 1


# --------------------------------------------------------------------------------------------------- stock motmetrics


def loadtxt(path: Path, min_confidence: float = -1) -> pd.DataFrame:
    """What motmetrics reads, with numbers as float() reads them: its own reader rounds long ones otherwise."""
    import motmetrics as mm

    table = mm.io.loadtxt(path, fmt="mot15-2D")
    numbers = np.array([[float(field) for field in line.split(",")[2:7]] for line in path.read_text().split()])
    assert np.allclose(table["Confidence"], numbers[:, 4], rtol=1e-12)
    table[["X", "Y", "Width", "Height"]] = numbers[:, :4] - (1, 1, 0, 0)
    return table[table["Confidence"] >= min_confidence]


def stock(truth: Path, results: Path, protocol: str) -> pd.DataFrame:
    import motmetrics as mm

    dt = loadtxt(results)
    with mock.patch.object(np, "asfarray", lambda a: np.asarray(a, float), create=True):  # gone from numpy 2
        if protocol == "motchallenge":
            gt = loadtxt(truth / "gt" / "gt.txt")
            return mm.utils.CLEAR_MOT_M(gt, dt, truth / "seqinfo.ini")[0].events
        gt = loadtxt(truth / "gt" / "gt.txt", min_confidence=1)
        return mm.utils.compare_to_groundtruth(gt, dt, "iou", distth=0.5).events


def stock_figures(events: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import motmetrics as mm

    return mm.metrics.create().compute_many(
        list(events.values()), metrics=list(MOTMETRICS), names=list(events), generate_overall=True
    )


def test_events_and_figures_equal_stock_motmetrics(mot17, golden):
    names = ["MOT17-05-FRCNN", "MOT17-09-FRCNN"]
    for protocol in ("motchallenge", "raw"):
        expected = {name: stock(mot17 / name, golden / f"{name}.txt", protocol) for name in names}
        result = evaluate(golden, mot17, protocol=protocol, sequences=names)
        assert list(result.summary["sequence"]) == [*names, "OVERALL"]
        for name in names:
            assert result.events.loc[name].equals(expected[name])
            pd.testing.assert_frame_equal(result.events.loc[name], expected[name])
        figures = stock_figures(expected)
        ours = result.summary.set_index("sequence")[list(MOTMETRICS)]
        pd.testing.assert_frame_equal(ours, figures, check_exact=True, check_dtype=False, check_names=False)


def noisy(truth: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Results made from ground truth: jitter, misses, ghosts, ids that change."""
    rng = np.random.default_rng(seed)
    kept = truth[rng.random(len(truth)) < 0.8].copy()
    kept["id"] = kept["id"] + 1000 * (kept["frame"] // rng.integers(20, 60)) * (rng.random(len(kept)) < 0.7)
    kept[["x", "y"]] += rng.normal(0, 0.08, (len(kept), 2)) * kept[["w", "h"]].to_numpy()
    ghosts = kept.sample(frac=0.1, random_state=seed).assign(id=lambda rows: rows["id"] + 500_000)
    ghosts["x"] += ghosts["w"] * rng.uniform(-2, 2, len(ghosts))
    results = pd.concat([kept, ghosts]).drop_duplicates(["frame", "id"])
    return results.drop(columns=["conf", "visibility"]).assign(score=1.0)


def test_mot15_equals_stock_motmetrics(real_data, tmp_path):
    folder = real_data / "MOT15" / "train" / "TUD-Stadtmitte"
    path = tmp_path / "TUD-Stadtmitte.txt"
    write_mot(noisy(read_mot(folder / "gt" / "gt.txt", "ground_truth"), 0), path)
    result = evaluate(path, folder)
    assert result.protocol == "raw"
    expected = stock(folder, path, "raw")
    assert alone(result).equals(expected)
    figures = stock_figures({"TUD-Stadtmitte": expected})
    assert (result.summary[list(MOTMETRICS)].to_numpy() == figures.to_numpy()).all()


@st.composite
def crowds(draw):
    """Few places, many boxes: ties and contested matches in every frame."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames, objects, tracks = draw(st.integers(1, 8)), draw(st.integers(1, 6)), draw(st.integers(1, 6))

    def side(count, more):
        rows = [
            (frame, identity + more, rng.integers(0, 12), draw(st.sampled_from([1, 1, 1, 7, 8])))
            for frame in range(1, frames + 1)
            for identity in range(1, count + 1)
            if rng.random() < 0.8
        ]
        return table(*rows, length=frames, classes=True) if rows else None

    return side(objects, 0), side(tracks, 10), frames


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(crowds())
def test_ties_fall_as_in_stock_motmetrics(tmp_path_factory, crowd):
    truth, tracks, frames = crowd
    assume(truth is not None and tracks is not None)
    tracks = tracks.drop(columns=["conf", "visibility"]).assign(class_id=-1)
    folder = tmp_path_factory.mktemp("crowd") / "A"
    write_mot(truth, folder / "gt" / "gt.txt")
    write_mot(tracks, folder.parent / "A.txt")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=A\nframeRate=30\nseqLength={frames}\nimWidth=900\nimHeight=900\n"
    )
    for protocol in ("motchallenge", "raw"):
        result = evaluate(folder.parent / "A.txt", folder, protocol=protocol)
        expected = stock(folder, folder.parent / "A.txt", protocol)
        assert alone(result).equals(expected)
        ours, quick = result.overall, compute_metrics(tracks, truth, protocol=protocol)
        assert {name: ours[name] for name in quick} == pytest.approx(quick, rel=1e-12)
        with np.errstate(all="ignore"):
            figures = stock_figures({"A": expected}).iloc[-1]
        for name in COUNTS:
            assert ours[name] == figures[name], name
        for name in set(MOTMETRICS) - set(COUNTS):
            assert ours[name] == figures[name] or not np.isfinite(figures[name]), name


# -------------------------------------------------------------------------------------------------- PaddleDetection


def test_the_paddle_protocol_equals_ppdet(mot17, golden, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ppdet.metrics.mot_metrics import MOTEvaluator

    name = "MOT17-05-FRCNN"
    results = read_mot(golden / f"{name}.txt")
    # PaddleDetection walks the frames of the result file only, and drops results on distractors too eagerly
    results = results[~results["frame"].between(100, 150)]
    truth = read_mot(mot17 / name / "gt" / "gt.txt", "ground_truth")
    beside = truth[(truth["class_id"].isin([2, 7, 8, 12])) & truth["frame"].between(1, 90)].assign(
        id=lambda t: t["id"] + 900
    )
    results = pd.concat([results, beside.drop(columns=["conf", "visibility"]).assign(class_id=-1)])
    path = tmp_path / f"{name}.txt"
    write_mot(results, path)
    lines = [
        ",".join([str(int(float(v))) if i < 2 else v for i, v in enumerate(line.split(","))])
        for line in path.read_text().split()
    ]
    path.write_text("\n".join(lines) + "\n")
    evaluator = MOTEvaluator(str(mot17), name, "mot")
    accumulator = evaluator.eval_file(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = evaluator.get_summary([accumulator], [name], list(MOTMETRICS))
    result = evaluate(path, mot17 / name, protocol="paddle")
    assert result.overall["num_dropped"] > 0
    assert (result.summary[list(MOTMETRICS)].to_numpy() == expected.to_numpy()).all()
    # its accumulator numbers the frames 0, 1, 2, ...; ours keeps the numbers of the sequence
    ours = alone(result).reset_index()
    ours["FrameId"] = pd.factorize(ours["FrameId"])[0]
    assert ours.set_index(["FrameId", "Event"]).equals(accumulator.events)
    # the faults make a difference
    assert result.overall["num_misses"] < evaluate(path, mot17 / name).overall["num_misses"]


def test_paddle_needs_classes(real_data, tmp_path):
    folder = real_data / "MOT15" / "train" / "TUD-Stadtmitte"
    write_mot(noisy(read_mot(folder / "gt" / "gt.txt", "ground_truth"), 0), tmp_path / "TUD-Stadtmitte.txt")
    with pytest.raises(EvaluationError, match="use protocol='raw'"):
        evaluate(tmp_path, folder, protocol="paddle")
    with pytest.raises(EvaluationError, match="evaluator='motmetrics'"):
        evaluate(tmp_path, folder, protocol="paddle", evaluator="trackeval")


# ---------------------------------------------------------------------------------------------------- TrackEval


def test_trackeval_equal_its_published_figures(mot17, golden):
    expected = pd.read_csv(golden / "pedestrian_detailed.csv", **EXACT).set_index("seq")
    result = evaluate(golden, mot17, evaluator="trackeval")
    ours = result.detailed.set_index("sequence")
    assert list(ours.index) == [*expected.index, "OVERALL"]
    ours = ours.loc[expected.index, expected.columns].astype(float)
    counts = [name for name in expected if (expected[name] % 1 == 0).all()]
    assert len(counts) >= 19 * 3 + 15
    assert (ours[counts] == expected[counts]).all().all()
    assert (ours - expected).abs().max().max() < 1e-12
    whole = result.overall
    assert whole["num_switches"] == expected["IDSW"].sum()
    assert whole["mota"] == pytest.approx(
        1 - expected[["CLR_FN", "CLR_FP", "IDSW"]].sum().sum() / expected["GT_Dets"].sum(), abs=1e-12
    )
    found = expected[[f"HOTA_TP___{a}" for a in range(5, 100, 5)]].to_numpy()
    associated = expected[[f"AssA___{a}" for a in range(5, 100, 5)]].to_numpy()
    assert whole["assa"] == pytest.approx(((found * associated).sum(0) / found.sum(0)).mean(), abs=1e-12)
    curve = result.hota_curves.query("sequence == 'MOT17-09-FRCNN' and alpha == 0.5").iloc[0]
    assert curve["hota"] == pytest.approx(expected.loc["MOT17-09-FRCNN", "HOTA___50"], abs=1e-12)
    # the default summary shows the same HOTA
    default = evaluate(golden, mot17, metrics=["hota", "assa", "mota"])
    assert default.summary["hota"].to_numpy() == pytest.approx(result.summary["hota"].to_numpy(), abs=1e-12)
    # and its events are as many as it counts
    for name, events in result.events.groupby("sequence"):
        assert (events["Type"] == "SWITCH").sum() == expected.loc[name, "IDSW"]
        assert (events["Type"] == "MISS").sum() == expected.loc[name, "CLR_FN"]
        assert (events["Type"] == "FP").sum() == expected.loc[name, "CLR_FP"]


def test_continuity_differs_between_the_rules():
    """After a missed frame TrackEval takes the better box, motmetrics the one it had."""
    truth = table((1, 1, 100), (2, 1, 100), (3, 1, 100))
    tracks = table((1, 11, 100), (2, 13, 900), (3, 11, 102), (3, 12, 100))
    assert evaluate(tracks, truth).overall["num_switches"] == 0
    assert evaluate(tracks, truth, evaluator="trackeval").overall["num_switches"] == 1


# --------------------------------------------------------------------------------------------------------- protocols


def test_distractors_cost_nothing_under_motchallenge_only():
    truth = table((1, 1, 100, 1), (1, 2, 300, 7, 0), (1, 3, 500, 3, 0), name="MOT17-99", length=1)
    tracks = table((1, 11, 100), (1, 12, 300), (1, 13, 500), name="MOT17-99")
    for evaluator in ("motmetrics", "trackeval"):
        scored = evaluate(tracks, truth, evaluator=evaluator).overall
        assert (scored["num_dropped"], scored["num_false_positives"]) == (1, 1)
        plain = evaluate(tracks, truth, evaluator=evaluator, protocol="raw").overall
        assert (plain["num_dropped"], plain["num_false_positives"]) == (0, 2)
    compared = fl.compare_protocols(tracks, truth)
    assert compared.groupby(["protocol", "evaluator"], sort=False)["num_dropped"].first().to_dict() == {
        ("motchallenge", "motmetrics"): 1,
        ("raw", "motmetrics"): 0,
        ("paddle", "motmetrics"): 1,
        ("motchallenge", "trackeval"): 1,
        ("raw", "trackeval"): 0,
    }
    assert compared.notna().all().all()


def test_mot20_has_one_distractor_more():
    for name, dropped in (("MOT20-01", 1), ("MOT17-02-SDP", 0)):
        truth = table((1, 1, 100, 1), (1, 2, 300, 6, 0), name=name)
        for evaluator in ("motmetrics", "trackeval"):
            assert (
                evaluate(table((1, 12, 300), name=name), truth, evaluator=evaluator).overall["num_dropped"] == dropped
            )


def test_classes_that_do_not_exist_are_refused():
    truth = table((1, 1, 100, 1), (2, 1, 100, 14))
    with pytest.raises(EvaluationError, match=r"1 of 2 rows .*, such as 14 in frame 2.*protocol='raw'"):
        evaluate(table((1, 1, 100)), truth)


def test_triplicates_are_evaluated_once_each_and_said():
    names = ["MOT17-02-DPM", "MOT17-02-SDP"]
    truth = {name: TRUTH for name in names}
    with pytest.warns(FairMOTLabWarning, match="several public detectors"):
        result = fl.evaluate({name: TRACKS for name in names}, truth)
    assert result.overall["num_sequences"] == 2
    assert result.overall["num_objects"] == 16
    assert any("detectors" in note for note in result.notes)
    assert "detectors" in result._repr_html_()


# ------------------------------------------------------------------------------------------------- nothing to compare


@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
@pytest.mark.parametrize(
    ("tracks", "truth", "words"),
    [
        (TRACKS[:0], TRUTH, "has no results"),
        (TRACKS, TRUTH[:0], "no ground truth that counts"),
        (TRACKS, TRUTH.assign(conf=0.0), "no ground truth that counts"),
        (TRACKS.assign(x=5000.0), TRUTH, "not one result matches"),
        (TRACKS[:0], TRUTH[:0], "no ground truth that counts"),
    ],
)
def test_nothing_to_compare_gives_defined_figures(evaluator, tracks, truth, words):
    with pytest.warns(FairMOTLabWarning, match=words):
        alone = fl.evaluate(tracks, truth, evaluator=evaluator)
    numbers = alone.summary.select_dtypes("number").to_numpy(float)
    assert np.isfinite(numbers).all()
    both = evaluate({"A": tracks, "B": TRACKS}, {"A": truth, "B": TRUTH}, evaluator=evaluator)
    assert np.isfinite(both.summary.select_dtypes("number").to_numpy(float)).all()
    rows = both.summary.set_index("sequence")
    for name in ("num_misses", "num_false_positives", "num_switches", "num_objects", "idtp"):
        assert rows.loc["OVERALL", name] == rows.loc["A", name] + rows.loc["B", name]
    objects = rows.loc["OVERALL", "num_objects"]
    errors = rows.loc["OVERALL", ["num_misses", "num_false_positives", "num_switches"]].sum()
    assert rows.loc["OVERALL", "mota"] == pytest.approx(1 - errors / objects)
    # what did not match has no part in the mean over matches
    assert rows.loc["OVERALL", "motp"] == rows.loc["B", "motp"]
    for made in (alone.per_frame, alone.per_object, alone.switches, alone.to_markdown(), alone._repr_html_()):
        assert made is not None
    if evaluator == "motmetrics":
        quick = compute_metrics(tracks, truth)
        assert quick == pytest.approx({name: alone.overall[name] for name in quick})


# ------------------------------------------------------------------------------------------------- part of a sequence


def test_frames_choose_a_part_and_keep_their_numbers():
    result = evaluate(TRACKS, TRUTH, frames=np.array([4, 6]))
    assert result.per_frame["frame"].tolist() == [4, 5, 6]
    assert result.overall["num_objects"] == 3
    assert result.overall["num_switches"] == 1
    assert evaluate(TRACKS, TRUTH, frames=(4, 6), evaluator="trackeval").overall["num_frames"] == 3
    with pytest.warns(FairMOTLabWarning) as told:
        fl.evaluate(TRACKS[TRACKS["frame"] < 3], TRUTH, frames=(4, 6))
    assert any("add 3 to their frames" in str(one.message) for one in told)
    for frames in ((0, 3), (4, 3), (7, 9)):
        with pytest.raises(EvaluationError, match="frames="):
            evaluate(TRACKS, TRUTH, frames=frames)


def test_halves_are_those_of_the_literature():
    # MOT17-02 has 600 frames: CenterTrack's validation half holds 299 of them, the first being frame 302
    assert half_split(600) == {"train": (1, 301), "val": (302, 600)}
    assert half_split(525) == {"train": (1, 263), "val": (264, 525)}
    with pytest.raises(EvaluationError):
        half_split(2)


# ----------------------------------------------------------------------------------------------------- what it takes


def test_everything_it_takes_gives_the_same(tmp_path):
    folder = tmp_path / "gt" / "A"
    write_mot(TRUTH.assign(class_id=1), folder / "gt" / "gt.txt")
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=A\nframeRate=10\nseqLength=6\nimWidth=999\nimHeight=99\n")
    results = tmp_path / "results"
    write_mot(TRACKS.drop(columns=["conf", "visibility"]), results / "A.txt")
    write_mot(TRACKS.drop(columns=["conf", "visibility"]), tmp_path / "tracker" / "data" / "A.txt")
    source = fl.open_source  # a source is anything with a name and ground_truth

    class Folder:
        name = "A"
        path = folder
        ground_truth = TRUTH.assign(class_id=1)

    assert callable(source)
    expected = evaluate(TRACKS, TRUTH.assign(class_id=1)).summary
    truths = [folder, folder.parent, folder / "gt" / "gt.txt", str(folder), Folder(), prepare(TRUTH.assign(class_id=1))]
    for truth in [*truths, {"A": folder}, {"A": TRUTH.assign(class_id=1)}]:
        for tracks in (TRACKS, results, results / "A.txt", {"A": results / "A.txt"}, tmp_path / "tracker"):
            pd.testing.assert_frame_equal(evaluate(tracks, truth).summary, expected)
    timed = evaluate(results, folder)
    assert timed.per_frame["time"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_what_it_refuses(tmp_path):
    with pytest.raises(EvaluationError, match="does not exist"):
        evaluate(TRACKS, tmp_path / "nothing")
    with pytest.raises(EvaluationError, match="holds no ground truth"):
        evaluate(TRACKS, tmp_path)
    with pytest.raises(EvaluationError, match="holds no result file"):
        evaluate(tmp_path, TRUTH)
    (tmp_path / "SEQ").mkdir()
    (tmp_path / "SEQ" / "seqinfo.ini").write_text("")
    with pytest.raises(EvaluationError, match=r"gt\.txt is missing"):
        evaluate(TRACKS, tmp_path / "SEQ")
    with pytest.raises(EvaluationError, match="protocol='coco'"):
        evaluate(TRACKS, TRUTH, protocol="coco")
    with pytest.raises(EvaluationError, match="frames=5 must be"):
        evaluate(TRACKS, TRUTH, frames=5)
    with pytest.raises(EvaluationError, match="evaluator='kitti'"):
        evaluate(TRACKS, TRUTH, evaluator="kitti")
    with pytest.raises(EvaluationError, match="no metric 'motA'"):
        evaluate(TRACKS, TRUTH, metrics=["motA"])
    with pytest.raises(EvaluationError, match=r"results of B have no ground truth.*nearest|there is A"):
        evaluate({"A": TRACKS, "B": TRACKS}, {"A": TRUTH})
    with pytest.raises(EvaluationError, match="'C' has no ground truth"):
        evaluate({"A": TRACKS}, {"A": TRUTH}, sequences=["C"])
    with pytest.raises(EvaluationError, match="cannot be a int"):
        evaluate(TRACKS, 5)
    with pytest.raises(MotFileError, match="frame 7, but the sequence has 6 frames"):
        evaluate(table((7, 1, 1)), TRUTH)
    with pytest.raises(MotFileError, match="results of A, row 1: frame 1 has id 1 a second time"):
        evaluate(table((1, 1, 1), (1, 1, 5)), TRUTH)
    with pytest.raises(MotFileError, match="results of A has the column x twice"):
        evaluate(pd.concat([TRACKS, TRACKS[["x"]]], axis=1), TRUTH)
    wide = TRUTH.copy()
    wide.attrs.update(width=640, height=480)
    with pytest.warns(FairMOTLabWarning, match=r"results of A: .* outside the image of 640x480; .* x1, y1, x2, y2"):
        fl.evaluate(TRACKS.assign(x=TRACKS.x + 400, w=TRACKS.w + TRACKS.x + 400), wide)
    with pytest.warns(FairMOTLabWarning, match="1 results have a class other than 1"):
        fl.evaluate(TRACKS.assign(class_id=[3, 1, 1, 1, 1, 1]), TRUTH)


def test_tracks_and_ground_truth_in_the_wrong_order_are_said(tmp_path):
    tracks = TRACKS.drop(columns=["conf", "visibility"])
    write_mot(TRUTH.assign(class_id=1), tmp_path / "A" / "gt" / "gt.txt")
    write_mot(tracks, tmp_path / "A.txt")
    for pair in [(TRUTH, tracks), (tmp_path / "A" / "gt" / "gt.txt", tmp_path / "A.txt")]:
        with pytest.warns(FairMOTLabWarning) as caught:
            fl.evaluate(*pair)
        assert any("looks like ground truth, and the other way round" in str(one.message) for one in caught)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "What is given")
            fl.evaluate(*pair[::-1])


def test_some_metrics_only():
    result = evaluate(TRACKS, TRUTH, metrics=["mota", "hota", "num_fragmentations"])
    full = evaluate(TRACKS, TRUTH).overall
    assert list(result.summary)[:4] == ["sequence", "mota", "hota", "num_fragmentations"]
    for name in ("mota", "hota", "num_fragmentations"):
        assert result.overall[name] == full[name]


def test_tables_say_under_what_they_were_made(tmp_path):
    result = evaluate({"A_1": TRACKS, "B": TRACKS}, {"A_1": TRUTH, "B": TRUTH})
    for text in (result.to_markdown(), result.to_latex(), str(result), result._repr_html_()):
        assert "rotocol raw" in text
        assert "2 sequences, 12 frames, 0 results dropped" in text
    assert r"A\_1" in result.to_latex()
    assert "| A_1 |" in result.to_markdown()
    assert result.to_csv() == (result.to_csv(tmp_path / "summary.csv"), (tmp_path / "summary.csv").read_text())[1]
    read = pd.read_csv(tmp_path / "summary.csv", **EXACT)
    assert read.columns[0] == "sequence"
    assert read["sequence"].tolist() == ["A_1", "B", "OVERALL"]
    assert (read["mota"] == result.summary["mota"]).all()
    assert {"protocol", "evaluator", "num_sequences", "num_frames", "num_dropped"} <= set(read)
    with pytest.raises(EvaluationError, match="no column 'nothing'"):
        result.to_markdown(["nothing"])


def test_tables_add_up_on_real_results(mot17, golden):
    for evaluator in ("motmetrics", "trackeval"):
        result = evaluate(golden, mot17, sequences=["MOT17-13-FRCNN", "MOT17-05-FRCNN"], evaluator=evaluator)
        row = result.overall
        for name in ("num_switches", "num_misses", "num_false_positives", "num_objects", "num_predictions"):
            assert result.per_frame[name].sum() == row[name]
        for name in ("num_switches", "num_fragmentations"):
            assert result.per_object[name].sum() == row[name]
        assert (result.per_object["state"] == "mostly tracked").sum() == row["mostly_tracked"]
        assert (result.per_object["state"] == "mostly lost").sum() == row["mostly_lost"]
        assert result.per_object["num_tracked"].sum() == row["num_detections"]


# ------------------------------------------------------------------------------------------------------ command line


def test_command_line(mot17, golden, tmp_path, capsys):
    arguments = ["evaluate", "--gt", str(mot17), "--results", str(golden), "--sequences", "MOT17-09-FRCNN"]
    assert main([*arguments, "--csv", str(tmp_path / "summary.csv")]) == 0
    read = pd.read_csv(tmp_path / "summary.csv")
    assert read.columns[0] == "sequence"
    assert read["sequence"].tolist()[-1] == "OVERALL"
    assert "88.0" in capsys.readouterr().out
    assert main(["evaluate", "--gt", str(mot17), "--results", str(golden / "MOT17-09-FRCNN.txt")]) == 0
    assert "no results for MOT17-02-DPM, " in capsys.readouterr().err
    results = tmp_path / "results"
    results.mkdir()
    (results / "MOT17-99-SDP.txt").write_text("1,1,1,1,5,5,1\n")
    assert main(["evaluate", "--gt", str(mot17), "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "MOT17-99-SDP have no ground truth" in error
    (results / "MOT17-99-SDP.txt").rename(results / "MOT17-09-SDP.txt")
    (results / "MOT17-09-SDP.txt").write_text("1,1,1,1,5,nan,1\n")
    assert main(["evaluate", "--gt", str(mot17 / "MOT17-09-SDP"), "--results", str(results)]) == 2
    assert "MOT17-09-SDP.txt, line 1: column 6 (h) is nan" in capsys.readouterr().err


def test_tables_of_another_sequence_are_refused():
    truth = table((1, 1, 100, 1), name="MOT17-09-SDP")
    other = table((1, 1, 100), name="MOT17-10-SDP")
    with pytest.raises(EvaluationError, match=r"tracks are of MOT17-10-SDP, the ground truth is of MOT17-09-SDP"):
        evaluate(other, truth)
    other.attrs["sequence"] = "MOT17-09-SDP"  # as the message says
    evaluate(other, truth)
    for name in ("MOT17-09-FRCNN", "MOT16-09"):  # the same frames: other public detections
        evaluate(table((1, 1, 100), name=name), truth)
    evaluate(table((1, 1, 100), name=""), truth)


def test_results_with_the_name_of_another_sequence_are_refused(tmp_path):
    ini = "[Sequence]\nname={}\nframeRate=10\nseqLength=6\nimWidth=999\nimHeight=99\n"
    for name in ("street-0", "street-1", "MOT17-09-SDP"):
        write_mot(TRUTH.assign(class_id=1), tmp_path / "gt" / name / "gt" / "gt.txt")
        (tmp_path / "gt" / name / "seqinfo.ini").write_text(ini.format(name))
    for name in ("street-0", "street-1", "MOT16-09", "MOT17-10-SDP", "bytetrack"):
        write_mot(TRACKS.drop(columns=["conf", "visibility"]), tmp_path / f"{name}.txt")
    labels = tmp_path / "label_02"
    labels.mkdir()
    for name in ("0001", "0002"):
        (labels / f"{name}.txt").write_text("0 7 Pedestrian 0 0 -0.2 10 20 40 80 1.7 0.6 0.8 1 1 9 0\n")
        write_mot(table((1, 1, 1)), tmp_path / f"{name}.txt")
    truth = tmp_path / "gt" / "street-0"
    wrong = [
        (truth, "street-1"),
        (truth / "gt" / "gt.txt", "street-1"),
        (tmp_path / "gt" / "MOT17-09-SDP", "MOT17-10-SDP"),
        (labels / "0001.txt", "0002"),
    ]
    for truth, name in wrong:
        with pytest.raises(
            EvaluationError, match=rf"{name}\.txt has the name of the sequence {name}, .*rename the file"
        ):
            evaluate(tmp_path / f"{name}.txt", truth)
    for truth, name in [(wrong[0][0], "street-0"), (wrong[0][0], "bytetrack"), (wrong[3][0], "MOT16-09")]:
        assert evaluate(tmp_path / f"{name}.txt", truth).overall["num_switches"] >= 0
    assert main(["evaluate", "--gt", str(wrong[0][0]), "--results", str(tmp_path / "street-1.txt")]) == 2
    evaluate({"street-0": tmp_path / "street-1.txt"}, {"street-0": wrong[0][0]})  # said by name
    read = read_mot(tmp_path / "bytetrack.txt")
    assert evaluate(read, wrong[0][0]).overall["num_switches"] >= 0  # a table read from a file is as its file
    with pytest.raises(EvaluationError, match="tracks are of street-1, the ground truth is of street-0"):
        evaluate(read_mot(tmp_path / "street-1.txt"), wrong[0][0])
    other = read.copy()
    other.attrs.update(sequence="other", files=["other.mp4"])  # as `track` gives
    with pytest.raises(EvaluationError, match="tracks are of other, the ground truth is of street-0"):
        evaluate(other, wrong[0][0])
    write_cvat(TRUTH.assign(class_id=1), tmp_path / "my labels.zip")
    evaluate(other, tmp_path / "my labels.zip")
    for name in ("rtsp://camera/1", "x" * 300, "..", "a\0b"):  # no names of folders
        other.attrs["sequence"] = name
        with pytest.raises(EvaluationError, match="the ground truth is of street-0"):
            evaluate(other, wrong[0][0])
    (tmp_path / "gt" / "bytetrack").symlink_to(wrong[0][0])
    evaluate(tmp_path / "bytetrack.txt", tmp_path / "gt" / "bytetrack")  # another name of street-0


@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
def test_compute_metrics_equals_the_summary(evaluator):
    expected = evaluate(TRACKS, TRUTH, evaluator=evaluator).overall
    for name, value in fl.evaluation.compute_metrics(TRACKS, TRUTH, evaluator=evaluator).items():
        assert value == expected.get(name, value), name


def test_errors_name_the_box_of_each_error():
    errors = evaluate(TRACKS, TRUTH).errors
    assert errors[["frame", "kind", "id", "x"]].values.tolist() == [
        [1, "MISS", 2, 500],
        [2, "MISS", 2, 500],
        [3, "MISS", 1, 103],
        [4, "FP", 13, 900],
        [4, "SWITCH", 12, 104],
        [6, "SWITCH", 11, 106],
    ]


def test_vace_equals_trackeval(golden, mot17):
    """ATA, SFDA and their sums against what TrackEval gave (scripts/make_golden_vace.py)."""
    import json

    expected = json.loads((Path(__file__).parent / "golden" / "vace.json").read_text())
    result = evaluate(golden, mot17, evaluator="trackeval")
    summary = result.summary.set_index("sequence")
    assert set(summary.index) == set(expected)
    for name, row in expected.items():
        assert summary.loc[name, "ata"] == pytest.approx(row["ATA"], abs=1e-12)
        assert summary.loc[name, "sfda"] == pytest.approx(row["SFDA"], abs=1e-12)
        if name != "OVERALL":
            fields = result.sequences[name].metrics
            assert fields["STDA"] == pytest.approx(row["STDA"], abs=1e-9)
            assert fields["VACE_IDs"] == row["VACE_IDs"]


def test_overall_is_no_name_of_a_sequence():
    one = table((1, 1, 0), name="OVERALL")
    with pytest.raises(EvaluationError, match="give this sequence another name"):
        fl.evaluate(one, one)


@pytest.mark.parametrize("frames", [(1.5, 3.5), ("1", "3"), (1, None)])
def test_frames_are_whole_numbers(frames):
    one = table((1, 1, 0))
    with pytest.raises(EvaluationError, match="first <= last"):
        fl.evaluate(one, one, frames=frames)


def test_a_part_behind_the_last_frame_is_refused():
    one = table(*((f, 1, 0) for f in range(1, 11)))
    with pytest.raises(EvaluationError, match="10 frames"):
        fl.evaluate(one, one, frames=(11, 20), evaluator="trackeval")


def test_a_part_without_people_has_the_classes_of_the_whole():
    truth = table(*((f, 1, 10) for f in range(5, 11)), length=10, classes=True)
    tracks = table((2, 9, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        assert fl.evaluate(tracks, truth, frames=(1, 4)).protocol == "motchallenge"
        assert fl.evaluate(tracks, truth, frames=(1, 4), protocol="paddle").overall["num_false_positives"] == 1


def test_notes_are_of_the_sequence_in_threads():
    rows = [(f, 1, 10.0, 20.0, 40.0, 90.0) for f in range(1, 6)]
    truth = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])

    def notes(number: int) -> list[str]:
        mine = truth.assign(conf=0.5)
        mine.attrs["sequence"] = f"s{number}"
        return [note.split(":")[0] for note in fl.evaluate(mine.drop(columns="conf"), mine).notes]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(4) as pool:
            assert all(set(found) == {f"s{n}"} for n, found in enumerate(pool.map(notes, range(60))))
