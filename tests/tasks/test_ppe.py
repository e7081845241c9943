"""PPE: votes, conflict pairs and best-of-K out of files of the documented schema, and what they score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import arm
from shapes import answers, put, refused, texts, vote

from judgescale.harness import recorded
from judgescale.harness.evaluation.credits import make_units
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.live.buying import buy
from judgescale.harness.plan import read_limits
from judgescale.harness.plan.live import plan_live_arm
from judgescale.harness.plan.recorded import plan_recorded_arms
from judgescale.harness.published import lists as published
from judgescale.harness.stats.intervals import rollup
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import Item, JudgescaleError, Judgment, Record, Rules, Task
from judgescale.tasks import ppe_best_of_k, ppe_correctness, ppe_preference
from judgescale.tasks.hub import Hub

BENCHMARKS = ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval")
STRICT = Rules(name="ppe_correctness", tie="zero", failure=0.0, unusable="abstain", order="random", rollup="sections")
PICK = Rules(name="ppe_best_of_k", tie="share", failure=0.0, unusable="abstain", order="random", rollup="sections")


def test_votes(tmp_path: Path) -> None:
    """A file of the documented schema; the Hub itself was not reached."""
    spellings = ("model_a", "model_b", "tie", "tie (bothbad)")
    rows = [vote(winner, question_id=f"q{i}") for i, winner in enumerate(spellings)]
    rows.append(vote("model_b", question_id="q0", model_a="o", language="Russian", is_code=False, response_2=""))
    for name in ("test.parquet", "test.jsonl", "test.jsonl.gz"):
        loaded = texts(ppe_preference.task(path=str(put(tmp_path / name, rows))))
        first, second, last = loaded.items
        assert first == Item(
            id="q0/org/m/n",
            prompt="q0/org/m/n",
            cluster=last.cluster,
            responses=("model_a", "model_b"),
            gold=(1.0, 0.0),
            conversation=(("user", "hi"),),
            texts=("said by a", "said by b"),
            tags=(
                ("language", "English"),
                ("category", "hard"),
                ("category", "instruction following"),
                ("category", "code"),
            ),
        )
        assert (second.gold, last.gold, last.id) == ((0.0, 1.0), (0.0, 1.0), "q0/o/n")
        assert loaded.notes == ("Ties are left out: 2 of 5 votes (the owners' file has 16,038).",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"winner": "model_c"}, "field winner: 'model_c' is neither"),
        ({"hard_prompt": None}, "field hard_prompt: is null"),
        ({"language": 5}, "field language: is a number"),
        ({"prompt": None}, "field prompt: is null"),
        ({"question_id": "p"}, "item p/org/m/n is there already"),
    ],
)
def test_a_vote_of_another_schema_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    file = put(tmp_path / "x.jsonl", [vote(question_id="p"), vote() | changes])
    line = refused(ppe_preference.task, file)
    assert line.startswith(f"{file}, row 2") and says in line


def test_votes_that_are_all_ties_make_no_item(tmp_path: Path) -> None:
    file = put(tmp_path / "x.jsonl", [vote("tie")])
    assert refused(ppe_preference.task, file).startswith(f"task.path={file}: ")


def test_conflict_pairs(tmp_path: Path) -> None:
    """Files of the documented schema, one a benchmark; the Hub itself was not reached."""
    rows = [
        answers([True, False, False, True], [[0, 2], [2, 0], [3, 1]]),
        answers([False, True], [[0, 1]], model_name="org/n"),
        answers([True, True], question_id="8"),
    ]
    for name in (
        "PPE-MMLU-Pro-Best-of-K/data/train-00000-of-00001.parquet",
        "math.jsonl",
        "ppe_gpqa.jsonl.gz",
        "mbpp_plus_best_of_k/train.jsonl",
        "IFEval.parquet",
    ):
        put(tmp_path / name, rows)
    loaded = texts(task := ppe_correctness.task(path=str(tmp_path)))
    assert Counter(map(task.section, loaded.items)) == dict.fromkeys(BENCHMARKS, 3)
    first, second, other = (i for i in loaded.items if task.section(i) == "MATH")
    assert first.id == "MATH/m/7/1-3" and dict(zip(first.responses, first.gold)) == {"1": 1, "3": 0}
    assert dict(zip(second.texts, second.gold)) == {"answer 3": 1, "answer 1": 0}
    assert other.subset == "MATH/org/n" and other.tags == (("model", "org/n"),)
    assert first.cluster == other.cluster and first.conversation == (("user", "how many?"),)
    assert "5 conflict pairs are repeats" in loaded.notes[1] and "5 questions have no conflict" in loaded.notes[2]
    assert "MATH 3 of 512" in loaded.notes[0]


def test_a_benchmark_is_told_by_its_data_set_its_column_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    """Rows as the Hub would give them, by data sets; the Hub itself was not reached."""
    ids = [f"lmarena-ai/PPE-{name}-Best-of-K" for name in BENCHMARKS]
    monkeypatch.setattr(Hub, "read_rows", lambda hub, part: iter([answers([1, 0], [[0, 1]])]))
    hub = {"id": ids, "config": None, "split": "train", "revision": None}
    task = ppe_correctness.task(hub=hub)
    assert [task.section(item) for item in texts(task).items] == list(BENCHMARKS)
    mixed = [answers([1, 0], [[0, 1]], benchmark=name) for name in ("mmlu_pro", "MBPP+", "PPE-GPQA")]
    file = put(tmp_path / "math/all.jsonl", mixed)
    assert {item.subset for item in texts(ppe_correctness.task(path=str(file))).items} == {
        "MMLU-Pro/m",
        "MBPP-Plus/m",
        "GPQA/m",
    }
    for name, row in (("aftermath.jsonl", {}), ("math-and-gpqa.jsonl", {}), ("math.jsonl", {"benchmark": "other"})):
        file = put(tmp_path / name, [answers([1, 0], [[0, 1]]) | row])
        assert f"{file}, row 1, field benchmark: this column" in refused(ppe_correctness.task, file)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sampled_conflict_pairs": [[0, 1], [1, 4]]}, "sampled_conflict_pairs[1]"),  # counted from 1
        ({"sampled_conflict_pairs": [[0, 3]]}, "sampled_conflict_pairs[0]"),
        ({"sampled_conflict_pairs": [[0]]}, "sampled_conflict_pairs[0]"),
        ({"sampled_conflict_pairs": ["01"]}, "sampled_conflict_pairs[0]"),
        ({"sampled_conflict_pairs": [[True, 1]]}, "sampled_conflict_pairs[0]"),
        ({"sampled_conflict_pairs": [[-1, 1]]}, "sampled_conflict_pairs[0]"),
        ({"sampled_conflict_pairs": None}, "sampled_conflict_pairs"),
        ({"scores": [0.5, 1, 0, 1]}, "scores[0]"),
        ({"scores": [None]}, "scores[0]"),
        ({"model_name": None}, "model_name"),
        ({"response_2": None}, "response_2"),
        ({"question_id": 1.5}, "question_id"),
    ],
)
def test_answers_of_another_schema_are_named(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    row = answers([True, False, False, True], [[0, 1]])
    file = put(tmp_path / "math.jsonl", [row, row | {"question_id": "8"} | changes])
    assert refused(ppe_correctness.task, file).startswith(f"{file}, row 2, field {field}: ")


def test_the_place_of_a_pair_does_not_tell_which_is_right(tmp_path: Path) -> None:
    rows = [answers([True, False], [[0, 1]], question_id=str(i)) for i in range(400)]
    items = texts(ppe_correctness.task(path=str(put(tmp_path / "math.jsonl", rows)))).items
    assert 150 < sum(item.gold[0] for item in items) < 250


def test_best_of_k(tmp_path: Path) -> None:
    """A file of the documented schema; the Hub itself was not reached."""
    rows = [answers([i % size == 0 for i in range(32)], question_id=size) for size in (1, 2, 33)]
    rows.append(answers([False] * 32, question_id="none"))
    file = str(put(tmp_path / "gpqa.parquet", [row | {"question_id": str(row["question_id"])} for row in rows]))
    every, half, one, none = texts(task := ppe_best_of_k.task(path=file)).items
    assert [sum(item.gold) for item in (every, half, one, none)] == [32, 16, 1, 0]
    assert (half.id, half.responses[:3], half.texts[31]) == ("GPQA/m/2", ("1", "2", "3"), "answer 31")
    assert [len(item.texts) for item in texts(ppe_best_of_k.task(path=file, n=8)).items] == [8] * 4
    assert task.revision != ppe_best_of_k.task(n=8).revision
    tied = np.array([[3.0, 3.0, 3.0, *[1.0] * 29]])  # of which two are right
    assert credit_best((half,), (tied,), PICK).tolist() == [pytest.approx(2 / 3)]
    assert [credit_best((i,), (tied,), PICK).tolist() for i in (every, none)] == [[1], [0]]
    assert credit_best((every,), (np.full((1, 32), np.nan),), PICK).tolist() == [0]
    for n in (1, 33, "8", True, None):
        with pytest.raises(JudgescaleError, match=r"^task\.n=.*from 2 to 32$"):
            ppe_best_of_k.task(n=n)  # type: ignore[arg-type]
    short = put(tmp_path / "x/gpqa.jsonl", [answers([True] * 5)])
    assert "field scores: holds 5, fewer than task.n=6" in refused(ppe_best_of_k.task, short, n=6)


def test_recorded_sets_keep_the_first_n_and_the_models() -> None:
    names = ("1", "2", "3")
    rows = [
        Record(
            prompt="GPQA/m/1",
            cluster="c",
            subset="GPQA/m",
            responses=names,
            gold=(0.0, 0.0, 1.0),
            judgment=Judgment(judge="j", shown=pair, scores=(1.0, 0.0)),
        )
        for pair in combinations(range(3), 2)
    ]
    found, _ = evaluate(arm(rows, Elo(1), [1], ppe_best_of_k.task(n=2), PICK))
    assert found.headline.value == 0 and found.subsets["oracle pick"].value == 0
    (item,) = arm(rows, Elo(1), [1], ppe_best_of_k.task(n=3), PICK).items
    assert item.tags == (("model", "m"),)
    with pytest.raises(JudgescaleError, match="has 3 responses, fewer than task.n=32"):
        arm(rows, Elo(1), [1], ppe_best_of_k.task(), PICK)


@pytest.mark.parametrize(
    ("task", "source", "metric", "unit", "rows"),
    [
        (ppe_correctness.task(), "PPE blog post", "accuracy", 1.0, 16),
        (ppe_correctness.task(), "Qwen2.5 technical report", "accuracy", 0.01, 4),
        (ppe_best_of_k.task(), "PPE blog post", "best_of_k_end_score", 0.1, 14),
    ],
)
def test_the_leaderboard_s_mean_is_that_of_the_five(
    task: Task, source: str, metric: str, unit: float, rows: int
) -> None:
    """Every printed figure is rounded to `unit`, so the mean of five and the printed mean differ by less than one."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in published.find_rows("PPE-Correctness", metric=metric):
        if row.source.startswith(source):
            found.setdefault((row.model, row.prompt), {})[row.subset] = 100 * row.value
    assert len(found) == rows
    for of_model in found.values():
        theirs = of_model.pop("Overall")
        assert set(of_model) == set(BENCHMARKS)
        items = [Item(id="", prompt="", cluster=name, responses=(), gold=(), subset=f"{name}/m") for name in of_model]
        units = make_units(task, items)
        ours = float(rollup(units, np.array(list(of_model.values())), "sections")[1])
        assert abs(ours - theirs) < unit


def test_the_leaderboard_rounds() -> None:
    """Where somebody else prints a figure of it with two decimals, the leaderboard's whole percent is that, rounded."""
    rows = published.find_rows("PPE-Correctness")
    exact = {(r.model, r.subset): 100 * r.value for r in rows if r.source.startswith("Qwen2.5 technical report")}
    whole = {(r.model, r.subset): 100 * r.value for r in rows if r.source.startswith("PPE blog post")}
    both = exact.keys() & whole.keys()
    assert len(both) == 12 and all(round(exact[name]) == round(whole[name], 6) for name in both)


def guesses(items: Sequence[Item], questions: Any, samples: int = 1) -> list[Record]:
    """A judge that knows nothing: a score drawn for every response that it is shown."""
    rng = np.random.default_rng(0)
    return [
        Record(
            prompt=i.id,
            cluster=i.cluster,
            subset=i.subset,
            responses=i.responses,
            gold=i.gold,
            judgment=Judgment(
                judge="judge",
                shown=tuple(q),
                scores=tuple(rng.permutation(len(q)).astype(float).tolist()),
                sample=sample,
            ),
        )
        for i in items
        for q in questions(len(i.responses))
        for sample in range(samples)
    ]


def make_up_item(folder: Path, answered: int, questions: int = 60) -> Path:
    """The five benchmarks in one file, with as many answers to a question as asked for; how many are right varies."""
    rng = np.random.default_rng(1)
    rows = []
    for name in BENCHMARKS:
        for number in range(questions):
            scores = (rng.random(answered) < rng.beta(0.6, 0.6)).tolist()
            pairs = [[i, j] for i in range(answered) for j in range(answered) if scores[i] > scores[j]]
            picked = [pairs[i] for i in rng.permutation(len(pairs))[:5]]
            rows.append(answers(scores, picked, question_id=str(number), prompt=f"{name} {number}", benchmark=name))
    return put(folder / "all.jsonl", rows)


def test_guessing_earns_half_of_the_pairs(tmp_path: Path) -> None:
    task = ppe_correctness.task(path=str(make_up_item(tmp_path, 8)))
    items = texts(task).items
    result, _ = evaluate(arm(guesses(items, lambda n: [(0, 1)]), Single(), [1], task, STRICT))
    assert len(items) > 900 and result.headline.value == pytest.approx(0.5, abs=0.05)
    assert set(result.sections) == set(BENCHMARKS)


def test_a_part_of_the_benchmark_is_not_held_against_the_published_whole(tmp_path: Path) -> None:
    """How many pairs there are is not known, but which benchmarks are."""
    task = ppe_correctness.task(path=str(make_up_item(tmp_path, 8, 4)))
    items = texts(task).items
    three = [item for item in items if task.section(item) in ("MMLU-Pro", "MATH", "GPQA")]

    def compared(items: Sequence[Item], **changes: Any) -> set[str]:
        mine = replace(
            arm(guesses(items, lambda n: [(0, 1)]), Single(), [1], task, STRICT), judge="J1-Qwen-32B", **changes
        )
        return {p.section for p in evaluate(mine)[0].published if p.delta is not None}

    assert compared(items) == {"overall", *BENCHMARKS}
    assert compared(three) == compared(three, subsets=("GPQA", "MATH", "MMLU-Pro")) == {"MMLU-Pro", "MATH", "GPQA"}
    assert compared(items, limit=5) == compared(three, subsets=("GPQA/m", "MATH/m", "MMLU-Pro/m")) == set()
    assert compared(items, partial=texts(task).partial) == set()  # 4 questions each where the owners have 512
    assert compared(items, partial=frozenset({"GPQA"})) == {*BENCHMARKS} - {"GPQA"}


@pytest.mark.parametrize("strategy", [Single(), Elo(1, "wins"), Knockout(1)])
def test_guessing_earns_a_random_pick_with_every_strategy(tmp_path: Path, strategy: Any) -> None:
    task = ppe_best_of_k.task(path=str(make_up_item(tmp_path, 6, 100)), n=6)
    items = texts(task).items
    result, _ = evaluate(arm(guesses(items, strategy.questions), strategy, [1], task, PICK))
    chance, most = (result.subsets[f"{name} pick"].value for name in ("random", "oracle"))
    assert chance == pytest.approx(np.mean([np.mean(item.gold) for item in items]))
    assert most == pytest.approx(np.mean([max(item.gold) for item in items])) and chance < 0.6 < most
    assert result.headline.value == pytest.approx(chance, abs=0.05)
    assert result.subsets["GPQA: oracle pick"].items == 100


def test_a_live_knockout_and_its_replay(composed, tmp_path: Path) -> None:
    where = f"task.path={make_up_item(tmp_path, 8, 4)}"
    cfg = composed(
        "judge=random",
        "task=ppe_best_of_k",
        where,
        "task.n=8",
        "strategy=knockout",
        "strategy.k=2",
        f"run.store={tmp_path}/store.sqlite",
    )
    plan = plan_live_arm(cfg)
    (bought,) = buy([plan.purchase], read_limits(cfg), lambda meter: None)
    live, _ = evaluate(plan.fill(bought))
    assert live.compute["judgments"] == 20 * 7 * 2 and {"random pick", "oracle pick"} <= set(live.subsets)
    recorded.write_set(tmp_path / "set.parquet", bought.data.records, bought.data.meta)
    (again,) = plan_recorded_arms(
        composed(
            "task=ppe_best_of_k",
            "task.n=8",
            f"engine.path={tmp_path}/set.parquet",
            "strategy=knockout",
            "strategy.k=2",
        )
    )
    replayed, _ = evaluate(again)
    assert replayed.headline.value == live.headline.value and replayed.subsets.keys() == live.subsets.keys()


def test_published_figures_are_found_under_the_names_of_the_sections() -> None:
    for task in (ppe_preference.task(), ppe_correctness.task()):
        assert task.published and {row.subset for row in published.find_rows(task.published)} >= {"Overall"}
    subsets = {row.subset for row in published.find_rows("PPE-Correctness")}
    assert set(ppe_correctness.BENCHMARKS) <= subsets
