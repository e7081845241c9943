"""Dawid and Skene's model with one coin each: reliabilities from votes alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.stats.dawid_skene import fit_reliability, weigh_votes


def simulate(reliability, items, rng, most=5):
    """Independent observers of items with 2 to `most` answers, and which answer is right."""
    options = rng.integers(2, most + 1, items)
    right = rng.integers(options)
    votes = np.zeros((items, len(reliability), most))
    for j, p in enumerate(reliability):
        other = (right + rng.integers(1, options)) % options
        votes[np.arange(items), j, np.where(rng.random(items) < p, right, other)] = 1
    return votes, options, right


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from([0.55, 0.7, 0.8, 0.95]), min_size=3, max_size=6), st.integers(0, 99))
def test_it_finds_how_often_each_is_right(reliability, seed):
    votes, options, right = simulate(reliability, 4000, np.random.default_rng(seed))
    found, likely = fit_reliability(votes, options)
    assert found == pytest.approx(reliability, abs=0.06)
    plain = votes.sum(axis=1) + 1e-6 * np.random.default_rng(0).random(likely.shape)  # ties by lot
    plain[np.arange(votes.shape[2]) >= options[:, None]] = -1
    assert (likely.argmax(axis=1) == right).mean() >= (plain.argmax(axis=1) == right).mean() - 0.02
    assert likely.sum(axis=1) == pytest.approx(1) and not likely[np.arange(votes.shape[2]) >= options[:, None]].any()


def test_one_who_guesses_weighs_nothing():
    rng = np.random.default_rng(0)
    votes, options, _ = simulate([0.8, 0.8, 0.75, 0.5], 4000, rng, most=2)
    weights = weigh_votes(fit_reliability(votes, options)[0], options)
    assert abs(weights[0, 3]) < 0.1 and (weights[0, :3] > 0.9).all()
    assert weigh_votes(np.array([0.25, 0.8]), np.array([4, 2])) == pytest.approx(
        np.array([[0, np.log(12)], [-np.log(3), np.log(4)]])
    )


def test_shared_votes_count_in_parts_and_silence_not_at_all():
    votes, options, _ = simulate([0.9, 0.85, 0.85, 0.8, 0.8, 0.7], 4000, np.random.default_rng(1))
    whole, _ = fit_reliability(votes, options)
    votes[1::4, 1] = 0
    alike = np.arange(votes.shape[2]) < options[:, None]
    votes[::2, 5] = (alike / options[:, None])[::2]  # every other vote of the last is shared by all: a guess
    found, _ = fit_reliability(votes, options)
    assert found[:5] == pytest.approx(whole[:5], abs=0.03)
    assert found[5] == pytest.approx((whole[5] + (1 / options[::2]).mean()) / 2, abs=0.03)


def test_what_answers_are_called_does_not_matter():
    votes, options, _ = simulate([0.9, 0.8, 0.7], 300, np.random.default_rng(2), most=3)
    votes, options = votes[options == 3], options[options == 3]
    found, likely = fit_reliability(votes, options)
    again, turned = fit_reliability(votes[:, :, [2, 0, 1]], options)
    assert again == pytest.approx(found) and turned == pytest.approx(likely[:, [2, 0, 1]])
