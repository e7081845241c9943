"""What a person sees while a run goes on: on terminals of any width, in a pipe, in a CI job."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from judgescale.harness.live.meter import Meter, Tally
from judgescale.harness.types import Output
from judgescale.harness.watching import display
from judgescale.harness.watching.progress import Follower, Plan, Progress


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def open_console(width: int, **more) -> Console:
    options = {"force_terminal": True, "color_system": None, "height": 24} | more
    return Console(file=Terminal(), width=width, **options)


def go_on(plans: list[Plan], done: list[float], seconds: float = 60.0, **more) -> Progress:
    """Progress after so many seconds at a steady pace, one arm after the other; `done`: the share of each by then."""
    now = [0.0]
    follower = Follower(plans, clock=lambda: now[0])
    meter = Meter(0, arms=[Tally() for _ in plans], **more)
    for step in range(0, int(seconds) + 1, max(1, int(seconds) // 600)):
        now[0] = float(step)
        still = sum(done) * step / seconds
        for plan, tally, share in zip(plans, meter.arms, done):
            part = min(share, max(still, 0.0)) + 1e-9
            still -= share
            tally.items, tally.judgments = int(plan.items * part), int(plan.judgments * part)
            tally.bought, tally.tokens = tally.judgments, 300 * tally.judgments
        progress = follower.look(meter)
    return progress


SIXTEEN = [Plan(f"gpt-4.1-mini, information_gain@{2**i}", 2985, 23_880, at_most=i == 13) for i in range(16)]
TWELVE_DONE = [1.0] * 12 + [0.5, 0.02, 0.0, 0.0]


@pytest.fixture(scope="module")
def sixteen() -> Progress:
    statuses = {"ok": 295_000, "unparsed": 1_000, "failed": 3}
    return go_on(SIXTEEN, TWELVE_DONE, 36_000, statuses=statuses, bought=290_000, reused=5_000)


def test_sixteen_arms_on_a_wide_terminal(sixteen):
    assert display.draw(sixteen, 160, 24) == [
        f"judging {'━' * 84}{'─' * 24} 37,371/47,760 items at most 2 h 45 min left",
        "  8.3 judgments/s  1,000 unparsed, 3 failed  290,000 bought  5,000 reused",
        "  gpt-4.1-mini, information_gain@4096  1,492/2,985  7.9/s  about 25 min left  2,372 tokens/s",
        "  gpt-4.1-mini, information_gain@8192     59/2,985  0.3/s                      79.5 tokens/s",
        "  16 arms: 12 done, 2 at work, 2 waiting",
    ]


def test_sixteen_arms_at_40_columns(sixteen):
    assert display.draw(sixteen, 40, 24) == [
        "judging  37,371/47,760 items",
        "at most 2 h 45 min left",
        "  8.3 judgments/s",
        "  1,000 unparsed, 3 failed",
        "  gpt-4.1-…gain@4096  1,492/2,985  7.9/s",
        "  gpt-4.1-…gain@8192     59/2,985  0.3/s",
        "  16 arms: 12 done, 2 at work, 2 waiting",
    ]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 160])
def test_no_line_is_longer_than_the_terminal_and_no_number_is_cut(sixteen, width):
    lines = display.draw(sixteen, width, 24)
    assert max(map(len, lines)) <= width and len(lines) <= 8
    assert "37,371/47,760 items" in " ".join(lines)
    arms = [line for line in lines if re.search(r"\d/2,985", line)]
    assert len(arms) == 2 and ("1,492/2,985" in arms[0])
    assert "12 done" in " ".join(lines) and "2 waiting" in " ".join(lines)


def test_many_arms_at_once_leave_room():
    progress = go_on(SIXTEEN, [0.5] * 16)
    for height, most in ((24, 8), (10, 4), (4, 1)):
        arms = [line for line in display.draw(progress, 80, height) if "/2,985 " in line]
        assert len(arms) == most
    assert "16 arms: 16 at work" in display.draw(progress, 80, 4)[-1]


def test_one_arm_is_told_once():
    (first, second) = display.draw(go_on([Plan("voting@8", 100, 800)], [0.5], 30), 80, 24)
    assert first.startswith("judging ━") and first.endswith("50/100 items under 1 min left")
    assert second == "  13.3 judgments/s  0 bought  0 reused"


def test_a_name_from_a_model_cannot_steer_the_terminal():
    evil = Plan("evil\x1b[2J\u202e\nname", 10, 10)
    lines = display.draw(go_on([evil, evil], [0.5, 0.5]), 80, 24)
    assert all(line.isprintable() for line in lines) and "\\x1b" in " ".join(lines)


def test_a_run_that_stops_says_what_it_waits_for(sixteen):
    meter = Meter(0, arms=[Tally()])
    meter.in_flight = 7
    meter.stop("run.budget")
    progress = Follower([Plan("a", 10, 10)]).look(meter)
    assert "stopping, 7 still to arrive" in " ".join(display.draw(progress, 60, 24))


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_terminal_draws_over_its_lines_and_leaves_nothing(sixteen, width):
    console = open_console(width)
    with display.show_buying(console) as show:
        show(sixteen)
        show(sixteen)  # a moment later: not drawn again
    said = console.file.getvalue()
    assert said.count("37,371/47,760 items") == 2 and "\x1b[2K" in said


@pytest.mark.parametrize(
    ("how", "environment"),
    [
        ({"force_terminal": None}, {}), ({}, {"TERM": "dumb"}), ({}, {"CI": "true"}),
        ({"force_terminal": None}, {"FORCE_COLOR": "1"}),
    ],
)  # fmt: skip
def test_elsewhere_plain_lines_come_now_and_then_and_at_the_end(sixteen, monkeypatch, how, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = io.StringIO() if how else Terminal()
    console = Console(file=file, width=40, **{"force_terminal": True} | how)
    with display.show_buying(console, "job") as show:
        for _ in range(3):
            show(sixteen)
    lines = file.getvalue().splitlines()
    assert [line.split(":")[1] for line in lines] == [" judging", " judged in 10 h"]
    assert all(line.isprintable() for line in lines)
    assert "37,371 of 47,760 items (78%)" in lines[0] and "12 done, 2 at work, 2 waiting" in lines[0]


def test_no_color_is_heeded(sixteen, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = open_console(80, color_system="truecolor")
    with display.show_buying(console) as show:
        show(sixteen)
    assert not re.search(r"\x1b\[[\d;]*m", console.file.getvalue())


def test_an_error_is_the_last_line(sixteen):
    console = Console(file=io.StringIO())
    with pytest.raises(RuntimeError), display.show_buying(console) as show:
        show(sixteen)
        raise RuntimeError
    assert "judged" not in console.file.getvalue()


def test_an_evaluation_shows_a_bar_on_a_terminal_and_is_silent_in_a_pipe(capsys):
    with display.show_evaluating(2) as tick:
        tick(1)
    assert capsys.readouterr() == ("", "")
    console = open_console(40)
    with display.show_evaluating(8000, console) as tick:
        for _ in range(1234):
            tick(1)
    assert "evaluating" in console.file.getvalue() and "/8000" in console.file.getvalue()


def test_a_long_evaluation_in_a_pipe_says_how_far_it_is(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with display.show_evaluating(400) as tick:
        for _ in range(100):
            now[0] += 1
            tick(1)
    out, err = capsys.readouterr()
    first, *rest = err.splitlines()
    assert not out and first == "evaluating: 30 of 400 decisions (8%), 1.0/s, 6 min left" and len(rest) == 2


def test_answers_are_counted_for_the_arm_that_had_them_bought(tmp_path):
    from judgescale.harness.types import Call

    tally = Tally()
    fine, shared = Call("judge", b"", 0, 10, 0, 5, 0, False), Call("judge", b"", 1, 10, 10, 5, 0, True)
    tally.count_answers([(Output("a"), fine), (Output("b"), shared), (Output(finish="failed"), fine)], 4)
    assert (tally.bought, tally.reused, tally.tokens) == (2, 4, 20)
