"""Which published numbers ours may be compared with: those of the same metric, rules, setting and items."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from judgescale.harness.arm import Arm
from judgescale.harness.options import load_rules
from judgescale.harness.published import lists as published
from judgescale.harness.published.setting import Setting
from judgescale.harness.types import Estimate, Published

TOLD = 4  # published figures in one note at most


def find_comparable_numbers(arm: Arm, ours: Mapping[str, Estimate]) -> list[Published]:
    """Find the published numbers of the same metrics and items as ours, and other judges' beside the headline.

    ours: an arm's estimates, "overall" and sections, by name. A number of the same judge that was made in another way
    has a reason in place of a delta.
    """
    if arm.task.published is None:
        return []
    found, setting = [], describe_setting(arm)
    model = name_model(arm, setting)
    for name, e in ours.items():
        part = "overall" if e.metric != "accuracy" else name  # a metric of its own is of all items
        if not explain_other_quantity(arm, name, part):
            rows = published.compare_with_published(
                arm.task.published, model, {part: e.value}, e.metric, setting, e.items
            )
            own = [p for p in rows if p.delta is not None or p.reason]
            found += [dataclasses.replace(p, section=name) for p in (rows if name == "overall" else own)]
    if not follows_owners_rules(arm) and not setting.rules:
        found = refuse_deltas(found, explain_other_rules(arm))
    return found


def explain_other_rules(arm: Arm) -> str:
    """Say in words that decisions earn something else than under the owners' protocols."""
    return f"not by the rules of protocol={arm.task.name}"


def explain_other_quantity(arm: Arm, name: str, part: str) -> str:
    """Say in words why an arm's number is of other items than the published one, or rolled up otherwise; or nothing.

    What somebody printed by rules of their own is of the items that the judge scored, however many, and rolled up as
    these rules say. name: the number's own. part: the section whose items it is of, or "overall".
    """
    rules, parts = name_other_rules(arm), find_comparable_sections(arm)
    if arm.limit and (rules or (parts is not None and part not in parts)):
        return f"a sample of the items (run.limit={arm.limit})"
    if rules:
        return "not of all subsets" if part == "overall" and arm.subsets else ""
    if parts is not None and part not in parts:
        return "not of all official items" if part == "overall" else f"not of all official items of {part}"
    if part == "overall" and name not in arm.task.rollups and not _is_rolled_up_as_printed(arm):
        return f"rolled up by {arm.rules.rollup}, not as it was printed"
    return ""


def name_model(arm: Arm, setting: Setting) -> str:
    """Name the model of an arm's judge: one model with several prompts is several judges, or has several variants."""
    prompts = arm.judgments.data.meta.get("prompts") or {}
    if arm.judge not in prompts and _find_prompt_of_variant(arm):
        return arm.judgments.judges[0]
    return arm.judge.removesuffix(f"/{setting.prompt}")


def describe_setting(arm: Arm, k: int | None = None) -> Setting:
    """Describe how an arm's numbers at k (the headline's, where None) are made, as far as its judgments tell."""
    meta, strategy, k = arm.judgments.data.meta, arm.strategy, k or arm.k
    live = meta.get("live") or {}
    one = k == 1 and strategy.plain_vote
    return Setting(
        strategy="single" if one and strategy.printed_as == strategy.name else strategy.printed_as,
        k=k,
        k_meta=strategy.count_voters(k) if strategy.meta_rm else None,
        meta_rm=strategy.meta_rm == "recorded",
        temperature=(live.get("sampling") or {}).get("temperature", meta.get("temperature")),
        prompt="" if live else (meta.get("prompts") or {}).get(arm.judge, _find_prompt_of_variant(arm)),
        protocol="pairs" if all(len(item.responses) <= 2 for item in arm.items) else "list",
        rules=name_other_rules(arm),
    )


def _find_prompt_of_variant(arm: Arm) -> str | None:
    """Find whose prompt one judge was asked with, where its judgments are of one variant; None where nobody says."""
    prompts = arm.judgments.data.meta.get("prompts") or {}
    if not prompts or len(arm.judgments.judges) > 1 or len(arm.judgments.variants) != 1:
        return None
    (variant,) = arm.judgments.variants
    found: str | None = prompts.get(f"{arm.judgments.judges[0]}/{variant}")
    return found


def name_other_rules(arm: Arm) -> str:
    """Name the protocol that credits an arm's decisions, where somebody printed numbers by it; empty for the owners'.

    Empty too where one of its rules was set to another value.
    """
    name = arm.rules.name
    if arm.task.published is None or follows_owners_rules(arm):
        return ""
    if not any(row.protocol == name for row in published.find_rows(arm.task.published, metric=None)):
        return ""
    return name if load_rules(name) == arm.rules else ""


def refuse_deltas(rows: Sequence[Published], reason: str) -> list[Published]:
    """Take the differences away, for a reason that lies in the whole result."""
    return [p if p.delta is None else dataclasses.replace(p, delta=None, reason=f"same model, {reason}") for p in rows]


def explain_missing_deltas(rows: Sequence[Published]) -> list[str]:
    """Write a note on the same judge's published numbers that ours is not compared with, and why; none without any."""
    own = [p for p in rows if p.reason]
    part = "overall" if any(p.section == "overall" for p in own) else own[0].section if own else ""
    first: dict[tuple[str, str], str] = {}  # of several sources of one figure the best-trusted
    for p in own:
        if p.section == part:
            first.setdefault((f"{100 * p.value:.1f}", p.how), p.reason)
    told = [f"{value} ({reason})" for (value, _), reason in first.items()]
    if not told:
        return []
    more = [f"{len(told) - TOLD} more"] * (len(told) > TOLD)
    of = "" if part == "overall" else f" of {part}"
    return [f"No difference is taken from these published figures{of}: {'; '.join([*told[:TOLD], *more])}."]


def is_as_published(arm: Arm) -> bool:
    """Tell whether the headline is of the same quantity as the published one, however it was decided."""
    parts = find_comparable_sections(arm)
    return follows_owners_rules(arm) and _is_rolled_up_as_printed(arm) and (parts is None or "overall" in parts)


def find_comparable_sections(arm: Arm) -> set[str] | None:
    """Find the sections that hold as many items as the published figures rest on, and "overall" if all do.

    A section whose official size nobody tells must hold all items there are, and no sample of them, nor those only
    that the judge judged. None where the task knows no official sizes, and no item is left out.
    """
    if not arm.task.sizes and not arm.partial:
        return None
    counts = Counter(arm.task.section(item) for item in arm.items)
    whole = set(arm.subsets or counts)
    equal = {
        n for n, size in arm.task.sizes.items() if counts[n] and (n in whole if size is None else counts[n] == size)
    } - arm.partial
    if equal == set(arm.task.sizes) == set(counts) and not arm.limit:
        return equal | {"overall"}
    return equal if arm.task.parts_count and not arm.limit else set()


def follows_owners_rules(arm: Arm) -> bool:
    """Tell whether decisions earn what they earn under one of the owners' protocols, however they are rolled up.

    What becomes of partial judgments is part of that where there may be some: in pointwise sets.
    """
    ours, partial = arm.rules, arm.judgments.pointwise
    return any(
        dataclasses.replace(
            theirs,
            name=ours.name,
            order=ours.order,
            rollup=ours.rollup,
            partial=theirs.partial if partial else ours.partial,
        )
        == ours
        for theirs in arm.owners_rules
    )


def _is_rolled_up_as_printed(arm: Arm) -> bool:
    """Tell whether the headline is rolled up as the owners do, with all sections that it counts."""
    sections = {arm.task.section(item) for item in arm.items}
    if arm.task.rollups:
        return arm.rules.rollup in arm.task.rollups and set(arm.task.rollups[arm.rules.rollup]) <= sections
    return len(sections) == 1 or any(arm.rules.rollup == theirs.rollup for theirs in arm.owners_rules)
