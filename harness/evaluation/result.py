"""Gather one arm's findings in a `Result`: curve, compute, health, published numbers, and the notes a reader needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.again import (
    Again,
    describe_judging_again,
    explain_unknown,
    judge_again,
    tell_why_unknown,
)
from judgescale.harness.evaluation.ceiling import describe_ceiling, find_ceiling
from judgescale.harness.evaluation.costs import (
    compute_live_costs,
    compute_recorded_costs,
    describe_shares,
    may_share_scores,
)
from judgescale.harness.evaluation.credit_each import credit_pools
from judgescale.harness.evaluation.credits import Credits
from judgescale.harness.evaluation.estimates import (
    count_independent_clusters,
    estimate_extras,
    estimate_other_rollups,
    estimate_sections,
    estimate_subsets,
    estimate_tags,
)
from judgescale.harness.evaluation.guess import find_guesses
from judgescale.harness.evaluation.health import (
    count_partial_judgments,
    count_thoughts,
    describe_thoughts,
    examine_judgments,
    measure_effective_votes,
)
from judgescale.harness.evaluation.judgment_table import tabulate_judgments
from judgescale.harness.evaluation.metrics import describe_metrics
from judgescale.harness.evaluation.splits import examine_ties
from judgescale.harness.published.candidates import describe_candidates, list_printed_ks, list_printed_subsets
from judgescale.harness.published.comparable import (
    explain_missing_deltas,
    find_comparable_numbers,
    find_comparable_sections,
)
from judgescale.harness.published.lists import normalise_subset
from judgescale.harness.recorded.describe import describe_variation, summarise_judges
from judgescale.harness.recorded.pools import Pools, count_distinct, find_rows
from judgescale.harness.signature import sign
from judgescale.harness.types import HUMAN, CurvePoint, Estimate, Published, Result

FEW_CLUSTERS = 20  # below these, how much they vary is itself hardly known


def make_result(
    arm: Arm,
    pools: Sequence[Pools],
    credits: Credits,
    metrics: Mapping[str, list[Estimate]],
    tied: float,
    judgments: Mapping[int, np.ndarray],
    dollars: Mapping[int, float],
    details: Mapping[str, Any],
    notes: Sequence[str],
) -> Result:
    """Roll an arm's credits up, and set them beside cost, health and published numbers.

    pools: the judgments of every item, with the meta RM's scores where there are any. metrics: what is no mean of
    credits (evaluation/metrics.py). tied: the expected number of decisions that tie at the arm's k. judgments: how many
    each item takes at every k, (N,) each. dollars: what they all cost at every k, where that is known. details, notes:
    what is known of the meta RM, or of the jury.
    """
    at = arm.ks.index(arm.k)
    curves = by_section = estimate_sections(arm, credits)
    others = estimate_other_rollups(arm, credits)
    if set(credits.units.section) == {""}:
        curves = {"overall": curves["overall"]}
    overall = curves["overall"][at]
    curves = curves | others | {name: e for name, e in metrics.items() if ": " not in name}
    sections = {name: e[at] for name, e in curves.items() if name != "overall"}
    subsets = {name: e[at] for name, e in metrics.items() if ": " in name} | estimate_extras(arm, pools)
    if set(credits.subset) - {""}:
        same = np.array_equal(credits.subset, credits.units.section)
        of_subsets = by_section if same else estimate_subsets(arm, credits)
        subsets = {name: e[at] for name, e in of_subsets.items() if name != "overall"} | subsets
    subsets |= {name: e[at] for name, e in estimate_tags(arm, credits).items()}

    published = find_comparable_numbers(arm, {"overall": overall, **sections})
    again_at = {
        k: judge_again_at(arm, k, pools, credits, metrics) for k in dict.fromkeys([arm.k, *list_printed_ks(arm)])
    }
    if again := again_at[arm.k]:
        published = [
            p if p.delta is None else dataclasses.replace(p, inside_judging_again=again.holds(p.section, p.value))
            for p in published
        ]

    if arm.bill is None:
        cost, cost_notes = compute_recorded_costs(arm, pools, judgments)
        cost_notes = [*describe_shares(arm, pools), *cost_notes]
        if dollars:
            cost = {k: {**of_k, "dollars": dollars[k]} for k, of_k in cost.items()}
            an_item = f"${dollars[arm.k] / len(arm.items):.3g}"
            cost_notes.append(
                f"At k={arm.k} an item costs {an_item} (judge.costs, else recorded tokens at list prices)."
            )
    else:
        cost, cost_notes = compute_live_costs(arm.bill, arm.ks, pools)
    split, about_ties = examine_ties(arm)
    curve = [
        CurvePoint(
            section,
            k,
            e[j],
            float(judgments[k].mean()),
            tokens_per_item=_divide(cost[k].get("tokens"), len(arm.items)),
            flops_per_item=_divide(cost[k].get("flops"), len(arm.items)),
            can_split=k in split,
            dollars_per_item=_divide(cost[k].get("dollars"), len(arm.items)),
        )
        for section, e in curves.items()
        for j, k in enumerate(arm.ks)
    ]
    of_set = arm.judgments.data.meta.get("live") or {}
    budget = (of_set.get("sampling") or {}).get("thinking_budget")
    thoughts = count_thoughts(arm.judgments.data.columns, pools, budget) if budget and arm.bill else {}
    live, ceiling = of_set if arm.bill else None, find_ceiling(arm, credits)
    credited = credit_pools(arm, pools)
    return Result(
        judge=arm.judge,
        engine=live["engine"]["name"] if live else "recorded",
        strategy=arm.strategy.name,
        task=arm.task.name,
        seed=arm.seed,
        k=arm.k,
        items=len(arm.items),
        signature=sign(arm),
        headline=overall,
        sections=sections,
        subsets=subsets,
        curve=curve,
        compute={"judgments": float(judgments[arm.k].sum())} | {n: v for n, v in cost[arm.k].items() if n != "tokens"},
        health=examine_judgments(arm, pools, credited)
        | ({"partial": count_partial_judgments(arm.judgments.data.columns, pools)} if arm.judgments.pointwise else {})
        | {"tied_decisions": tied}
        | ({"effective_votes": votes} if (votes := measure_effective_votes(arm, credited)) else {})
        | ({"faults": dict(arm.bill.faults)} if arm.bill else {})
        | ({"thoughts": thoughts} if thoughts else {}),
        ceiling=ceiling,
        published=published,
        comparable=describe_candidates(
            arm,
            curves | list_printed_parts(arm, by_section, metrics, credits),
            {k: of_k.intervals for k, of_k in again_at.items() if of_k},
            explain_unknown(arm, pools),
            find_guesses(arm, credits),
        ),
        notes=[
            *arm.about,
            *describe_ceiling(ceiling, len(arm.items)),
            *_write_notes(arm, pools, max(e.mc_error for e in curves["overall"]), published, about_ties),
            *_warn_of_few_clusters(count_independent_clusters(arm, credits)),
            *([describe_judging_again(again)] if again else tell_why_unknown(arm.strategy)),
            *describe_pointwise_costs(arm, may_share_scores(arm, pools)),
            *describe_thoughts(thoughts),
            *cost_notes,
            *describe_metrics(arm, metrics),
            *notes,
        ],
        details=details,
        judging=again.summarise() if again else {},
        judgments=tabulate_judgments(arm, pools, credits),
        store=arm.bill.store if arm.bill else None,
        data=arm.origin,
        stops=arm.strategy.stops,
        thinking_budget=budget,
    )


def judge_again_at(
    arm: Arm, k: int, pools: Sequence[Pools], credits: Credits, metrics: Mapping[str, Sequence[Estimate]]
) -> Again | None:
    """Find what judging the same items again would give at one of the arm's ks."""
    of_all = {name: e[arm.ks.index(k)].value for name, e in metrics.items() if ": " not in name}
    return judge_again(dataclasses.replace(arm, k=k), pools, credits, of_all)


def list_printed_parts(
    arm: Arm,
    sections: Mapping[str, Sequence[Estimate]],
    metrics: Mapping[str, Sequence[Estimate]],
    credits: Credits,
) -> dict[str, Sequence[Estimate]]:
    """List what is no curve of its own, yet somebody printed it of this judge: subsets, and metrics of sections."""
    printed, subsets = list_printed_subsets(arm), set(credits.subset.tolist()) - set(sections)
    found: dict[str, Sequence[Estimate]] = {
        name: e for name, e in metrics.items() if ": " in name and normalise_subset(name.partition(": ")[0]) in printed
    }
    if wanted := {name for name in subsets if normalise_subset(name) in printed}:
        found |= {name: e for name, e in estimate_subsets(arm, credits).items() if name in wanted}
    return found


def _divide(total: float | None, items: int) -> float | None:
    return None if total is None else total / items


def _write_notes(
    arm: Arm, pools: Sequence[Pools], mc_error: float, published: Sequence[Published], about_ties: Sequence[str]
) -> list[str]:
    """Write what the reader must know to trust the number, one line each.

    mc_error: the largest Monte Carlo error on the curve. published: what stands beside the result.
    about_ties: notes on what ties earn (evaluation/splits.py).
    """
    data = arm.judgments.data
    notes: list[str] = []
    if varies := describe_chosen(arm, pools):
        notes.append(f"What varies between judgments: {varies}.")
    if arm.task.name not in data.meta.get("tasks", [arm.task.name]):
        notes.append(f"The set was made for task={' or '.join(data.meta['tasks'])}.")
    parts = find_comparable_sections(arm) if arm.task.published else None
    if parts is not None and "overall" not in parts and not any(p.section == "overall" for p in published):
        notes.append("No published figure is set beside what is not of the official size.")
    notes += explain_missing_deltas(published)
    if arm.rules.order != "any" and (order := data.meta.get("order", arm.rules.order)) != arm.rules.order:
        notes.append(f"The protocol asks for order {arm.rules.order}; these judgments were shown {order}.")
    if not any(pool.usable.any() for p in pools for pool in p.values()):
        notes.append(
            "Not one judgment held a verdict: the figures are what the protocol gives for none, not the judge's."
        )
    notes += describe_partial_judgments(arm, pools)
    sizes = [len(pool) for p in pools for pool in p.values()]
    if not arm.as_bought and (stopped_by := (data.meta.get("live") or {}).get("stopped_by")):
        notes.append(
            f"These judgments were bought until strategy={stopped_by} had seen enough: what came after is missing, and"
            " any other strategy's figure is biased by that."
        )
    if min(sizes) != max(sizes) and not (arm.as_bought and arm.strategy.measured):
        ends = f"; the curve ends at {min(sizes)}, which all have" * (max(arm.ks) == min(sizes))
        notes.append(f"Pools hold {min(sizes)} to {max(sizes)} judgments{ends}.")
    chosen = {item.prompt for item in arm.items} if arm.subsets else None
    every = arm.judgments.count(chosen)
    if (unused := every - count_distinct(pools)) and not arm.limit:  # of a sample, most are not asked
        notes.append(f"{unused:,} of {every:,} recorded judgments are about questions this run does not ask.")
    notes += [*about_ties, *arm.strategy.caveats(arm.rules)]
    if mc_error > 5e-5:
        notes.append(f"Some of it is left to the seed: Monte Carlo error up to {mc_error * 100:.2f} points a k.")
    return notes


def describe_partial_judgments(arm: Arm, pools: Sequence[Pools]) -> list[str]:
    """Say how many judgments lack the score of a response, and what the protocol makes of them; nothing without any."""
    if not arm.judgments.pointwise or not (partial := count_partial_judgments(arm.judgments.data.columns, pools)):
        return []
    whole = f"{partial:,} of {count_distinct(pools):,} judgments lack the score of a response"
    if any(1 < len(q) < len(item.responses) for item, p in zip(arm.items, pools, strict=True) for q in p):
        return [f"{whole}: a game counts those that have the scores of its two."]
    if arm.rules.partial != "drop":
        return [f"{whole}: a vote takes the mean of those there are (protocol.partial={arm.rules.partial})."]
    return [f"{whole}: no vote counts them (protocol.partial=drop)."]


def describe_pointwise_costs(arm: Arm, fewer: bool) -> list[str]:
    """Say what one judgment is where each response was scored alone; nothing in other sets.

    fewer: whether some scores may be of use in several questions without being counted once only.
    """
    if not arm.judgments.pointwise:
        return []
    note = (
        "Each response was scored alone: one judgment is the scores of all of an item's responses, a call for each, and"
        " all questions about a response share its scores."
    )
    return [note + " Judgments an item are at most so many: some answer only some of the questions." * fewer]


def describe_chosen(arm: Arm, pools: Sequence[Pools]) -> str:
    """Say what varies between an arm's judgments: as the set says, where they are all of it, else as is counted."""
    data = arm.judgments.data
    varies = str(data.meta.get("varies") or "")
    judges = set(data.columns.list_judges()) - {HUMAN}
    in_part = arm.subsets or arm.limit or arm.left_out or data.chosen
    if not varies or (judges == set(arm.judgments.judges) and not in_part):
        return varies
    return describe_variation(summarise_judges(data.columns.take(find_rows(pools))))


def _warn_of_few_clusters(clusters: float) -> list[str]:
    if clusters >= FEW_CLUSTERS or clusters < 1.5:  # a single one has no interval to be warned of
        return []
    return [
        f"Intervals rest on about {clusters:.0f} independent clusters of items; with less than {FEW_CLUSTERS} they are"
        " rough."
    ]
