"""Juries: judges that vote together with equal shares of the judgments."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fakes import judged
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.evaluation.replay import draw_orders
from judgescale.harness.recorded.pools import make_pool
from judgescale.harness.recorded.sets import write_set
from judgescale.harness.runner import run
from judgescale.harness.types import JudgescaleError, Judgment


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_judges_take_turns_until_one_has_no_more(sizes, seed):
    names = [f"j{i}" for i, size in enumerate(sizes) for _ in range(size)]
    judgments = tuple(Judgment(judge=name, shown=(0, 1), scores=(1.0, 0.0), sample=i) for i, name in enumerate(names))
    pool = make_pool(judgments, (("a", "b"),) * len(names), np.ones((len(names), 2)), np.full(len(names), np.nan))
    order = draw_orders({(0, 1): pool}, 6, np.random.default_rng(seed), dict.fromkeys(names, 1.0))[:, 0]
    assert (np.sort(order, axis=1) == np.arange(len(names))).all()
    for of_replay in order:
        for k in range(1, min(sizes) * len(sizes) + 1):
            given = [sum(names[i] == f"j{j}" for i in of_replay[:k]) for j in range(len(sizes))]
            assert max(given) - min(given) <= 1


def make_jury(path: Path) -> tuple[Path, float]:
    """A set of two judges with three judgments each, and what one vote of each is worth."""
    rng = np.random.default_rng(0)
    rows, worth = [], []
    for i in range(40):
        said = {judge: rng.random(3) < chance for judge, chance in (("sure", 0.9), ("unsure", 0.6))}
        rows += [
            judged(i, (float(right), float(not right)), j, judge=judge)
            for judge, of_judge in said.items()
            for j, right in enumerate(of_judge)
        ]
        worth += [(float(a) + float(b)) / 2 for a, b in product(*said.values())]
    write_set(path, rows, {"tasks": ["custom"]})
    return path, float(np.mean(worth))


def test_two_votes_are_one_of_each(composed, tmp_path):
    path, worth = make_jury(tmp_path / "set.parquet")
    given = [f"engine.path={path}", "engine=recorded", "task=custom", "run.draws=2000", "strategy.tie=share"]
    (jury,) = run([composed(*given, "judge.pool=equal", "strategy.k=2")], tmp_path / "a", show=False)
    assert jury.headline.value == pytest.approx(worth, abs=4 * max(jury.headline.mc_error, 1e-9))
    assert "|shares:equal|" in jury.signature and "draws:2000" in jury.signature
    (all_six,) = run([composed(*given, "judge.pool=equal", "strategy.k=6")], tmp_path / "b", show=False)
    (plain,) = run([composed(*given, "judge.pool=true", "strategy.k=6")], tmp_path / "c", show=False)
    assert all_six.headline.value == pytest.approx(plain.headline.value)


@settings(deadline=None, max_examples=25)
@given(shares=st.lists(st.sampled_from([1.0, 0.5, 0.25, 0.3]), min_size=2, max_size=4), seed=st.integers(0, 9))
def test_judges_come_as_often_as_their_shares(shares, seed):
    """As far as nobody has run out: within one judgment of the share for two judges, and on average."""
    size, k = 40, 20
    names = [f"j{i}" for i in range(len(shares)) for _ in range(size)]
    judgments = tuple(Judgment(judge=name, shown=(0, 1), scores=(1.0, 0.0), sample=i) for i, name in enumerate(names))
    pool = make_pool(judgments, (("a", "b"),) * len(names), np.ones((len(names), 2)), np.full(len(names), np.nan))
    by_name = {f"j{i}": share for i, share in enumerate(shares)}
    order = draw_orders({(0, 1): pool}, 300, np.random.default_rng(seed), by_name)[:, 0]
    count = np.array([[(np.array(names)[row[:k]] == name).sum() for name in by_name] for row in order])
    due = k * np.array(shares) / sum(shares)
    assert np.abs(count.mean(axis=0) - due).max() < 0.2
    assert np.abs(count - due).max() <= (1 if len(shares) == 2 else 2)


def test_shares_by_cost_make_each_judge_cost_the_same(composed, tmp_path):
    path, _ = make_jury(tmp_path / "set.parquet")
    given = [f"engine.path={path}", "engine=recorded", "task=custom", "run.draws=2000", "strategy.k=3"]
    costs = "judge.costs={sure: 0.02, unsure: 0.01}"
    (jury,) = run([composed(*given, "judge.pool=by_cost", costs)], tmp_path / "a", show=False)
    (note,) = [note for note in jury.notes if note.startswith("Shares by cost")]
    assert "1.0 are by sure ($0.02 each), 2.0 are by unsure ($0.01 each)" in note
    assert "|shares:by_cost(0.02:0.01)|" in jury.signature
    assert jury.compute["dollars"] == pytest.approx(40 * 0.04, rel=0.01)
    (alike,) = run([composed(*given, "judge.pool=true", costs)], tmp_path / "b", show=False)
    assert alike.compute["dollars"] == pytest.approx(40 * 3 * 0.015)  # any judgment is as likely
    (equal,) = run([composed(*given, "judge.pool=equal")], tmp_path / "c", show=False)
    assert equal.compute["dollars"] is None


def test_tokens_and_a_price_tell_what_a_judgment_costs(composed, tmp_path):
    rows = [
        judged(i, (1.0, 0.0), 0, judge=judge, prompt_tokens=1000, completion_tokens=100)
        for i in range(4)
        for judge in ("GPT-4o mini", "mine")
    ]
    write_set(path := tmp_path / "set.parquet", rows, {"tasks": ["custom"]})
    given = [f"engine.path={path}", "engine=recorded", "task=custom", "judge.pool=by_cost", "strategy.k=2"]
    with pytest.raises(JudgescaleError, match=r"judge.pool=by_cost: .* not known of mine \(.*judge.costs={mine: …}"):
        run([composed(*given)], tmp_path / "a", show=False)
    (jury,) = run([composed(*given, "judge.costs={mine: 0.00021}")], tmp_path / "b", show=False)
    assert "shares:equal" in jury.signature and jury.compute["dollars"] == pytest.approx(8 * 0.00021)


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ("{nobody: 1}", "'nobody' is not in set set; it has sure, unsure"),
        ("{sure: 0}", "sure=0: must be dollars a judgment, above 0"),
        ("{sure: much}", "sure=much: must be dollars a judgment"),
        ("3", "judge.costs=3: must be dollars a judgment by judge's name"),
    ],
)
def test_costs_that_are_none_are_refused(composed, tmp_path, costs, told):
    path, _ = make_jury(tmp_path / "set.parquet")
    with pytest.raises(JudgescaleError, match=told):
        run([composed(f"engine.path={path}", "engine=recorded", "task=custom", f"judge.costs={costs}")], tmp_path)


def test_another_word_is_refused(composed, tmp_path):
    with pytest.raises(JudgescaleError, match="judge.pool=fair: must be true, false, equal, by_cost, in_order or null"):
        run([composed("judge.pool=fair")], tmp_path / "o", show=False)
