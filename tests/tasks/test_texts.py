"""Items with texts: files of the benchmarks' documented shapes come out right, everything else as one clear line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import CUSTOM, JUDGEBENCH, LLMBAR, REWARDBENCH2, best_of, pair, put, read, refused, right

from judgescale.harness.types import Item, JudgescaleError
from judgescale.tasks import custom, judgebench, llmbar, rewardbench2, rmb, rmb_bon, sanity, vicuna80

TASKS = {
    "custom": custom.task,
    "judgebench": judgebench.task,
    "llmbar": llmbar.task,
    "rewardbench2": rewardbench2.task,
    "rmb": rmb.task,
    "rmb_bon": rmb_bon.task,
    "vicuna80": vicuna80.pairs,
}


def test_without_a_path_there_are_no_texts():
    assert all(task().read is None for task in TASKS.values())
    assert sanity.task().read is not None
    for path in (5, True, "", ["a"]):
        with pytest.raises(JudgescaleError, match=r"task\.path="):
            custom.task(path=path)


def test_llmbar(tmp_path: Path) -> None:
    row = LLMBAR | {"label": 2}
    for subset in ("Natural", "Adversarial/GPTOut", "FairEval"):
        put(tmp_path / subset / "dataset.json", [row, row | {"label": "1"}])
    items = read(llmbar.task, tmp_path)
    assert [item.id for item in items] == ["Natural/0", "Natural/1", "GPTOut/0", "GPTOut/1"]
    assert items[0] == Item(
        id="Natural/0",
        prompt="Natural/0",
        cluster="Natural/0",
        responses=("1", "2"),
        gold=(0.0, 1.0),
        subset="Natural",
        conversation=(("user", "q"),),
        texts=("a", "b"),
    )
    assert right(items[1]) == {"a"}
    assert [i.id for i in read(llmbar.task, tmp_path / "FairEval/dataset.json")] == ["FairEval/0", "FairEval/1"]
    assert "no Natural/" in refused(llmbar.task, tmp_path / "FairEval")
    bad = put(tmp_path / "Manual/dataset.json.gz", [row, row | {"label": 3}])
    assert f"{bad}, row 2, field label: '3'" in refused(llmbar.task, tmp_path)


def test_judgebench(tmp_path: Path) -> None:
    row = JUDGEBENCH | {"label": "B>A"}
    name = "dataset=judgebench,response_model=m.jsonl.gz"
    put(tmp_path / name, [row, row | {"pair_id": "r", "source": "mmlu-pro-law", "label": "A>B"}])
    put(tmp_path / "outputs" / name, [row])
    second, first = reversed(read(judgebench.task, tmp_path))
    assert (first.id, first.subset, first.responses, first.gold) == ("r", "mmlu-pro-law", ("A", "B"), (1.0, 0.0))
    assert first.cluster == second.cluster and right(second) == {"b"}
    assert read(judgebench.task, tmp_path / name) == [first, second]
    assert "label" in refused(judgebench.task, put(tmp_path / "x.jsonl", [row | {"label": "A=B"}]))
    twice = put(tmp_path / "y.jsonl", [row, row])
    assert f"{twice}, row 2: item p is there already: {twice}, row 1" in refused(judgebench.task, twice)


def test_where_a_file_puts_the_right_answer_first_its_place_tells_nothing(tmp_path: Path) -> None:
    answers = [pair(str(i), chosen={"llm_name": "m", "answer": f"good {i}"}) for i in range(400)]
    mine = [{"prompt": "q", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(400)]
    for items in (
        read(rmb.task, put(tmp_path / "rmb.json", answers)),
        read(
            rmb.task,
            put(
                tmp_path / "same.json",
                [pair(str(i)) | {"chosen": r["chosen"], "reject": r["chosen"]} for i, r in enumerate(answers)],
            ),
        ),
        read(custom.task, put(tmp_path / "mine.jsonl", mine)),
    ):
        assert 150 < sum(item.gold[0] for item in items) < 250


def test_vicuna80(tmp_path: Path) -> None:
    models = ("bard", "claude", "gpt35", "gpt4", "vicuna-13b")
    put(tmp_path / "prompts/vicuna_questions.jsonl", [{"question_id": q, "text": f"q{q}"} for q in range(1, 81)])
    for model in models:
        rows = [{"question_id": q, "text": f"{model} {q}"} for q in range(1, 81)]
        put(tmp_path / f"generations/answer_{model}.jsonl.gz", rows)
    pairs = read(vicuna80.pairs, tmp_path)
    assert len(pairs) == 685
    for item in (*pairs, *(best := vicuna80.best_of_5(path=str(tmp_path)).read().items)):
        assert item.conversation == (("user", f"q{item.cluster}"),)
        assert item.texts == tuple(f"{model} {item.cluster}" for model in item.responses)
    assert len(best) == 80 and {item.responses for item in best} == {models}
    put(tmp_path / "generations/answer_gpt4.jsonl.gz", rows[:-1])
    assert "question 80 has no text of gpt4" in refused(vicuna80.pairs, tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """For truncated and empty ones see test_damaged.py."""
    for name, content, says in (
        ("a.jsonl", b"\xff\xfe", "is not UTF-8"),
        ("b.json", b"[1]", "row 1: is a number, not a JSON object"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        line = refused(custom.task, file)
        assert line.startswith(str(file)) and says in line
    assert "there is no such file" in refused(custom.task, tmp_path / "nowhere.jsonl")
    assert "is a folder" in refused(custom.task, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in set(TASKS) - {"custom"}:
        assert str(empty) in refused(TASKS[name], empty)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "answer", "llm_name"]), v, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = ["id", "prompt", "responses", "response", "error", "best", "chosen", "rejected", "subset", "cluster",
          "pair_uid", "category_path", "conversation_input", "reject", "bon_uid", "bon_best", "loser_list", "input",
          "output_1", "label", "pair_id", "source", "question"]  # fmt: skip
GOOD = {
    "custom": CUSTOM,
    "rewardbench2": REWARDBENCH2,
    "rmb": pair(),
    "rmb_bon": best_of("1", 2),
    "llmbar": LLMBAR,
    "judgebench": JUDGEBENCH,
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.dictionaries(st.sampled_from(FIELDS), values, max_size=3))
def test_whatever_a_row_holds_it_is_an_item_or_one_clear_line(name: str, changes: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = put(Path(folder) / "rows.jsonl", [GOOD[name] | changes])
        try:
            assert len(read(TASKS[name], file)) == 1
        except JudgescaleError as error:
            assert str(file) in str(error) and "\n" not in str(error)
