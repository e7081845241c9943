r"""What is a verdict and what is none, in every format: endings that contradict themselves are never scored."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_judges import LONE, PAIR, TRIO, UNPARSED, poisoned, prose, read, scores

from judgescale.harness.judges.choice import Choice
from judgescale.harness.judges.detection import Detection
from judgescale.harness.judges.direct import Direct
from judgescale.harness.judges.meta import GenerativeMeta
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.types import STATUSES, Output

# (judge, item, a verdict, what it reads as, another verdict): every format that closes with a marker
FORMATS = [
    (Pointwise(), PAIR, r"\boxed{8, 5}", scores(8, 5), r"\boxed{5, 8}"),
    (Pointwise(), TRIO, r"\boxed{1, 10, 3}", scores(1, 10, 3), r"\boxed{9, 1, 1}"),
    (Pointwise(), LONE, r"\boxed{10}", scores(0), r"\boxed{1}"),
    (Pairwise(), PAIR, r"\boxed{Assistant 2}", scores(0, 1), r"\boxed{Assistant 1}"),
    (Pairwise(), PAIR, r"\boxed{\text{Assistant 1}}", scores(1, 0), r"\boxed{Assistant 2}"),
    (Choice(), TRIO, "[[B]]", scores(0, 1, 0), "[[A]]"),
    (Choice(), PAIR, r"\boxed{2}", scores(0, 1), r"\boxed{1}"),
    (Detection(), LONE, r"\boxed{no error}", scores(0), r"\boxed{error}"),
]
every = pytest.mark.parametrize(
    "judge, of, verdict, expected, other",
    FORMATS,
    ids=[f"{judge.format}-{verdict}" for judge, _, verdict, *_ in FORMATS],
)
JOINTS = [
    " ", "\n", "\n\n", ".\n", ", ", ",", "/", " / ", " and ", " or ", " & ", "; ", "** **", "$ and $", " \\quad ",
    r" \text{ or } ", r"\)" + "\n" + r"\(", " and maybe ", ", or perhaps ", " vs. ", " > ", " = ", "\n---\n", " nor ",
]  # fmt: skip
REJECTING = [
    "not ", "The verdict is not ", "It isn't ", "It isn’t **", r"It is not \(", "I would not choose ", "It cannot be ",
    "I don't think it is ", "neither ", "Anything instead of ", "The other one is better than ", "I prefer it over ",
]  # fmt: skip
UNDECIDED = [
    " I cannot decide.", ". I can't decide", ", but I cannot decide.", "\n\nI cannot decide between them.", " neither",
    " or neither.", ". Neither is better than the other.", ", though I am not sure.",
    ". I am unable to determine which.", " (it is hard to say)", ". Wait, no.", " is wrong.",
    " is not the right verdict.", " if it is better.", "; undecided.", ". There is no clear winner.",
    ". Both are long. " + "They read well. " * 40 + "I cannot tell which is better.",
]  # fmt: skip
TIED = [" it's a tie", ". It’s a tie!", ", it is really a tie.", " (a tie)", ". Both are equally good.", ", or both."]
STATED = [
    " is better; it is not a tie.", ". Neither is perfect, but it is.", ", though neither is flawless.",
    ". I cannot decide lightly, but this is better.", " if I must choose.", " (there are no ties)",
    ". It would be a tie if not for the mistake.", ". The other one cannot determine the root.",
    ". It says that it is impossible to determine the number.", ". A tie on style; facts decide.", "</answer>", "。",
]  # fmt: skip
LEADING = [
    "{v} {v}", "{v}\n\n{v}", "{v}. So: {v}", "First {o}, on reflection {v}", "{o}? No: {v}", "{o}? {v}",
    "not {o} but {v}", "{o} -> {v}", "Close with {o} or {v}.\n\n{v}", "Close with {v} or {o}.\n{v}",
    "Choose {v}, {o}\n\n{v}",
    "It answers \\boxed{{x = 4}}. {v}", "It is hard to decide, but {v}", "That does not work\n{v}", "is it not? {v}",
]  # fmt: skip


@every
@given(before=prose, joint=st.sampled_from(JOINTS), swapped=st.booleans(), after=st.sampled_from(["", ".", "\n", "**"]))
def test_two_verdicts_at_the_end_are_none(judge, of, verdict, expected, other, before, joint, swapped, after):
    pair = [other, verdict] if swapped else [verdict, other]
    assert read(judge, f"{before} {joint.join(pair)}{after}", of) == UNPARSED
    assert read(judge, f"{before} {joint.join([*pair, verdict])}{after}", of) == UNPARSED or "\n" in joint


@every
@given(before=prose, words=st.sampled_from(REJECTING))
def test_a_marker_that_names_what_is_not_chosen_is_no_verdict(judge, of, verdict, expected, other, before, words):
    assert read(judge, f"{before} {words}{verdict}.", of) == UNPARSED


@every
@given(before=prose, words=st.sampled_from([*UNDECIDED, *TIED]))
def test_a_verdict_that_is_taken_back_is_none(judge, of, verdict, expected, other, before, words):
    assert read(judge, f"{before}\n{verdict}{words}", of) == UNPARSED


@every
@given(before=prose, lead=st.sampled_from(LEADING), words=st.sampled_from(["", *STATED]))
def test_a_verdict_that_is_stated_is_read(judge, of, verdict, expected, other, before, lead, words):
    assert read(judge, f"{before}\n{lead.format(v=verdict, o=other)}{words}", of) == expected


@every
@given(before=prose)
def test_a_verdict_is_read_whatever_prose_comes_before(judge, of, verdict, expected, other, before):
    assert read(judge, f"{before}\n{verdict}", of) == expected


def test_a_box_around_a_marker_is_the_same_verdict():
    assert read(Pairwise(), r"\boxed{\boxed{Assistant 2}}") == scores(0, 1)
    assert read(Choice(), r"\boxed{[[B]]}") == read(Choice(), r"[[\boxed{B}]]") == scores(0, 1)
    assert read(Choice(), r"[[A]] \boxed{[[B]]}, [[A]]") == UNPARSED


def test_a_box_in_what_is_judged_is_no_rival_of_a_bracketed_verdict():
    assert read(Choice(), "So the answer is \\boxed{2}.\n\n[[A]]") == scores(1, 0)
    assert read(Choice(), "\\boxed{B} and [[A]]") == UNPARSED
    assert read(Pairwise(), r"\boxed{tie} \boxed{Assistant 1}") == UNPARSED


def test_a_tie_confirms_equal_scores_and_contradicts_others():
    for words in TIED:
        assert read(Pointwise(), rf"\boxed{{7, 7}}{words}") == scores(7, 7)
    assert read(Pointwise(), r"\boxed{7, 7} I cannot decide.") == UNPARSED


def test_the_choices_of_a_prompt_are_no_verdict():
    asked = 'Write "[[A]]" if assistant A is better, "[[B]]" if assistant B is better.'
    assert read(Choice(), asked) == UNPARSED
    assert read(Choice(), asked.replace("is better.", "is better, and [[C]] for a tie."), TRIO) == UNPARSED
    assert read(Choice(), f"{asked}\n\nMy verdict: [[A]]") == scores(1, 0)
    assert read(Detection(), r"\boxed{error} if there is one, otherwise \boxed{no error}.", LONE) == UNPARSED
    assert read(Detection(), r"There is no \boxed{error}", LONE) == UNPARSED


def test_a_rating_of_a_meta_rm_follows_the_same_rules():
    for text in (r"\boxed{3} \boxed{8}", r"\boxed{3} or \boxed{8}", r"not \boxed{8}", r"\boxed{8} is wrong"):
        assert GenerativeMeta().read(Output(text)) is None
    assert GenerativeMeta().read(Output(r"It says \boxed{2}. My rating: \boxed{8}")) == 8


UNITS = [
    "{v} ", "{v}, ", "{v} or ", "not ", "I cannot ", "Neither ", r"\boxed{{", "[[", r"\text{{", " \n", "It's a tie. ",
    "if ", "*", "\\[ ", "a ", ", ", "$ ", "{v}\n", "?", "\\", "</a>", "<|", "{v}{o}",
]  # fmt: skip


@every
@pytest.mark.parametrize("unit", UNITS)
def test_a_long_hostile_answer_is_read_in_less_than_a_second(judge, of, verdict, expected, other, unit):
    flood = unit.format(v=verdict, o=other) * (100_000 // len(unit))
    flood = flood[:100_000]
    for text in (flood, verdict + flood, flood + verdict, f"{verdict} {flood} {other}"):
        assert min(measure_reading(judge, text, of) for _ in range(2)) < 1  # one may meet the garbage collector


def measure_reading(judge, text, of):
    """Measure the seconds of processor time that an answer takes to read."""
    started = time.process_time()
    assert read(judge, text, poisoned(of)).status in STATUSES
    return time.process_time() - started


@pytest.mark.parametrize("text", ["A B", "A or B", "A/B", "A, B", "not A", "A? B", "neither", "A, no", "[[A]] [[B]]"])
def test_two_labels_or_a_rejected_one_are_no_bare_verdict(text):
    assert read(Direct(), text) == UNPARSED


@given(text=st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_label(text):
    assert read(Direct(), text).status in STATUSES
