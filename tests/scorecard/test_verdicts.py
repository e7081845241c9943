"""What a measured number says of a printed one: why it may say nothing first, then agrees, differs or cannot tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import GRM, measure, row

from judgescale.harness.published.lists import Row
from judgescale.harness.scorecard.measured import Measured, find_measured
from judgescale.harness.scorecard.verdicts import (
    AGREES,
    CANNOT_TELL,
    DIFFERS,
    NOT_COMPARABLE,
    Verdict,
    differ_as_printed,
    is_equal_as_printed,
    judge_number,
)


def judge(printed: Row, text: str, ours: Measured) -> Verdict:
    ((found, refusal),) = find_measured(printed, [ours])
    return judge_number(printed, text, found.candidate, refusal)


@pytest.mark.parametrize(
    ("ours", "again", "word", "why"),
    [
        (86.04, None, AGREES, "equal in the printed digits"),
        (86.04, (0.80, 0.90), AGREES, "equal in the printed digits"),
        (85.2, (0.84, 0.865), AGREES, "within what judging the same items again gives, [84.0, 86.5]"),
        (85.2, (0.84, 0.8596), AGREES, "within what judging the same items again gives, [84.0, 86.0]"),  # 85.95 is 86.0
        (85.2, (0.84, 0.859), DIFFERS, "outside what judging the same items again gives, [84.0, 85.9]"),
        (87.2, (0.861, 0.88), DIFFERS, "outside what judging the same items again gives, [86.1, 88.0]"),
        (
            85.2,
            None,
            CANNOT_TELL,
            "the digits differ, and what judging again gives is not known (asked once)",
        ),
    ],
)
def test_a_verdict_has_its_reason(ours: float, again: tuple[float, float] | None, word: str, why: str) -> None:
    verdict = judge(row(), "86.0", measure(ours, again=again))
    assert (verdict.word, verdict.why) == (word, why)
    assert (verdict.half is None) == ("within" not in why)


def test_a_guess_agrees_with_nothing_by_an_interval_that_any_guess_lies_in() -> None:
    wide = (0.42, 0.66)
    verdict = judge(row(value=58.0), "58.0", measure(54.0, again=wide))
    assert verdict.word == CANNOT_TELL
    assert verdict.why == (
        "within what judging the same items again gives, [42.0, 66.0], where a guess lies too (50.0)"
    )
    assert judge(row(value=70.0), "70.0", measure(54.0, again=wide)).word == DIFFERS
    assert judge(row(value=58.0), "58.0", measure(60.0, again=(0.51, 0.69))).word == AGREES


@pytest.mark.parametrize(
    ("printed", "ours", "reason"),
    [
        ({"temperature": 0.0}, {"temperature": 0.5}, "greedy"),
        ({"temperature": 0.5}, {"temperature": 0.0}, "temperature 0.5"),
        ({"prompt": "Arena-Hard"}, {}, "another prompt (Arena-Hard)"),
        ({"prompt": "Arena-Hard"}, {"prompt": None}, "another prompt for all we know (Arena-Hard)"),
        ({"protocol": "list"}, {}, "list protocol"),
        ({"status": "recalled"}, {}, "from memory"),
        ({}, {"why_not": "a sample of the items (run.limit=50)"}, "a sample of the items (run.limit=50)"),
        ({"protocol": "list"}, {"why_not": "not of all official items"}, "not of all official items, list protocol"),
    ],
)
def test_what_is_not_comparable_is_said_before_any_number(
    printed: dict[str, Any], ours: dict[str, Any], reason: str
) -> None:
    """Even where the digits are equal."""
    verdict = judge(row(**printed), "86.0", measure(86.0, again=(0.8, 0.9), **ours))
    assert (verdict.word, verdict.why) == (NOT_COMPARABLE, reason)


@pytest.mark.parametrize(
    "other",
    [
        {"strategy": "voting", "k": 8},
        {"strategy": "meta_voting", "k": 32, "k_meta": 16},
        {"strategy": "knockout", "k": 32},
        {"strategy": "voting", "k": 32, "judge": "DeepSeek-GRM-27B-RFT"},
        {"strategy": "voting", "k": 32, "judge": "DeepSeek-GRM-16B"},
        {"strategy": "voting", "k": 32, "section": "Chat"},
        {"strategy": "voting", "k": 32, "benchmark": "RewardBench2"},
        {"strategy": "voting", "k": 32, "metric": "f1"},
    ],
)
def test_a_number_comes_from_a_run_of_its_own_judge_strategy_and_k_alone(other: dict[str, Any]) -> None:
    printed = row(strategy="voting", k=32)
    assert find_measured(printed, [measure(88.5, **({"judge": GRM} | other))]) == []
    ((found, refusal),) = find_measured(printed, [measure(88.5, f"deepseek-ai/{GRM}", strategy="voting", k=32)])
    assert found.candidate.value == 0.885 and refusal == ""


def test_another_share_of_voters_is_another_number() -> None:
    printed = row(strategy="meta_voting", k=32, k_meta=16)
    ours = [measure(90.0, strategy="meta_voting", k=32, k_meta=k_meta) for k_meta in (8, 16)]
    assert [m.candidate.setting.k_meta for m, _ in find_measured(printed, ours)] == [16]


def test_of_several_runs_the_one_that_may_be_compared_comes_first() -> None:
    sample = measure(80.0, run="sample", why_not="a sample of the items (run.limit=50)")
    point, own = measure(85.0, run="curve")._replace(headline=False), measure(86.0, run="own")
    assert [m.run for m, _ in find_measured(row(), [sample, point, own])] == ["own", "curve", "sample"]


def test_a_name_of_several_models_is_nobodys() -> None:
    """LLMBar's owners stored numbers of GPT-4/Vanilla and of ChatGPT/Vanilla."""
    printed = row("GPT-4/Vanilla", 95.5, benchmark="LLMBar", subset="Natural")
    ours = {"benchmark": "LLMBar", "section": "Natural"}
    assert judge(printed, "95.5", measure(95.5, "GPT-4/Vanilla", **ours)).word == AGREES
    verdict = judge(printed, "95.5", measure(95.5, "Vanilla", **ours))
    assert str(verdict) == "not comparable: several models are called Vanilla"


@given(st.integers(0, 10_000), st.integers(0, 4))
def test_a_number_is_equal_to_what_it_rounds_to(value: int, decimals: int) -> None:
    percent = value / 100
    assert is_equal_as_printed(percent, f"{percent:.{decimals}f}")
    off = percent + 1.01 * 10**-decimals
    assert not is_equal_as_printed(off, f"{percent:.{decimals}f}")


def test_a_number_printed_with_fewer_digits_is_no_other_number() -> None:
    assert not differ_as_printed("84.13", "84.1") and not differ_as_printed("84", "84.4")
    assert differ_as_printed("84.13", "84.2") and differ_as_printed("84.13", "84.14")
