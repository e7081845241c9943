"""experiment=cost_effective_judges: the figures of arXiv 2604.13717 by its rule, and what the owners' rule gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

import judgescale
from judgescale.harness import ROOT
from judgescale.harness.arm import Arm
from judgescale.harness.cost import Price, Tokens
from judgescale.harness.evaluation.credits import credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.juries import simplify_name
from judgescale.harness.plan.overrides import compose_arms
from judgescale.harness.plan.recorded import read_once
from judgescale.harness.published.comparable import describe_setting, find_comparable_numbers
from judgescale.harness.published.find import choose_names
from judgescale.harness.published.lists import normalise_subset, read_printed
from judgescale.harness.types import Estimate, JudgescaleError, Published

Compose = Callable[..., DictConfig]
EXPERIMENT = "experiment=cost_effective_judges"
NANO = "GPT-5.4 nano"

# items with a score of every response, and how many percent of them are right: by judge, prompt and k
BY_THE_PAPER = {
    ("GPT-5.4", "base", 1): (1729, 71.72),
    ("GPT-5.4", "base", 8): (1730, 81.50),
    ("GPT-5.4", "criteria", 1): (1738, 74.74),
    ("GPT-5.4", "criteria", 8): (1741, 83.57),
    ("GPT-5.4 mini", "base", 1): (1728, 64.76),
    ("GPT-5.4 mini", "base", 8): (1730, 79.19),
    ("GPT-5.4 mini", "criteria", 1): (1734, 69.15),
    ("GPT-5.4 mini", "criteria", 8): (1742, 81.46),
    (NANO, "base", 1): (1708, 52.22),
    (NANO, "base", 8): (1718, 71.65),
    ("Claude Sonnet 4.6", "base", 1): (1737, 72.31),
    ("Claude Sonnet 4.6", "base", 8): (1744, 82.74),
    ("Claude Haiku 4.5", "base", 1): (1741, 72.26),
    ("Claude Haiku 4.5", "base", 8): (1761, 84.84),
}
BY_THE_OWNERS = {
    ("GPT-5.4", "base", 1): (1730, 79.64),
    ("GPT-5.4", "base", 8): (1730, 83.25),
    ("GPT-5.4", "criteria", 1): (1742, 81.84),
    ("GPT-5.4", "criteria", 8): (1742, 84.90),
    ("GPT-5.4 mini", "base", 1): (1730, 74.39),
    ("GPT-5.4 mini", "base", 8): (1730, 80.79),
    ("GPT-5.4 mini", "criteria", 1): (1742, 77.62),
    ("GPT-5.4 mini", "criteria", 8): (1742, 82.64),
    (NANO, "base", 1): (1718, 62.38),
    (NANO, "base", 8): (1718, 73.22),
    ("Claude Sonnet 4.6", "base", 1): (1763, 79.47),
    ("Claude Sonnet 4.6", "base", 8): (1763, 84.11),
    ("Claude Haiku 4.5", "base", 1): (1763, 79.54),
    ("Claude Haiku 4.5", "base", 8): (1763, 85.87),
}


class Measured(NamedTuple):
    """An arm's accuracies, "overall" and by section, in percent; and the published numbers beside them."""

    items: int
    accuracy: Mapping[str, float]
    published: list[Published]


def measure(arm: Arm) -> Measured:
    """Evaluate an arm as far as the printed numbers need it."""
    pools = [{tuple(range(4)): arm.judgments.find_pool(item, range(4))} for item in arm.items]
    credits = credit_units(arm, decide(arm, arm.strategy, arm.ks, pools))
    of_section: dict[str, list[float]] = defaultdict(list)
    for section, value in zip(credits.units.section, credits.value[:, -1], strict=True):
        of_section["overall"].append(value)
        of_section[section].append(value)
    ours = {s: Estimate("accuracy", float(np.mean(v)), None, len(v)) for s, v in of_section.items()}
    accuracy = {s: 100 * e.value for s, e in ours.items()}
    return Measured(len(arm.items), accuracy, find_comparable_numbers(arm, ours))


def find_printed(arm: Arm, value: float, prompt: str = "base") -> list[Published]:
    """The printed accuracies of this value that are of all items with this prompt."""
    where = ("overall", prompt, "ties_wrong", value)
    return [p for p in measure(arm).published if (p.section, p.prompt, p.protocol, p.value) == where]


def name(arm: Arm) -> tuple[str, str, int]:
    return arm.judgments.judges[0], describe_setting(arm).prompt or "", arm.k


@pytest.fixture(scope="module")
def arms(composed: Compose) -> list[Arm]:
    found = [arm for cfg in compose_arms(composed(EXPERIMENT), [EXPERIMENT], None) for arm in plan_arms(cfg)]
    assert all(isinstance(arm, Arm) for arm in found)
    return found  # type: ignore[return-value]


@pytest.fixture(scope="module")
def by_the_paper(arms: list[Arm]) -> dict[tuple[str, str, int], Measured]:
    return {name(arm): measure(arm) for arm in arms if arm.rules.name == "ties_wrong"}


@pytest.fixture(scope="module")
def by_the_owners(arms: list[Arm]) -> dict[tuple[str, str, int], Measured]:
    return {name(arm): measure(arm) for arm in arms if arm.rules.name == "rewardbench2"}


def test_the_paper_s_figures_by_its_rule(by_the_paper: dict[tuple[str, str, int], Measured]) -> None:
    found = {key: (m.items, round(m.accuracy["overall"], 2)) for key, m in by_the_paper.items()}
    assert found == BY_THE_PAPER


def test_the_same_by_the_owners_rule(by_the_owners: dict[tuple[str, str, int], Measured]) -> None:
    found = {key: (m.items, round(m.accuracy["overall"], 2)) for key, m in by_the_owners.items()}
    assert found == BY_THE_OWNERS


def list_printed() -> Iterator[tuple[tuple[str, str, int], str, float]]:
    """The accuracies that the paper prints of judges, prompts and k that are in the set: whose, section, percent."""
    for row, _ in read_printed():
        if row.protocol == "ties_wrong" and row.metric == "accuracy" and row.strategy in ("single", "voting"):
            key = (row.model, row.prompt, row.k or 0)
            if key in BY_THE_PAPER:
                yield key, normalise_subset(row.subset), 100 * row.value


def test_every_printed_figure_has_a_difference_and_only_those_of_nano_have_one_to_see(
    by_the_paper: dict[tuple[str, str, int], Measured],
) -> None:
    printed = list(list_printed())
    deltas = {
        (key, normalise_subset(p.section), round(100 * p.value, 1)): 100 * p.delta
        for key, m in by_the_paper.items()
        for p in m.published
        if p.delta is not None
    }
    assert sorted(deltas) == sorted((key, section, round(value, 1)) for key, section, value in printed)
    assert sum(section == "overall" for _, section, _ in printed) == 12 and len(printed) == 67
    assert {key for (key, _, _), d in deltas.items() if abs(d) > 0.0501} == {(NANO, "base", 1), (NANO, "base", 8)}
    of_nano = {
        key[2]: round(d, 2) for (key, section, _), d in deltas.items() if key[0] == NANO and section == "overall"
    }
    assert of_nano == {1: -0.08, 8: 0.25}


def test_nano_was_joined_by_ids_that_two_subsets_share(arms: list[Arm]) -> None:
    """RewardBench 2's ids are no keys: joined by them, one item's scores stand for another's, and some are lost."""
    asked: dict[str, list[str]] = {}
    scores: dict[str, dict[int, np.ndarray]] = {}  # of nano, by id: the last subset with it, as a dictionary keeps it
    records = [r for r in read_once(arms[0].judgments.data.path).records if r.judgment.variant == "base"]
    for r in records:
        ident = r.prompt.partition("/")[2]
        if r.judgment.judge == "GPT-5.4" and r.prompt not in asked.setdefault(ident, []):
            asked[ident].append(r.prompt)
    last = {r.prompt.partition("/")[2]: r.prompt for r in records if r.judgment.judge == NANO}
    for r in records:
        ident = r.prompt.partition("/")[2]
        if r.judgment.judge == NANO and last[ident] == r.prompt:
            scores.setdefault(ident, {})[r.judgment.sample] = np.array(r.judgment.scores or (np.nan,) * 4)
    for k, expected in ((1, (1700, 52.29)), (8, (1705, 71.38))):
        right = []
        for ident, prompts in asked.items():
            if ident not in scores:
                continue
            said = np.array([scores[ident][sample] for sample in range(k)])
            count = (~np.isnan(said)).sum(axis=0)
            if count.all():
                mean = np.nansum(said, axis=0) / count
                right += [bool((mean[0] > mean[1:]).all())] * len(prompts)
        assert (len(right), round(100 * float(np.mean(right)), 2)) == expected


def test_no_arm_by_another_rule_has_a_difference(
    arms: list[Arm], by_the_owners: dict[tuple[str, str, int], Measured]
) -> None:
    for measured in by_the_owners.values():
        assert all(p.delta is None and p.section != "overall" for p in measured.published)
    focus = [p for p in by_the_owners["GPT-5.4", "base", 8].published if (p.section, p.value) == ("Focus", 0.818)]
    assert [p.reason for p in focus] == ["same model, ties wrong"]
    (paper,) = [a for a in arms if name(a) == ("GPT-5.4", "base", 8) and a.rules.name == "ties_wrong"]
    for changed in ({"tie": "half"}, {"partial": "use"}, {"rollup": "sections"}):
        arm = replace(paper, rules=replace(paper.rules, **changed))
        assert describe_setting(arm).rules == "" and all(p.delta is None for p in measure(arm).published)
    assert not measure(replace(paper, limit=1730)).published


def test_numbers_are_of_one_prompt_and_of_as_many_items(arms: list[Arm]) -> None:
    (paper,) = [a for a in arms if name(a) == ("GPT-5.4", "base", 8) and a.rules.name == "ties_wrong"]
    (criteria,) = find_printed(paper, 0.836, "criteria")
    assert (criteria.delta, criteria.reason) == (None, "same model, another prompt (criteria)")
    (baseline,) = find_printed(replace(paper, items=paper.items[:-1]), 0.815)
    assert (baseline.delta, baseline.reason) == (None, "same model, over 1,730 items")


def test_the_mean_of_all_single_samples_is_not_the_first_one(composed: Compose) -> None:
    judge = ("judge.names=[GPT-5.4]", "strategy.k=1", "run.ks=[1]")
    ((first,), (every,)) = (plan_arms(composed(EXPERIMENT, *judge, *more)) for more in (["judge.samples=1"], []))
    assert first.judge == "GPT-5.4 (base, first 1)" and every.judge == "GPT-5.4 (base)"
    assert [round(measure(arm).accuracy["overall"], 2) for arm in (first, every)] == [71.72, 72.22]
    (baseline,) = find_printed(every, 0.717)
    assert (baseline.delta, baseline.reason) == (None, "same model, over 1,729 items")


def test_first_samples_refuse_what_is_no_part(composed: Compose) -> None:
    def refuse(samples: str) -> str:
        with pytest.raises(JudgescaleError) as caught:
            plan_arms(composed(EXPERIMENT, f"judge.samples={samples}"))
        return str(caught.value)

    assert "judge.samples=0: must be a whole number from 1" in refuse("0")
    assert "judge.samples=1.5: must be a whole number from 1" in refuse("1.5")
    assert "judge.samples=8: leaves nothing out, as set rewardbench2_samples has at most 8 judgment(s)" in refuse("8")
    with pytest.raises(JudgescaleError, match="strategy.k=8 asks for more than was recorded: .* has 2 judgment"):
        plan_arms(composed(EXPERIMENT, "judge.samples=2"))


def test_the_first_samples_are_each_judge_s_own() -> None:
    rows = [
        {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": judge, "sample": sample, "scores": scores}
        for judge, said in (("one", [[1, 2], [2, 1], [2, 1]]), ("two", [[2, 1], [1, 2], [1, 2]]))
        for sample, scores in enumerate(said)
    ]
    found = {r.judge: r.headline.value for r in judgescale.evaluate(rows, samples=1, pool=False)}
    assert found == {"one (first 1)": 0.0, "two (first 1)": 1.0}
    (both,) = judgescale.evaluate(rows, samples=2, pool=True, strategy=judgescale.Voting(aggregate="borda"))
    assert both.judge.endswith("(first 2)") and both.k == 4 and "|samples:2|" in both.signature


def test_costs_are_the_recorded_tokens_at_list_prices(arms: list[Arm]) -> None:
    """A prompt is paid for once, so that one sample costs more than one of eight; Claude's were not recorded."""
    prices = OmegaConf.load(ROOT / "conf/prices/default.yaml")
    of_names = {simplify_name(str(model)): Price(**price) for model, price in prices.items()}
    spent: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for r in read_once(arms[0].judgments.data.path).records:
        j = r.judgment
        spent[j.judge, j.variant].append((j.prompt_tokens or 0, j.completion_tokens or 0))
    for arm in arms:
        judge, prompt, k = name(arm)
        tokens = np.mean(spent[judge, prompt], axis=0)
        dollars = of_names[simplify_name(judge)].dollars(Tokens(8 / k * tokens[0], 0, tokens[1]))
        assert arm.costs[judge] == pytest.approx(dollars, rel=0.005), name(arm)


def test_printed_cost_ratios_of_gpt_follow_from_tokens_and_those_of_claude_do_not(arms: list[Arm]) -> None:
    ours = {name(arm): arm.costs[arm.judgments.judges[0]] * arm.k for arm in arms}
    unit = ours["GPT-5.4", "base", 1]
    printed = {
        (row.model, row.prompt, row.k): row.value
        for row, _ in read_printed()
        if row.metric == "cost_ratio" and (row.model, row.prompt, row.k) in ours and row.protocol == "ties_wrong"
    }
    assert len(printed) == 10
    for key, ratio in printed.items():
        if key[0].startswith("GPT"):
            assert ours[key] / unit == pytest.approx(ratio, abs=0.0501), key
        else:
            assert ours[key] / unit > 1.8 * ratio, key


def test_a_judge_that_guesses_gains_from_votes_by_the_tie_rule_alone() -> None:
    rng = np.random.default_rng(0)
    rows = [  # of 300 items, eight ratings of each response, 6 to 10
        {"prompt": f"q{item}", "responses": list("abcd"), "best": "a", "judge": "guesser", "sample": sample,
         "scores": [int(score) for score in rng.integers(6, 11, 4)], "pointwise": True}
        for item in range(300)
        for sample in range(8)
    ]  # fmt: skip
    gain = {}
    for rules in ("ties_wrong", "custom"):
        once, voted = (
            judgescale.evaluate(rows, protocol=rules, strategy=judgescale.Voting(k), ks=[k])[0].headline.value
            for k in (1, 8)
        )
        gain[rules] = round(100 * (voted - once), 1)
        assert rules == "custom" or once == pytest.approx(sum(v**3 for v in range(5)) / 5**4, abs=0.02)  # .16
    assert gain["ties_wrong"] > 4 and abs(gain["custom"]) < 2


def test_the_scorecard_names_numbers_that_are_printed() -> None:
    block = OmegaConf.load(ROOT / "conf/experiment/cost_effective_judges.yaml").scorecard
    sources = {row.source for row, _ in read_printed()}
    for word in block.printed.source:
        assert choose_names("source", word, sources, {})
