"""The health of a judge in a few lines: what it prefers besides what is right, how far it agrees and knows itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judgescale.harness.report.text import format_interval, format_percent
from judgescale.harness.rounding import write_rounded
from judgescale.harness.types import Result

LINES = 6  # of one task on the terminal; more say little and take much room
ELSEWHERE = "what each prefers, how far it agrees with itself and is calibrated: health in summary.json"


def describe_preferences(r: Result) -> str:
    """Say how often the first and the longest response win, and how often the verdict follows the order."""
    order = r.health.get("order") or {}
    told = [_write_preference("the first shown", order.get("first_place"))]
    if flips := order.get("flip_rate"):
        orders = write_rounded(flips["orders"]).removesuffix(".0")
        told.append(f"{format_percent(flips['value'])} % of {flips['n']:,} readings in {orders} orders flip")
    told.append(_write_preference("the longest", r.health.get("length")))
    return "; ".join(filter(None, told))


def _write_preference(what: str, found: Mapping[str, Any] | None) -> str:
    """Say how often the favoured response wins, right ones evened out, and how often without preference."""
    if not found:
        return ""
    if (balanced := found["balanced"]) is None:
        always = "always" if found["right"] else "never"
        return f"{what} wins {format_percent(found['value'])} % and is {always} the right one: no preference is seen"
    ends = format_interval(balanced["ci"])
    told = " ".join(filter(None, (f"{what} wins {format_percent(balanced['value'])} %", ends)))
    return f"{told} (without preference {format_percent(balanced['chance'])})"


def describe_agreement(r: Result) -> str:
    """Say how far judgments agree, and how far the share of votes is from the share that is right."""
    told = []
    for name, found in (r.health.get("agreement") or {}).items():
        kappa = "" if found["kappa"] is None else f" (kappa {write_rounded(found['kappa'], 2)})"
        told.append(f"{name} agree {format_percent(found['value'])} %{kappa}")
    if found := (r.health.get("calibration") or {}).get("votes"):
        told.append(_write_calibration(f"share of {write_rounded(found['votes']).removesuffix('.0')} votes", found))
    return "; ".join(told)


def describe_meta_calibration(r: Result) -> str:
    """Say how far the meta RM's scores are from the share of judgments that is right."""
    found = (r.health.get("calibration") or {}).get("meta")
    return _write_calibration("meta RM", found) if found else ""


def _write_calibration(what: str, found: Mapping[str, Any]) -> str:
    return f"{what}: calibration error {format_percent(found['ece'])} points, {format_percent(found['luck'])} by luck"


def list_health_lines(arms: Sequence[Result]) -> list[list[str]]:
    """List each arm's lines; one that says where they are, for the first arm alone, where there would be too many."""
    writers = (describe_preferences, describe_agreement, describe_meta_calibration)
    lines = [[line for write in writers if (line := write(r))] for r in arms]
    if len({line for of_arm in lines for line in of_arm}) <= LINES:
        return lines
    return [[ELSEWHERE] for _ in arms]
