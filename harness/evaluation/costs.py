"""What an arm's judgments cost at every k: by the token counts of a recorded set, or by a live run's calls and bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from judgescale.harness import cost
from judgescale.harness.arm import Arm
from judgescale.harness.cost import Bill, count_call_tokens
from judgescale.harness.evaluation.decisions import Counted, Decisions
from judgescale.harness.evaluation.replay import draw_orders
from judgescale.harness.recorded.columns import Columns
from judgescale.harness.recorded.pools import Pool, Pools, find_rows, find_twins
from judgescale.harness.seeding import make_rng
from judgescale.harness.types import Call

COSTS = ("tokens", "prompt_tokens", "completion_tokens", "flops", "seconds", "dollars")


def count_judgments(
    arm: Arm, pools: Sequence[Pools], decisions: Sequence[Sequence[Decisions]]
) -> dict[int, np.ndarray]:
    """Count how many judgments each item takes at every k, (N,), from decisions[k][item].

    It is what the strategy says; where it may stop before, the mean of what its decisions took. In a pointwise set a
    judgment is the scores of all the item's responses, n calls of the judge, and a score is bought once for all
    questions about its response. Where the same judgments answer every question these are k, for every strategy. Else
    no score is taken to be shared, so that m of the n scores are m/n of a judgment.
    """
    sizes = [len(item.responses) for item in arm.items]
    share = np.ones(len(sizes))  # of a whole judgment, that one of a question is
    twins = np.zeros(len(sizes), bool)
    if arm.judgments.pointwise:
        share = np.array([len(next(iter(p))) / n for n, p in zip(sizes, pools, strict=True)])
        twins = np.array([not any(find_twins(p)) for p in pools])
    counted = {}
    for k, at_k in zip(arm.ks, decisions, strict=True):
        strategy = arm.strategy.at(k)
        of_size = {n: strategy.judgments(n) for n in set(sizes)}
        asked = np.array([of_size[n] for n in sizes])
        counted[k] = np.where(twins, k, asked * share)
        for i, d in enumerate(() if isinstance(at_k, Counted) else at_k):
            if d.bought is not None:
                counted[k][i] = round(float(d.bought @ d.weight), 9)
    return counted


def price_judgments(
    arm: Arm,
    pools: Sequence[Pools],
    decisions: Sequence[Sequence[Decisions]],
    judgments: Mapping[int, np.ndarray],
) -> dict[int, float]:
    """Price the judgments that all items take at every k, in dollars, by what one of each judge costs (`Arm.costs`).

    Where a replay told whose judgments were bought, by those; else any judgment of a pool is as likely bought as
    another. judgments: as `count_judgments` gives them. Empty where a cost is unknown, or nobody tells whose they were.
    """
    if not arm.costs or (arm.shares and arm.strategy.across):
        return {}
    columns = arm.judgments.data.columns
    of_judge = np.array([arm.costs.get(judge, np.nan) for judge in columns.judges])
    mean = [float(np.mean(of_judge[columns.judge[find_rows([p])]])) for p in pools]
    return {
        k: sum(
            float(count) * (of_pool if d.price is None else d.price)
            for count, of_pool, d in zip(judgments[k], mean, at_k, strict=True)
        )
        for k, at_k in zip(arm.ks, decisions, strict=True)
    }


def describe_shares(arm: Arm, pools: Sequence[Pools]) -> list[str]:
    """Say how many of k judgments each judge gives where they share them by cost, and what that costs; else nothing."""
    if len(set(arm.shares.values())) < 2:
        return []
    layouts: dict[tuple[str, ...], tuple[int, Pool]] = {}
    for pool in (pool for p in pools for pool in p.values()):
        names = tuple(sorted(pool.judges))
        layouts[names] = (layouts.get(names, (0, pool))[0] + 1, layouts.get(names, (0, pool))[1])
    given = dict.fromkeys(arm.shares, 0.0)
    for count, pool in layouts.values():
        whose = np.array(pool.judges)
        order = draw_orders({(): pool}, arm.draws, make_rng(arm.seed, "shares"), arm.shares)[:, 0, : arm.k]
        for judge in given:
            given[judge] += count * float((whose[order] == judge).sum(axis=1).mean())
    every = sum(count for count, _ in layouts.values())
    told = [f"{n / every:.1f} are by {judge} (${arm.costs[judge]:.2g} each)" for judge, n in given.items()]
    return [f"Shares by cost: of {arm.k} judgments {', '.join(told)}."]


def may_share_scores(arm: Arm, pools: Sequence[Pools]) -> bool:
    """Tell whether questions may have had scores in common that are counted as if each were bought for itself."""
    return arm.judgments.pointwise and any(map(any, map(find_twins, pools)))


def compute_recorded_costs(
    arm: Arm, pools: Sequence[Pools], judgments: Mapping[int, np.ndarray]
) -> tuple[dict[int, dict[str, float | None]], list[str]]:
    """Compute the tokens that the arm's judgments cost at every k, from the counts that the set recorded.

    judgments: k -> how many judgments each item takes (N,). Returns k -> name -> number, None where nobody recorded
    it, and notes on what is not known.
    """
    if len(set(arm.shares.values())) > 1 or arm.strategy.calibrated:
        unknown_tokens = [
            "Tokens are not told apart by judge, so those of judges who give unequal numbers are unknown."
        ]
        return dict.fromkeys(arm.ks, dict.fromkeys(COSTS)), unknown_tokens
    tokens, has_prompts, notes = _average_tokens(arm.judgments.data.columns, pools)
    if arm.judgments.pointwise and tokens is not None:  # a judgment of some of the responses is part of one
        columns = arm.judgments.data.columns
        shown = [columns.widths[columns.order[find_rows([p])]].mean() for p in pools]
        tokens = tokens * np.array([len(i.responses) / n for i, n in zip(arm.items, shown, strict=True)])[:, None]
    unknown: dict[str, float | None] = dict.fromkeys(COSTS)
    if tokens is None:
        return dict.fromkeys(arm.ks, unknown), notes
    found: dict[int, dict[str, float | None]] = {}
    for k in arm.ks:
        prompt, completion = map(float, judgments[k] @ tokens)
        known = {"tokens": prompt + completion, "completion_tokens": completion}
        found[k] = unknown | known | {"prompt_tokens": prompt if has_prompts else None}
    return found, notes


def compute_live_costs(
    bill: Bill, ks: Sequence[int], pools: Sequence[Pools]
) -> tuple[dict[int, dict[str, float | None]], list[str]]:
    """Compute what k judgments of every question would cost, bought in one go; the seconds are those of this run.

    Returns k -> name -> number, None or left out where it is unknown, and notes: the bill, and what is unknown.
    """
    notes = [*bill.notes, *describe_bill(bill)]
    found: dict[int, dict[str, float | None]] = {}
    calls, estimated = estimate_uncounted_calls(
        [[[j.calls for j in pool.judgments] for pool in of_item.values()] for of_item in pools]
    )
    notes += estimated
    for k in ks:
        total: dict[str, cost.Tokens] | None = {}
        for of_item in calls:
            if (tokens := cost.expect_tokens(of_item, k)) is None:
                total = None
                break
            assert total is not None
            total |= {role: total.get(role, cost.Tokens()).plus(t) for role, t in tokens.items()}
        seconds: dict[str, float | None] = {"seconds": bill.seconds}
        found[k] = seconds | ({} if total is None else _price_tokens(bill, total))
    if any(at_k.get("tokens") is None for at_k in found.values()):
        notes.append("The engine does not count tokens, so they and what follows from them are unknown.")
    return found, notes


Calls = list[list[list[Sequence[Call]]]]  # item -> question -> judgment -> the answers that it was read from


def estimate_uncounted_calls(calls: Calls) -> tuple[Calls, list[str]]:
    """Give each answer without token counts the mean of its model's other answers, and say so in a note.

    Left as they are where a model's answers mostly lack them: then the costs are unknown.
    """
    every = {(c.role, c.key, c.rank): c for item in calls for pool in item for judgment in pool for c in judgment}
    mean: dict[str, Call] = {}
    lacking, whole = 0, len(every)
    for role in {c.role for c in every.values()}:
        known = [c for c in every.values() if c.role == role and count_call_tokens(c) is not None]
        lacks = sum(c.role == role for c in every.values()) - len(known)
        if lacks and lacks < len(known):
            prompt, completion = (
                round(sum(getattr(c, name) for c in known) / len(known))
                for name in ("prompt_tokens", "completion_tokens")
            )
            mean[role] = known[0]._replace(prompt_tokens=prompt, completion_tokens=completion)
            lacking += lacks
    if not mean:
        return calls, []

    def fill(call: Call) -> Call:
        """Return a call with its tokens, or the mean of its model's where it has none."""
        if call.role not in mean or count_call_tokens(call) is not None:
            return call
        typical = mean[call.role]
        return call._replace(prompt_tokens=typical.prompt_tokens, completion_tokens=typical.completion_tokens)

    filled: Calls = [[[[fill(c) for c in judgment] for judgment in pool] for pool in item] for item in calls]
    return filled, [note_uncounted(lacking, whole)]


def note_uncounted(lacking: int, whole: int) -> str:
    """Say that some of all token counts are estimates."""
    return f"Tokens: {lacking:,} of {whole:,} came uncounted and are taken at the mean of the others."


def describe_bill(bill: Bill) -> list[str]:
    """Say what the run bought, what it had already, and what went wrong on the way, one line each."""
    unpriced = [role for role, price in bill.prices.items() if price is None]
    price = f"no price of the {' and the '.join(unpriced)}" if unpriced else f"${bill.dollars:,.4f}"
    paid = f": {bill.tokens.prompt:,.0f} prompt and {bill.tokens.completion:,.0f} completion tokens, {price}"
    took = paid if any(bill.tokens) else ""
    if bill.run_seconds:  # answers of batch files took no time here
        took += f"{',' if took else ''} in {bill.run_seconds:,.1f} s"
    took += "."
    took += f" All are in {bill.store}." if bill.store else " They are not kept."
    notes = []
    if not bill.bought:
        notes.append(f"All {bill.reused:,} answers were in the store, {bill.store}; this run bought none.")
    elif bill.reused:
        notes.append(f"{bill.reused:,} answers were in the store; this run bought {bill.bought:,} more{took}")
    else:
        notes.append(f"This run bought {bill.bought:,} answers{took}")
    if bill.uncounted and any(bill.tokens):  # of an engine that counts nothing, the costs say so
        notes.append(
            f"Of these, {bill.uncounted:,} came without token counts; prices and budgets take them at the most that"
            " they may have cost."
        )
    if bill.trouble:
        notes.append(f"The last answer that failed: {bill.trouble}. The same command asks for those again.")
    if bill.faults:
        met = ", ".join(f"{kind} {count:,}" for kind, count in sorted(bill.faults.items()))
        notes.append(f"Faults on the way (a retry mended what did not fail): {met}.")
    return notes


def _price_tokens(bill: Bill, tokens: Mapping[str, cost.Tokens]) -> dict[str, float | None]:
    """Add up the tokens of every model that was asked, and what they cost; None where one model's cost is unknown."""
    every = cost.Tokens(*np.sum([*tokens.values(), cost.Tokens()], axis=0).tolist())
    active = {role: bill.active_parameters[role] for role in tokens}
    prices = {role: bill.prices[role] for role in tokens}
    return {
        "tokens": every.prompt + every.completion,
        **{f"{name}_tokens": value for name, value in every._asdict().items()},
        "flops": None if None in active.values() else sum(cost.flops(active[r] or 0, t) for r, t in tokens.items()),
        "dollars": None
        if None in prices.values()
        else sum(price.dollars(tokens[role]) for role, price in prices.items() if price),
    }


def _average_tokens(columns: Columns, pools: Sequence[Pools]) -> tuple[np.ndarray | None, bool, list[str]]:
    """Average the prompt and completion tokens of each item's judgments, (N, 2).

    A judgment that lacks a count is taken at the mean of the others; None where at least half lack one. Prompt tokens
    that nobody recorded count as 0. Returns also whether prompt tokens are known, and notes on what is not.
    """
    of_items = [find_rows([p]) for p in pools]
    rows, sizes = np.concatenate(of_items), np.array([len(of_item) for of_item in of_items])
    every = np.column_stack([columns.prompt_tokens[rows], columns.completion_tokens[rows]])
    known = ~np.isnan(every)
    prompts, completions = known.sum(axis=0).tolist()
    if completions == len(every) and prompts in (0, len(every)):
        notes = [] if prompts else ["Tokens are completion tokens only: prompt tokens were not recorded."]
        return _average_each(np.nan_to_num(every), sizes), prompts > 0, notes
    counted = known.all(axis=1)
    lacking = len(every) - int(counted.sum())
    if lacking < counted.sum():
        filled = np.where(counted[:, None], every, every[counted].mean(axis=0))
        return _average_each(filled, sizes), True, [note_uncounted(lacking, len(every))]
    if completions or prompts:
        notes = [f"{lacking:,} of {len(every):,} judgments lack a token count, so tokens an item are unknown."]
        return None, False, notes
    return None, False, []


def _average_each(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Average values (M, 2) over each of N items, of which the first has the first `sizes[0]` rows, and so on."""
    table = np.empty((len(sizes), 2))
    ends = np.cumsum(sizes)
    for size in np.unique(sizes):
        of_size = np.flatnonzero(sizes == size)
        table[of_size] = values[(ends[of_size] - size)[:, None] + np.arange(size)].mean(axis=1)
    return table
