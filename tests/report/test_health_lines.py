"""The lines and the picture of a judge's health."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread
from test_report import arm, shown

from judgescale.harness.report import health_lines, reliability

FIRST = {
    "value": 0.6, "ci": (0.55, 0.65), "n": 90, "chance": 0.5, "right": 0.6,
    "balanced": {"value": 0.52, "ci": (0.47, 0.57), "n": 90, "chance": 0.5},
}  # fmt: skip
BIN = {"confidence": 0.9, "right": 0.8, "ci": (0.7, 0.88), "n": 40}
VOTES = {
    "votes": 8.0, "responses": 2.0, "ece": 0.04, "luck": 0.031, "luck_high": 0.05, "n": 80,
    "over": {"value": 0.1, "ci": None}, "bins": [BIN, BIN | {"confidence": 1.0}],
}  # fmt: skip
AGREE = {"value": 0.75, "ci": (0.7, 0.8), "chance": 0.5, "kappa": 0.5, "kappa_ci": (0.4, 0.6), "n": 80}


def health(**more: Any) -> dict[str, Any]:
    return {"order": {"first_place": FIRST, "flip_rate": {"value": 0.25, "ci": None, "n": 40, "orders": 2.0}}} | more


def test_the_lines_say_what_the_summary_holds() -> None:
    text = shown([arm(health=health(agreement={"samples": AGREE}, calibration={"votes": VOTES}, length=FIRST))])
    assert "the first shown wins 52.0 % [47.0, 57.0] (without preference 50.0)" in text
    assert "25.0 % of 40 readings in 2 orders flip" in text and "the longest wins 52.0 %" in text
    assert "samples agree 75.0 % (kappa 0.50); share of 8 votes: calibration error 4.0 points, 3.1 by luck" in text
    always = FIRST | {"balanced": None, "right": 1.0}
    text = shown([arm(health={"order": {"first_place": always, "flip_rate": None}})])
    assert "the first shown wins 60.0 % and is always the right one: no preference is seen" in text
    assert "wins" not in shown([arm()])


def test_many_arms_say_where_it_is() -> None:
    def run(judges: int) -> str:
        return shown(
            [arm(f"judge {i}", health=health(length=FIRST | {"balanced": None, "right": i / 9})) for i in range(judges)]
        )

    assert "without preference" in run(2)
    many = [arm(f"j{i}", health={"agreement": {"samples": AGREE | {"value": i / 20}}}) for i in range(8)]
    text = shown(many)
    assert "kappa" not in text and text.count(health_lines.ELSEWHERE) == 1


def test_a_panel_for_each_vote_and_none_without(tmp_path: Path) -> None:
    voting = arm(health={"calibration": {"votes": VOTES}})
    meta = arm(strategy="meta_voting", health={"calibration": {"votes": VOTES, "meta": {**VOTES, "ece": 0.2}}})
    panels = reliability.list_panels([voting, meta])
    assert [of for _, of, _ in panels] == ["share of 8 votes on 2 responses", "score of the meta RM"]
    assert [who for who, _, _ in reliability.list_panels([voting, arm(task="t2", health=voting.health)])] == [
        "toy, GRM", "t2, GRM",
    ]  # fmt: skip
    reliability.draw_reliability([arm()], tmp_path)
    assert list(tmp_path.iterdir()) == []
    reliability.draw_reliability([voting, meta], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reliability.pdf", "reliability.png"]
    image = imread(tmp_path / "reliability.png")
    assert image.shape[1] > image.shape[0] and image[..., :3].mean(axis=2).min() < 0.3  # two panels, something dark


@pytest.mark.parametrize("arms", [1, 13])
def test_any_number_of_panels_is_drawn(arms: int, tmp_path: Path) -> None:
    every = [arm(f"$judge_{i}$ {'long ' * 20}", health={"calibration": {"votes": VOTES}}) for i in range(arms)]
    reliability.draw_reliability(every, tmp_path)
    assert (tmp_path / "reliability.png").stat().st_size > 5_000
