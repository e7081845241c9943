"""Published numbers of one judge at several k, behind our curve."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_comparable import GRM, hold

from judgescale.harness.report import figure
from judgescale.harness.report.reference_curves import list_reference_curves
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import CurvePoint, Estimate, Result
from judgescale.tasks import rewardbench, rmb


def add_curve(result: Result, ks: tuple[int, ...], value: float, per_k: int = 1) -> Result:
    """Give a result a curve of its own; per_k: judgments that one of k stands for."""
    at = Estimate("accuracy", value, (value - 0.01, value + 0.01), 100)
    points = [CurvePoint("overall", k, at, float(per_k * k), None, None) for k in ks]
    return replace(result, curve=points, headline=at)


@pytest.fixture(scope="module")
def voting() -> Result:
    return add_curve(hold(rewardbench, "alpacaeval-easy", GRM, Voting(), 8), (1, 2, 4, 8), 0.87)


def test_the_same_strategy_at_other_k_is_a_curve(voting: Result) -> None:
    (curve,) = list_reference_curves([voting, voting])
    assert [(p.k, p.value) for p in curve.rows] == [(1, 0.852), (8, 0.877), (32, 0.885)]
    assert curve.name == "DeepSeek-GRM-27B, voting@1, 8, 32"
    assert len({p.source for p in curve.rows}) < 3
    others = [p for p in voting.published if p.section == "overall" and not curve.holds(p)]
    assert {0.86, 0.898, 0.904} <= {p.value for p in others}  # greedy, and the meta RM's
    assert all(p.k not in (8, 32) or p.strategy != "voting" for p in others if p.name == GRM)


def test_a_meta_vote_has_a_curve_of_its_own_share() -> None:
    result = add_curve(hold(rewardbench, "alpacaeval-easy", GRM, MetaVoting(meta="recorded"), 8), (2, 8), 0.9)
    (curve,) = list_reference_curves([result])
    assert [(p.k, p.k_meta) for p in curve.rows] == [(8, 4), (32, 16)]


def test_what_ours_is_not_compared_with_is_no_curve(voting: Result) -> None:
    pairs = add_curve(hold(rmb, "Helpfulness/x", GRM, Voting(), 8), (1, 8), 0.69)  # printed of lists
    four = add_curve(hold(rewardbench, "alpacaeval-easy", GRM, Voting(), 4), (1, 4), 0.87)  # nobody printed a vote of 4
    of_several = replace(voting, curve=add_curve(voting, (1, 8), 0.87, per_k=6).curve)  # k is no place on the axis
    assert list_reference_curves([pairs]) == list_reference_curves([four]) == list_reference_curves([of_several]) == []


def test_the_figure_has_the_curve_in_place_of_its_lines(voting: Result) -> None:
    from matplotlib.figure import Figure

    def draw(result: Result, unit: str) -> tuple[list[list[float]], list[float], str]:
        ax = Figure().subplots()
        figure.draw_curves(ax, "toy", [result], unit)
        printed = [line for line in ax.lines if line.get_color() == figure.GREY]
        curves = [list(map(float, line.get_xdata())) for line in printed if line.get_marker() == "o"]
        lines = sorted(float(line.get_ydata()[0]) for line in printed if line.get_marker() != "o")
        return curves, lines, " ".join(text.get_text() for text in ax.texts).replace("\n", " ")

    curves, lines, told = draw(voting, "judgments")
    assert curves == [[1, 8, 32]] and 86.0 in lines and not {85.2, 87.7} & set(lines)
    assert "DeepSeek-GRM-27B, voting@1, 8, 32: 85.2, 87.7, 88.5" in told and "arXiv 2504.02495v3" in told
    by_tokens = replace(voting, curve=[replace(p, tokens_per_item=100.0 * p.k) for p in voting.curve])
    curves, lines, _ = draw(by_tokens, "tokens")
    assert curves == [] and 87.7 in lines
    curves, _, told = draw(add_curve(voting, (1, 8), 0.5), "judgments")  # far from what is drawn
    assert curves == [] and "voting@1" not in told
