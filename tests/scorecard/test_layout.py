"""A printed table keeps its paper's shape: its lines, its columns, their order, and every number."""

from __future__ import annotations

import pytest
from made_up import row

from judgescale.harness.published.lists import read_printed
from judgescale.harness.scorecard.layout import Line, arrange, lay_out
from judgescale.harness.types import JudgescaleError

TABLE_2 = {"source": ["arXiv 2504.02495v3 Table 2"]}


def shape(words: dict[str, list[str]], columns: str = "") -> tuple[list[str], list[str]]:
    table = lay_out(words, columns=columns)
    return [", ".join(filter(None, line)) for line in table.lines], list(table.columns)


def test_a_table_is_in_the_order_of_its_paper() -> None:
    lines, columns = shape(TABLE_2)
    assert columns == ["RewardBench", "PPE-Preference", "PPE-Correctness", "RMB", "MEAN4"]
    assert lines[:2] == ["Skywork-Reward-Gemma-2-27B", "DeepSeek-V2.5-0905, its source's prompt"]
    assert lines[-3:] == [
        "DeepSeek-GRM-27B, greedy",
        "DeepSeek-GRM-27B, voting@32",
        "DeepSeek-GRM-27B, meta voting@32 (16 vote)",
    ]
    assert len(lines) == 17


def test_a_sampled_judgment_and_a_greedy_one_are_two_lines() -> None:
    words = {"judge": ["DeepSeek-GRM-27B"], "benchmark": ["RewardBench"], "section": ["Overall"], "k": ["1"]}
    lines, _ = shape(words, "section")
    assert lines[:2] == ["DeepSeek-GRM-27B, greedy", "DeepSeek-GRM-27B"]


def test_k_across_is_a_curve_a_line() -> None:
    words = {"judge": ["DeepSeek-GRM-27B"], "benchmark": ["RewardBench"], "section": ["Overall"]}
    table = lay_out(words, columns="k")
    numbers = [int(column.removeprefix("k=")) for column in table.columns]
    assert numbers == sorted(numbers) and numbers[0] == 1
    ks = {line.how: {c.column for c in table.cells if c.line == line} for line in table.lines}
    assert {"k=1", "k=8", "k=32"} <= ks["voting"] and ks["greedy"] == {"k=1"}  # a single judgment begins the votes


def test_sections_across_name_their_metric_and_a_second_benchmark_goes_down() -> None:
    rows = [(row(subset=name, metric=metric), "1") for name in ("Overall", "Chat") for metric in ("accuracy", "f1")]
    table = arrange([*rows, (row(benchmark="RMB"), "2")], "t", "section")
    assert list(table.columns) == ["Overall", "Overall f1", "Chat", "Chat f1"]
    assert [line.how for line in table.lines] == ["RewardBench", "RMB"]
    across = arrange([*rows, (row(benchmark="RMB"), "2")], "t", "benchmark")
    assert list(across.columns) == ["RewardBench", "RewardBench f1", "RewardBench Chat", "RewardBench Chat f1", "RMB"]


def test_both_forms_of_a_benchmark_are_two_lines_only_where_both_were_printed() -> None:
    both = [(row(benchmark="RMB", protocol=form), "1") for form in ("pairs", "list")]
    assert [line.how for line in arrange(both, "t", "benchmark").lines] == ["pair protocol", "list protocol"]
    one = [(row(), "1"), (row(benchmark="RMB", protocol="list"), "2")]
    assert arrange(one, "t", "benchmark").lines == [Line("DeepSeek-GRM-27B", "")]


def test_a_judge_with_and_without_its_organisation_is_one_line_unless_two_have_the_name() -> None:
    printed = [(row("Skywork/X"), "1"), (row("X", benchmark="RMB"), "2")]
    assert len(arrange(printed, "t", "benchmark").lines) == 1
    assert len(arrange([*printed, (row("Other/X"), "3")], "t", "benchmark").lines) == 3


def test_what_was_printed_twice_for_a_cell_stays_there_twice() -> None:
    (cell,) = arrange([(row(value=86.0), "86.0"), (row(value=86.4), "86.4")], "t", "benchmark").cells
    assert [text for _, text in cell.printed] == ["86.0", "86.4"]


@pytest.mark.parametrize("columns", ["benchmark", "section", "k"])
def test_every_number_that_was_ever_printed_has_one_place(columns: str) -> None:
    every = read_printed()
    table = arrange(every, "all", columns)
    placed = [id(one) for cell in table.cells for one in cell.printed]
    assert sorted(placed) == sorted(map(id, every))
    assert {cell.line for cell in table.cells} == set(table.lines)
    assert {cell.column for cell in table.cells} == set(table.columns)


def test_words_that_fit_nothing_are_one_line() -> None:
    with pytest.raises(JudgescaleError, match="benchmark RewardBenc: .* there are|k 33: nobody printed"):
        lay_out({"benchmark": ["RewardBench"], "k": ["33"]})
