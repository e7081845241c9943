"""strategy.aggregate: closed forms against replays, z-scores across judges, refusals, and what a signature says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import arm, judged, noisy_pairs
from omegaconf import DictConfig

from judgescale.harness.contracts import has_closed_form
from judgescale.harness.evaluation.decisions import decide, decide_by_replay
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.scales import measure_scale, put_on_one_scale
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.published.comparable import describe_setting
from judgescale.harness.recorded.pools import take_only_pool
from judgescale.harness.runner import evaluate_all
from judgescale.harness.signature import sign
from judgescale.harness.stats.aggregate import AGGREGATES
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError, Record

Compose = Callable[..., DictConfig]
NAMES = sorted(AGGREGATES)


def graded(gold: tuple[float, ...], samples: int = 5, items: int = 12, judge: str = "j", scale: float = 1.0):
    """Items scored 1-5 (times the scale) by a judge that sees a little of what is right, some verdicts unusable."""
    rng, rows = np.random.default_rng(len(judge)), []
    for i in range(items):
        for sample in range(samples):
            scores = scale * rng.integers(1, 5, len(gold)) + scale * np.array(gold)
            rows.append(judged(i, None if rng.random() < 0.2 else scores.tolist(), sample, gold, judge=judge))
    return rows


def name_responses(rows: list[Record], names: str = "abcd") -> list[Record]:
    """Name the responses of rows whose items have more than the two that `judged` has names for."""
    return [replace(row, responses=tuple(names[: len(row.judgment.shown)])) for row in rows]


def pools_of(plan):
    return [{(0, 1): plan.judgments.find_pool(item, (0, 1))} for item in plan.items]


@pytest.mark.parametrize("how", NAMES)
def test_every_aggregate_does_what_it_declares(how: str) -> None:
    try_strategy(Voting(3, aggregate=how))


@pytest.mark.parametrize("how", NAMES)
def test_pairs_are_counted_as_they_are_replayed(how: str) -> None:
    plan = arm(graded((1.0, 0.0)), Voting(5, aggregate=how), (1, 2, 3, 5))
    assert has_closed_form(plan.strategy, plan.items) == (how not in ("median", "trimmed_mean"))
    pools = pools_of(plan)
    for counted, replayed in zip(decide(plan, plan.strategy, plan.ks, pools), decide_by_replay(
        plan, plan.strategy, plan.ks, pools
    )):  # fmt: skip
        for ours, theirs in zip(counted, replayed):
            assert shares(ours) == pytest.approx(shares(theirs))


def shares(decisions) -> tuple[float, ...]:
    """How likely the first wins, neither, the second, and that nothing was usable."""
    lead = np.sign(decisions.scores[:, 0] - decisions.scores[:, 1])
    ends = (lead > 0, lead == 0, lead < 0, np.isnan(lead))
    return tuple(float(decisions.weight[end].sum()) for end in ends)


@pytest.mark.parametrize("how", NAMES)
def test_at_k_1_every_aggregate_earns_what_a_single_judgment_does(how: str) -> None:
    for rows in (graded((1.0, 0.0)), name_responses(graded((1.0, 0.0, 0.0, 0.0)))):
        single, _ = evaluate(arm(rows, Single(), (1,)))
        one, _ = evaluate(arm(rows, Voting(1, aggregate=how), (1,)))
        assert one.headline.value == pytest.approx(single.headline.value)


@pytest.mark.parametrize("how", NAMES)
def test_lone_responses_are_counted_as_they_are_replayed(how: str) -> None:
    rng = np.random.default_rng(3)
    rows = [judged(i, (p,), s, (float(i % 2),)) for i in range(8) for s, p in enumerate(rng.integers(0, 5, 4) / 4)]
    plan = arm(rows, Voting(4, aggregate=how), (1, 2, 3, 4))
    result, _ = evaluate(plan)
    pools = [{(0,): plan.judgments.find_pool(item, (0,))} for item in plan.items]
    replayed = decide_by_replay(plan, plan.strategy, plan.ks, pools)
    right = [
        float(d.weight[(d.scores[:, 0] > 0.5) == (item.gold[0] == 1)].sum())
        for item, d in zip(plan.items, replayed[-1], strict=True)
    ]
    assert result.headline.value == pytest.approx(np.mean(right))


# ---------------------------------------------------------------------------------------------- z-scores


def of_two_scales() -> list[Record]:
    """A fine judge that scores 0-1, and one that shouts 0-100 at random."""
    rng, rows = np.random.default_rng(5), []
    for i in range(60):
        for sample in range(2):
            rows.append(judged(i, (0.9, 0.3) if rng.random() < 0.9 else (0.3, 0.9), sample, judge="fine"))
            rows.append(judged(i, rng.permutation([60.0, 40.0]).tolist(), sample, judge="loud"))
    return rows


def test_z_scores_give_every_judge_the_same_say() -> None:
    rows = of_two_scales()
    plain, zscored = (
        evaluate(arm(rows, Voting(4, aggregate=how), (4,)))[0].headline.value for how in ("sum", "zscore")
    )
    quiet = [r if r.judgment.judge == "fine" else rescaled(r, 0.03, -1.2) for r in rows]  # 60, 40 to .6, 0
    by_hand = evaluate(arm(quiet, Voting(4), (4,)))[0].headline.value
    assert zscored == pytest.approx(by_hand) and zscored > plain + 0.1
    shouted = [r if r.judgment.judge == "fine" else rescaled(r, 1e6, 7) for r in rows]
    assert evaluate(arm(shouted, Voting(4, aggregate="zscore"), (4,)))[0].headline.value == pytest.approx(zscored)


def rescaled(row: Record, factor: float, shift: float) -> Record:
    scores = tuple(factor * s + shift for s in row.judgment.scores or ())
    return replace(row, judgment=replace(row.judgment, scores=scores))


def test_a_judge_on_one_scale_has_mean_0_and_deviation_1_over_all_items() -> None:
    plan = arm(of_two_scales(), Voting(4, aggregate="zscore"), (4,))
    pools = [take_only_pool(p) for p in put_on_one_scale(pools_of(plan), plan.judgments.judges)]
    for judge in ("fine", "loud"):
        scores = np.concatenate([p.scores[[j.judge == judge for j in p.judgments]] for p in pools])
        assert (scores.mean(), scores.std()) == (pytest.approx(0), pytest.approx(1))
    assert measure_scale(np.full(3, 7.0)) == (7, 1) and measure_scale(np.full(3, np.nan)) == (0, 1)
    assert measure_scale(np.array([np.nan, 1, 3])) == (2, 1)


def test_labels_do_not_move_z_scores() -> None:
    rows = of_two_scales()
    turned = [replace(r, gold=(0.0, 1.0)) for r in rows]
    value, other = (evaluate(arm(r, Voting(4, aggregate="zscore"), (4,)))[0].headline.value for r in (rows, turned))
    assert value == pytest.approx(1 - other)


def test_the_z_scores_of_one_judge_decide_as_its_scores_do_and_the_result_says_so() -> None:
    rows = name_responses(graded((1.0, 0.0, 0.0)))
    plain, zscored = (evaluate(arm(rows, Voting(5, aggregate=how), (3, 5)))[0] for how in ("sum", "zscore"))
    assert [p.estimate for p in plain.curve] == [p.estimate for p in zscored.curve]
    assert set(zscored.notes) - set(plain.notes) == {"One judge has one scale: its z-scores decide as its scores do."}


def test_judges_on_scales_of_their_own_are_pooled_only_where_scores_are_not_added_as_they_are(composed) -> None:
    pooled = ("task=rewardbench2", "judge.pool=true")
    for how in ("zscore", "plurality", "borda", "davidson"):
        (plan,) = plan_arms(composed(*pooled, f"strategy.aggregate={how}"))
        assert len(plan.judgments.judges) == 2
    for how in ("sum", "median", "trimmed_mean"):
        with pytest.raises(JudgescaleError, match="scores on a scale of its own.*strategy.aggregate=zscore"):
            plan_arms(composed(*pooled, f"strategy.aggregate={how}"))


# ---------------------------------------------------------------------------------------------- the option


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["strategy.aggregate=mode"], "strategy.aggregate=mode: choose one of sum, plurality, borda, median"),
        (["strategy.aggregate=null"], "strategy.aggregate=None: choose one of sum"),
        (["task=realmistake", "strategy.aggregate=median"], "strategy.aggregate=median: counts no verdicts.*abstain"),
        (["strategy=single", "+strategy.aggregate=borda"], "strategy.aggregate=borda: strategy=single takes one"),
    ],
)
def test_refused_in_one_line(composed: Compose, overrides: list[str], says: str) -> None:
    with pytest.raises(JudgescaleError, match=f"^{says}") as error:
        plan_arms(composed(*overrides))
    assert "\n" not in str(error.value)


def test_an_unusable_verdict_outvotes_a_plurality() -> None:
    rows = [judged(0, s, i) for i, s in enumerate([(9, 1), None, None])]
    for how in ("sum", "plurality"):
        result, _ = evaluate(arm(rows, Voting(3, "plurality", how), (1, 3)))
        assert result.headline.value == 0.5  # what a failure earns here; the one who spoke was right
        assert result.curve[0].estimate.value == pytest.approx((1 + 2 * 0.5) / 3)
    assert evaluate(arm(rows, Voting(3, aggregate="plurality"), (3,)))[0].headline.value == 1


def test_a_signature_tells_the_aggregate_where_it_is_not_the_sum() -> None:
    rows = noisy_pairs(0.7, 6, 3)
    before = sign(arm(rows, Voting(3), (3,)))
    assert "aggregate" not in before and "|strategy:voting|k:3|order:" in before
    assert "aggregate" not in sign(arm(rows, Single(), (1,)))
    signed = [sign(arm(rows, Voting(3, aggregate=how), (3,))) for how in NAMES]
    assert len(set(signed)) == len(NAMES) and before in signed
    assert "|k:3|aggregate:median|" in signed[NAMES.index("median")]
    assert "|draws:200|" in signed[NAMES.index("median")] and "draws" not in signed[NAMES.index("borda")]


def test_printed_votes_are_not_compared_with_another_aggregate() -> None:
    rows = noisy_pairs(0.7, 6, 3)
    setting = {how: describe_setting(arm(rows, Voting(3, aggregate=how), (3,))).strategy for how in NAMES}
    assert setting["sum"] == "voting" and setting["median"] == "voting by median"
    assert describe_setting(arm(rows, Voting(1), (1,))).strategy == "single"


def test_two_aggregates_of_one_run_are_told_apart() -> None:
    rows = name_responses(graded((1.0, 0.0, 0.0, 0.0)))
    _, other = evaluate_all([arm(rows, Voting(4, aggregate=how), (4,)) for how in ("sum", "borda")])
    assert any("voting at k=4, aggregate borda - voting at k=4" in note for note in other.differences), (
        other.differences
    )
