"""`judgescale plan`: a forecast from what a finished run left, and one line for a folder that is none."""

from __future__ import annotations

import csv
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import conftest
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run

from judgescale.harness import command
from judgescale.harness.forecast.__main__ import main
from judgescale.harness.forecast.pilots import build_pilot, read_pilots
from judgescale.harness.stats.forecast import ScorePilot, VotePilot, measure_pilot
from judgescale.harness.types import JudgescaleError

say = partial(conftest.say, main)
refuse = partial(conftest.refuse, main)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of voting: 60 pairs, ten votes each by five judges in both orders."""
    folder = tmp_path_factory.mktemp("runs") / "votes"
    done = run("task=vicuna80_pairs", "strategy=voting", "run.limit=60", f"hydra.run.dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder


def change_rows(finished: Path, folder: Path, change: Any) -> Path:
    """A copy of a run whose rows, as a list of dicts, are changed in place."""
    shutil.copytree(finished, folder)
    table = pq.read_table(folder / "judgments.parquet")
    rows = table.to_pylist()
    rows = change(rows) or rows
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / "judgments.parquet")
    return folder


def test_measured_points_are_those_of_the_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = read_pilots(finished)
    assert isinstance(one.pilot, VotePilot) and one.pilot.size == 10 and len(one.names) == 60
    with (finished / "curve.csv").open() as file:
        curve = {int(row["k"]): float(row["accuracy"]) for row in csv.DictReader(file) if row["section"] == "overall"}
    for k in (1, 2, 5, 10):
        assert measure_pilot(one.pilot, [k])[k] @ one.pilot.weight == pytest.approx(curve[k], abs=1e-12)
    out = say(capsys, str(finished))
    rows = dict(re.findall(r"^(\d+|limit) +([\d.]+ +\[.*)$", out, re.MULTILINE))
    assert list(rows) == ["1", "2", "4", "8", "10", "16", "32", "limit"]
    assert rows["10"].startswith(f"{curve[10] * 100:.1f}")
    assert rows["16"].count("[") == 2 and rows["10"].count("[") == 1  # moment bounds beyond the pilot


def test_what_it_says_besides(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys, str(finished), "--to", "12", "--difference", "0.05")
    assert "60 items, 10 judgments each" in out and "To see a difference of 5 points" in out
    assert "same mix of 5 judges" in out and "Not promised" in out
    assert re.search(r"^12 ", out, re.MULTILINE) and not re.search(r"^16 ", out, re.MULTILINE)


def test_judges_are_held_against_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run("experiment=realmistake", "run.limit=60", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    out = say(capsys, str(tmp_path / "run"), "--to", "8")
    first, *others = (one.judge for one in read_pilots(tmp_path / "run"))
    assert len(others) == 2
    assert all(re.search(rf"^{other} and {first} differ on [\d.]+% of 60 items at k=5", out, re.M) for other in others)


def test_a_live_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = ("task=sanity", "judge=random", "strategy=voting", "strategy.k=3", "run.limit=12")
    done = run(*live, f"run.store={tmp_path / 's.sqlite'}", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    (one,) = read_pilots(tmp_path / "run")
    assert one.pilot.size == 3 and one.judge == "random"
    assert "12 items, 3 judgments each" in say(capsys, str(tmp_path / "run"))


def test_the_command_line_knows_it(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.run_command(["plan", str(finished), "--to", "4"])
    assert "10 judgments each" in capsys.readouterr().out


def row(shown: list[int], scores: list[float] | None, gold: list[float], **more: Any) -> dict[str, Any]:
    given = {"shown": shown, "scores": scores, "gold": gold, "weight": 1.0, "tie_credit": 0.5, "cluster": "c"}
    return given | more


def test_pilots_read_the_order_shown() -> None:
    pilot = build_pilot([[row([0, 1], [1, 0], [1, 0]), row([1, 0], [1, 0], [0, 1]), row([0, 1], None, [1, 0])]], False)
    assert isinstance(pilot, VotePilot) and pilot.counts.tolist() == [[1, 1, 1]]


def test_graded_scores_are_verdicts_where_the_protocol_says_so() -> None:
    rows = [[row([0, 1], [9, 2], [0, 1]), row([0, 1], [3, 4], [0, 1])]]
    graded, counted = build_pilot(rows, False), build_pilot(rows, True)
    assert isinstance(graded, ScorePilot) and isinstance(counted, VotePilot)
    assert counted.counts.tolist() == [[1, 0, 1]] and measure_pilot(graded, [2])[2].tolist() == [0]


def test_a_lone_response_is_right_or_wrong_as_its_label_says() -> None:
    rows = [[row([0], [1], [0]), row([0], [0], [0])], [row([0], [1], [1]), row([0], [1], [1])]]
    pilot = build_pilot(rows, False)
    assert isinstance(pilot, VotePilot) and pilot.counts.tolist() == [[1, 0, 1], [2, 0, 0]]


def test_more_responses_are_scored(tmp_path: Path) -> None:
    rows = [[row([2, 0, 1], [5, 4, 3], [0, 1, 0]), row([0, 1, 2], [6, 4, 5], [1, 0, 0])]]
    pilot = build_pilot(rows, False)
    assert isinstance(pilot, ScorePilot) and pilot.right.tolist() == [[True, False, False]]
    np.testing.assert_array_equal(pilot.scores[0], [[4, 3, 5], [6, 4, 5]])


def test_no_finished_run(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in refuse(capsys, str(tmp_path / "none"))
    assert "holds no summary.json" in refuse(capsys, str(tmp_path))
    (tmp_path / "summary.json").write_text("{}")
    assert "not the summary.json of a run" in refuse(capsys, str(tmp_path))
    shutil.copy(finished / "summary.json", tmp_path)
    assert "no judgments.parquet" in refuse(capsys, str(tmp_path))
    (tmp_path / "judgments.parquet").write_text("PAR1")
    assert "no Parquet file that can be read" in refuse(capsys, str(tmp_path))


def test_a_run_of_an_earlier_version(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = change_rows(finished, tmp_path / "old", lambda rows: None)
    table = pq.read_table(folder / "judgments.parquet").drop_columns(["gold"])
    pq.write_table(table, folder / "judgments.parquet")
    assert "no column gold; an earlier version wrote it" in refuse(capsys, str(folder))


def test_runs_of_which_nothing_can_be_forecast(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def plan(name: str, change: Any) -> str:
        return refuse(capsys, str(change_rows(finished, tmp_path / name, change)))

    seen: set[str] = set()
    once = plan("one", lambda rows: [r for r in rows if not (r["item"] in seen or seen.add(r["item"]))])
    assert "has one judgment" in once and "strategy.k=2" in once
    assert "scored together" in plan("unit", lambda rows: [r | {"weight": None} for r in rows])
    assert "counts in the headline" in plan("zero", lambda rows: [r | {"weight": 0.0} for r in rows])
    assert "row 1, column weight" in plan("high", lambda rows: [rows[0] | {"weight": 7.0}, *rows[1:]])
    assert "no item has a right and a wrong" in plan("gold", lambda rows: [r | {"gold": [0.5, 0.5]} for r in rows])
    assert "holds none of its judgments" in plan("judge", lambda rows: [r | {"judge": "x"} for r in rows])
    alone = plan("parts", lambda rows: [r | {"shown": [2 * (i % 2), 1]} for i, r in enumerate(rows)])
    assert "asks about some of an item's responses" in alone
    assert "row 1, column scores" in plan("size", lambda rows: [rows[0] | {"scores": [1.0]}, *rows[1:]])
    assert "row 1, column cluster" in plan("null", lambda rows: [rows[0] | {"cluster": None}, *rows[1:]])


def test_unequal_numbers_of_judgments(finished: Path, tmp_path: Path) -> None:
    folder = change_rows(finished, tmp_path / "some", lambda rows: rows[3:])
    (one,) = read_pilots(folder)
    assert one.pilot.size == 7 and "Items have 7 to 10 judgments" in one.notes[0]


def test_wrong_options(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--to 1: choose" in refuse(capsys, str(finished), "--to", "1")
    assert "--to 9999: choose" in refuse(capsys, str(finished), "--to", "9999")
    for wrong in ("0", "1", "nan", "-0.1"):
        assert "--difference" in refuse(capsys, str(finished), f"--difference={wrong}")


def test_names_of_others_are_made_harmless(finished: Path, tmp_path: Path) -> None:
    folder = change_rows(finished, tmp_path / "bad", lambda rows: [r | {"judge": "j\x1b[2J"} for r in rows])
    summary = json.loads((folder / "summary.json").read_text())
    for arm in summary["arms"]:
        arm["judge"] = "j\x1b[2J"
    (folder / "summary.json").write_text(json.dumps(summary))
    assert read_pilots(folder)[0].judge == "j\\x1b[2J"
    summary["arms"] = [{"task": "x"}]
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(JudgescaleError, match="lists task, judge and strategy"):
        read_pilots(folder)


def test_a_judgment_that_lacks_a_score_abstains(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def take_one_away(rows: list[dict[str, Any]]) -> None:
        rows[3]["scores"] = [rows[3]["scores"][0], None]

    out = say(capsys, str(change_rows(finished, tmp_path / "partial", take_one_away)))
    assert "Judgments without a whole verdict, which abstain: 1." in out
