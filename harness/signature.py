"""The line on every result that says how it was made, as sacrebleu prints one: equal lines are comparable numbers."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import has_closed_form
from judgescale.harness.redaction import redact_text
from judgescale.harness.stats.classification import is_counted
from judgescale.harness.types import Item


def sign(arm: Arm) -> str:
    """Write an arm's signature: `name:value` parts between bars, in one order."""
    strategy, data = arm.strategy, arm.judgments.data
    knobs = {f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy) if f.name != "unusable"}
    for f in dataclasses.fields(strategy):  # an option that came later leaves the lines of before as they were
        if not f.metadata.get("signed_by_default", True) and knobs.get(f.name) == f.default:
            del knobs[f.name]
    knobs |= {"k": arm.k, **({"k_meta": strategy.count_voters(arm.k)} if strategy.meta_rm else {})}
    knobs = {name: value for name, value in knobs.items() if value is not None}  # None: it does not read this one
    rules = {f.name: getattr(arm.rules, f.name) for f in dataclasses.fields(arm.rules)}
    del rules["name"], rules["order"]  # each has a place of its own
    if not arm.judgments.pointwise:  # nothing is partial in other sets
        del rules["partial"]
    said = ",".join(f"{n}={v:g}" if isinstance(v, float) else f"{n}={v}" for n, v in rules.items())
    live, metrics = data.meta.get("live") or {}, arm.task.metrics.values()
    sampling = live.get("sampling") or {}
    parts = {
        "judge": "+".join(arm.judgments.judges) + (f"@{live['revision']}" if live.get("revision") else ""),
        **({"shares": name_shares(arm)} if arm.shares else {}),
        "engine": "recorded" if arm.bill is None else live["engine"]["name"],
        **({"format": f"{live.get('format', '?')}@{live.get('prompt', '?')}"} if live else {}),
        "protocol": f"{arm.rules.name}({said})",
        "strategy": strategy.name,
        **knobs,
        **({"meta_rm": live["meta_rm"]} if strategy.meta_rm and live.get("meta_rm") else {}),
        "order": data.meta.get("order", "?"),
        "seed": arm.seed,
        **({"judge_seed": live["seed"]} if live.get("seed") not in (None, arm.seed) else {}),
        **(
            {}
            if has_closed_form(strategy, arm.items) and not arm.shares and all(map(is_counted, metrics))
            else {"draws": arm.draws}
        ),
        "interval": "beta",
        "temperature": sampling.get("temperature", "none" if live else "as recorded"),
        **{name: value for name, value in sampling.items() if name != "temperature" and value is not None},
        "task": f"{arm.task.name}@{arm.task.revision}",
        **({"data": name_hub_data(arm.origin)} if "hub" in arm.origin else {}),
        **({"subsets": "+".join(arm.subsets)} if arm.subsets else {}),
        **({"judged": f"{len(arm.items)}@{digest_ids(arm.items)}"} if arm.left_out else {}),
        **({"limit": f"{arm.limit}@{digest_ids(arm.items)}"} if arm.limit else {}),
        **data.chosen,
        "items" if arm.bill else "set": f"{len(arm.items) if arm.bill else data.name}@{arm.digest}",
        "judgescale": find_version(),
    }
    return "|".join(f"{name}:{redact_text(str(value))}" for name, value in parts.items())


def name_shares(arm: Arm) -> str:
    """Name how the judges share the judgments: alike, or by what one of each costs in dollars, in the judges' order."""
    if len(set(arm.shares.values())) == 1:
        return "equal"
    return f"by_cost({':'.join(f'{arm.costs[judge]:g}' for judge in arm.shares)})"


def digest_ids(items: Sequence[Item]) -> str:
    """Tell which items a sample holds, in 8 hex digits: what drew it need not be the strategy's seed."""
    return hashlib.sha256("\n".join(item.id for item in items).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def name_hub_data(origin: Mapping[str, Any]) -> str:
    """Name the data sets of the Hub that items come from, each with the start of its commit."""
    ids, commits = origin["hub"].split("+"), origin["revision"].split("+")
    return "+".join(f"{name}@{commit[:8]}" for name, commit in zip(ids, commits))


def find_version() -> str:
    """Return the installed version of judgescale."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("judgescale")
    except PackageNotFoundError:
        return "not installed"
