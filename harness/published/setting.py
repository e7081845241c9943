"""How a number was made, and why a published one may not be compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from judgescale.harness.published.lists import Row

# statuses that a difference is taken from, also where they are followed by ", disputed"; why none is from the others
COMPARED = ("confirmed", "confirmed-secondary", "recomputed")
DOUBTS = {
    "rerun": "rerun by another paper",
    "recalled": "from memory",
    "recalled-inconsistent": "from memory, and its parts contradict it",
    "derived": "derived from other figures",
    "figure-readoff-secondary": "read off a figure",
}
FORMS = {"list": "list protocol", "pairs": "pair protocol"}
GREEDY = "greedy"


class Setting(NamedTuple):
    """Hold how a number of ours was made; a single judgment is `single` at k=1, a vote of one too."""

    strategy: str = "single"
    k: int = 1
    k_meta: int | None = None
    meta_rm: bool = True  # whether a trained meta RM ranked the judgments, and none that knows or guesses the labels
    temperature: float | None = None  # 0 = greedy; None = nobody says
    prompt: str | None = ""  # whose prompt; "" = this project's own, None = nobody says
    protocol: str = "pairs"  # pairs: two responses an item at most; list: more
    rules: str = ""  # the protocol that decisions were credited by, where numbers were printed by it; "" = the owners'


SINGLE = Setting()


def explain_difference(row: Row, ours: Setting, items: int | None = None) -> str:
    """Say in words why a published number of the same model may not be compared with ours; empty where it may.

    items: how many ours is over, to be held against a row that says how many it is over.
    """
    told = []
    if row.prompt and ours.prompt is None:
        told.append(f"another prompt for all we know ({row.prompt})")
    elif row.prompt and keep_letters_and_digits(row.prompt) != keep_letters_and_digits(ours.prompt or ""):
        told.append(f"another prompt ({row.prompt})")
    other_voters = None not in (row.k_meta, ours.k_meta) and row.k_meta != ours.k_meta
    if count_votes(row.strategy, row.k) != count_votes(ours.strategy, ours.k) or other_voters:
        told.append(describe_strategy(row))
    elif row.k_meta is not None and not ours.meta_rm:
        told.append("another meta RM")
    elif _differs(row.temperature, ours.temperature):
        told.append(f"temperature {row.temperature:g}" if row.temperature else GREEDY)
    if row.protocol and row.protocol not in (ours.protocol, ours.rules):
        told.append(_describe_protocol(row))
    elif ours.rules and row.protocol != ours.rules:
        told.append("by the owners' rules")
    if (status := row.status.split(",")[0]) not in COMPARED:
        told.append(DOUBTS.get(status, status))
    if not told and row.items is not None and items not in (None, row.items):
        told.append(f"over {row.items:,} items")
    return ", ".join(["same model", *told]) if told else ""


def describe_printed(row: Row) -> str:
    """Say in words how a published number was made, as in "voting@32, Arena-Hard prompt"; empty for one judgment."""
    how = "" if count_votes(row.strategy, row.k) == ("single", 1) and row.temperature != 0 else describe_strategy(row)
    return ", ".join(filter(None, [how, row.prompt and f"{row.prompt} prompt", _describe_protocol(row)]))


def count_votes(strategy: str, k: int | None) -> tuple[str, int | None]:
    """Name a strategy and its k; a vote of one is a single judgment."""
    return ("single", 1) if (strategy, k) == ("voting", 1) else (strategy, k)


def _describe_protocol(row: Row) -> str:
    return FORMS.get(row.protocol, row.protocol.replace("_", " "))


def describe_strategy(row: Row) -> str:
    """Say in words how a published number was decided: greedy, a single judgment, "voting@32"."""
    strategy, k = count_votes(row.strategy, row.k)
    if strategy == "single":
        return GREEDY if row.temperature == 0 else "a single judgment"
    name = strategy.replace("_", " ") or "strategy not stated"
    voters = f" ({row.k_meta} vote)" if row.k_meta else ""
    return f"{name}@{k}{voters}" if k else name


def _differs(theirs: float | None, ours: float | None) -> bool:
    """Tell whether temperatures differ: one that nobody says may be any but greedy."""
    return theirs is not None and theirs != ours and (ours is not None or theirs == 0)


def keep_letters_and_digits(text: str) -> str:
    """Spell a name as all who write it alike do: in small letters, without separators."""
    return "".join(c for c in text.lower() if c.isalnum())
