"""`judgescale show`: an item's texts, judgments and decisions, and one line where there is none such."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import conftest
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import Compose, evaluate

from judgescale.harness import command, runner
from judgescale.harness.finished.show import main

say = partial(conftest.say, main)
refuse = partial(conftest.refuse, main)


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "live"
    store = f"run.store={folder.parent / 's.sqlite'}"
    cfg = composed("task=sanity", "judge=random", "strategy.k=3", "run.limit=6", store)
    runner.run([cfg], folder, show=False)
    return folder


@pytest.fixture(scope="module")
def ties(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which the two items of a question of Ties are scored together."""
    return evaluate(composed, tmp_path_factory.mktemp("runs") / "ties", "experiment=rewardbench2_scalar")


def items_of(run: Path) -> list[str]:
    return list(dict.fromkeys(pq.read_table(run / "credits.parquet")["item"].to_pylist()))


def test_an_item_with_its_texts(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    item = items_of(live)[0]
    command.run_command(["show", str(live), item.rpartition("/")[2]])
    out = capsys.readouterr().out
    rows = [r for r in pq.read_table(live / "judgments.parquet").to_pylist() if r["item"] == item]
    assert out.startswith(f"sanity, {item}") and "\nuser:\n" in out
    assert "response 1: gold 1" in out and "response 2: gold 0" in out
    assert re.findall(r"^judgment \d:\n  (\w)$", out, re.MULTILINE) == [r["text"] for r in rows]
    for number, row in enumerate(rows, 1):
        scores = " +".join(f"{row['scores'][row['shown'].index(place)]:g}" for place in (0, 1))
        shown = " ".join(str(place + 1) for place in row["shown"])
        assert re.search(rf"^{number}\. random .* {shown} +{scores} +ok", out, re.MULTILINE)
    credits = [r for r in pq.read_table(live / "credits.parquet").to_pylist() if r["item"] == item]
    for row in credits:
        chances = " +".join(f"{100 * chance:.1f}" for chance in row["decision"])
        assert re.search(rf"^random, voting +{row['k']} +{row['k']} +{chances} +{row['credit']:.3f}", out, re.MULTILINE)


def test_a_recorded_item_has_names_alone(ties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, str(ties), "Factuality/0")
    assert "no texts: recorded by name only; task.path=" in out and "response 4" in out and "user:" not in out


def test_items_that_are_scored_together(ties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged = {r["item"] for r in pq.read_table(ties / "judgments.parquet", columns=["item"]).to_pylist()}
    unit = next(name for name in items_of(ties) if name not in judged)
    out = say(capsys, str(ties), unit)
    parts = re.findall(r"^item (.*)$", out, re.MULTILINE)
    assert len(parts) == 2 and set(parts) <= judged and "credit" in out
    assert "no credit of its own" in say(capsys, str(ties), parts[0])


def test_hostile_texts_steer_nothing(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in live.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = pq.read_table(live / "judgments.parquet")
    rows = [r | {"text": "a\x1b[2J\rb[bold]\n" * 40, "judge": "j\x1b[1m"} for r in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), tmp_path / "judgments.parquet")
    out = say(capsys, str(tmp_path), items_of(live)[0])
    assert "\x1b" not in out and "\r" not in out
    assert "a\\x1b[2J\\rb[bold]" in out and "… 11 more lines (--full)" in out
    assert "more lines" not in say(capsys, str(tmp_path), items_of(live)[0], "--full")


def test_a_config_from_elsewhere_runs_nothing(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in live.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = (live / "config.yaml").read_text()
    mark = tmp_path / "mark"
    bad = f"task:\n  _target_: pathlib.Path.touch\n  self: {{_target_: pathlib.Path, _args_: [{mark}]}}\n"
    (tmp_path / "config.yaml").write_text(bad)
    assert "not by pathlib.Path.touch" in say(capsys, str(tmp_path), items_of(live)[0])
    nested = config.replace("  size: 80\n", f"  size: {{_target_: subprocess.getoutput, _args_: ['touch {mark}']}}\n")
    assert nested != config
    (tmp_path / "config.yaml").write_text(nested)
    assert "no texts: " in say(capsys, str(tmp_path), items_of(live)[0])
    assert not mark.exists()


def test_what_is_not_there(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    item = items_of(live)[0]
    assert "no such folder" in refuse(capsys, str(tmp_path / "none"), "x")
    assert re.search(rf"no such item; it has .*{item}", refuse(capsys, str(live), f"{item}0"))
    assert "--task nothing: " in refuse(capsys, str(live), item, "--task", "nothing")
    assert "give only options of the task" in refuse(capsys, str(live), item, "seed=1")
    (tmp_path / "summary.json").write_text(json.dumps(json.loads((live / "summary.json").read_text())))
    assert "no credits.parquet" in refuse(capsys, str(tmp_path), item)
