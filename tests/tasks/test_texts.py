"""Items with texts: files of the benchmarks' documented shapes come out right, everything else as one clear line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import CUSTOM, JUDGEBENCH, LLMBAR, REWARDBENCH2, best_of, pair, put, read, refused, right

from judgescale.harness.types import Item, JudgescaleError, Rules
from judgescale.tasks import custom, judgebench, llmbar, rewardbench2, rmb, rmb_bon, sanity, vicuna80

TASKS = {
    "custom": custom.task, "judgebench": judgebench.task, "llmbar": llmbar.task, "rewardbench2": rewardbench2.task,
    "rmb": rmb.task, "rmb_bon": rmb_bon.task, "vicuna80": vicuna80.pairs,
}  # fmt: skip


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


def test_rmb_pairs(tmp_path: Path) -> None:
    said = [{"role": r, "content": r} for r in ("user", "assistant", "user")]
    put(tmp_path / "Pairwise_set/Helpfulness/Chat.json.gz", [pair(str(i)) for i in range(60)])
    mute = {"llm_name": "n", "answer": ""}  # the owners' files hold such answers
    other = pair(9, "Pairwise_set/Harmlessness/S1", conversation_input=said, reject=mute)
    put(tmp_path / "Pairwise_set/Harmlessness/S1.json", [other])
    put(tmp_path / "BoN_set/Harmlessness/S1.json", [best_of("1", 2)])
    whole, items = read(rmb.task, tmp_path), read(rmb.task, tmp_path / "Pairwise_set")
    assert whole[:-2] == items and len(items) == 61
    assert items[0].id == "Harmlessness/S1/9" and items[0].conversation[1] == ("assistant", "assistant")
    assert {right(item) == {"good"} for item in items} == {True}
    assert {dict(zip(i.responses, i.gold))["chosen"] for i in items} == {1.0}
    assert len({item.cluster for item in items}) == 2
    assert {rmb.section(item) for item in items} == {"Helpful-Pair", "Harmless-Pair"}
    assert {rmb.section(item) for item in whole[-2:]} == {"Harmless-BoN"}
    assert len({rmb.unit(item) for item in whole}) == 62 and {len(item.texts) for item in whole} == {2}
    assert "'Pairwise_set' is not BoN_set" in refused(rmb_bon.task, tmp_path / "Pairwise_set")


def test_rmb_best_of_n_as_pairs_is_right_only_where_the_best_beats_every_loser() -> None:
    pairs = [
        Item(
            id=f"BoN/x/1/{i}",
            prompt="",
            cluster="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            subset="BoN/Harmlessness/S1",
        )
        for i in range(3)
    ]
    rules = Rules(name="rmb", tie="zero", failure=0.0, unusable="abstain", order="any")
    won, tied, failed = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), np.full((1, 2), np.nan)
    for last, earned in ((won, 1), (tied, 0), (failed, 0), (won[:, ::-1], 0)):
        assert rmb.credit(pairs, [won, won, last], rules).tolist() == [earned]


def test_rmb_best_of_n(tmp_path: Path) -> None:
    put(tmp_path / "BoN_set/S1.json", [best_of(str(i), 2 + i % 5) for i in range(60)])
    items = read(rmb_bon.task, tmp_path)
    assert {right(item) == {"best"} for item in items} == {True} and {len(i.texts) for i in items} == {3, 4, 5, 6, 7}
    assert dict(zip(items[0].responses, items[0].texts)) == {"top": "best", "m0": "loser 0", "m1": "loser 1"}
    twins = best_of("1", 1, loser_list=[{"llm_name": "top", "answer": "x"}])
    assert "field loser_list[0].llm_name: top is among" in refused(rmb_bon.task, put(tmp_path / "x.json", [twins]))
    assert "field loser_list: is empty" in refused(rmb_bon.task, put(tmp_path / "y.json", [best_of("1", 0)]))
    mute = best_of("1", 1, loser_list=[{"llm_name": "a"}])
    assert "field loser_list[0].answer: is missing" in refused(rmb_bon.task, put(tmp_path / "z.json", [mute]))


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


def test_rewardbench2(tmp_path: Path) -> None:
    ties = [
        REWARDBENCH2 | {"id": f"{kind}:4", "subset": "Ties", "chosen": good}
        for kind, good in (("ref", ["a"]), ("tied", ["a", "b"]))
    ]
    focus, ref, tied = read(rewardbench2.task, put(tmp_path / "test.parquet", [*ties, REWARDBENCH2]))
    assert focus.id == "Focus/1" and right(focus) == {"good"} and sorted(focus.responses) == ["0", "1", "2", "3"]
    assert dict(zip(focus.responses, focus.texts))["0"] == "good"
    assert ref.cluster == tied.cluster == "Ties/4" and right(tied) == {"a", "b"}
    assert "has 1 item(s)" in refused(rewardbench2.task, put(tmp_path / "x.jsonl", ties[:1]))
    chat = put(tmp_path / "y.jsonl", [REWARDBENCH2 | {"subset": "Chat"}])
    assert "RewardBench 2 has" in refused(rewardbench2.task, chat)


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


def test_custom_rows(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    file = put(
        tmp_path / "mine.jsonl",
        [
            {"prompt": "q", "responses": ["a", "b", "c"], "best": 2},
            {"prompt": said, "responses": ["a", "b", "c"], "best": [0, 1], "id": 17, "subset": "hard", "cluster": "c"},
            {"prompt": "q", "chosen": "good", "rejected": ["x", "y"]},
        ],
    )
    one, two, three = read(custom.task, file)
    assert (one.id, one.gold, one.subset, one.responses) == ("1", (0.0, 0.0, 1.0), "", ("1", "2", "3"))
    assert (two.id, two.gold, two.subset, two.cluster) == ("17", (1.0, 1.0, 0.0), "hard", "c")
    assert two.conversation == (("system", "s"), ("user", "q"))
    assert right(three) == {"good"} and set(three.texts) == {"good", "x", "y"} and three.cluster == one.cluster
    columns = {
        "prompt": ["q", "r"],
        "responses": [["a", "b"], None],
        "best": [1, None],
        "chosen": [None, ["good"]],
        "rejected": [None, ["x", "y"]],
    }
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    assert [right(item) for item in read(custom.task, tmp_path / "mine.parquet")] == [{"b"}, {"good"}]


def test_custom_rows_of_lone_responses(tmp_path: Path) -> None:
    lone = [{"prompt": "q", "response": "2 + 2 = 5", "error": True}, {"prompt": "r", "response": "4", "error": False}]
    wrong, fine = read(custom.task, put(tmp_path / "lone.jsonl", lone))
    assert (wrong.texts, wrong.gold, fine.gold) == (("2 + 2 = 5",), (1.0,), (0.0,))
    decisions = [np.array([[0.9]]), np.array([[0.2]])]
    credit, rules = custom.task().credit, Rules(name="mine", tie="zero", failure=0.0, unusable="abstain", order="any")
    earned = [credit((item,), (d,), rules).tolist() for item in (wrong, fine) for d in decisions]
    assert earned == [[1], [0], [0], [1]]
    assert "row 2, field response: must be in every row or in none" in refused(
        custom.task, put(tmp_path / "mixed.jsonl", [lone[0], CUSTOM])
    )
    assert "field response: must be" in refused(custom.task, put(tmp_path / "mixed2.jsonl", [CUSTOM, lone[0]]))
    for changes, field in (({"error": None}, "error"), ({"error": 1}, "error"), ({"chosen": "x"}, "chosen")):
        assert f"field {field}: " in refused(custom.task, put(tmp_path / "x.jsonl", [lone[0] | changes]))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": 5}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["q"]}, "prompt[0]"),
        ({"prompt": [{"role": "user"}]}, "prompt[0].content"),
        ({"prompt": [{"role": "robot", "content": "q"}]}, "prompt[0].role"),
        ({"prompt": [{"role": "assistant", "content": "q"}]}, "prompt"),
        ({"responses": ["a"]}, "responses"),
        ({"responses": ["a", ""]}, "responses[1]"),
        ({"responses": ["a", None]}, "responses[1]"),
        ({"responses": ["a", "\ud800"]}, "responses[1]"),
        ({"responses": {}}, "responses"),
        ({"responses": None}, "chosen"),
        ({"best": 2}, "best"),
        ({"best": -1}, "best"),
        ({"best": True}, "best"),
        ({"best": []}, "best"),
        ({"best": [0, 1]}, "best"),
        ({"chosen": "a", "rejected": "b"}, "chosen"),
        ({"best": [0, "1"]}, "best"),
        ({"best": None}, "best"),
        ({"id": 1.5}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"subset": []}, "subset"),
        ({"responses": None, "chosen": "a"}, "rejected"),
        ({"responses": None, "chosen": [], "rejected": "b"}, "chosen"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    file = put(tmp_path / "mine.jsonl", [CUSTOM, CUSTOM | changes])
    assert refused(custom.task, file).startswith(f"{file}, row 2, field {field}: ")


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
    "custom": CUSTOM, "rewardbench2": REWARDBENCH2, "rmb": pair(), "rmb_bon": best_of("1", 2), "llmbar": LLMBAR,
    "judgebench": JUDGEBENCH,
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.dictionaries(st.sampled_from(FIELDS), values, max_size=3))
def test_whatever_a_row_holds_it_is_an_item_or_one_clear_line(name: str, changes: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = put(Path(folder) / "rows.jsonl", [GOOD[name] | changes])
        try:
            assert len(read(TASKS[name], file)) == 1
        except JudgescaleError as error:
            assert str(file) in str(error) and "\n" not in str(error)
