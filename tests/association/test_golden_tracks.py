"""Tracks are those that the tracker gave when it was compared with PaddleDetection: ids, detections and boxes."""

from __future__ import annotations

import json

import pytest
from golden_tracks import GOLDEN, crowd_cases, measure, public_cases


def assert_golden(cases):
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, case in cases:
        found, expected = measure(*case), kept[name]
        assert found["box"] == pytest.approx(expected["box"], abs=1e-3), name
        assert {**found, "box": []} == {**expected, "box": []}, name


def test_crowds():
    assert_golden(crowd_cases())


def test_public_detections(real_data):
    cases = list(public_cases(real_data))
    assert len(cases) == 7 * 24, "21 sets of MOT17, 3 of MOT15"
    assert_golden(cases)
