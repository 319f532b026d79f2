"""The compiled arithmetic against lap, ppdet's Kalman filter and brute force."""

from __future__ import annotations

import itertools
import math

import lap
import numba
import numpy as np
import pytest
from crowds import crowd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from fairmot_lab import _jit
from fairmot_lab.association import assignment, checks, costs, kalman
from fairmot_lab.association.registry import get_tracker
from fairmot_lab.association.run import track_detections, warm_up


@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    digits=st.sampled_from([0, 1, 12]),
    forbidden=st.floats(0, 0.8),
    limit=st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_assign_is_lapjv_with_a_cost_limit_ties_included(rows, columns, digits, forbidden, limit, seed):
    random = np.random.default_rng(seed)
    cost = np.round(random.random((rows, columns)), digits)
    cost[random.random(cost.shape) < forbidden] = np.inf
    _, x, y = lap.lapjv(cost, extend_cost=True, cost_limit=limit)
    ours_x, ours_y = assignment.assign(cost, limit)
    np.testing.assert_array_equal(ours_x, x)
    np.testing.assert_array_equal(ours_y, y)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_assign_most_is_scipys_ties_included(rows, columns, values, seed):
    cost = np.random.default_rng(seed).integers(0, values, (rows, columns)).astype(float)
    expected = np.full(rows, -1)
    i, j = linear_sum_assignment(cost)
    expected[i] = j
    assert assignment.assign_most(cost).tolist() == expected.tolist()


def test_assign_finds_the_least_cost():
    """Against every possible assignment, where each thing left alone costs half the limit."""
    random = np.random.default_rng(3)
    for _ in range(60):
        cost = random.random((3, 4))
        limit = random.uniform(0.1, 1.2)
        least = math.inf
        for choice in itertools.product([-1, 0, 1, 2, 3], repeat=3):
            made = [(i, j) for i, j in enumerate(choice) if j >= 0]
            if len({j for _, j in made}) == len(made):
                least = min(least, sum(cost[i, j] for i, j in made) + limit / 2 * (7 - 2 * len(made)))
        x, _ = assignment.assign(cost, limit)
        made = [(i, j) for i, j in enumerate(x) if j >= 0]
        assert sum(cost[i, j] for i, j in made) + limit / 2 * (7 - 2 * len(made)) == pytest.approx(least)


def test_iou_counts_pixels_as_ppdet_does():
    # 10 x 10 pixels and the same moved by 5: 5 * 10 common of 150, where the last pixel counts
    cost = costs.iou_cost(np.float32([[0, 0, 9, 9]]), np.float32([[5, 0, 14, 9], [20, 0, 29, 9]]), np.arange(2))
    np.testing.assert_allclose(cost, [[1 - 50 / 150, 1]], atol=1e-7)


def test_kalman_filter_is_ppdets():
    from ppdet.modeling.mot.motion.kalman_filter import KalmanFilter

    theirs, random = KalmanFilter(), np.random.default_rng(0)
    motion, slot = np.zeros((1, kalman.MOTION_SIZE), np.float32), np.array([0])
    measurement = np.float32([[640, 360, 0.4, 180]])
    mean, covariance = theirs.initiate(measurement[0])
    kalman.initiate(motion, slot, measurement, slot)
    for step in range(200):
        means, covariances = theirs.multi_predict(mean[None], covariance[None])
        mean, covariance = means[0], covariances[0]
        kalman.predict(motion, slot, 1)
        if step % 7:
            measurement = measurement + np.float32(random.normal([[2, 1, 0, 0.5]], [[2, 2, 0.01, 1]]))
            mean, covariance = theirs.update(mean, covariance, measurement[0])
            kalman.update(motion, slot, measurement, slot)
        np.testing.assert_allclose(motion[0, :8], mean, rtol=2e-5, atol=2e-5)
        for c in range(4):
            block = covariance[np.ix_([c, c + 4], [c, c + 4])]
            np.testing.assert_allclose(motion[0, 8 + 4 * c : 12 + 4 * c], block.ravel(), rtol=1e-4, atol=1e-7)
        others = covariance.copy()
        for c in range(4):
            others[np.ix_([c, c + 4], [c, c + 4])] = 0
        assert not others.any(), "ppdet's covariance falls into one block per coordinate"


def compiled():
    """How often each function of the association was compiled, by name."""
    functions = {name: value for module in (assignment, checks, costs, kalman) for name, value in vars(module).items()}
    return {name: len(one.signatures) for name, one in functions.items() if hasattr(one, "signatures")}


def test_warm_up_compiles_whatever_a_tracker_needs():
    warm_up()
    before = compiled()
    assert len(before) >= 10
    helpers = ("assign", "assign_all", "assign_most", "sole_pairs", "part", "without")
    helpers += ("dot", "innovation_variance", "overlaps")  # the trackers call them from compiled code alone
    assert all(count for name, count in before.items() if not name.startswith("_") and name not in helpers), before
    assert track_detections(crowd(6, 10), get_tracker("ppdet_byte", metric_type="euclidean")).id.max() >= 6
    assert compiled() == before, "nothing was left to compile"


def test_where_no_cache_can_be_written_code_is_compiled_anew(monkeypatch):
    njit = numba.njit

    def without_locator(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_locator)
    assert _jit.compiled(lambda x: x + 1)(2) == 3
