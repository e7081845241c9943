"""F1 and ROC-AUC against scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from judgescale.harness.stats.classification import auc, f1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_f1_and_auc_are_scikit_learns(rows):
    label, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    assert f1(label, score > 1) == pytest.approx(f1_score(label, score > 1, zero_division=0.0))
    if 0 < label.sum() < len(label):
        assert auc(label, score) == pytest.approx(roc_auc_score(label, score))
    else:
        assert math.isnan(auc(label, score))
