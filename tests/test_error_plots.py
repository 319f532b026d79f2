"""Plots of the error budget, of detections and of one person's life."""

from __future__ import annotations

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
