"""PandaLM's three classes and ReaLMistake's lone responses, live: what a judge's answers are worth.

The Hub was not reached, and ReaLMistake's examples are in no file here: rows are made up in the documented shapes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import arm, protocol, recorded_set
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import GPT4, mistake, panda, put, read, refused

from judgescale.harness.contracts import Judge
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.judges.detection import Detection
from judgescale.harness.judges.direct import Direct
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.judges.token_prob import TokenProb
from judgescale.harness.plan.items import note_counts
from judgescale.harness.runner import run
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import HUMAN, Item, Judgment, Output, Record, Rules
from judgescale.tasks import pandalm, realmistake

LLAMA2 = "meta-llama/Llama-2-70b-chat-hf"


def judged(judge: Judge, item: Item, *texts: str | Output) -> Judgment:
    outputs = [text if isinstance(text, Output) else Output(text) for text in texts]
    shown = tuple(range(len(item.responses)))
    assert len(judge.requests(item, shown)) == len(outputs)
    reading = judge.read(item, shown, outputs)
    return Judgment(judge="judge", shown=shown, scores=reading.scores, status=reading.status)


def credited(task: Any, items: list[Item], judgments: list[Judgment], rules: Rules) -> Any:
    """The result of these judgments, one an item, as of a live run."""
    rows = [
        Record(prompt=i.prompt, cluster=i.cluster, subset=i.subset, responses=i.responses, gold=None, judgment=j)
        for i, j in zip(items, judgments)
    ]
    return evaluate(arm(rows, Voting(1, "abstain"), [1], task, rules, items))[0]


def test_pandalm_items_are_those_of_the_recorded_set(tmp_path: Path) -> None:
    rows = [
        panda(0, (2, 2, 1)),
        panda(1, (0, 0, 1), input="in 0"),
        panda(2, (1, 2, 0), input=" ", response1="", response2=True),
        panda(3, ("1", "1", "2"), instruction=" ", cmp_key="odd"),
    ]
    put(tmp_path / "testset-v1.json", rows)
    put(tmp_path / "pandalm-7b-testset-v1.json", [{"idx": 0, "pandalm_result": 2}])
    put(tmp_path / "testset-inference-v1.json", [{"instruction": "Do it."}])
    items = read(pandalm.task, tmp_path)
    assert items == read(pandalm.task, tmp_path / "testset-v1.json")
    assert [item.gold for item in items] == [(0, 1), (0.5, 0.5), (1, 0), (1, 0)]  # all differ: the first annotator
    assert [item.conversation[0][1] for item in items] == ["Do it.\n\nin 0", "Do it.\n\nin 0", "Do it.", "in 3"]
    assert items[0].cluster == items[1].cluster != items[2].cluster and items[2].texts == ("", "True")
    assert [item.responses for item in items] == [("m-1", "m-2")] * 3 + [("1", "2")]
    human = [
        Record(
            prompt=item.prompt,
            cluster=item.cluster,
            subset="",
            responses=item.responses,
            gold=None,
            judgment=Judgment(judge=HUMAN, shown=(0, 1), scores=gold, sample=i),
        )
        for item, row in zip(items, rows)
        for i, gold in reversed([(i, pandalm.GOLD[str(row[f"annotator{i}"])]) for i in (1, 2, 3)])
    ]
    for live, kept in zip(items, pandalm.load(recorded_set(human)), strict=True):
        assert (kept.id, kept.cluster, kept.responses, kept.gold) == (live.id, live.cluster, live.responses, live.gold)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"annotator2": 3}, "field annotator2: '3' is none of 0, 1, 2"),
        ({"annotator3": None}, "field annotator3: "),
        ({"response1": 7}, "field response1: is a number"),
        ({"instruction": "", "input": ""}, "field instruction: is empty, and so is the input"),
        ({"idx": 0}, "item 0 is there already"),
    ],
)
def test_a_wrong_row_of_pandalm_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    file = put(tmp_path / "testset-v1.json", [panda(0), panda(1) | changes])
    line = refused(pandalm.task, file)
    assert line.startswith(f"{file}, row 2") and says in line


def test_pandalm_live_by_judges_with_and_without_ties(tmp_path: Path) -> None:
    """Equal scores are the verdict "tie"; a judge that knows no tie misses every one; no verdict is no class."""
    votes = [(1, 1, 1), (2, 2, 2), (0, 0, 0), (0, 0, 0)]
    file = put(tmp_path / "testset-v1.json", [panda(i, v) for i, v in enumerate(votes)])
    items = read(pandalm.task, file)
    rules = protocol("pandalm")
    scores = [r"\boxed{8, 3}", r"\boxed{3, 8}", r"\boxed{5, 5}", r"\boxed{6, 5}"]
    result = credited(pandalm.task(), items, [judged(Pointwise(), i, s) for i, s in zip(items, scores)], rules)
    assert result.headline.value == 0.75 and result.health["ties"] == 1
    assert result.sections["macro_precision"].value == pytest.approx((0.5 + 1 + 1) / 3)
    assert result.sections["macro_recall"].value == pytest.approx((1 + 1 + 0.5) / 3)
    assert result.sections["macro_f1"].value == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    said = ["Assistant 1", "Assistant 2", "Assistant 1", "neither"]
    pairs = [judged(Pairwise(), i, rf"\boxed{{{s}}}") for i, s in zip(items, said)]
    result = credited(pandalm.task(), items, pairs, rules)
    assert result.headline.value == 0.5 and result.health["unparseable"] == 1
    assert result.sections["macro_precision"].value == pytest.approx((0.5 + 1 + 0) / 3)
    assert result.sections["macro_recall"].value == pytest.approx((1 + 1 + 0) / 3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1])), min_size=1, max_size=30))
def test_the_macro_means_are_scikit_learns(rows: list[tuple[int, int]]) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    gold, said = (np.array([((1 + c) / 2, (1 - c) / 2) for c in column]) for column in zip(*rows))
    theirs = precision_recall_fscore_support(*zip(*rows), labels=[1, -1, 0], average="macro", zero_division=0)[:3]
    ours = [f(gold, said) for f in (pandalm.macro_precision, pandalm.macro_recall, pandalm.macro_f1)]
    assert ours == pytest.approx(theirs)


def test_pandalm_7b_gives_all_four_figures_of_its_owners(evaluated: Any) -> None:
    (result,) = evaluated("experiment=pandalm").values()
    found = {name: round(e.value, 4) for name, e in {"accuracy": result.headline, **result.sections}.items()}
    assert found == {"accuracy": 0.6677, "macro_precision": 0.5738, "macro_recall": 0.5750, "macro_f1": 0.5743}


@pytest.mark.hub
def test_realmistake_items_in_both_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owners' data folder, and a folder in the Hub's part: its splits and its name of the label."""
    label = {0: "error", 1: "no_error"}
    for model, split in ((GPT4, "gpt4"), (LLAMA2, "llama2")):
        put(
            tmp_path / f"data/math_word_problem_generation/{model.rpartition('/')[2]}.jsonl",
            [mistake(n, model, label[n]) for n in (0, 1)],
        )
        put(tmp_path / f"hub/{split}.jsonl", [mistake(n, model, label[n], "error_label") for n in (0, 1)])
    put(tmp_path / "data/example.jsonl", [mistake(0)])
    items = read(realmistake.task, tmp_path / "data")
    monkeypatch.setattr(pytest.importorskip("datasets").config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "hub/README.md").write_text(
        "---\nconfigs:\n- config_name: math\n  data_files:\n"
        "  - {split: gpt4, path: gpt4.jsonl}\n  - {split: llama2, path: llama2.jsonl}\n---\n"
    )
    options = {"id": str(tmp_path / "hub"), "config": ["math"], "split": ["gpt4", "llama2"], "revision": None}
    by_id = {item.id: item for item in realmistake.task(hub=options).read().items}
    assert len(items) == 4 and by_id == {item.id: item for item in items}
    one = by_id[f"math_problem_generation_1_{LLAMA2}"]
    assert one == Item(
        id=one.id,
        prompt=one.id,
        cluster="math_problem_generation_1",
        responses=("Llama-2-70b-chat-hf",),
        gold=(0.0,),
        subset="math_word_problem_generation",
        conversation=(("user", "q1"),),
        texts=(f"answer 1 of {LLAMA2}",),
        tags=(("model", "Llama-2-70b-chat-hf"),),
    )
    assert len({item.cluster for item in items}) == 2
    kept = Record(
        prompt=one.prompt,
        cluster=one.cluster,
        subset=one.subset,
        responses=one.responses,
        gold=one.gold,
        judgment=Judgment(judge="j", shown=(0,), scores=(1.0,)),
    )
    assert realmistake.load(recorded_set([kept]))[0].tags == one.tags


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"label": "maybe"}, "field label: 'maybe' is neither"),
        ({"label": "error", "error_label": "wrong"}, "field error_label: 'wrong' is neither"),
        ({"metadata": {"llm_response_model": GPT4}}, "field metadata.id: is missing"),
        ({"metadata": {"id": "x_1", "llm_response_model": GPT4}}, "field metadata.id: 'x_1' begins with none of"),
        ({"llm_response": ""}, "field llm_response: is empty"),
    ],
)
def test_a_wrong_row_of_realmistake_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    file = put(tmp_path / "gpt-4-0613.jsonl", [mistake(0), mistake(1) | changes])
    line = refused(realmistake.task, file)
    assert line.startswith(f"{file}, row 2") and says in line


def test_realmistake_is_judged_by_every_format_that_reads_a_lone_response(tmp_path: Path) -> None:
    rows = [mistake(0), mistake(1, label="no_error"), mistake(2), mistake(3, label="no_error")]
    items = read(realmistake.task, put(tmp_path / "a-b.jsonl", rows))
    likely = {"yes": -0.1, "no": -2.4}
    for judge, wrong, fine in (
        (Detection(), r"\boxed{error}", r"\boxed{no error}"),
        (Pointwise(), r"\boxed{2}", r"\boxed{9}"),
        (Direct(), "yes", "no"),
        (TokenProb(), Output(logprobs=likely), Output(logprobs={"yes": likely["no"], "no": likely["yes"]})),
    ):
        said = [judged(judge, i, text) for i, text in zip(items, (wrong, fine, fine, "hm"))]
        result = credited(realmistake.task(), items, said, protocol("realmistake"))
        assert result.headline.value == 0.5 and result.health["unparseable"] == 1
        assert result.sections["f1"].value == pytest.approx(2 / 3)


def test_realmistake_whole_and_the_part_with_published_figures() -> None:
    def of(size: int) -> list[Item]:
        return [
            Item(id=f"{t}{i}", prompt="", cluster="", responses=(GPT4,), gold=(1.0,), subset=t)
            for t in realmistake.COUNTS
            for i in range(size)
        ]

    task = realmistake.task()
    assert note_counts(task, of(300)) == []
    assert "answerability_classification 50 of 300" in note_counts(task, of(50))[0]


def test_whole_live_runs(composed: Any, tmp_path: Path) -> None:
    """From the command line's options to a result, by a judge that guesses."""
    votes = [(n % 3,) * 3 for n in range(6)]
    paths = {
        "pandalm": put(tmp_path / "testset-v1.json", [panda(n, v) for n, v in enumerate(votes)]),
        "realmistake": put(tmp_path / "a-b.jsonl", [mistake(n, label=("error", "no_error")[n % 2]) for n in range(6)]),
    }
    for task, path in paths.items():
        cfg = composed(
            "judge=random", f"task={task}", f"task.path={path}", "strategy.k=4", f"run.store={tmp_path}/store.sqlite"
        )
        (result,) = run([cfg], tmp_path / task, show=False)
        assert result.items == 6 and result.health["unparseable"] == 0
        assert {"pandalm": "macro_recall", "realmistake": "roc_auc"}[task] in result.sections
        again = composed(f"task={task}", f"engine.path={tmp_path}/{task}/recorded.parquet", "strategy.k=4")
        (replayed,) = run([again], tmp_path / f"{task} again", show=False)
        assert replayed.headline == result.headline and replayed.sections == result.sections
