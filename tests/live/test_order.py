"""Orders of the responses: each policy does what it says, and a longer list begins with a shorter one."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.live.order import POLICIES, list_orders

seeds = st.integers(0, 2**32 - 1)
questions = st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True).map(lambda q: tuple(sorted(q)))


def shown(policy, question, k, seed=0):
    return list_orders(policy, question, k, lambda: np.random.default_rng(seed))


@given(policy=st.sampled_from(POLICIES), question=questions, k=st.integers(0, 30), more=st.integers(0, 30), seed=seeds)
def test_a_longer_list_begins_with_a_shorter_one(policy, question, k, more, seed):
    assert shown(policy, question, k + more, seed)[:k] == shown(policy, question, k, seed)


@given(policy=st.sampled_from(POLICIES), question=questions, k=st.integers(0, 30), seed=seeds)
def test_every_order_is_a_permutation(policy, question, k, seed):
    found = shown(policy, question, k, seed)
    assert len(found) == k and all(sorted(order) == list(question) for order in found)
    assert all(type(i) is int for order in found for i in order)


@given(question=questions, rounds=st.integers(1, 6), seed=seeds)
def test_balanced_gives_every_response_every_place_equally_often(question, rounds, seed):
    found = shown("balanced", question, rounds * len(question), seed)
    for start in range(0, len(found), len(question)):
        for place in range(len(question)):
            assert Counter(order[place] for order in found[start : start + len(question)]) == Counter(question)


@given(question=questions, k=st.integers(0, 20))
def test_both_alternates_and_as_is_stays(question, k):
    assert shown("both", question, k) == [question if j % 2 == 0 else question[::-1] for j in range(k)]
    assert shown("as_is", question, k) == [question] * k


@pytest.mark.parametrize("policy", ["random", "balanced"])
def test_drawn_orders_favour_nobody(policy):
    """Over 2,000 seeds the first order is each of the 6 about equally often (chi-squared, 5 degrees, p = 0.001)."""
    counts = Counter(shown(policy, (0, 1, 2), 1, seed)[0] for seed in range(2000))
    assert sum((counts[p] - 2000 / 6) ** 2 / (2000 / 6) for p in permutations(range(3))) < 20.5
