"""Plots of the error budget, of detections and of one person's life."""

from __future__ import annotations

import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.errors import PlotError


@pytest.fixture(scope="module")
def made():
    scene = fl.example()
    tracker = fl.JDETracker()
    return scene, tracker, fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)


def test_error_budget(made):
    scene, tracker, result = made
    budget = fl.error_budget(result, scene.detections, tracker)
    ax = fl.plots.error_budget(budget, "idf1")
    assert len(ax.patches) == len(budget.causes)
    widths = sorted(patch.get_width() for patch in ax.patches)
    assert widths == pytest.approx(sorted(100 * budget.causes["lost_idf1"]))
    assert {label.get_text() for label in ax.get_yticklabels()} == set(budget.causes["cause"])


def test_detection_recall(made):
    scene, _, _ = made
    found = fl.evaluate_detections(scene.detections, scene.ground_truth)
    ax = fl.plots.detection_recall(found)
    assert ax.lines[0].get_ydata()[0] == pytest.approx(100 * found.best["score"].notna().mean())


def test_person_strip(made):
    scene, tracker, result = made
    life = fl.person(result, 1, scene.detections, tracker)
    ax = fl.plots.person_strip(life, scene.source, count=5)
    assert len(ax.texts) == 5
    other = fl.open_source([scene.source.image(1)], frame_rate=10, name="other")
    with pytest.raises(PlotError, match="person is of crossing and the source is other"):
        fl.plots.person_strip(life, other)


def test_error_map(made):
    scene, tracker, _ = made
    result = fl.evaluate(scene.tracks, scene.ground_truth)
    for kind in ("MISS", "FP", "SWITCH"):
        ax = fl.plots.error_map(result, kind, cells=(4, 3))
        counted = ax.images[0].get_array()
        assert counted.shape == (3, 4)
        assert counted.filled(0).sum() == (result.errors["kind"] == kind).sum()
    mark = result.errors[result.errors["kind"] == "SWITCH"].iloc[0]
    cells = fl.plots.error_map(result, "SWITCH", cells=(4, 3)).images[0].get_array().filled(0)
    width, height = scene.source.width, scene.source.height
    assert cells[int((mark.y + mark.h) / height * 3), int((mark.x + mark.w / 2) / width * 4)] > 0
    made_by = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    budget = fl.error_budget(made_by, scene.detections, tracker)
    cause = budget.causes["cause"].iloc[0]
    assert f", {cause})" in fl.plots.error_map(budget, cause=cause, image=scene.source.image(1)).get_title(loc="left")
    with pytest.raises(PlotError, match="has the cause 'rain'"):
        fl.plots.error_map(budget, cause="rain")
    with pytest.raises(PlotError, match="size of the image is not known"):
        fl.plots.error_map(result.errors)
    two = result.errors.assign(sequence="other")
    with pytest.raises(PlotError, match="name one of"):
        fl.plots.error_map(pd.concat([result.errors, two]), size=(10, 10))
