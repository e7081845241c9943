"""One arm's findings as a Result: curve, compute, health, published numbers, and the notes a reader needs."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import compute
from harness.arm import Arm, Live
from harness.comparable import by_owners_rules, comparable, decides_alike, published_beside
from harness.decisions import Pools
from harness.estimates import (
    Credits,
    by_subset,
    by_tag,
    estimates,
    extra_estimates,
    metric_estimates,
    other_rollups,
)
from harness.types import CurvePoint, Result


def summarise(
    arm: Arm,
    pools: Sequence[Pools],
    credits: Credits,
    details: Mapping[str, float | None],
    notes: Sequence[str],
) -> Result:
    """Roll the credits up and set them beside cost, health and published numbers."""
    at = arm.ks.index(arm.k)
    curves = by_section = estimates(arm, credits)
    others = other_rollups(arm, credits)
    if set(credits.units.section) == {""}:
        curves = {"overall": curves["overall"]}
    metrics = metric_estimates(arm, pools)
    overall = curves["overall"][at]
    curves = curves | others | {name: e for name, e in metrics.items() if ": " not in name}
    sections = {name: e[at] for name, e in curves.items() if name != "overall"}
    subsets = {name: e[at] for name, e in metrics.items() if ": " in name} | extra_estimates(arm, pools)
    if set(credits.subset) - {""}:
        same = np.array_equal(credits.subset, credits.units.section)
        of_subsets = by_section if same else by_subset(arm, credits)
        subsets = {name: e[at] for name, e in of_subsets.items() if name != "overall"} | subsets
    subsets |= {name: e[at] for name, e in by_tag(arm, credits).items()}

    beside = published_beside(arm, {"overall": overall, **sections})
    reproduces = decides_alike(arm) or not any(p.delta is not None for p in beside)
    if not reproduces:  # shown, but no difference of ours
        beside = [dataclasses.replace(p, delta=None) for p in beside]

    judgments = {k: np.array([_cost(arm, k, len(item.responses)) for item in arm.items]) for k in arm.ks}
    cost, cost_notes = recorded_cost(arm, pools, judgments) if arm.live is None else live_cost(arm.live, arm.ks, pools)
    curve = [
        CurvePoint(
            section, k, e[j], float(judgments[k].mean()),
            *(None if (total := cost[k].get(name)) is None else total / len(arm.items) for name in ("tokens", "flops")),
        )
        for section, e in curves.items()
        for j, k in enumerate(arm.ks)
    ]  # fmt: skip
    live = arm.engine.data.meta.get("live") if arm.live else None
    return Result(
        judge=arm.judge, engine=live["engine"]["name"] if live else "recorded", strategy=arm.strategy.name,
        task=arm.task.name, seed=arm.seed, k=arm.k,
        items=len(arm.items), signature=arm.signature, headline=overall, sections=sections, subsets=subsets,
        curve=curve,
        compute={"judgments": float(judgments[arm.k].sum())} | {n: v for n, v in cost[arm.k].items() if n != "tokens"},
        health=health(pools, _turns(arm)) | ({"faults": dict(arm.live.faults)} if arm.live else {}),
        published=beside,
        notes=[
            *arm.about, *_notes(arm, pools, max(e.mc_error for e in curves["overall"]), reproduces), *cost_notes, *notes
        ],
        details=details, judgments=_rows(arm, pools), store=arm.live.store if arm.live else None, data=arm.origin,
    )  # fmt: skip


def _notes(arm: Arm, pools: Sequence[Pools], mc_error: float, reproduces: bool) -> list[str]:
    """What the reader must know to trust the number."""
    data = arm.engine.data
    notes: list[str] = []
    if varies := data.meta.get("varies"):
        notes.append(f"What varies between judgments: {varies}.")
    if arm.task.name not in data.meta.get("tasks", [arm.task.name]):
        notes.append(f"The set was made for task={' or '.join(data.meta['tasks'])}.")
    if arm.task.published and (parts := comparable(arm)) is not None and "overall" not in parts:
        notes.append("No published figure is set beside what is not of the official size.")
    if not reproduces:
        name, k = arm.task.published_with
        how = f"strategy={name} at k={k}" if by_owners_rules(arm) else f"the rules of protocol={arm.task.name}"
        notes.append(f"Published figures of this judge are of {how}: no difference is taken.")
    if arm.rules.order != "any" and (order := data.meta.get("order", arm.rules.order)) != arm.rules.order:
        notes.append(f"The protocol asks for order {arm.rules.order}; these judgments were shown {order}.")
    sizes = [len(pool) for p in pools for pool in p.values()]
    if min(sizes) != max(sizes):
        notes.append(
            f"Pools hold {min(sizes)} to {max(sizes)} judgments; the curve ends at {min(sizes)}, which all have."
        )
    if unused := arm.engine.size - sum(sizes):
        notes.append(f"{unused:,} of {arm.engine.size:,} recorded judgments are about questions this run does not ask.")
    if hasattr(arm.strategy, "caveats"):
        notes += arm.strategy.caveats(arm.rules)
    if mc_error > 5e-5:
        notes.append(f"Replayed {arm.draws} times an item: Monte Carlo error up to {mc_error * 100:.2f} points a k.")
    return notes


def _cost(arm: Arm, k: int, n: int) -> int:
    return dataclasses.replace(arm.strategy, k=k).judgments(n)  # type: ignore[type-var]


def recorded_cost(
    arm: Arm, pools: Sequence[Pools], judgments: Mapping[int, np.ndarray]
) -> tuple[dict[int, dict[str, float | None]], list[str]]:
    """Tokens that the arm's judgments cost at every k, as far as somebody recorded them; nobody recorded the rest."""
    tokens, notes = _tokens(pools)
    nobody = dict.fromkeys(("tokens", "prompt_tokens", "completion_tokens", "flops", "seconds", "dollars"))
    if tokens is None:
        return dict.fromkeys(arm.ks, nobody), notes
    found: dict[int, dict[str, float | None]] = {}
    for k in arm.ks:
        prompt, completion = map(float, judgments[k] @ tokens)
        known = {"tokens": prompt + completion, "completion_tokens": completion}
        found[k] = nobody | known | {"prompt_tokens": None if notes else prompt}
    return found, notes


def live_cost(
    live: Live, ks: Sequence[int], pools: Sequence[Pools]
) -> tuple[dict[int, dict[str, float | None]], list[str]]:
    """What k judgments of every question cost, bought in one go; of seconds, those that this run took."""
    meter, notes, found = live.meter, list(live.notes), {}
    unpriced = [role for role, voice in live.voices.items() if voice.price is None]
    price = f"no price of the {' and the '.join(unpriced)}" if unpriced else f"${meter.spent.dollars:,.4f}"
    bill = f": {meter.tokens.prompt:,.0f} prompt and {meter.tokens.completion:,.0f} completion tokens, {price},"
    took = f"{bill if any(meter.tokens) else ''} in {meter.seconds:,.1f} s. All are in {live.store}."
    if not meter.bought:
        notes.append(f"All {meter.reused:,} answers were in the store, {live.store}; this run bought none.")
    elif meter.reused:
        notes.append(f"{meter.reused:,} answers were in the store; this run bought {meter.bought:,} more{took}")
    else:
        notes.append(f"This run bought {meter.bought:,} answers{took}")
    if meter.trouble:
        notes.append(f"The last answer that failed: {meter.trouble}. The same command asks for those again.")
    if live.faults:
        met = ", ".join(f"{kind} {count:,}" for kind, count in sorted(live.faults.items()))
        notes.append(f"Faults on the way (a retry mended what did not fail): {met}.")
    calls = [[[j.calls for j in pool.judgments] for pool in of_item.values()] for of_item in pools]
    for k in ks:
        total: dict[str, compute.Tokens] | None = {}
        for of_item in calls:
            if (tokens := compute.expected(of_item, k)) is None:
                total = None
                break
            assert total is not None
            total |= {role: total.get(role, compute.Tokens()).plus(t) for role, t in tokens.items()}
        seconds: dict[str, float | None] = {"seconds": live.seconds}
        found[k] = seconds | ({} if total is None else _spent(live, total))
    if any(cost.get("tokens") is None for cost in found.values()):
        notes.append("The engine does not count tokens, so they and what follows from them are unknown.")
    return found, notes


def _spent(live: Live, tokens: Mapping[str, compute.Tokens]) -> dict[str, float | None]:
    """Tokens of every model that was asked, and what they cost; unknown where it is unknown of one of them."""
    every = compute.Tokens(*np.sum([*tokens.values(), compute.Tokens()], axis=0).tolist())
    active = {role: live.voices[role].active_parameters for role in tokens}
    prices = {role: live.voices[role].price for role in tokens}
    return {
        "tokens": every.prompt + every.completion,
        **{f"{name}_tokens": value for name, value in every._asdict().items()},
        "flops": None if None in active.values() else sum(compute.flops(active[r] or 0, t) for r, t in tokens.items()),
        "dollars": None
        if None in prices.values()
        else sum(price.dollars(tokens[role]) for role, price in prices.items() if price),
    }


def _tokens(pools: Sequence[Pools]) -> tuple[np.ndarray | None, list[str]]:
    """Mean prompt and completion tokens of a judgment of each item, (N, 2), as far as they are known; what is not."""
    known = [[(j.prompt_tokens, j.completion_tokens) for pool in p.values() for j in pool.judgments] for p in pools]
    every = [pair for of_item in known for pair in of_item]
    completions, prompts = (sum(pair[i] is not None for pair in every) for i in (1, 0))
    if completions == len(every) and prompts in (0, len(every)):
        table = np.array([np.mean([(a or 0, b or 0) for a, b in of_item], axis=0) for of_item in known])
        return table, [] if prompts else ["Tokens are completion tokens only: prompt tokens were not recorded."]
    if completions or prompts:
        lacking = sum(None in pair for pair in every)
        return None, [f"{lacking:,} of {len(every):,} judgments lack a token count, so tokens an item are unknown."]
    return None, []


def _turns(arm: Arm) -> int | None:
    """How many judgments in a row are one reading in several orders; None where the orders are left to chance."""
    live = arm.engine.data.meta.get("live")
    return 1 if not live else 2 if arm.engine.data.meta["order"] in ("both", "balanced") else None


def health(pools: Sequence[Pools], turns: int | None = 1) -> dict[str, Any]:
    """Counts over all judgments of the pools: what could not be read, ties, and verdicts that follow the order.

    Judgments of `turns` successive samples are readings of one question in different orders.
    """
    judgments = ties = flips = 0
    statuses: Counter[str] = Counter()
    for pool in (pool for p in pools for pool in p.values()):
        asked: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}  # repeats of a question in other orders
        judgments += len(pool)
        for j, shown, scores in zip(pool.judgments, pool.shown, pool.scores, strict=True):
            statuses[j.status] += 1
            if j.scores is None or len(scores) < 2:
                continue
            if (scores == scores.max()).sum() > 1:
                ties += 1
            else:
                asked.setdefault((j.judge, j.sample // (turns or 1), j.variant), {})[shown] = int(scores.argmax())
        if all(len(orders) == 1 for orders in asked.values()):  # an arrangement may be recorded as a variant
            merged: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
            for (judge, sample, _), orders in asked.items():
                merged.setdefault((judge, sample, ""), {}).update(orders)
            asked = merged
        flips += sum(len(set(orders.values())) > 1 for orders in asked.values())
    unparseable = judgments - statuses["ok"] - statuses["failed"]
    return {
        "judgments": judgments, "unparseable": unparseable, "ties": ties,
        "order_flips": None if turns is None else flips, "failed": statuses["failed"], "statuses": dict(statuses),
    }  # fmt: skip


def _rows(arm: Arm, pools: Sequence[Pools]) -> list[dict[str, object]]:
    """The rows of judgments.parquet: responses by name in shown order, scores in shown order."""
    rows: list[dict[str, object]] = []
    for item, of_item in zip(arm.items, pools, strict=True):
        place = {name: i for i, name in enumerate(item.responses)}
        for pool in of_item.values():
            for j, shown, meta in zip(pool.judgments, pool.shown, pool.meta, strict=True):
                rows.append({
                    "task": arm.task.name, "item": item.id, "subset": item.subset, "judge": j.judge,
                    "variant": j.variant, "sample": j.sample, "shown": [place[name] for name in shown],
                    "responses": list(shown), "scores": None if j.scores is None else list(j.scores),
                    "status": j.status, "meta": None if math.isnan(meta) else float(meta),
                    "prompt_tokens": j.prompt_tokens, "completion_tokens": j.completion_tokens, "chars": j.chars,
                    "calls": [(c.key, c.rank) for c in j.calls if c.role == "judge"],
                })  # fmt: skip
    return rows
