"""Runs fill a printed table: at which k, by which of their numbers, and with what is known of judging again."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import GRM, make_arm, measure, row

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.published.candidates import read_candidates
from judgescale.harness.published.find import choose_printed, name_strategy
from judgescale.harness.published.lists import read_printed
from judgescale.harness.report.files import make_summary
from judgescale.harness.scorecard.card import Entry, Scorecard, fill_from_results, fill_table
from judgescale.harness.scorecard.layout import arrange, lay_out
from judgescale.harness.scorecard.measured import gather_from_arms, gather_from_results
from judgescale.harness.scorecard.render import list_long_rows, list_wide_rows, render_csv
from judgescale.harness.scorecard.verdicts import AGREES, CANNOT_TELL, NOT_COMPARABLE
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Result

GREEDY, VOTING_1, VOTING_8, VOTING_32 = ("greedy", 1), ("voting", 1), ("voting", 8), ("voting", 32)
WORDS = {"judge": [GRM], "benchmark": ["RewardBench"], "section": ["Overall"]}


def fill(*results: Result) -> dict[tuple[str, int | None], Entry]:
    """The cells of DeepSeek-GRM-27B on RewardBench, by strategy and k; of meta votes, those in which half of k vote."""
    card = fill_from_results(lay_out(WORDS, columns="k"), results, "run")
    shown = [(entry.printed[0], entry) for entry in card.entries if entry.shown]
    return {(name_strategy(row), row.k): e for row, e in shown if row.k_meta in (None, (row.k or 0) // 2)}


def test_a_curve_fills_the_cells_of_its_own_ks_and_no_others() -> None:
    result, _ = evaluate(make_arm(Voting(), [1, 4, 8]))
    filled = {place: e for place, e in fill(result).items() if e.measured}
    at = {point.k: point.estimate.value for point in result.curve if point.section == "overall"}
    assert filled.keys() == {GREEDY, VOTING_1, VOTING_8}
    assert [filled[place].measured.candidate.value for place in (VOTING_1, VOTING_8)] == [at[1], at[8]]
    assert filled[GREEDY].verdict[:2] == (NOT_COMPARABLE, "greedy")
    assert filled[VOTING_8].measured.headline and not filled[VOTING_1].measured.headline


def test_a_vote_of_thirty_two_is_no_vote_of_eight() -> None:
    result, _ = evaluate(make_arm(Voting(), [32]))
    assert [place for place, entry in fill(result).items() if entry.measured] == [VOTING_32]
    other, _ = evaluate(make_arm(Voting(), [32], judge="DeepSeek-GRM-27B-RFT"))
    assert not any(entry.measured for entry in fill(other).values())


def test_greedy_and_a_sampled_judgment_are_never_mixed() -> None:
    greedy, _ = evaluate(make_arm(Single(), [1], meta={"temperature": 0.0}))
    sampled, _ = evaluate(make_arm(Single(), [1], meta={"temperature": 0.5}, right=0.9))
    both = fill(greedy, sampled)
    assert both[GREEDY].measured.candidate.setting.temperature == 0.0 and both[GREEDY].difference is not None
    assert both[VOTING_1].measured.candidate.setting.temperature == 0.5 and both[VOTING_1].difference is not None
    alone = fill(greedy)
    assert str(alone[VOTING_1].verdict) == "not comparable: temperature 0.5" and alone[VOTING_1].difference is None


def test_where_judging_again_lands_is_known_at_every_printed_k() -> None:
    result, _ = evaluate(make_arm(Voting(), [1, 2, 8]))
    again = {c.setting.k: c.again for c in read_candidates(result.comparable) if c.section == "overall"}
    assert again[8] is not None and again[1] is not None and again[2] is None  # nobody printed a vote of two
    assert again[8] == pytest.approx(result.judging["ci"])
    alone, _ = evaluate(replace(make_arm(Voting(), [1, 2, 8]), k=1))
    assert again[1] == pytest.approx(alone.judging["ci"])


def test_asked_once_only_the_digits_can_be_compared() -> None:
    result, _ = evaluate(make_arm(Single(), [1], right=0.5))
    entry = fill(result)[VOTING_1]
    assert entry.verdict.word == CANNOT_TELL and "nothing was asked twice alike" in entry.verdict.why


def test_a_judge_that_guesses_agrees_with_nothing_unseen() -> None:
    """Its interval on forty pairs would hold many a printed number."""
    result, _ = evaluate(make_arm(Voting(), [1, 8], pairs=40, right=0.5))
    (ours,) = (c for c in read_candidates(result.comparable) if (c.section, c.setting.k) == ("overall", 1))
    assert ours.guess == 0.5 and ours.again is not None and ours.again[0] < 0.5 < ours.again[1]
    near = round(100 * ours.again[1]) - 1.0
    table = arrange([(row(value=near), f"{near:.1f}")], "t", "benchmark")
    (entry,) = fill_from_results(table, [result], "run").entries
    assert entry.verdict.word == CANNOT_TELL and "where a guess lies too (50.0)" in entry.verdict.why


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limit": 30}, "a sample of the items (run.limit=30)"),
        ({"task": {"sizes": {"Chat": 41}}}, "not of all official items"),
        ({"rules": {"tie": "half", "failure": 1.0}}, "not by the rules of protocol=rewardbench"),
    ],
)
def test_other_items_and_other_rules_are_named(change: dict[str, Any], reason: str) -> None:
    mine = make_arm(Voting(), [8])
    for name, fields in change.items():
        mine = replace(mine, **{name: replace(getattr(mine, name), **fields) if isinstance(fields, dict) else fields})
    entry = fill(evaluate(mine)[0])[VOTING_8]
    assert str(entry.verdict) == f"not comparable: {reason}" and entry.difference is None


def test_another_meta_rm_is_named() -> None:
    result, _ = evaluate(make_arm(MetaVoting(), [8]))
    assert str(fill(result)["meta_voting", 8].verdict) == "not comparable: another meta RM"


def test_a_run_says_the_same_once_it_is_a_file() -> None:
    results = [evaluate(make_arm(Voting(), [1, 8]))[0], evaluate(make_arm(Single(), [1], meta={"temperature": 0.0}))[0]]
    arms = json.loads(json.dumps(make_summary(results)))["arms"]
    assert gather_from_arms(arms, "run") == gather_from_results(results, "run")


def test_a_subset_that_was_printed_of_the_judge_is_there() -> None:
    result, _ = evaluate(make_arm(Single(), [1], judge="RM-R1-Qwen2.5-Instruct-32B"))
    table = lay_out({"judge": ["RM-R1-Qwen2.5-Instruct-32B"], "section": ["alpacaeval-easy"], "metric": ["accuracy"]})
    (entry,) = fill_from_results(table, [result], "run").entries
    assert entry.measured.candidate.value == result.headline.value and entry.verdict.word in (AGREES, CANNOT_TELL)


def test_an_empty_cell_stays() -> None:
    card = fill_table(lay_out(WORDS, columns="k"), [])
    assert all(entry.measured is None and str(entry.verdict) == "" for entry in card.entries)
    _, rows = list_wide_rows(card)
    assert rows[0][2].startswith("– (8")


def write_out(card: Scorecard) -> list[tuple[str, ...]]:
    return [tuple(r[name] for name in ("benchmark", "section", "metric", "printed", "source", "k", "status", "note"))
            for r in csv.DictReader(io.StringIO(render_csv(card)))]  # fmt: skip


PRINTED = read_printed()
JUDGES = sorted({printed.model for printed, _ in PRINTED})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["RewardBench", "RMB", "JudgeBench", "MEAN4", "PandaLM"]),
    st.sampled_from(["benchmark", "section", "k"]),
    st.lists(
        st.tuples(
            st.sampled_from(JUDGES),
            st.sampled_from(["RewardBench", "RMB", "JudgeBench", "MEAN4", "PandaLM"]),
            st.sampled_from(["overall", "Chat", "Math"]),
            st.sampled_from([("single", 1), ("voting", 2), ("voting", 8), ("voting", 32)]),
            st.floats(0, 100),
            st.sampled_from([None, (0.4, 0.9)]),
            st.sampled_from(["", "a sample of the items (run.limit=50)"]),
        ),
        max_size=12,
    ),
)
def test_every_chosen_number_has_one_row_whatever_was_run(benchmark: str, columns: str, ran: list[Any]) -> None:
    chosen = choose_printed(PRINTED, {"benchmark": [benchmark]})
    measured = [
        measure(value, judge, benchmark=of, section=section, strategy=s, k=k, again=again, why_not=why_not)
        for judge, of, section, (s, k), value, again, why_not in ran
    ]
    card = fill_table(arrange(chosen, "t", columns), measured)
    assert sorted(map(id, chosen)) == sorted(id(entry.printed) for entry in card.entries)
    assert len(write_out(card)) == len(list_long_rows(card)) == len(chosen)
    shown = [(entry.line, entry.column) for entry in card.entries if entry.shown]
    assert len(shown) == len(set(shown)) == len({(e.line, e.column) for e in card.entries})
    for entry in card.entries:
        assert (entry.verdict.word in ("", NOT_COMPARABLE)) == (entry.difference is None)


def test_of_two_printed_numbers_the_cell_shows_the_one_that_ours_may_be_compared_with() -> None:
    trusted, other = row(value=70.0, temperature=0.7), row(value=86.0, temperature=0.5, status="recomputed")
    table = arrange([(trusted, "70.0"), (other, "86.0")], "t", "benchmark")
    entries = fill_table(table, [measure(86.0, temperature=0.5)]).entries
    assert [entry.shown for entry in entries] == [False, True] and all(entry.disputed for entry in entries)
    assert [entry.shown for entry in fill_table(table, []).entries] == [True, False]


def test_more_runs_of_one_cell_are_named(tmp_path: Path) -> None:
    card = fill_table(arrange([(row(), "86.0")], "t", "benchmark"), [measure(86.0), measure(84.0, run="second")])
    (long,) = list_long_rows(card)
    assert long[7] == "agrees: equal in the printed digits; also 84.0 in second"
