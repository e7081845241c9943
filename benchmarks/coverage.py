"""How often a nominal 95 % interval holds the truth: percentile bootstrap over clusters (before) and ours (after).

    python benchmarks/coverage.py [--trials 1000] [--resamples 400] [--group F1 --group ROC-AUC]

writes a Markdown table. Every scenario draws made-up items whose truth is known, for F1 and ROC-AUC from a million of
them; both kinds of interval see the same draws. `miss low` and `miss high` are the shares of intervals that lie wholly
above and below the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from judgescale.harness.stats.classification import (
    CountMetric,
    Expectation,
    RankMetric,
    f1_of_counts,
    find_metric_interval,
)
from judgescale.harness.stats.intervals import Rollup, Units, share_headline
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.stats.paired import compare_paired

Draw = Callable[[np.random.Generator], np.ndarray]


class Scenario(NamedTuple):
    """A way to draw credits, and what they are credits of. `paired` draws (U, 2): the difference is estimated.

    With a metric (U, 1 + D) are drawn: the label, and D decisions that are equally likely.
    """

    group: str
    name: str
    units: Units
    headline: Rollup
    truth: float
    draw: Draw
    paired: bool = False
    metric: CountMetric | RankMetric | None = None


def make_units(clusters: np.ndarray, sections: np.ndarray | None = None, weight: np.ndarray | None = None) -> Units:
    n = len(clusters)
    return Units(
        np.full(n, "s") if sections is None else sections.astype(str),
        clusters.astype(str),
        np.ones(n) if weight is None else weight,
    )


def list_scenarios() -> Iterator[Scenario]:
    """List the scenarios of the table."""
    for p in (0.5, 0.7, 0.9, 0.95, 0.98, 0.99):
        for n in (20, 50, 100, 350, 2000):
            yield Scenario(
                "independent items", f"p={p:g}, n={n}", make_units(np.arange(n)), "items", p,
                lambda rng, n=n, p=p: rng.random(n) < p,
            )  # fmt: skip
    for c in (5, 10, 20, 40, 80):
        for equal in (True, False):
            sizes = np.full(c, 8) if equal else np.random.default_rng(c).geometric(1 / 8, size=c)
            cluster = np.repeat(np.arange(c), sizes)
            units = make_units(cluster)
            for mean in (0.7, 0.95):
                yield Scenario(
                    "clusters", f"{c} {'equal' if equal else 'unequal'}, p={mean:g}", units, "items", mean,
                    lambda rng, c=c, sizes=sizes, m=mean: (
                        rng.random(sizes.sum()) < np.repeat(rng.beta(4 * m, 4 - 4 * m, size=c), sizes)
                    ),
                )  # fmt: skip
    for scale in (1.0, 0.1):  # RewardBench: sections of subsets, math-prm weighs as the code that it stands beside
        sizes = np.maximum((np.array([358, 456, 740, 447, 984]) * scale).astype(int), 5)
        section = np.repeat(np.array(["Chat", "Hard", "Safety", "Reasoning", "Reasoning"]), sizes)
        weight = np.repeat([1, 1, 1, sizes[4] / sizes[3], 1], sizes)
        for level in ((0.95, 0.6, 0.85, 0.9, 0.9), (0.98, 0.9, 0.95, 0.98, 0.99)):
            chance = np.repeat(level, sizes)
            units = make_units(np.arange(sizes.sum()), section, weight)
            truth = float(share_headline(units, "sections") @ chance)
            yield Scenario(
                "RewardBench", f"{sizes.sum()} items, truth {truth:.3f}", units, "sections", truth,
                lambda rng, chance=chance: rng.random(len(chance)) < chance,
            )  # fmt: skip
    for n in (50, 350):  # a tie of m of 4 earns 1/m
        levels, odds = np.array([0, 1 / 4, 1 / 3, 1 / 2, 1]), np.array([0.2, 0.02, 0.03, 0.1, 0.65])
        yield Scenario(
            "best of 4", f"n={n}", make_units(np.arange(n)), "items", float(levels @ odds),
            lambda rng, n=n, v=levels, o=odds: rng.choice(v, size=n, p=o),
        )  # fmt: skip
    for n in (26, 102):  # RewardBench 2's Ties: a unit earns a share of its responses
        for a, b in ((6, 2), (30, 1.5)):
            yield Scenario(
                "Ties", f"n={n}, mean {a / (a + b):.2f}", make_units(np.arange(n)), "items", a / (a + b),
                lambda rng, n=n, a=a, b=b: rng.beta(a, b, size=n),
            )  # fmt: skip
    for n in (40, 200):  # voting@3 of 9 recorded judgments: the expected credit over all subsets
        k = np.arange(10)
        choose = np.array([_right_of_three(int(i)) for i in k])
        draws = np.random.default_rng(0).beta(2.5, 1, size=400_000)
        truth = float((choose[np.random.default_rng(1).binomial(9, draws)]).mean())
        yield Scenario(
            "voting pools", f"voting@3 of 9, n={n}", make_units(np.arange(n)), "items", truth,
            lambda rng, n=n, c=choose: c[rng.binomial(9, rng.beta(2.5, 1, size=n))],
        )  # fmt: skip
    for c, per in ((8, 10), (20, 10), (80, 1), (350, 1), (2000, 1)):
        for only_a, only_b in ((0.1, 0.1), (0.02, 0.02), (0.15, 0.05)):
            units = make_units(np.repeat(np.arange(c), per))
            yield Scenario(
                "paired difference", f"{c} clusters of {per}, only a {only_a:g}, only b {only_b:g}", units, "items",
                only_a - only_b,
                lambda rng, c=c, per=per, a=only_a, b=only_b: _draw_pairs(rng, c, per, a, b), True,
            )  # fmt: skip
    yield from list_metric_scenarios()


AUC = RankMetric(lambda gold: gold[:, 0] >= 1, lambda said: said[:, 0])
F1 = CountMetric(lambda gold, said: [(gold[:, 0] >= 1, said[:, 0] >= 1)], f1_of_counts)
MACRO_F1 = CountMetric(lambda gold, said: [(gold[:, 0] == c, said[:, 0] == c) for c in range(3)], f1_of_counts)


def list_metric_scenarios() -> Iterator[Scenario]:
    """List the scenarios of measures that are no means of credits; n items, or clusters of 5."""
    for area in (0.5, 0.75, 0.94, 0.99):
        for n, share in ((20, 0.5), (50, 0.5), (50, 0.2), (200, 0.5), (200, 0.1)):
            yield _estimate_truth(
                "ROC-AUC", f"about {area:g}, n={n}, {share:.0%} positive", n, 1, AUC,
                lambda rng, n, area=area, share=share: _draw_scores(rng, n, share, norm.ppf(area) * 2**0.5),
            )  # fmt: skip
    for n in (10, 20, 80):
        yield _estimate_truth("ROC-AUC", f"about 0.75, {n} clusters of 5", n, 5, AUC, _draw_clustered_scores)
    for n in (50, 200):
        yield _estimate_truth("ROC-AUC", f"votes of 3 of 5 judgments, n={n}", n, 1, AUC, _draw_votes)
    for found, wrong, share in ((0.7, 0.3, 0.5), (0.95, 0.05, 0.5), (0.7, 0.1, 0.2), (0.95, 0.02, 0.2)):
        for n in (20, 50, 200):
            yield _estimate_truth(
                "F1", f"{found:.0%} found, {wrong:.0%} false alarms, {share:.0%} labelled, n={n}", n, 1, F1,
                lambda rng, n, found=found, wrong=wrong, share=share: (
                    np.column_stack([(label := rng.random(n) < share), rng.random(n) < np.where(label, found, wrong)])
                ),
            )  # fmt: skip
    for right, odds in ((0.6, (0.4, 0.4, 0.2)), (0.9, (0.45, 0.45, 0.1))):
        for n in (20, 50, 200):
            yield _estimate_truth(
                "F1", f"macro, 3 classes of {odds}, {right:.0%} known, the others guessed, n={n}", n, 1, MACRO_F1,
                lambda rng, n, right=right, odds=odds: np.column_stack([
                    (label := rng.choice(3, size=n, p=odds)),
                    np.where(rng.random(n) < right, label, rng.choice(3, size=n, p=odds)),
                ]),
            )  # fmt: skip


def _estimate_truth(
    group: str, name: str, n: int, per: int, metric: CountMetric | RankMetric,
    draw: Callable[[np.random.Generator, int], np.ndarray],
) -> Scenario:  # fmt: skip
    """Make the scenario whose truth is the metric of very many items."""
    truth = estimate_metric(metric, draw(np.random.default_rng(0), 10**6 // per).astype(float)).value
    return Scenario(
        group, name, make_units(np.repeat(np.arange(n), per)), "items", truth, lambda rng: draw(rng, n), metric=metric
    )


def estimate_metric(metric: CountMetric | RankMetric, drawn: np.ndarray) -> Expectation:
    """Compute the expectation of a metric from each item's label and its equally likely decisions, (N, 1 + D)."""
    n, size = len(drawn), drawn.shape[1] - 1
    item = np.repeat(np.arange(n), size)
    return metric.expect(drawn[:, :1], item, np.full(n * size, 1 / size), drawn[:, 1:].reshape(-1, 1))


def _draw_scores(rng: np.random.Generator, n: int, share: float, lead: float) -> np.ndarray:
    """Draw labels, and grades that lead by so many standard deviations where they are positive."""
    label = rng.random(n) < share
    return np.column_stack([label, np.round((rng.normal(size=n) + lead * label) * 2)])


def _draw_clustered_scores(rng: np.random.Generator, clusters: int) -> np.ndarray:
    """Draw 5 items of each cluster, whose scores and labels are alike."""
    kind = np.repeat(rng.normal(size=clusters), 5)
    label = rng.random(len(kind)) < 1 / (1 + np.exp(-kind))
    return np.column_stack([label, rng.normal(size=len(kind)) + 0.6 * kind + 0.5 * label])


def _draw_votes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw 5 verdicts an item, and the sums of every 3 of them."""
    label = rng.random(n) < 0.5
    verdicts = rng.random((n, 5)) < (0.15 + 0.3 * label + 0.5 * rng.random(n))[:, None]
    return np.column_stack([label, verdicts[:, list(combinations(range(5), 3))].sum(axis=2)])


def _right_of_three(right: int) -> float:
    """The share of subsets of 3 of 9 judgments in which most are right, where so many are."""
    from math import comb

    return sum(comb(right, i) * comb(9 - right, 3 - i) for i in (2, 3)) / comb(9, 3)


def _draw_pairs(rng: np.random.Generator, clusters: int, per: int, only_a: float, only_b: float) -> np.ndarray:
    """Draw the credits of two judges; where clusters hold several items, these lean one way together."""
    lean = np.repeat(rng.uniform(0, 2, size=clusters), per) if per > 1 else 1.0
    u = rng.random(clusters * per)
    a = (u < only_a * lean) | (u >= 0.5)
    b = (u >= only_a * lean) & (u < only_a * lean + only_b * (2 - lean)) | (u >= 0.5)
    return np.column_stack([a, b])


def bootstrap_interval(
    units: Units, credit: np.ndarray, headline: Rollup, draws: int, seed: int
) -> tuple[float, float]:
    """The percentile interval that was in use before, over clusters within sections."""
    share, rng, total = share_headline(units, headline), np.random.default_rng(seed), np.zeros(draws)
    for section in np.unique(units.section):
        rows = units.section == section
        cluster = np.unique(units.cluster[rows], return_inverse=True)[1]
        weight, earned = np.bincount(cluster, share[rows]), np.bincount(cluster, share[rows] * credit[rows])
        picks = rng.integers(len(weight), size=(draws, len(weight)))
        total += earned[picks].sum(axis=1) / weight[picks].sum(axis=1) * share[rows].sum()
    low, high = np.quantile(total, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_metric(
    units: Units, drawn: np.ndarray, metric: CountMetric | RankMetric, draws: int, seed: int
) -> tuple[float, float]:
    """The percentile interval that was in use before: over clusters, one decision an item."""
    rng = np.random.default_rng(seed)
    gold, said = drawn[:, :1], drawn[np.arange(len(drawn)), 1 + rng.integers(drawn.shape[1] - 1, size=len(drawn)), None]
    names, cluster = np.unique(units.cluster, return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)[:, cluster].astype(float)
    if isinstance(metric, RankMetric):
        label, score = metric.label(gold), metric.score(said)
        above = np.sign(score[label][:, None] - score[~label]) / 2 + 0.5
        of_both = times[:, label].sum(axis=1) * times[:, ~label].sum(axis=1)
        values = ((times[:, label] @ above) * times[:, ~label]).sum(axis=1)[of_both > 0] / of_both[of_both > 0]
    else:
        counts = [(times @ (a & b), times @ b, times @ a) for a, b in metric.classes(gold, said)]
        values = np.mean([metric.measure(*of_class) for of_class in counts], axis=0)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--group", action="append", help="only scenarios of this group; may be given several times")
    options = parser.parse_args()
    print("| scenario | | before, % | after, % | miss low | miss high | width, after / before |")
    print("|---|---|---|---|---|---|---|")
    inside = np.zeros(2, int)
    count, ends = 0, []
    for number, s in enumerate(list_scenarios()):
        if options.group and s.group not in options.group:
            continue
        rng, found = np.random.default_rng(number), np.empty((options.trials, 2, 2))
        for trial in range(options.trials):
            credit = s.draw(rng).astype(float)
            if s.metric:
                while len(np.unique(credit[:, 0])) < 2:  # one class alone has no ROC-AUC
                    credit = s.draw(rng).astype(float)
                found[trial, 0] = bootstrap_metric(s.units, credit, s.metric, options.resamples, trial)
                value, influence, _, trials = estimate_metric(s.metric, credit)
                found[trial, 1] = find_metric_interval(s.units, value, influence, trials)
                continue
            gap = credit[:, 0] - credit[:, 1] if s.paired else credit
            found[trial, 0] = bootstrap_interval(s.units, gap, s.headline, options.resamples, trial)
            if s.paired:
                found[trial, 1] = compare_paired(s.units, credit[:, 0], credit[:, 1], s.headline).interval
            else:
                found[trial, 1] = find_mean_intervals(s.units, credit[:, None], s.headline)[0]
        edge = 1e-12
        low, high = found[..., 0] > s.truth + edge, found[..., 1] < s.truth - edge
        before, after = 100 * (1 - (low | high).mean(axis=0))
        wide = np.median(found[:, :, 1] - found[:, :, 0], axis=0)
        ratio = f"{wide[1] / wide[0]:.2f}" if wide[0] else "∞"
        print(
            f"| {s.group} | {s.name} | {before:.1f} | {after:.1f} | {100 * low[:, 1].mean():.1f} |"
            f" {100 * high[:, 1].mean():.1f} | {ratio} |",
            flush=True,
        )
        inside += [93 <= before <= 98, 93 <= after <= 98]
        ends.append((before, after))
        count += 1
    lowest, highest = np.min(ends, axis=0), np.max(ends, axis=0)
    print(
        f"\n{count} scenarios, {options.trials:,} trials each: within 93 to 98 % before {inside[0]}, after {inside[1]};"
        f" lowest {lowest[0]:.1f} and {lowest[1]:.1f}, highest {highest[0]:.1f} and {highest[1]:.1f}"
    )


if __name__ == "__main__":
    main()
