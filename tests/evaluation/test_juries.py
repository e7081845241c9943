"""Juries: judges that vote together with equal shares of the judgments."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fakes import judged
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.evaluation.replay import draw_orders
from judgescale.harness.recorded.pools import Pool
from judgescale.harness.recorded.sets import write_set
from judgescale.harness.runner import run
from judgescale.harness.types import JudgescaleError, Judgment


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_judges_take_turns_until_one_has_no_more(sizes, seed):
    names = [f"j{i}" for i, size in enumerate(sizes) for _ in range(size)]
    judgments = tuple(Judgment(judge=name, shown=(0, 1), scores=(1.0, 0.0), sample=i) for i, name in enumerate(names))
    pool = Pool(judgments, (("a", "b"),) * len(names), np.ones((len(names), 2)), np.full(len(names), np.nan))
    order = draw_orders({(0, 1): pool}, 6, np.random.default_rng(seed), equal_shares=True)[:, 0]
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


def test_another_word_is_refused(composed, tmp_path):
    with pytest.raises(JudgescaleError, match="judge.pool=fair: must be true, false, equal or null"):
        run([composed("judge.pool=fair")], tmp_path / "o", show=False)
