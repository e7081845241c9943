"""The expected calibration error: what it is by hand, that luck is what chance makes of it, and where it stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.stats.calibration import Calibration, measure_calibration


def measure(confidence: np.ndarray, right: np.ndarray, effect: float = 1.0, by_mass: bool = True) -> Calibration:
    return measure_calibration(confidence, right, effect, np.random.default_rng(0), by_mass)


def test_by_hand():
    """Two levels: 60 % sure and right 3 of 6 times, certain and right 3 of 4 times: (6 x 0.1 + 4 x 0.25) / 10."""
    confidence = np.array([0.6] * 6 + [1.0] * 4)
    right = np.array([1, 1, 1, 0, 0, 0, 1, 1, 1, 0.0])
    found = measure(confidence, right)
    assert found.error == pytest.approx(0.16)
    assert found.confidence.tolist() == [0.6, 1.0] and found.right.tolist() == [0.5, 0.75]
    assert found.count.tolist() == [6, 4]


def test_luck_is_what_a_calibrated_judge_has():
    rng = np.random.default_rng(1)
    confidence = rng.choice([0.5, 0.625, 0.75, 0.875, 1.0], size=300)
    errors = [measure(confidence, (rng.random(300) < confidence).astype(float)).error for _ in range(200)]
    found = measure(confidence, (rng.random(300) < confidence).astype(float))
    assert found.luck == pytest.approx(np.mean(errors), rel=0.1) and 0 < found.luck < 0.06
    assert np.mean(np.array(errors) > found.luck_high) == pytest.approx(0.05, abs=0.05)
    assert measure(confidence, confidence, effect=4.0).luck == pytest.approx(2 * found.luck)
    sure = measure(confidence, (rng.random(300) < confidence - 0.2).astype(float))
    assert sure.error > sure.luck_high


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60), st.booleans())
def test_it_lies_between_0_and_1_and_the_order_of_items_is_nothing(
    rows: list[tuple[float, float]], by_mass: bool
) -> None:
    confidence, right = np.array(rows).T
    found = measure(confidence, right, by_mass=by_mass)
    assert 0 <= found.error <= 1 and 0 <= found.luck <= 1 and 0 <= found.luck_high <= 1
    assert found.count.sum() == len(rows) and len(found.count) <= 10
    assert found.error >= abs(confidence.mean() - right.mean()) - 1e-9
    turned = measure(confidence[::-1], right[::-1], by_mass=by_mass)
    assert turned.error == pytest.approx(found.error) and turned.count.tolist() == found.count.tolist()


@given(st.floats(0, 1), st.integers(1, 50))
def test_equal_confidences_share_a_bin(confidence: float, items: int) -> None:
    found = measure(np.full(items, confidence), np.zeros(items))
    assert len(found.count) == 1 and found.error == pytest.approx(confidence)


def test_equal_widths_do_not_sort_by_what_was_left_out():
    """A constant fitted without each item is lower where the item is right: equal masses would call that an error."""
    right = np.repeat([1.0, 0.0], [150, 50])
    left_out = (right.sum() - right) / (len(right) - 1)
    assert measure(left_out, right, by_mass=False).error < 0.01 < 0.3 < measure(left_out, right).error
