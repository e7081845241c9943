"""Evaluates one arm: replays each pool through the strategy at every k, credits the decisions, rolls them up."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.engines.recorded import Pool, Replay, shuffles
from harness.meta import trust
from harness.plan import Arm
from harness.scaling import SUBSETS, subset_indices
from harness.seeding import seeded
from harness.statistics import Units, bootstrap, interval, paired_difference
from harness.types import CurvePoint, Estimate, Item, Result, Strategy

Pools = Mapping[tuple[int, ...], Pool]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Decisions:
    """What a strategy may decide about one item: (D, n) scores and how likely each is."""

    scores: np.ndarray
    weight: np.ndarray  # (D,), sums to 1
    draws: int  # random replays the weights were estimated from; 0 where they were counted


@dataclass(frozen=True)
class Credits:
    """Expected credit of every unit at every k, and the variance that sampling subsets left in it: (U, K) each."""

    units: Units
    subset: np.ndarray  # (U,)
    value: np.ndarray
    variance: np.ndarray


def evaluate(arm: Arm, tick: Tick = lambda: None) -> tuple[Result, Credits]:
    """Everything one arm finds. `tick` is called once an item and k."""
    start = time.perf_counter()
    pools: list[Pools] = [
        {question: arm.engine.pool(item, question) for question in arm.strategy.questions(len(item.responses))}
        for item in arm.items
    ]
    details: dict[str, object] = {}
    notes: list[str] = []
    if varies := arm.engine.data.meta.get("varies"):
        notes.append(f"What varies between judgments: {varies}.")
    if (kind := getattr(arm.strategy, "meta", None)) is not None:
        right = [_alone(arm, item, p) for item, p in zip(arm.items, pools, strict=True)]
        bare = pools
        pools, auc = _with_trust(arm, bare, right, kind)
        details[f"{kind} meta RM, ROC-AUC"] = auc
    decisions = decide(arm, arm.strategy, arm.ks, pools, tick)
    credits = credit(arm, decisions)
    if kind is not None:
        from harness.strategies.voting import Voting

        at = [arm.k]
        vote = Voting(arm.k, getattr(arm.strategy, "unusable", "abstain"))
        plain = credit(arm, decide(arm, vote, at, bare))
        ours = dataclasses.replace(credits, value=credits.value[:, [arm.ks.index(arm.k)]])
        for bound in ("oracle", "random"):
            bounded = decide(arm, arm.strategy, at, _with_trust(arm, bare, right, bound)[0])
            details[f"{bound} meta RM at k={arm.k}"] = _overall(arm, credit(arm, bounded))
        details[f"plain voting at k={arm.k}"] = _overall(arm, plain)
        notes.append(difference(arm, f"meta_voting - voting, both at k={arm.k}", ours, plain))
    return summarise(arm, pools, decisions, credits, details, notes, time.perf_counter() - start), credits


# ---- decisions -------------------------------------------------------------------------------------------------------


def decide(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools], tick: Tick = lambda: None
) -> list[list[Decisions]]:
    """[k][item]: in closed form where the strategy has one and items have one or two responses, else by replay."""
    if (exact := _closed_form(strategy, arm.items, ks, pools)) is not None:
        for _ in range(len(ks) * len(arm.items)):
            tick()
        return exact
    return asyncio.run(_replay(arm, strategy, ks, pools, tick))


def _closed_form(
    strategy: Strategy, items: Sequence[Item], ks: Sequence[int], pools: Sequence[Pools]
) -> list[list[Decisions]] | None:
    form = getattr(strategy, "exact", None)
    if form is None or any(len(item.responses) > 2 for item in items):
        return None
    whole = [next(iter(p.values())) for p in pools]
    margins = [2 * p.scores[:, 0] - 1 if p.scores.shape[1] == 1 else p.scores[:, 0] - p.scores[:, 1] for p in whole]
    curve = form(margins, [p.meta for p in whole], ks)
    if curve is None:
        return None
    # One decision stands for each outcome: the first wins, a tie, the second wins, nothing usable.
    for_pair = np.array([[1, 0], [0.5, 0.5], [0, 1], [np.nan, np.nan]])
    stand_in = [for_pair[:, : len(item.responses)] for item in items]
    return [
        [
            Decisions(s, w, 0 if counted else SUBSETS)
            for s, w, counted in zip(stand_in, curve.outcomes[:, j], curve.exact, strict=True)
        ]
        for j in range(len(ks))
    ]


async def _replay(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools], tick: Tick
) -> list[list[Decisions]]:
    decisions: list[list[Decisions]] = [[] for _ in ks]
    for item, of_item in zip(arm.items, pools, strict=True):
        n = len(item.responses)
        # All subsets of one question's pool, if they are few: only where nothing but the subset is left to chance.
        few = len(of_item) == 1 and hasattr(strategy, "exact")
        order = shuffles(of_item, arm.draws, seeded(arm.seed, "pool", item.id))
        for j, k in enumerate(ks):
            exact = False
            if few:
                size = len(next(iter(of_item.values())))
                subsets, exact = subset_indices(size, k, arm.draws, seeded(arm.seed, "subsets", item.id))
                order = subsets[:, None]
            rng = seeded(arm.seed, strategy.name, item.id)
            scores = await dataclasses.replace(strategy, k=k)(Replay(of_item, order), n, rng)  # type: ignore[type-var]
            weight = np.full(len(scores), 1 / len(scores))
            decisions[j].append(Decisions(scores, weight, 0 if exact else len(scores)))
            tick()
    return decisions


# ---- credit ----------------------------------------------------------------------------------------------------------


def credit(arm: Arm, decisions: Sequence[Sequence[Decisions]]) -> Credits:
    """Expected credit of every unit at every k."""
    members: dict[str, list[int]] = {}
    for i, item in enumerate(arm.items):
        members.setdefault(arm.task.unit(item), []).append(i)
    value = np.zeros((len(members), len(decisions)))
    variance = np.zeros_like(value)
    for j, at_k in enumerate(decisions):
        for u, rows in enumerate(members.values()):
            items = [arm.items[i] for i in rows]
            if len(rows) == 1:
                d = at_k[rows[0]]
                earned = arm.task.credit(items, [d.scores], arm.rules)
                weight, draws = d.weight, d.draws
            else:
                earned, weight, draws = _jointly(arm, items, [at_k[i] for i in rows])
            value[u, j] = earned @ weight
            if draws:
                variance[u, j] = ((earned - value[u, j]) ** 2 @ weight) / (draws - 1)
    first = [arm.items[rows[0]] for rows in members.values()]
    units = Units(
        section=np.array([arm.task.section(item) for item in first]),
        cluster=np.array([item.cluster for item in first]),
        weight=np.ones(len(first)),
    )
    return Credits(units, np.array([item.subset for item in first]), value, variance)


def _jointly(arm: Arm, items: Sequence[Item], of_items: Sequence[Decisions]) -> tuple[np.ndarray, np.ndarray, int]:
    """Credits of a unit of several items, over every combination of their decisions (or a sample of them)."""
    combinations = math.prod(len(d.scores) for d in of_items)
    if combinations <= arm.draws:
        index = np.indices([len(d.scores) for d in of_items]).reshape(len(of_items), -1)
        weight = np.prod([d.weight[i] for d, i in zip(of_items, index, strict=True)], axis=0)
        draws = max(d.draws for d in of_items)
    else:
        rng = seeded(arm.seed, "unit", *(item.id for item in items))
        index = np.array([rng.choice(len(d.scores), arm.draws, p=d.weight) for d in of_items])
        weight, draws = np.full(arm.draws, 1 / arm.draws), arm.draws
    scores = [d.scores[i] for d, i in zip(of_items, index, strict=True)]
    return arm.task.credit(items, scores, arm.rules), weight, draws


def _alone(arm: Arm, item: Item, pools: Pools) -> np.ndarray:
    """1.0 for each judgment that alone would earn the item full credit."""
    (pool,) = pools.values()
    strict = dataclasses.replace(arm.rules, tie="zero", failure=0.0)
    return (arm.task.credit([item], [pool.scores], strict) >= 1).astype(float)


def _with_trust(
    arm: Arm, pools: Sequence[Pools], right: Sequence[np.ndarray], kind: str
) -> tuple[list[Pools], float | None]:
    whole = [next(iter(p.values())) for p in pools]
    scores, auc = trust(kind, arm.items, whole, right, arm.seed)
    scored: list[Pools] = [
        {question: dataclasses.replace(pool, meta=s) for question, pool in p.items()}
        for p, s in zip(pools, scores, strict=True)
    ]
    return scored, auc


# ---- roll-up ---------------------------------------------------------------------------------------------------------


def _overall(arm: Arm, credits: Credits) -> float:
    from harness.statistics import rollup

    return float(rollup(credits.units, credits.value, arm.task.headline)[1][0])


def difference(arm: Arm, what: str, a: Credits, b: Credits) -> str:
    """One honest sentence on whether a is above b: paired bootstrap over the same units; (U, 1) credits each."""
    gap, ci = paired_difference(
        a.units, a.value[:, 0], b.value[:, 0], arm.task.headline, draws=arm.resamples, seed=arm.seed
    )
    if ci is None:
        return f"{what}: {gap * 100:+.1f} points (too few clusters for an interval)"
    verdict = "not told apart" if ci[0] <= 0 <= ci[1] else "above" if gap > 0 else "below"
    return f"{what}: {gap * 100:+.1f} points, 95 % interval [{ci[0] * 100:+.1f}, {ci[1] * 100:+.1f}]: {verdict}"


def estimates(arm: Arm, credits: Credits, by: np.ndarray | None = None) -> dict[str, list[Estimate]]:
    """name -> an Estimate at every k, for "overall" and every section (or every value of `by`)."""
    from harness.statistics import rollup

    units = credits.units if by is None else dataclasses.replace(credits.units, section=by)
    sections, overall = rollup(units, credits.value, arm.task.headline)
    replicates = bootstrap(units, credits.value, arm.task.headline, draws=arm.resamples, seed=arm.seed)
    found = {}
    for name, value in {"overall": overall, **sections}.items():
        mask = np.ones(len(units.section), bool) if name == "overall" else units.section == name
        error = _mc_error(units, credits.variance, mask, arm.task.headline if name == "overall" else "items")
        found[name] = [
            Estimate("accuracy", float(value[j]), interval(replicates[name][:, j]), int(mask.sum()), float(error[j]))
            for j in range(credits.value.shape[1])
        ]
    return found


def _mc_error(units: Units, variance: np.ndarray, mask: np.ndarray, headline: str) -> np.ndarray:
    """Standard error left by sampling subsets, units being sampled independently: (K,)."""
    share = np.zeros(len(mask))
    names = np.unique(units.section[mask]) if headline == "sections" else [None]
    for name in names:
        rows = mask if name is None else mask & (units.section == name)
        share[rows] = units.weight[rows] / units.weight[rows].sum() / len(names)
    return np.sqrt(share**2 @ variance)


def metric_estimates(arm: Arm, pools: Sequence[Pools]) -> dict[str, list[Estimate]]:
    """Numbers that are no mean of credits (macro F1, ROC-AUC), overall and by section, at every k."""
    if not arm.task.metrics:
        return {}
    replayed = asyncio.run(_replay(arm, arm.strategy, arm.ks, pools, lambda: None))
    section = np.array([arm.task.section(item) for item in arm.items])
    cluster = np.array([item.cluster for item in arm.items])
    found: dict[str, list[Estimate]] = {}
    groups = {"": np.arange(len(section))}
    if len(set(section)) > 1:
        groups |= {f"{name}: ": np.flatnonzero(section == name) for name in dict.fromkeys(section)}
    for prefix, rows in groups.items():
        items = [arm.items[i] for i in rows]
        for name, metric in arm.task.metrics.items():
            estimates_of_k = []
            for j, k in enumerate(arm.ks):
                at_k = [replayed[j][i] for i in rows]
                joint = 1 if all(len(d.scores) == 1 for d in at_k) else 50
                rng = seeded(arm.seed, "joint", name, prefix)
                worlds = [[d.scores[rng.integers(len(d.scores))] for d in at_k] for _ in range(joint)]
                values = np.array([metric(items, world) for world in worlds])
                ci = _metric_interval(arm, metric, items, worlds[0], cluster[rows]) if k == arm.k else None
                error = float(values.std(ddof=1) / math.sqrt(joint)) if joint > 1 else 0.0
                estimates_of_k.append(Estimate(name, float(values.mean()), ci, len(items), error))
            found[f"{prefix}{name}"] = estimates_of_k
    return found


def _metric_interval(
    arm: Arm,
    metric: Callable[[Sequence[Item], Sequence[np.ndarray]], float],
    items: Sequence[Item],
    world: Sequence[np.ndarray],
    cluster: np.ndarray,
) -> tuple[float, float] | None:
    """Percentile bootstrap over clusters; fewer resamples than for means, since each is a full recomputation."""
    members = [np.flatnonzero(cluster == c) for c in dict.fromkeys(cluster)]
    if len(members) < 2:
        return None
    rng = seeded(arm.seed, "metric")
    values = []
    for _ in range(min(arm.resamples, 400)):
        rows = np.concatenate([members[c] for c in rng.integers(len(members), size=len(members))])
        values.append(metric([items[i] for i in rows], [world[i] for i in rows]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def extra_estimates(arm: Arm, pools: Sequence[Pools]) -> dict[str, Estimate]:
    """Per-item figures taken from the pool itself, overall and by section, where the pools allow them."""
    if arm.task.extras is None or any(len(p) != 1 for p in pools):
        return {}
    rows = [arm.task.extras(item, next(iter(p.values()))) for item, p in zip(arm.items, pools, strict=True)]
    if not all(rows):
        return {}
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    units = Units(
        section=np.array([arm.task.section(item) for item in arm.items]),
        cluster=np.array([item.cluster for item in arm.items]),
        weight=np.ones(len(arm.items)),
    )
    table = estimates(arm, Credits(units, units.section, values, np.zeros_like(values)))
    return {
        (name if section == "overall" else f"{section}: {name}"): dataclasses.replace(per_name[j], metric=name)
        for section, per_name in table.items()
        for j, name in enumerate(names)
    }


# ---- the result ------------------------------------------------------------------------------------------------------


def summarise(
    arm: Arm,
    pools: Sequence[Pools],
    decisions: Sequence[Sequence[Decisions]],
    credits: Credits,
    details: Mapping[str, object],
    notes: Sequence[str],
    seconds: float,
) -> Result:
    from harness import published

    at = arm.ks.index(arm.k)
    curves = estimates(arm, credits)
    metrics = metric_estimates(arm, pools)
    if set(credits.units.section) == {""}:
        curves = {"overall": curves["overall"]}
    whole_metrics = {name: e for name, e in metrics.items() if ": " not in name}
    sections = {name: e[at] for name, e in {**curves, **whole_metrics}.items() if name != "overall"}
    subsets = {name: e[at] for name, e in metrics.items() if ": " in name} | extra_estimates(arm, pools)
    if len(set(credits.subset) - {""}) > 0:
        by_subset = estimates(arm, dataclasses.replace(credits), by=credits.subset)
        subsets = {name: e[at] for name, e in by_subset.items() if name != "overall"} | subsets
    judgments = [j for p in pools for pool in p.values() for j in pool.judgments]
    cost = {k: float(np.mean([_cost(arm, k, len(item.responses)) for item in arm.items])) for k in arm.ks}
    tokens = _tokens_each(judgments)
    curve = [
        CurvePoint(section, k, e[j], cost[k], cost[k] * tokens[2] if tokens else None, None)
        for section, e in {**curves, **whole_metrics}.items()
        for j, k in enumerate(arm.ks)
    ]
    bought = cost[arm.k] * len(arm.items)
    overall = curves["overall"][at]
    if overall.mc_error > 0:
        notes = [*notes, f"Replayed {arm.draws} times an item: Monte Carlo error {overall.mc_error * 100:.2f} points."]
    lowest = min(len(pool) for p in pools for pool in p.values())
    if any(len(pool) != lowest for p in pools for pool in p.values()):
        notes = [*notes, f"Pools differ in size; the curve ends at k={lowest}, which every question has."]
    ours = {name: e.value for name, e in {"overall": overall, **sections}.items()}
    counts = Counter(arm.task.section(item) for item in arm.items)
    partial = {name for name, size in arm.task.sizes.items() if counts[name] != size} | (
        set(counts) - set(arm.task.sizes) if arm.task.sizes else set()
    )
    if partial:
        official = sum(arm.task.sizes.values())
        notes = [
            *notes,
            f"{len(arm.items):,} items where published figures rest on {official:,}: only equal parts are compared.",
        ]
        ours = {name: value for name, value in ours.items() if name in arm.task.sizes and name not in partial}
    return Result(
        judge=arm.judge, engine="recorded", strategy=arm.strategy.name, task=arm.task.name, seed=arm.seed, k=arm.k,
        items=len(arm.items), signature=arm.signature, headline=overall, sections=sections, subsets=subsets,
        curve=curve,
        compute={
            "judgments": bought,
            "prompt_tokens": bought * tokens[0] if tokens else None,
            "completion_tokens": bought * tokens[1] if tokens else None,
            "flops": None, "seconds": seconds, "dollars": None,
        },
        health=health(pools),
        published=published.beside(arm.task.published, arm.judge, ours) if arm.task.published and ours else (),
        notes=notes, details=details, judgments=_rows(arm, pools),
    )  # fmt: skip


def _cost(arm: Arm, k: int, n: int) -> int:
    return dataclasses.replace(arm.strategy, k=k).judgments(n)  # type: ignore[type-var]


def _tokens_each(judgments: Sequence) -> tuple[float, float, float] | None:
    """Mean prompt, completion and total tokens of a judgment, where every one of them is known."""
    if any(j.prompt_tokens is None or j.completion_tokens is None for j in judgments):
        return None
    prompt = float(np.mean([j.prompt_tokens for j in judgments]))
    completion = float(np.mean([j.completion_tokens for j in judgments]))
    return prompt, completion, prompt + completion


def health(pools: Sequence[Pools]) -> dict[str, int]:
    """Counts over all judgments of the pools: what could not be read, ties, and verdicts that follow the order."""
    unparseable = failed = ties = flips = 0
    for pool in (pool for p in pools for pool in p.values()):
        verdicts: dict[tuple, dict[tuple[int, ...], int]] = {}
        for judgment, scores in zip(pool.judgments, pool.scores, strict=True):
            failed += judgment.status == "failed"
            unparseable += judgment.status not in ("ok", "failed")
            if judgment.scores is None or len(scores) < 2:
                continue
            tied = int((scores == scores.max()).sum() > 1)
            ties += tied
            if not tied:
                same = verdicts.setdefault((judgment.judge, judgment.sample), {})
                same[judgment.shown] = int(scores.argmax())
        flips += sum(len(set(v.values())) > 1 for v in verdicts.values())
    return {"unparseable": unparseable, "ties": ties, "order_flips": flips, "failed": failed}


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
                    "text": None,
                })  # fmt: skip
    return rows
