"""Many pairs tested at once: each is told what its own test tells."""

import numpy as np
import pytest

from judgescale.harness.stats.differences import find_ps, measure_difference
from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.paired import compare_columns, compare_paired

SIZE, COLUMNS = 60, 7
PAIRS = np.array([(i, j) for i in range(COLUMNS) for j in range(COLUMNS) if i != j])
FITTED = np.arange(COLUMNS) == 2


def make_units(kind: str) -> Units:
    """Make units: each its own cluster, or clusters of one section, of several, across sections, one a section."""
    place = np.arange(SIZE)
    section = place % 3 if kind in ("sections", "across", "one a section") else np.zeros(SIZE, int)
    cluster = {"alone": place, "clusters": place // 4, "sections": place // 9 * 3 + section, "across": place // 7}
    weight = 1 + place % 2 if kind == "clusters" else np.ones(SIZE)
    names = cluster.get(kind, section)
    return Units(section.astype(str), names.astype(str), weight.astype(float))


def make_credit(rng: np.random.Generator, whole: bool) -> np.ndarray:
    """Make columns of credits, among them two that are equal, two that hardly differ, and one that rounding moved."""
    credit = rng.integers(0, 2, (SIZE, COLUMNS)).astype(float) if whole else rng.random((SIZE, COLUMNS)).round(2)
    credit[:, 1] = credit[:, 0]
    credit[:, 3] = credit[:, 2]
    credit[:2, 3] = 1 - credit[:2, 2]
    credit[:, 4] = credit[:, 0] + (0 if whole else 1e-14)
    credit[:, 5] = np.maximum(credit[:, 5], credit[:, 0])
    return credit


@pytest.mark.parametrize("kind", ["alone", "clusters", "sections", "across", "one a section"])
@pytest.mark.parametrize("whole", [True, False])
def test_many_pairs_are_told_what_each_alone_is(kind: str, whole: bool) -> None:
    rng, units = np.random.default_rng(7), make_units(kind)
    headline = {"0": 0.5, "1": 0.5, "2": 0.0} if kind == "sections" else "items"
    credit = make_credit(rng, whole)
    by_lot = np.where(rng.random(credit.shape) < 0.2, 0.5, credit)
    by_lot[:, :2] = credit[:, :2]
    alone = [
        compare_paired(units, credit[:, i], credit[:, j], headline, fitted=bool(FITTED[i] or FITTED[j]))
        for i, j in PAIRS
    ]
    gap, p = compare_columns(units, credit, PAIRS, headline, FITTED)
    np.testing.assert_allclose(gap, [one.gap for one in alone], rtol=0, atol=1e-14)
    np.testing.assert_allclose(p, np.array([one.p for one in alone], dtype=float), rtol=1e-10, atol=0)
    both = [
        measure_difference(
            units, (credit[:, i], credit[:, j]), (by_lot[:, i], by_lot[:, j]), headline, bool(FITTED[i] or FITTED[j])
        ).p
        for i, j in PAIRS
    ]
    found = find_ps(units, credit, by_lot, PAIRS, headline, FITTED)
    np.testing.assert_allclose(found, np.array(both, dtype=float), rtol=1e-10, atol=0)
    assert np.isnan(found).all() == (kind == "one a section")


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    units, credit = make_units("clusters"), make_credit(np.random.default_rng(3), whole=False)
    whole = compare_columns(units, credit, PAIRS, "items", FITTED)
    monkeypatch.setattr("judgescale.harness.stats.paired.CHUNK", SIZE * 4)
    np.testing.assert_array_equal(compare_columns(units, credit, PAIRS, "items", FITTED), whole)
