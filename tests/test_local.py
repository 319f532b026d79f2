"""Metrics over time horizons: equal to the authors' code, and to HOTA's definition counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.errors import EvaluationError, PlotError
from fairmot_lab.evaluation.local import local_metrics
from fairmot_lab.evaluation.trackeval import ALPHAS, hota_matches, is_true


def test_equal_to_the_authors_code(golden, mot17):
    """ATA and IDF1 against what localmot gave (scripts/make_golden_local.py), HOTA at inf against TrackEval's."""
    held = json.loads((Path(__file__).parent / "golden" / "local.json").read_text())
    chosen = [held["horizons"].index(text) for text in ("10", "inf")]
    horizons = [float(held["horizons"][place]) for place in chosen]
    result = fl.evaluate(golden, mot17, evaluator="trackeval")
    table = local_metrics(result, horizons).set_index(["sequence", "horizon"])
    assert set(table.index.levels[0]) == set(held["metrics"])
    for name, metrics in held["metrics"].items():
        for metric, values in metrics.items():
            expected = [values[place] for place in chosen]
            assert table.loc[name][metric].tolist() == pytest.approx(expected, abs=1e-9), (name, metric)
    summary = result.summary.set_index("sequence")
    for metric in ("hota", "deta", "assa"):
        whole = table.xs(np.inf, level="horizon")[metric]
        pd.testing.assert_series_equal(whole, summary[metric], check_exact=False, rtol=1e-12)
    ours = table.xs(np.inf, level="horizon")["ata"].drop("OVERALL")
    assert (ours - summary["ata"].drop("OVERALL")).abs().max() < 1e-9  # TrackEval's VACE


@pytest.fixture(scope="module")
def scene():
    """Two people; their ids are exchanged in frame 6 of 10, and one is missed twice."""
    rows = [(f, i, 100.0 * i + f, 50.0, 40.0, 90.0) for f in range(1, 11) for i in (1, 2)]
    truth = pd.DataFrame(rows, columns=["frame", "id", *"xywh"])
    truth.attrs = {"sequence": "made", "length": 10, "frame_rate": 10.0}
    tracks = truth.copy()
    tracks.loc[tracks["frame"] >= 6, "id"] = 3 - tracks["id"]
    tracks = tracks[~((tracks["frame"].isin([3, 8])) & (tracks["x"] < 200))]
    tracks["x"] += 3
    return truth, tracks


def test_association_within_the_horizon_by_definition(scene):
    """Every true positive: the frames of both tracks within the horizon, counted one by one."""
    truth, tracks = scene
    result = fl.evaluate(tracks, truth, evaluator="trackeval")
    (one,) = result.sequences.values()
    scored = one.scored
    frame, g, t, iou = hota_matches(scored)
    frames = {
        side: np.repeat(np.arange(len(scored.frames)), np.diff(start))
        for side, start in (("g", scored.g_start), ("t", scored.t_start))
    }
    for horizon in (0, 1, 3, 20):
        scores = []
        for index in range(len(ALPHAS)):
            true = is_true(iou, index)
            values = []
            for at in np.flatnonzero(true):

                def near(f, at=at, horizon=horizon):
                    return np.abs(f - frame[at]) <= horizon

                both = (true & (g == g[at]) & (t == t[at]) & near(frame)).sum()
                objects = ((scored.g_id == g[at]) & near(frames["g"])).sum()
                boxes = ((scored.t_id == t[at]) & near(frames["t"])).sum()
                values.append(both / (objects + boxes - both))
            scores.append(np.mean(values) if values else 0.0)
        row = local_metrics(result, [horizon]).iloc[0]
        assert row["assa"] == pytest.approx(np.mean(scores), abs=1e-12)


def test_curves_fall_where_ids_are_exchanged(scene):
    truth, tracks = scene
    result = fl.evaluate(tracks, truth)
    table = local_metrics(result, [0, 1, 5, np.inf])
    overall = table[table["sequence"] == "OVERALL"]
    assert (np.diff(overall["ata"]) <= 0).all()
    assert (np.diff(overall["hota"]) <= 0).all()
    seconds = local_metrics(result, [0, 0.1, 0.5, np.inf], unit="seconds")
    assert seconds["hota"].tolist() == pytest.approx(table["hota"].tolist())
    ax = fl.plots.local_metrics({"exchanged": table}, "hota")
    assert ax.lines[0].get_ydata().tolist() == pytest.approx(100 * overall["hota"].to_numpy())
    assert ax.get_xlabel() == "frames to either side"
    with pytest.raises(PlotError, match="different units"):
        fl.plots.local_metrics({"a": table, "b": seconds})


def test_what_is_refused(scene):
    truth, tracks = scene
    result = fl.evaluate(tracks, truth)
    with pytest.raises(EvaluationError, match="0 or above"):
        local_metrics(result, [-1])
    with pytest.raises(EvaluationError, match="choose 'frames' or 'seconds'"):
        local_metrics(result, unit="hours")
    truth = truth.copy()
    truth.attrs = {"sequence": "made", "length": 10}
    with pytest.raises(EvaluationError, match="frame rate of made is not known"):
        local_metrics(fl.evaluate(tracks, truth), unit="seconds")


def test_nothing_tracked(scene):
    truth, tracks = scene
    with pytest.warns(fl.FairMOTLabWarning):
        result = fl.evaluate(tracks.iloc[:0], truth)
    row = local_metrics(result, [5]).iloc[-1]
    assert row[["ata", "idf1", "hota"]].tolist() == [0, 0, 0]
