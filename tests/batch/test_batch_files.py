"""run.batch: requests written as batch files, sent, answered, read: as if they had been asked live, and each once."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from batch_server import BatchServer  # noqa: E402
from conftest import refuse, say  # noqa: E402
from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.batch import folder as batch_folder  # noqa: E402
from judgescale.harness.batch import provider  # noqa: E402
from judgescale.harness.batch.__main__ import main  # noqa: E402
from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.types import JudgescaleError, Unfinished  # noqa: E402

pytestmark = pytest.mark.openai


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


@pytest.fixture
def go(composed, tmp_path):
    """go(server, …) runs through the folder `tmp_path`/batch; with batch=False, live and into another store."""

    def go(server, *more: str, batch: bool = True):
        where = "batch" if batch else "live"
        overrides = [
            "judge=pairwise",
            "judge.model=local",
            "engine=openai",
            f"engine.base_url={server.url}",
            "judge.sampling.max_tokens=64",
            "task=sanity",
            f"run.store={tmp_path}/{where}.sqlite",
            *([f"run.batch={tmp_path}/batch"] if batch else []),
            *more,
        ]
        return run([composed(*overrides)], tmp_path / f"out-{where}", show=False)[0]

    return go


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "batch"


def scored(result):
    return {(row["item"], tuple(row["shown"]), row["sample"]): row["scores"] for row in result.judgments}


def answer_by_hand(server: BatchServer, folder: Path, number: int, rows: slice = slice(None), out: str = "") -> Path:
    """What `vllm run-batch -i … -o …` does, for some of the rows."""
    lines = [json.loads(row) for row in (folder / f"requests-{number}.jsonl").read_text().splitlines()]
    answers = folder / (out or f"answers-{number}.jsonl")
    answers.write_text("".join(json.dumps(server.answer_line(line, True)[0]) + "\n" for line in lines[rows]))
    return answers


def count_rows(folder: Path, number: int) -> int:
    return len((folder / f"requests-{number}.jsonl").read_text().splitlines())


def test_two_thousand_requests_through_an_endpoint_are_the_live_run(go, folder, capsys):
    """A batch that expires in the middle is gone on with; nothing is asked twice, and the numbers are the live ones."""
    size = ("task.size=250", "strategy.k=8", "engine.many=false")
    with BatchServer(answer=verdict, most=1234, patience=1) as server:
        with pytest.raises(Unfinished, match="2,000 requests written to requests-1.jsonl; send them with"):
            go(server, *size)
        assert "2,000 requests sent as batch_0" in say(main, capsys, "send", str(folder))
        with pytest.raises(SystemExit):
            main(["collect", str(folder)])
        assert "in_progress, 3 of 7 answered" in capsys.readouterr().out
        with pytest.raises(Unfinished, match="answers to requests-1.jsonl are awaited"):
            go(server, *size)  # nothing is written twice while a batch is under way
        told = say(main, capsys, "collect", str(folder), "--wait", "--every", "0.01")
        assert "requests-1.jsonl: expired; answers-1.jsonl and answers-1-errors.jsonl" in told
        with pytest.raises(Unfinished, match="1,234 answers read; 766 requests written to requests-2.jsonl"):
            go(server, *size)
        said = capsys.readouterr().err
        assert "answers-1-errors.jsonl, row 1: the window closed" in said and "and 746 more like these" in said
        say(main, capsys, "send", str(folder))
        say(main, capsys, "collect", str(folder), "--wait", "--every", "0.01")
        done = go(server, *size)
        assert server.requests == 0 and len(server.bodies) == 2000
    assert len({json.dumps(body) for body in server.bodies}) == 2000
    with FaultyServer(answer=verdict) as live:
        same = go(live, *size, batch=False)
    bodies = [json.dumps(entry.body) for entry in live.log]
    assert sorted(bodies) == sorted(map(json.dumps, server.bodies))
    assert scored(done) == scored(same) and done.headline == same.headline and done.curve == same.curve
    assert done.health["statuses"] == same.health["statuses"] == {"ok": 2000}


def test_several_samples_are_one_line_and_what_is_there_is_asked_no_more(go, folder):
    server = BatchServer(answer=verdict)
    with server, pytest.raises(Unfinished, match="6 requests"):
        go(server, "task.size=3", "strategy.k=8")  # two orders a pair
    rows = [json.loads(row) for row in (folder / "requests-1.jsonl").read_text().splitlines()]
    assert all(row["body"]["n"] == 4 and row["custom_id"].endswith("-0-4") for row in rows)
    assert {row["url"] for row in rows} == {"/v1/chat/completions"} and {row["method"] for row in rows} == {"POST"}
    answer_by_hand(server, folder, 1)
    assert go(server, "task.size=3", "strategy.k=8").health["statuses"] == {"ok": 24}
    with pytest.raises(Unfinished, match="6 requests written to requests-2.jsonl"):
        go(server, "task.size=3", "strategy.k=12")
    rows = [json.loads(row) for row in (folder / "requests-2.jsonl").read_text().splitlines()]
    assert all(row["body"]["n"] == 2 and row["custom_id"].endswith("-4-2") for row in rows)


def test_a_server_that_refuses_n_is_asked_one_by_one(go, folder, capsys):
    server = BatchServer(answer=verdict, refuse_n=True)
    with server, pytest.raises(Unfinished):
        go(server, "task.size=2", "strategy.k=4")
    answer_by_hand(server, folder, 1)
    with pytest.raises(Unfinished, match="8 requests written to requests-2.jsonl"):
        go(server, "task.size=2", "strategy.k=4")
    assert "answers-1.jsonl, row 1: 400 n must be 1" in capsys.readouterr().err
    answer_by_hand(server, folder, 2)
    assert go(server, "task.size=2", "strategy.k=4").health["statuses"] == {"ok": 8}


@pytest.mark.parametrize(
    ("strategy", "rounds"),
    [
        (("strategy=knockout", "strategy.k=2", "task.responses=4"), 2),
        (("strategy=double_elimination", "strategy.k=2", "task.responses=4"), None),
        (("strategy=budget", "strategy.k=4"), None),
        (("strategy=stopping", "strategy.k=6"), None),
        (("strategy=information_gain", "strategy.k=4", "task.responses=3"), None),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_strategy_that_asks_as_it_goes_takes_several_rounds(go, folder, strategy, rounds):
    server, number, done = BatchServer(answer=verdict), 0, None
    with server:
        while done is None:
            try:
                done = go(server, "task.size=6", *strategy)
            except Unfinished as told:
                assert "what is asked next depends on these answers" in str(told)
                answer_by_hand(server, folder, number := number + 1)
        same = go(server, "task.size=6", *strategy, batch=False)
    assert number == rounds if rounds else number > 1
    assert scored(done) == scored(same) and done.headline == same.headline
    bodies = [json.dumps(body, sort_keys=True) for body in server.bodies]
    assert len(bodies) == len(set(bodies))


def test_each_model_has_its_own_file(folder, composed, tmp_path):
    """Two judges of one run: a provider takes one model a file."""
    server = BatchServer(answer=verdict)
    overrides = [
        "judge=pairwise",
        "engine=openai",
        "task=sanity",
        "task.size=3",
        "strategy.k=2",
        f"run.batch={folder}",
        f"run.store={tmp_path}/s.sqlite",
    ]
    arms = [composed(*overrides, f"judge.model={name}", "engine.provider=p") for name in ("one", "two")]
    with pytest.raises(Unfinished, match="12 requests written to requests-1.jsonl, requests-2.jsonl"):
        run(arms, tmp_path / "out", show=False)
    models = [
        {json.loads(row)["body"]["model"] for row in (folder / f"requests-{i}.jsonl").read_text().splitlines()}
        for i in (1, 2)
    ]
    assert models == [{"one"}, {"two"}]
    for number in (1, 2):
        answer_by_hand(server, folder, number)
    assert [result.judge for result in run(arms, tmp_path / "out", show=False)] == ["one", "two"]


def test_every_bad_row_has_its_line_and_the_good_ones_are_kept(go, folder, capsys):
    server = BatchServer(answer=verdict)
    with server, pytest.raises(Unfinished, match="10 requests"):
        go(server, "task.size=10", "strategy.k=1")
    answers = answer_by_hand(server, folder, 1)
    rows = answers.read_text().splitlines()
    broken = json.loads(rows[2])
    broken["response"]["body"] = {"choices": []}
    answers.write_text(
        "\n".join(
            [
                rows[0],
                rows[1],
                rows[0],
                json.dumps(broken),
                "{not json",
                '{"custom_id": "mine", "response": null, "error": null}',
                '{"response": null}',
                json.dumps(
                    json.loads(rows[4]) | {"response": None, "error": {"code": "batch_expired", "message": None}}
                ),
                json.dumps(
                    json.loads(rows[5]) | {"response": {"status_code": 500, "body": {"error": {"message": "oops"}}}}
                ),
                rows[6][:50],
            ]
        )
    )
    with pytest.raises(Unfinished, match="2 answers read; 8 requests written to requests-2.jsonl"):
        go(server, "task.size=10", "strategy.k=1")
    said = capsys.readouterr().err
    for line in (
        r"answers-1.jsonl, row 3: was answered in answers-1.jsonl, row 1, and that answer stays",
        r"answers-1.jsonl, row 4: the reply has no choices",
        r"answers-1.jsonl, row 5: is no JSON\n",
        r"answers-1.jsonl, row 6: custom_id 'mine' is in no requests-\*.jsonl of this folder",
        r"answers-1.jsonl, row 7: has no custom_id",
        r"answers-1.jsonl, row 8: batch_expired",
        r"answers-1.jsonl, row 9: 500 oops",
        r"answers-1.jsonl, row 10: is no JSON; the file is cut short there",
    ):
        assert re.search(line, said), (line, said)
    answer_by_hand(server, folder, 2)
    done = go(server, "task.size=10", "strategy.k=1")
    assert done.health["statuses"] == {"ok": 10}


def test_a_request_that_never_succeeds_counts_as_failed_as_in_a_live_run(go, folder):
    server = BatchServer(answer=verdict)
    with server, pytest.raises(Unfinished):
        go(server, "task.size=4", "strategy.k=1")
    answers = answer_by_hand(server, folder, 1)
    rows = answers.read_text().splitlines()
    too_long = {"status_code": 400, "body": {"error": {"message": "prompt too long"}}}
    rows[1] = json.dumps(json.loads(rows[1]) | {"response": too_long})
    answers.write_text("\n".join(rows) + "\n")
    done = go(server, "task.size=4", "strategy.k=1")
    assert done.health["statuses"] == {"ok": 3, "failed": 1}
    with pytest.raises(JudgescaleError, match="more than run.max_failures=0; the last: 400 prompt too long"):
        go(server, "task.size=4", "strategy.k=1", "run.max_failures=0")


def test_files_hold_what_a_provider_takes_and_a_budget_leaves_out_the_rest(go, folder, monkeypatch):
    monkeypatch.setattr(batch_folder, "MOST_LINES", 4)
    server = BatchServer(answer=verdict)
    with server, pytest.raises(Unfinished, match="10 requests written to requests-1.jsonl, requests-2.jsonl, re"):
        go(server, "task.size=10", "strategy.k=1")
    assert [count_rows(folder, i) for i in (1, 2, 3)] == [4, 4, 2]
    size = (folder / "requests-1.jsonl").stat().st_size
    monkeypatch.setattr(batch_folder, "MOST_BYTES", size - 1)
    with pytest.raises(Unfinished):
        go(server, "task.size=10", "strategy.k=1", "seed=1")
    assert max((folder / f"requests-{i}.jsonl").stat().st_size for i in (4, 5, 6)) < size
    monkeypatch.undo()
    with pytest.raises(Unfinished, match="run.budget.tokens=9000 leaves out [1-9] answers"):
        go(server, "task.size=10", "strategy.k=1", "seed=2", "run.budget.tokens=9000")
    assert count_rows(folder, 7) < 10


def test_a_batch_costs_its_share_of_the_price(go, folder):
    server, size = BatchServer(answer=verdict), ("task.size=4", "strategy.k=2", "judge.price={input: 2, output: 8}")
    with server, pytest.raises(Unfinished):
        go(server, *size)
    answer_by_hand(server, folder, 1)
    half = go(server, *size, "engine.batch_price=0.5")
    full = go(server, *size)  # the store has the answers; only the price differs
    assert half.compute["dollars"] == pytest.approx(full.compute["dollars"] / 2) and full.compute["dollars"] > 0
    assert any("0.5 of the price" in note for note in half.notes)
    assert any("engine.batch_price=0.5 says" in note for note in full.notes)


def test_sending_goes_on_where_it_was_cut_off(go, folder, capsys, monkeypatch):
    with BatchServer(answer=verdict, key="sk-abcdefghijklmnop") as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.key)
        with pytest.raises(Unfinished):
            go(server, "task.size=3", "strategy.k=1")
        kept = provider.update_state

        def cut_off(folder: Path, name: str, about) -> None:
            if "batch" in about:
                raise OSError("cut off")
            kept(folder, name, about)

        monkeypatch.setattr(provider, "update_state", cut_off)
        assert "cut off" in refuse(main, capsys, "send", str(folder))
        monkeypatch.setattr(provider, "update_state", kept)
        assert "sent as batch_0" in say(main, capsys, "send", str(folder))
        assert say(main, capsys, "send", str(folder)) == "nothing to send\n"
        assert (server.uploads, len(server.batches)) == (1, 1)
        assert server.tokens == [f"Bearer {server.key}"]
        assert not any(server.key in file.read_text(errors="replace") for file in folder.iterdir())
        say(main, capsys, "collect", str(folder))
        assert go(server, "task.size=3", "strategy.k=1").health["statuses"] == {"ok": 3}


def test_a_batch_that_failed_is_sent_again(go, folder, capsys):
    with BatchServer(answer=verdict, failing=True) as server:
        with pytest.raises(Unfinished):
            go(server, "task.size=2", "strategy.k=1")
        say(main, capsys, "send", str(folder))
        assert "failed: line 1: no such model; `judgescale batch send`" in say(main, capsys, "collect", str(folder))
        server.failing = False
        assert "sent as batch_1" in say(main, capsys, "send", str(folder))


def test_what_cannot_be_had_is_one_line(go, folder, capsys, tmp_path, composed):
    assert "no batch files; a run with run.batch=" in refuse(main, capsys, "send", str(tmp_path / "nowhere"))
    with FaultyServer(answer=verdict) as server:  # which has no batches
        with pytest.raises(Unfinished):
            go(server, "task.size=2", "strategy.k=1")
        told = refuse(main, capsys, "send", str(folder))
        assert f"{server.url}/files: 404" in told and "vllm run-batch" in told
        with batch_folder.lock_folder(folder):
            assert "is at work there" in refuse(main, capsys, "collect", str(folder))
            with pytest.raises(JudgescaleError, match="another run or `judgescale batch` is at work there"):
                go(server, "task.size=2", "strategy.k=1")
        with pytest.raises(JudgescaleError, match="engine.continue_thoughts asks twice"):
            go(server, "engine.continue_thoughts=true")
        with pytest.raises(JudgescaleError, match="run.batch: engine=random does not ask models through batch files"):
            run([composed("judge=random", "task=sanity", f"run.batch={folder}")], tmp_path / "out")
        with pytest.raises(JudgescaleError, match="run.batch=mine: is for live judges, and engine=recorded asks none"):
            run([composed("run.batch=mine")], tmp_path / "out")
        for wrong in ("2", "x"):
            with pytest.raises(JudgescaleError, match=f"engine.batch_price={wrong}: a share of the price lies between"):
                go(server, f"engine.batch_price={wrong}")
        (folder / "requests-1.jsonl").write_text('{"custom_id": "x"}\n')
        with pytest.raises(JudgescaleError, match="requests-1.jsonl, row 1, field custom_id: not as it was written"):
            go(server, "task.size=2", "strategy.k=1")
    assert asyncio.run(provider.collect(folder)) == ([], 0)
