"""What a run would buy, and buys nothing: of its own arms, or of a printed table, judge by judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.live.buying import CostEstimate, Purchase, SpendingLimits, estimate_costs
from judgescale.harness.plan import LiveArm, plan_arms, read_limits
from judgescale.harness.plan.overrides import compose_arms, compose_config, read_keys
from judgescale.harness.suite import Gap, Suite, find_gap, note_gaps, refuse_empty
from judgescale.harness.types import JudgescaleError, MissingData

GROUPS = {"judge": "judge", "scorer": "judge.scorer", "meta": "meta"}  # of the config, by a model's role


class Quote(NamedTuple):
    """Hold what the arms of one judge would buy."""

    orders: Sequence[LiveArm]
    estimates: Sequence[CostEstimate]  # one an order
    notes: Sequence[str] = ()  # one line each: what is not in them, and why
    refused: Sequence[str] = ()  # why arms are not
    gaps: Sequence[Gap] = ()  # members of a suite whose data are not here


def list_judges(cfg: DictConfig, given: Sequence[str]) -> list[str]:
    """List the judges of the table that a config is held against; none where the command line chooses its own judge.

    Raises JudgescaleError where they are no names.
    """
    judges = OmegaConf.select(cfg, "scorecard.judges")
    if judges is None or "judge" in read_keys(given):
        return []
    if not OmegaConf.is_list(judges) or not all(isinstance(name, str) for name in judges):
        raise JudgescaleError(f"scorecard.judges={judges}: must be a list of names of conf/judge")
    return list(judges)


def show_table(judges: Sequence[str], cfg: DictConfig, given: Sequence[str], suite: Suite | None) -> None:
    """Print what each judge of a table would buy for it by itself, and which members of a suite are left out.

    given: as `compose_arms` takes it. Raises JudgescaleError where none of them can be asked.
    """
    from judgescale.harness.report import terminal

    limits, quotes = read_limits(cfg), []
    for judge in judges:
        own = [*given, f"judge={judge}"]
        cfgs = compose_arms(compose_config(own), own, suite.members if suite else None)
        quotes.append(quote_judge(judge, cfgs, limits, suite))
    gaps = list({gap.task: gap for quote in quotes for gap in quote.gaps}.values())
    orders = [order for quote in quotes for order in quote.orders]
    if not orders:
        if suite and gaps:
            raise refuse_empty(suite, gaps)
        raise JudgescaleError(quotes[0].refused[0] if quotes else "scorecard.judges: names no judge")
    if suite:
        terminal.show_notes(note_gaps(suite, gaps, {order.purchase.name for order in orders}))
    for judge, quote in zip(judges, quotes, strict=True):
        terminal.show_cost_estimates(list_rows(quote), write_notes(quote), f"judge={judge}")


def quote_judge(judge: str, cfgs: Sequence[DictConfig], limits: SpendingLimits, suite: Suite | None = None) -> Quote:
    """Estimate what a judge's arms would buy together; an arm that it cannot do is told in place of its price.

    A judge that samples nothing is asked once, however many vote: arms that would only copy that are left out.
    """
    orders, refused, copies, gaps = list[LiveArm](), dict[str, list[str]](), False, list[Gap]()
    for place, cfg in enumerate(cfgs):
        try:
            planned = [order for order in plan_arms(cfg) if isinstance(order, LiveArm)]
        except JudgescaleError as error:
            if suite and isinstance(error, MissingData):
                gaps.append(find_gap(suite.members[place % len(suite.members)][0].removeprefix("task="), error))
                continue
            refused.setdefault(str(error), []).append(str(cfg.strategy.get("_target_")).split(".")[-2])
            continue
        for order in planned:
            again = any(is_copy(order.purchase, other.purchase) for other in orders)
            copies |= again
            orders += [] if again else [order]
    notes = ["nothing is sampled: one judgment stands for every vote, and is priced once"] if copies else []
    for why, strategies in refused.items():
        which = f", strategy={' and '.join(dict.fromkeys(strategies))}" if orders else ""
        notes.append(f"not priced: judge={judge}{which}: {why}")
    return Quote(orders, estimate_costs([order.purchase for order in orders], limits), notes, list(refused), gaps)


def is_copy(purchase: Purchase, other: Purchase) -> bool:
    """Tell whether a purchase of a judge that samples nothing asks what another one asks already."""
    if purchase.spec.sampling is not None:
        return False
    n = len(purchase.items[0].responses)
    asked = purchase.strategy.questions(n), other.strategy.questions(n)
    return asked[0] == asked[1] and (purchase.label, purchase.name) == (other.label, other.name)


def show_estimates(planned: Sequence[Arm | LiveArm], limits: SpendingLimits) -> None:
    """Print what the live ones among the arms would buy."""
    from judgescale.harness.report import terminal

    orders = [order for order in planned if isinstance(order, LiveArm)]
    quote = Quote(orders, estimate_costs([order.purchase for order in orders], limits))
    terminal.show_cost_estimates(list_rows(quote), write_notes(quote))


def list_rows(quote: Quote) -> list[tuple[str, str, str, CostEstimate]]:
    """List a row an order: judge, how it decides, task, and the estimate."""
    rows = []
    for order, estimate in zip(quote.orders, quote.estimates, strict=True):
        rows.append((order.purchase.label, name_strategy(order), order.purchase.name, estimate))
    return rows


def name_strategy(order: LiveArm) -> str:
    """Name how an order decides, as in "voting@8", "meta_voting@8 (4 vote)" or "single, greedy"."""
    strategy, sampling, k = order.arm.strategy, order.purchase.spec.sampling, order.arm.k
    name = strategy.name if strategy.fixed_k else f"{strategy.name}@{k}"
    voters = "" if strategy.count_voters(k) == k else f" ({strategy.count_voters(k)} vote)"
    greedy = ", greedy" if sampling is not None and sampling.temperature == 0 else ""
    return f"{name}{voters}{greedy}"


def write_notes(quote: Quote) -> list[str]:
    """Write what a reader of these estimates must know, one line each."""
    purchases = [order.purchase for order in quote.orders]
    notes = [
        f"{p.label}, {p.strategy.name}: at most {count_most(p, e):,} judgments; the verdicts decide how many"
        for p, e in zip(purchases, quote.estimates, strict=True)
        if p.strategy.measured
    ]
    if any(p.meta or p.scorer for p in purchases):
        notes.append("a meta RM or scorer reads other models' answers: as long as they can be")
    models = [(role, spec) for p in purchases for role, spec in p.models.items()]
    priceless = {(role, spec.engine.model) for role, spec in models if spec.price is None}
    sizeless = {(role, spec.engine.model) for role, spec in models if spec.active_parameters is None}
    notes += write_lacking("dollars: no price", "price={input: …, output: …}", priceless)
    notes += write_lacking("FLOPs: no number of parameters", "active_parameters=…", sizeless)
    return [*notes, *quote.notes]


def write_lacking(what: str, option: str, models: set[tuple[str, str]]) -> list[str]:
    """Write of which models, (role, name) each, something is unknown, and which options give it; nothing if of none."""
    if not models:
        return []
    options = " and ".join(sorted({f"'{GROUPS[role]}.{option}'" for role, _ in models}))
    return [f"{what} of {', '.join(sorted({name for _, name in models}))}; {options} would give it"]


def count_most(purchase: Purchase, estimate: CostEstimate) -> int:
    """Count the judgments that a purchase asks for at most: what it says, or what it asks where all verdicts fail.

    The latter is less where rematches cost nothing, and more where a judgment of one response is part of one.
    """
    told = sum(purchase.strategy.judgments(len(item.responses)) for item in purchase.items)
    return max(told, estimate.judgments)
