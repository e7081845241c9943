"""What the pictures of a page rest on."""

from __future__ import annotations

import re

import pytest

from judgescale.harness.page.charts import Chart, Dot, Line, choose_log_ticks, choose_ticks, draw_curves, write_number
from judgescale.harness.page.curves import find_step
from judgescale.harness.page.parts import restore


def test_ticks() -> None:
    assert choose_log_ticks(1, 10) == [1, 2, 4, 8]
    assert choose_log_ticks(6356, 50850) == [10_000, 20_000, 50_000]
    assert choose_log_ticks(3e11, 5e15) == [1e12, 1e13, 1e14, 1e15]
    assert choose_log_ticks(3, 3.5) == [3, 3.5]
    assert choose_ticks(71.9, 88.4) == [75, 80, 85]
    assert [write_number(x) for x in (8, 12_500, 2e6, 3.5e12, 4e16, 0.00002)] == [
        "8", "12.5k", "2M", "3.5T", "4e16", "2e-05"
    ]  # fmt: skip


def test_a_frontier_rises_with_the_cost() -> None:
    assert find_step([(4, 70), (1, 60), (2, 59), (4, 71), (8, 71), (8, 72)]) == [(1, 60), (4, 71), (8, 72)]


def test_higher_values_stand_higher_and_names_are_escaped() -> None:
    line = Line(0, 0, "a", [Dot(1, 60, (55, 65), "#x", "one <b>"), Dot(8, 80, (75, 85), "#y", "two")])
    drawn = draw_curves(Chart("t <i>", "x", "y", [line]))
    places = [
        tuple(map(float, at)) for at in re.findall(r'class="dot" transform="translate\(([\d.]+) ([\d.]+)\)"', drawn)
    ]
    (x, y), (x2, y2) = places
    assert x < x2 and y > y2
    assert "one &lt;b&gt;" in drawn and "t &lt;i&gt;" in drawn and "<b>" not in drawn
    assert drawn.count('class="band"') == 1 and 'style="' not in drawn


@pytest.mark.parametrize(("cell", "was"), [("'-1.0", "-1.0"), ("'tis", "'tis"), ("'", "'"), ("3.5", "3.5")])
def test_cells_of_a_scorecard_are_read_back(cell: str, was: str) -> None:
    assert restore(cell) == was
