"""Rates over the last while, and a time left that is only told once it can be known."""

from __future__ import annotations

import pytest

from judgescale.harness.watching.cadence import Cadence
from judgescale.harness.watching.pace import LONGEST, SPAN, Pace
from judgescale.harness.watching.wording import write_duration


def follow(steps: list[tuple[float, float]], pace: Pace | None = None, begun: float = 0.0) -> tuple[Pace, float]:
    """A pace after stretches of (seconds, how many a second), looked at every half a second; and the time then."""
    pace, at = pace or Pace(), begun
    count = pace.samples[-1].counts[0] if pace.samples else 0.0
    for seconds, rate in steps:
        for _ in range(round(seconds * 2)):
            pace.add(at, int(count + 1e-9))
            at, count = at + 0.5, count + rate / 2
    return pace, at


def test_nothing_is_said_before_it_can_be_known():
    assert Pace().find_rate() is None and Pace().find_seconds_left(10) is None
    pace, _ = follow([(5, 10)])
    assert pace.find_rate() == pytest.approx(10) and pace.find_seconds_left(1000) is None
    pace, _ = follow([(15, 10)])
    assert pace.find_seconds_left(1000) == pytest.approx(100)
    pace, _ = follow([(30, 0)])
    assert pace.find_rate() == 0 and pace.find_seconds_left(1000) is None
    assert pace.find_seconds_left(0) == 0  # nothing is left, however fast it went


def test_a_burst_from_the_store_is_not_taken_for_the_pace():
    """1,000 answers a second come from the store for 5 s, then 2 a second are bought."""
    told = []
    for seconds in (1, 5, 15, 30, 45):
        pace, _ = follow([(5, 1000), (seconds, 2)])
        told.append(pace.find_seconds_left(600))
    assert told == [None] * 5
    pace, _ = follow([(5, 1000), (SPAN + 5, 2)])
    assert pace.find_rate() == pytest.approx(2, rel=0.05) and pace.find_seconds_left(600) == pytest.approx(
        300, rel=0.05
    )


def test_rates_forget_what_is_long_ago():
    pace, _ = follow([(600, 20), (SPAN + 30, 5)])
    assert pace.find_rate() == pytest.approx(5, rel=0.05)
    assert pace.samples[-1].at - pace.samples[0].at <= SPAN + 1


def test_a_slow_judge_gets_a_longer_window():
    """One judgment every 20 s: a minute holds three, which tell little."""
    pace, _ = follow([(1200, 0.05)])
    span = pace.samples[-1].at - pace.samples[0].at
    assert 5 * SPAN < span <= LONGEST and pace.find_rate() == pytest.approx(0.05, rel=0.1)
    assert pace.find_seconds_left(60) == pytest.approx(1200, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "under 1 min"), (60, "1 min"), (89 * 60, "89 min"), (91 * 60, "1 h 30 min"), (7200, "2 h"),
        (12_100, "3 h 20 min"), (86_400 * 2, "2 d"), (200_000, "2 d 7 h"),
    ],
)  # fmt: skip
def test_durations_are_as_exact_as_they_can_be(seconds, said):
    assert write_duration(seconds) == said


def test_lines_come_ever_more_seldom():
    """A night of ten hours takes a hundred lines at most."""
    cadence = Cadence()
    due = [age for age in range(36_000) if cadence.is_due(age)]
    assert due[:4] == [10, 40, 70, 100] and len(due) < 100
    assert max(b - a for a, b in zip(due, due[1:])) <= 600
