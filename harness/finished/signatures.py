"""Which parts of two signatures differ, and which of these make their numbers incomparable."""

from __future__ import annotations

import re
from typing import NamedTuple

from judgescale.harness.finished.reading import Judged

SELECTION = ("subsets", "judged", "limit")  # parts that say which of the items an arm was about
NONE = "none"  # in place of a part that one has and the other has not


class Unlike(NamedTuple):
    """Hold the parts in which two signatures differ, each as "name: this | that"."""

    incomparable: tuple[str, ...]
    others: tuple[str, ...]  # what is compared, or how: judge, strategy, k, order, …


def find_unlike_parts(one: Judged, other: Judged) -> Unlike:
    """Find the parts in which the signatures of two arms differ.

    Not comparable are another benchmark or revision of it, other rules, another version of the data of the Hub, and
    other texts or labels of the same selection of items.
    """
    a, b = split_signature(one), split_signature(other)
    rules_a, rules_b = split_protocol(a.pop("protocol", "")), split_protocol(b.pop("protocol", ""))
    bad = [
        f"protocol.{rule}: {value} | {rules_b[rule]}"
        for rule, value in rules_a.items()
        if rule != "name" and rule in rules_b and rules_b[rule] != value
    ]
    told = []
    if rules_a.get("name") != rules_b.get("name"):
        told.append(f"protocol: {rules_a.get('name', NONE)} | {rules_b.get('name', NONE)}")
    same_selection = all(a.get(name) == b.get(name) for name in SELECTION)
    for name in dict.fromkeys([*a, *b]):
        if (x := a.get(name, NONE)) == (y := b.get(name, NONE)):
            continue
        both = NONE not in (x, y)
        fatal = name == "task" or (name == "data" and both) or (name == "items" and both and same_selection)
        (bad if fatal else told).append(f"{name}: {x} | {y}")
    return Unlike(tuple(bad), tuple(told))


def split_signature(arm: Judged) -> dict[str, str]:
    """Split an arm's signature into its parts by name, with the k that it is taken at."""
    parts = dict(part.split(":", 1) for part in arm.signature.split("|") if ":" in part)
    if "k" in parts:
        parts["k"] = str(arm.k)
    return parts


def split_protocol(part: str) -> dict[str, str]:
    """Split a signature's protocol into its rules by name; its own name is "name"."""
    found = re.fullmatch(r"([^(]*)\((.*)\)", part)
    if not found:
        return {"name": part}
    rules = dict(rule.split("=", 1) for rule in found[2].split(",") if "=" in rule)
    return {"name": found[1], **rules}
