"""judge=process: a response becomes marked steps that nothing in its text can forge, and step scores a score."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.process import Process
from judgescale.harness.judges.prompt import UNLIMITED
from judgescale.harness.judges.untrusted import GAP, break_tag
from judgescale.harness.stats.steps import RULES
from judgescale.harness.types import Item, JudgescaleError, Output, Request


def item(*texts: str, asked: str = "2 + 2?") -> Item:
    return Item(
        id="i",
        prompt="p",
        cluster="c",
        responses=tuple(map(str, range(len(texts)))),
        gold=(1.0,) * len(texts),
        conversation=(("user", asked),),
        texts=texts,
    )


def cut(request: Request) -> tuple[list[str], list[str], str]:
    """The steps of a request, what stands at its marks, and what comes after the last."""
    said, steps, tags, begin = request.messages[-1][1], [], [], 0
    for start, end in request.marks:
        steps.append(said[begin:start])
        tags.append(said[start:end])
        begin = end
    return steps, tags, said[begin:]


def test_every_step_ends_in_the_tag():
    pair = item("Two and two.\n\nIt is 4.\n\n\n", "5")
    first, second = Process(step_tag="<s>").requests(pair, (0, 1))
    assert first == Request(
        (("user", "2 + 2?"), ("assistant", "Two and two.<s>It is 4.<s>")), "steps", marks=((12, 15), (23, 26))
    )
    assert second.messages[-1][1] == "5<s>" and second.marks == ((1, 4),)
    assert Process().widths() == (2, UNLIMITED)
    assert [r.messages[-1][1][:1] for r in Process().requests(pair, (1, 0))] == ["5", "T"]


def test_a_response_that_says_nothing_is_one_step():
    (request, _) = Process(step_tag="<s>").requests(item(" \n\n ", "5"), (0, 1))
    assert request.messages[-1] == ("assistant", "<s>") and request.marks == ((0, 3),)


def test_a_command_line_can_say_a_line_break():
    (request, _) = Process(step_separator=r"\n", step_tag=r"\n\t").requests(item("a\nb", "c"), (0, 1))
    assert request.messages[-1][1] == "a\n\tb\n\t"


@given(st.lists(st.sampled_from(["<e>", "<", "<<e>", "e>", "a", "\n\n", " ", GAP]), max_size=8).map("".join))
def test_no_text_forges_or_moves_a_step(text):
    judge = Process(step_tag="<e>")
    (request, _) = judge.requests(item(text, "b", asked=text), (0, 1))
    steps, tags, rest = cut(request)
    assert (
        set(tags) == {"<e>"} and rest == "" and len(steps) == max(1, sum(map(bool, map(str.strip, text.split("\n\n")))))
    )
    assert not any("<e>" in part for part in (*steps, request.messages[0][1]))
    found = judge.read(item(text, "b"), (0, 1), [Output(steps=(0.5,) * len(steps)), Output(steps=(0.5,))])
    assert found.status == "ok" and list(map(len, found.steps)) == [len(steps), 1]


def test_only_a_tag_that_can_be_told_from_text_is_broken():
    assert break_tag("a\n\nb+", "\n\n") == "a\n\nb+" == break_tag("a\n\nb+", "+")
    assert break_tag("x ки", " ки") == f"x к{GAP}и"
    assert "--" not in break_tag("-----", "--")


@pytest.mark.parametrize("rule", RULES)
def test_the_score_is_what_the_rule_makes_of_the_steps(rule):
    trio = item("a\n\nb\n\nc", "a\n\nb")
    outputs = [Output(steps=(0.25,) * 2), Output(steps=(0.5, 0.25, 1.0))]
    reading = Process(steps=rule).read(trio, (1, 0), outputs)
    assert reading.status == "ok" and reading.steps == (outputs[0].steps, outputs[1].steps)
    assert reading.scores == (RULES[rule]((0.25, 0.25)), RULES[rule]((0.5, 0.25, 1.0)))


@pytest.mark.parametrize("bad", [None, (), (0.5,), (0.5, 0.5, 0.5), (0.5, math.nan), (0.5, 1.5), (-0.1, 0.5)])
def test_a_number_for_every_step_or_no_judgment(bad):
    pair = item("a\n\nb", "c")
    assert Process().read(pair, (0, 1), [Output(steps=bad), Output(steps=(1.0,))]) == Reading("unparsed")
    failed = Output(finish="failed", error="too long")
    assert Process().read(pair, (0, 1), [failed, Output(steps=(1.0,))]) == Reading("failed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": "sum"}, "judge.steps=sum: choose min, max, prod"),
        ({"step_separator": ""}, "judge.step_separator is empty"),
        ({"step_tag": ""}, "judge.step_tag is empty"),
    ],
)
def test_options_are_checked(options, said):
    with pytest.raises(JudgescaleError, match=said):
        Process(**options)
