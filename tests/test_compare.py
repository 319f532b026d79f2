"""Intervals and differences of trackers: metrics recomputed, coverage by simulation, words."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning
from fairmot_lab.evaluation.compare import (
    COMPARED,
    WIDTH,
    block_length,
    bootstrap,
    frame_counts,
    holm,
    interval,
    metric_intervals,
    metrics_of,
)


def truth(frames: int = 200, people: int = 4) -> pd.DataFrame:
    rows = [(f, p, 20.0 * f % 400 + 500 * p, 50.0, 40.0, 100.0) for f in range(1, frames + 1) for p in range(people)]
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])
    table.attrs["sequence"] = "made"
    return table


def tracked(table: pd.DataFrame, seed: int, missed: float, shift: float = 2.0) -> pd.DataFrame:
    """Boxes a little off, some missed, some ids switched."""
    rng = np.random.default_rng(seed)
    made = table[rng.random(len(table)) >= missed].reset_index(drop=True)
    made["x"] += rng.normal(0, shift, len(made))
    return made.assign(id=made["id"] * 100 + made["frame"] // 70)


@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
@pytest.mark.parametrize("frames", [None, (50, 149)])
def test_values_equal_the_summary(evaluator, frames):
    gt = truth()
    made = tracked(gt, 0, 0.2)
    expected = fl.evaluate(made, gt, evaluator=evaluator, frames=frames)
    for given, truths in ((made, gt), (expected, None)):
        found = fl.compare({"a": given}, truths, evaluator=evaluator, frames=frames, draws=20).metrics
        values = found[found["sequence"] == "OVERALL"].set_index("metric")["value"]
        for name in COMPARED:
            assert values[name] == pytest.approx(expected.overall[name], abs=1e-12), name


def test_real_results(golden, mot17):
    names = ["MOT17-02-FRCNN", "MOT17-09-FRCNN"]
    expected = fl.evaluate(golden, mot17, sequences=names)
    made = fl.compare({"golden": expected}, draws=200)
    values = made.metrics.set_index(["sequence", "metric"])
    for row in expected.summary.to_dict("records"):
        for name in COMPARED:
            assert values.loc[(row["sequence"], name), "value"] == pytest.approx(row[name], abs=1e-12)
    assert (made.metrics["low"] <= made.metrics["value"]).all()
    assert (made.metrics["value"] <= made.metrics["high"]).all()


def test_a_draw_is_the_metric_of_its_frames():
    """One block as long as a sequence without neighbours: each frame's counts are used as often as it is drawn."""
    gt = truth(30)
    one = fl.evaluate(tracked(gt, 1, 0.3), gt).sequences["made"]
    counts = frame_counts(one, "raw", "motmetrics")
    whole = metrics_of(counts.sum(0))
    assert whole[COMPARED.index("recall")] == pytest.approx(1 - counts[:, 2].sum() / counts[:, 0].sum())
    made = bootstrap({"made": counts[:, None]}, "motmetrics", 2000, 1)
    drawn = made.draws["made"][:, 0, COMPARED.index("num_misses")]
    expected = np.sqrt(30 * counts[:, 2].var() * 30 / 29)  # of independent frames
    assert drawn.mean() == pytest.approx(counts[:, 2].sum(), rel=0.02)
    assert drawn.std() == pytest.approx(expected, rel=0.06)


def test_a_difference_is_found_and_a_copy_is_none():
    gt = truth()
    good, same, bad = tracked(gt, 0, 0.05), tracked(gt, 1, 0.05), tracked(gt, 2, 0.4)
    made = fl.compare({"good": good, "same": same, "bad": bad}, gt)
    rows = made.differences.set_index(["sequence", "tracker", "other", "metric"]).loc["OVERALL"]
    assert rows.loc[("good", "same", "recall"), "verdict"] == "not a difference"
    assert rows.loc[("good", "bad", "recall"), "verdict"] == "higher"
    assert rows.loc[("good", "bad", "num_misses"), "verdict"] == "lower"
    assert (rows["p_adjusted"] >= rows["p_value"]).all()
    text = "\n".join(made.sentences(["recall"]))
    assert "good and same: not a difference in Rcll" in text
    assert "good is higher than bad in Rcll" in text
    copies = fl.compare({"a": good, "b": good}, gt).differences
    assert (copies[["difference", "low", "high"]] == 0).all().all()
    assert (copies["p_value"] == 1).all()


def test_intervals_of_one_tracker():
    gt = truth()
    made = tracked(gt, 0, 0.2)
    low, high = metric_intervals(made, gt)["recall"]
    assert low < fl.evaluate(made, gt).overall["recall"] < high


def test_trackers_that_cannot_be_compared_are_refused():
    gt = truth(20)
    made = tracked(gt, 0, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        with pytest.raises(EvaluationError, match="give the ground truth too"):
            fl.compare({"a": made})
        with pytest.raises(EvaluationError, match=r"differ in the sequences .*other"):
            fl.compare({"a": fl.evaluate(made, gt), "b": fl.evaluate({"other": made}, {"other": gt})})
        with pytest.raises(EvaluationError, match="evaluated differently"):
            fl.compare({"a": fl.evaluate(made, gt), "b": fl.evaluate(made, gt, evaluator="trackeval")})
        with pytest.raises(EvaluationError, match=r"evaluated differently .*\(1, 10\)"):
            fl.compare({"a": fl.evaluate(made, gt, frames=[1, 10]), "b": fl.evaluate(made, gt, frames=(11, 20))})
        with pytest.raises(EvaluationError, match="protocol='row' does not exist"):
            fl.compare({"a": made}, gt, protocol="row")
        with pytest.raises(EvaluationError, match="no tracker to compare"):
            fl.compare({}, gt)


def test_too_few_draws_for_so_many_pairs_are_told():
    gt = truth(20)
    made = {name: tracked(gt, 0, 0.1) for name in "abcd"}
    with pytest.warns(FairMOTLabWarning, match=r"100 draws are too few .* 6 pairs .* use draws=240"):
        fl.compare(made, gt, draws=100)


def test_html_is_escaped():
    gt = truth(20)
    made = fl.compare({"<script>": tracked(gt, 0, 0.1)}, gt, draws=10)
    assert "<script>" not in made._repr_html_()


def test_holm():
    assert holm([0.01, 0.02, 0.03]).tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_block_length_follows_the_correlation():
    noise = np.random.default_rng(3).normal(size=(2000, 1))
    lengths = [block_length(np.repeat(noise[: 2000 // n], n, axis=0)) for n in (1, 10, 40)]
    assert lengths[0] <= 6 < lengths[1] < lengths[2]
    assert block_length(np.zeros((100, 1))) >= 1
    assert block_length(np.ones((2, 1))) == 1


def _runs(rng, length: int, share: float, mean: float) -> np.ndarray:
    """A stationary chain of two states: `share` of the time True, in runs of `mean` frames."""
    state, made, at = rng.random() < share, np.empty(length, bool), 0
    while at < length:
        run = rng.geometric(1 / mean if state else share / ((1 - share) * mean))
        made[at : at + run] = state
        at, state = at + run, not state
    return made


def _sequences(rng, frames: int = 750, people: int = 12, life: float = 60, run: float = 8) -> dict[str, np.ndarray]:
    """Counts per frame of two equally good trackers on seven sequences: people come and go and are missed in runs."""
    made = {}
    for name in "abcdefg":
        counts = np.zeros((frames, 2, WIDTH))
        number = rng.poisson(people * (frames + 6 * life) / life)
        start = rng.uniform(-6 * life, frames, number)
        for begin, end in zip(start, start + rng.exponential(life, number), strict=True):
            part = slice(int(max(begin, 0)), int(min(end, frames)))
            length = part.stop - part.start
            if length <= 0:
                continue
            shared = _runs(rng, length, 0.3, run)
            for tracker in range(2):
                missed = shared | _runs(rng, length, 0.1, run)
                counts[part, tracker, 0] += 1
                counts[part, tracker, 1] += ~missed
                counts[part, tracker, 2] += missed
        false = rng.poisson(0.04 * counts[:, :, 0])
        counts[:, :, 1] += false
        counts[:, :, 3] += false
        counts[:, :, 4] += rng.poisson(0.005 * counts[:, :, 0])
        made[name] = counts
    return made


def test_intervals_cover_as_they_should():
    """95 % intervals hold the true value, and those of a difference that is none hold 0, in 93 to 97 % of cases.

    The true recall follows from the simulation: 70 % are not missed by both alike, 90 % of these not by one alone.
    """
    rng = np.random.default_rng(5)
    recall, mota = COMPARED.index("recall"), COMPARED.index("mota")
    right, cases = 0, 0
    for number in range(60):
        made = bootstrap(_sequences(rng), "motmetrics", 200, None, number)
        values, drawn, freedom = (part["OVERALL"] for part in (made.values, made.draws, made.freedom))
        low, high = interval(values, drawn, freedom)
        for tracker in range(2):
            right += low[tracker, recall] <= 0.63 <= high[tracker, recall]
            right += low[tracker, mota] <= 0.63 - 0.04 - 0.005 <= high[tracker, mota]
        for column in (recall, mota):
            low, high = interval(
                values[0, column] - values[1, column], drawn[:, 0, column] - drawn[:, 1, column], freedom
            )
            right += low <= 0 <= high
        cases += 6
    assert 0.93 <= right / cases <= 0.97


def test_a_short_sequence_has_intervals():
    gt = truth(12)
    made = fl.compare({"a": tracked(gt, 0, 0.5, shift=20)}, gt).metrics
    assert made[["low", "high"]].notna().all().all()
    assert (made.loc[made["metric"] == "num_misses", "low"] >= 0).all()


def test_metrics_that_are_not_compared_are_refused():
    scene = fl.example()
    found = fl.compare({"A": scene.tracks, "B": scene.tracks}, scene.ground_truth, draws=5)
    assert found.table("mota").shape == (2, 1)
    for show in (found.table, found.sentences):
        with pytest.raises(EvaluationError, match="'moda' is not a metric that is compared; choose among"):
            show(["moda"])


def test_what_was_evaluated_with_other_ground_truth_is_refused():
    gt = truth(40)
    made = tracked(gt, 0, 0.1)
    half = gt[gt["frame"] <= 20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        whole, part = fl.evaluate(made, gt), fl.evaluate(made, half)
        with pytest.raises(EvaluationError, match="other ground truth of"):
            fl.compare({"whole": whole, "part": part})
        with pytest.raises(EvaluationError, match="evaluated already; leave out the ground truth"):
            fl.compare({"whole": whole}, gt)
        with pytest.raises(EvaluationError, match="leave out protocol, evaluator"):
            fl.compare({"whole": whole}, evaluator="trackeval")


def test_frames_beyond_the_end_change_nothing():
    gt = truth(60)
    gt.attrs.clear()
    made = {"a": tracked(gt, 0, 0.1), "b": tracked(gt, 1, 0.3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        expected = fl.compare(made, gt, frames=(1, 60), draws=50).differences
        pd.testing.assert_frame_equal(fl.compare(made, gt, frames=(1, 6000), draws=50).differences, expected)


def test_one_frame_shows_no_difference():
    gt = truth(1)
    with pytest.warns(FairMOTLabWarning, match="fewer than 3 blocks"):
        found = fl.compare({"all": gt, "half": gt[:2]}, gt, draws=50)
    assert (found.differences["verdict"] == "not a difference").all()
    assert found.metrics["low"].isna().all()
    assert "nan" in repr(found)
