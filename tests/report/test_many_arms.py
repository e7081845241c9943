"""Tables and figures of many arms: what differs in k alone is one; the legend lists each judge and strategy once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from matplotlib.figure import Figure

from judgescale.harness.report import figure, tables, terminal
from judgescale.harness.report.readings import fold_points, list_smaller_ks, name_arms
from judgescale.harness.report.styles import choose_styles
from judgescale.harness.types import CurvePoint, Estimate, Published, Result


def make_arm(judge: str, strategy: str, *ks: int, task: str = "toy", **more: object) -> Result:
    """An arm that is right 60 % of the time at k=1 and two points more with every judgment."""
    estimates = {k: Estimate("accuracy", 0.58 + 0.02 * k, (0.5, 0.9), 100) for k in ks}
    arm = Result(
        judge=judge, engine="recorded", strategy=strategy, task=task, seed=0, k=ks[-1], items=100,
        signature=f"judge:{judge}|strategy:{strategy}|k:{ks[-1]}|task:{task}@1", headline=estimates[ks[-1]],
        sections={}, subsets={}, compute={}, health={},
        curve=[CurvePoint("overall", k, e, float(k), None, None) for k, e in estimates.items()],
    )  # fmt: skip
    return dataclasses.replace(arm, **more)  # type: ignore[arg-type]


def test_arms_that_differ_in_k_alone_are_one_with_the_points_of_all():
    arms = [make_arm("a", "voting", 1, 2), make_arm("a", "voting", 4, 8), make_arm("a", "elo", 1)]
    assert [(r.strategy, r.k, [p.k for p in r.curve]) for r in fold_points(arms)] == [
        ("voting", 8, [1, 2, 4, 8]), ("elo", 1, [1])
    ]  # fmt: skip
    assert list_smaller_ks(arms) == [1, 2]
    text = tables.render_markdown(arms)
    assert "at k=2" in text and text.count("| voting |") == 1 and text.count("| elo |") == 1
    assert tables.render_csv(arms).count("\n") == 4  # programs have every arm


def test_another_seed_or_a_printed_number_of_its_own_is_no_point_of_a_curve():
    whole = make_arm("a", "voting", 1, 8)
    seed = make_arm("a", "voting", 1, signature="judge:a|strategy:voting|k:1|seed:1|task:toy@1")
    printed = make_arm("a", "voting", 1, published=[Published("x", "overall", 0.6, "paper", "confirmed", 0.0)])
    assert fold_points([whole, seed]) == [whole, seed]
    assert fold_points([whole, printed]) == [whole, printed]


def test_the_differences_of_a_folded_arm_are_told():
    small = make_arm("a", "voting", 1, notes=["voting - x: +1"], differences=["voting - x: +1"])
    (arm,) = fold_points([small, make_arm("a", "voting", 1, 8)])
    assert arm.notes == ["voting - x: +1"] and arm.k == 8


def test_many_judges_with_several_strategies_are_listed_once_each():
    arms = [make_arm(f"judge {j}", s, 1, 2, 4) for j in range(4) for s in ("voting", "elo", "knockout", "swiss")]
    ax = Figure().subplots()
    figure.draw_curves(ax, "toy", arms, "judgments")
    legend = ax.get_legend()
    assert legend is not None
    listed = [text.get_text() for text in legend.get_texts()]
    assert listed == [f"judge {j}" for j in range(4)] + ["voting", "elo", "knockout", "swiss"]
    styles = choose_styles([arms], [name_arms(arms)])
    looks = {(look["color"], look["marker"]) for r in arms for look in [styles.choose(r, "")]}
    assert len(looks) == 16
    few = choose_styles([arms[:4]], [name_arms(arms[:4])])
    assert not few.judges and not few.shared


def test_panels_of_the_same_arms_share_one_legend_and_styles(tmp_path: Path):
    arms = [make_arm("a", s, 1, 2, 4, task=t) for t in ("one", "two") for s in ("voting", "elo", "swiss")]
    arms.pop(0)  # the second benchmark's first arm is the first one's last
    groups = [arms[:2], arms[2:]]
    styles = choose_styles(groups, [name_arms(g) for g in groups])
    assert styles.shared and list(styles.numbers) == ["elo", "swiss", "voting"]
    assert styles.choose(arms[0], "elo") == styles.choose(arms[3], "elo")
    figure.draw_figure(arms, tmp_path)
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def test_a_table_of_sixteen_arms_fits_80_columns_and_notes_of_single_arms_stay_in_the_files():
    from rich.console import Console

    arms = [
        make_arm(f"Some Judge {j}", s, 1, 2, 4, notes=[f"only {s} of {j}", "of all"])
        for j in range(4)
        for s in ("voting", "stopping", "knockout", "double_elimination")
    ]
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    terminal.show_results(arms, Path("out"), [], console=console)
    console.file.close()
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 160  # the list of files is never folded, tables are
    assert text.count("\nSome Judge") >= 16 and "of all" in text and "only voting of 0" not in text
    assert "16 notes about single arms are in summary.json" in text
