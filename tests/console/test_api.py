"""The public face: the examples of docs/python.md, what it returns, and what it says of what does not fit."""

from __future__ import annotations

import asyncio
import re

import pytest
from conftest import ROOT

import judgescale as js

PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_docs_run_and_are_short(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    exec(compile(example, "docs/python.md", "exec"), {})
    for line in re.findall(r"# (\d\.\d)", example):
        assert line in capsys.readouterr().out


def test_every_public_name_is_there() -> None:
    assert all(getattr(js, name) for name in js.__all__) and js.__version__
    with pytest.raises(AttributeError, match="nothing"):
        js.nothing  # noqa: B018


def test_a_shipped_set_gives_the_command_lines_numbers(evaluated) -> None:
    (ours,) = js.evaluate(
        "vicuna80", task=js.load_task("vicuna80_pairs"), strategy=js.Voting(), protocol="vicuna80_pairs"
    )
    theirs = evaluated("task=vicuna80_pairs")[ours.judge]
    assert ours.headline == theirs.headline and ours.signature == theirs.signature
    assert [p.estimate for p in ours.curve] == [p.estimate for p in theirs.curve]


def test_each_judge_of_the_rows_is_a_result() -> None:
    rows = [
        {"prompt": str(i), "responses": ["a", "b"], "best": "a", "judge": judge, "scores": scores}
        for i in range(6)
        for judge, scores in (("right", [1, 0]), ("wrong", [0, 1]))
    ]
    found = {r.judge: r.headline.value for r in js.evaluate(rows)}
    assert found == {"right": 1.0, "wrong": 0.0}
    (pooled,) = js.evaluate(rows, pool=True)
    assert pooled.headline.value == 0.5 and pooled.k == 2


def test_variants_steps_and_the_pool_of_a_shipped_set_are_chosen_as_on_the_command_line(evaluated) -> None:
    path = "engine.path=results/recorded/rewardbench_math_prm.parquet"
    ours = js.evaluate(
        "rewardbench_math_prm",
        task=js.load_task("rewardbench"),
        protocol="rewardbench_scalar",
        judges=["Math_Shepherd", "ReasonEval_7B"],
        steps="prod",
        strategy=js.Voting(1),
    )
    theirs = evaluated(
        "task=rewardbench",
        path,
        "protocol=rewardbench_scalar",
        "judge.names=[Math_Shepherd,ReasonEval_7B]",
        "judge.steps=prod",
        "strategy.k=1",
    )
    assert {r.judge for r in ours} == {"Math_Shepherd (prod)", "ReasonEval_7B (prod)"} == set(theirs)
    for result in ours:
        assert result.headline == theirs[result.judge].headline and result.signature == theirs[result.judge].signature


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": "sum"}, "judge.steps=sum: choose "),
        ({"steps": "prod"}, "judge.steps=prod: mine has no step scores in set rows"),
        ({"variants": ["terse"]}, "judge.variants: 'terse' is not among those of these judges"),
        ({"variants": [3]}, r"judge.variants=\[3\]: must be a list of variants"),
        ({"pool": "alike"}, "judge.pool=alike: must be true, false, equal, by_cost, in_order or null"),
    ],
)
def test_a_choice_that_a_set_does_not_have_is_named(options, words) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "mine", "scores": [1, 0], "variant": "long"}
    with pytest.raises(js.JudgescaleError, match=words):
        js.evaluate([row], **options)


def test_variants_and_equal_shares_of_rows() -> None:
    rows = [
        {"prompt": str(i), "responses": ["a", "b"], "best": "a", "judge": judge, "variant": variant, "scores": scores}
        for i in range(4)
        for judge, variant, scores in [("x", "long", [1, 0]), ("x", "short", [0, 1]), ("y", "long", [1, 0])]
    ]
    (long,) = js.evaluate(rows, judges=["x"], variants=["long"])
    (short,) = js.evaluate(rows, judges=["x"], variants=["short"])
    assert (long.judge, long.headline.value, short.headline.value) == ("x (long)", 1.0, 0.0)
    (equal,) = js.evaluate(rows, pool="equal", strategy=js.Voting(2))
    (free,) = js.evaluate(rows, pool=True, strategy=js.Voting(2))
    assert (equal.headline.value, free.headline.value) == pytest.approx((0.75, 2 / 3))


def test_rows_of_responses_scored_alone_answer_questions_about_pairs() -> None:
    rows = [
        {"prompt": str(i), "responses": ["a", "b", "c"], "best": "a", "judge": "mine", "pointwise": True}
        | {"scores": [9, 5, 1]}
        for i in range(4)
    ]
    for strategy in (js.Voting(1), js.Knockout(1), js.Budget(1, apart=True)):
        (result,) = js.evaluate(rows, strategy=strategy, protocol="rewardbench2")
        assert result.headline.value == pytest.approx(1)
    gap = {**rows[0], "scores": [9, None, 1]}
    (result,) = js.evaluate([gap, *rows[1:]], protocol="rewardbench2")
    assert result.headline.value == 1.0 and result.health["partial"] == 1
    with pytest.raises(js.JudgescaleError, match="row 1, field scores: None is not a finite number"):
        js.evaluate([{**gap, "pointwise": False}])


def test_a_row_that_does_not_fit_is_named() -> None:
    with pytest.raises(js.JudgescaleError, match="row 1, field .*: .*missing"):
        js.evaluate([{"prompt": "q", "responses": ["a", "b"], "judge": "j", "best": "a"}])


def items(n: int = 6) -> list[js.Item]:
    return [
        js.Item(
            id=str(i),
            prompt=str(i),
            cluster=str(i),
            responses=("a", "b"),
            gold=(1.0, 0.0),
            conversation=(("user", f"q{i}"),),
            texts=("good", "bad"),
        )
        for i in range(n)
    ]


def test_an_async_judge_is_asked_about_several_items_at_once_also_inside_a_loop() -> None:
    busy = most = 0

    async def judge(question: str, responses: list[str]) -> list[float]:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        return [float(r == "good") for r in responses]

    async def notebook() -> js.Result:
        return js.run_judge(judge, items(12), strategy=js.Voting(k=2), concurrency=4)

    result = asyncio.run(notebook())
    assert result.headline.value == 1.0 and result.judge == "judge" and 1 < most <= 4
    assert result.compute["judgments"] == 24


def test_a_guessing_judge_does_not_win_by_the_places() -> None:
    """It always takes what is shown first, and right answers come first in the items."""
    first, both = (
        js.run_judge(lambda q, r: [1.0, 0.0], items(400), name="first", strategy=js.Voting(k=k)) for k in (1, 2)
    )
    assert first.headline.ci[0] < 0.5  # shuffled: by luck alone
    assert both.headline.value == 0.5  # of two judgments each order is one, so they cancel out


def test_answers_are_kept_in_the_store(tmp_path) -> None:
    calls = []

    def judge(question: str, responses: list[str]) -> list[float]:
        calls.append(question)
        return [1.0, 0.0]

    for k in (1, 3, 3):
        js.run_judge(judge, items(2), strategy=js.Voting(k=k), store=tmp_path / "store.sqlite", seed=1)
    assert len(calls) == 2 * 3


def test_both_orders_are_asked_for_as_on_the_command_line() -> None:
    asked: list[list[str]] = []

    def judge(question: str, responses: list[str]) -> list[float]:
        asked.append(responses)
        return [1.0, 0.0]

    result = js.run_judge(judge, items(1), protocol="llmbar")
    assert result.k == 2 and sorted(asked) == [["bad", "good"], ["good", "bad"]]
    assert js.run_judge(judge, items(1), protocol="llmbar", strategy=js.Voting(k=3)).health["judgments"] == 4
    with pytest.raises(js.JudgescaleError, match="strategy.k=3: protocol.order=both .* takes an even k"):
        js.run_judge(judge, items(1), protocol="llmbar", strategy=js.Knockout(k=3))


def test_a_store_that_is_not_kept_is_not_named(tmp_path) -> None:
    result = js.run_judge(lambda q, r: [1.0, 0.0], items(2), name="first")
    assert result.store is None and not any(".sqlite" in note for note in result.notes)
    kept = js.run_judge(lambda q, r: [1.0, 0.0], items(2), name="first", store=tmp_path / "kept.sqlite")
    assert kept.store == tmp_path / "kept.sqlite" and any("kept.sqlite" in note for note in kept.notes)


ROWS = [{"prompt": str(i), "responses": ["a", "b"], "best": "a", "judge": "mine", "scores": [1, 0]} for i in range(4)]


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"draws": 1}, "draws=1: must be a whole number, 2 or more"),
        ({"seed": -1}, "seed=-1: "),
        ({"seed": 1.5}, "seed=1.5: "),
        ({"strategy": js.Voting(0)}, "strategy.k=0: must be 1 or more"),
        ({"strategy": js.Voting(-1)}, "strategy.k=-1: must be 1 or more"),
        ({"strategy": js.MetaVoting(2, k_meta=0)}, "strategy.k_meta=0: must be 1 or more"),
        ({"strategy": "voting"}, "strategy='voting': must be a Strategy"),
        ({"protocol": 5}, "protocol=5: "),
    ],
)
def test_an_option_that_does_not_fit_is_named_before_anything_is_asked(options, complaint) -> None:
    calls: list[str] = []
    with pytest.raises(js.JudgescaleError, match=re.escape(complaint)):
        js.run_judge(lambda q, r: calls.append(q), items(2), **options)
    with pytest.raises(js.JudgescaleError, match=re.escape(complaint)):
        js.evaluate(ROWS, **options)
    assert not calls


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"name": "human"}, "name=human: must be a name, and not 'human', which stands for annotators"),
        ({"name": " "}, "name= : must be a name"),
        ({"name": 5}, "name=5: must be a name"),
        ({"concurrency": 0}, "concurrency=0: must be a whole number, 1 or more"),
        ({"max_failures": -1}, "max_failures=-1: "),
        ({"task": "llmbar"}, "task: give items"),
    ],
)
def test_an_option_of_a_run_that_does_not_fit_is_named(options, complaint) -> None:
    with pytest.raises(js.JudgescaleError, match=re.escape(complaint)):
        js.run_judge(lambda q, r: None, **{"task": items(2), **options})


def test_annotators_are_no_judge() -> None:
    with pytest.raises(js.JudgescaleError, match=r"has no judge, only annotators \('human'\)"):
        js.evaluate([{**row, "judge": "human"} for row in ROWS])
    with pytest.raises(js.JudgescaleError, match="task='custom': must be a Task, as load_task"):
        js.evaluate(ROWS, task="custom")


def test_a_judge_without_a_single_verdict_is_noted() -> None:
    said = "Not one judgment held a verdict"
    silent = js.run_judge(lambda q, r: None, items(2), name="silent")
    assert silent.health["unparseable"] == 2 and any(note.startswith(said) for note in silent.notes)
    (recorded,) = js.evaluate([{**row, "scores": None} for row in ROWS])
    assert recorded.health["unparseable"] == 4 and any(note.startswith(said) for note in recorded.notes)
    (usable,) = js.evaluate([*({**row, "scores": None} for row in ROWS[1:]), ROWS[0]])
    assert not any(note.startswith(said) for note in usable.notes)


def test_no_verdict_is_counted_and_a_wrong_one_is_named() -> None:
    result = js.run_judge(lambda q, r: None if q[0] == "q" else [0.0, 0.0], items(2), name="silent", protocol="custom")
    assert result.health["statuses"] == {"unparsed": 2} and result.headline.value == 0.0
    with pytest.raises(js.JudgescaleError, match=r"two returned \[1.0\]: it must return 2 numbers, or None"):
        js.run_judge(lambda q, r: [1.0], items(1), name="two")
    with pytest.raises(js.JudgescaleError, match="broken: ZeroDivisionError"):
        js.run_judge(lambda q, r: [1 / 0], items(1), name="broken")
