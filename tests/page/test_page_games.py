"""What a page gets of tournaments, and what `judgescale show` prints of them."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import conftest
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judgescale.harness.finished.run import read_run
from judgescale.harness.finished.show import main
from judgescale.harness.page import games
from judgescale.harness.page.arms import list_arms
from judgescale.harness.page.games import pack_games
from judgescale.harness.plan import plan_arms
from judgescale.harness.report import files
from judgescale.harness.runner import evaluate_all
from judgescale.harness.types import JudgescaleError

say = partial(conftest.say, main)
refuse = partial(conftest.refuse, main)
STATIC = Path(games.__file__).parent / "static"


@pytest.fixture(scope="module")
def run(composed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tournaments and a vote about six questions of vicuna80."""
    folder: Path = tmp_path_factory.mktemp("run")
    more = ["strategy=elo"], ["strategy=double_elimination"]
    cfgs = [
        composed("task=vicuna80_best_of_5", "run.draws=10", "run.limit=6", "run.ks=[4]", *overrides)
        for overrides in (["strategy=knockout"], *more)
    ]
    results = evaluate_all([arm for cfg in cfgs for arm in plan_arms(cfg)])
    files.write_files(results, folder, "{}")
    return folder


def test_each_arm_has_one_course_of_each_item(run: Path) -> None:
    finished = read_run(run)
    arms = list_arms([finished])
    packed = pack_games(finished, arms)
    assert len(packed) == 6 and json.loads(json.dumps(list(packed.values())))
    table = pq.read_table(run / "games.parquet").to_pylist()
    gold = {row["item"]: row["gold"] for row in finished.credits.to_pylist()}
    for (_, item), of_item in packed.items():
        assert [course["arm"] for course in of_item] == [0, 1, 2]
        assert [course["lives"] for course in of_item] == [1, None, 2]
        for course in of_item:
            rows = [row for row in table if row["item"] == item and row["number"] == arms[course["arm"]].number]
            assert [game[9] for game in course["games"]] == [row["winner"] for row in rows]
            assert course["gold"] == [i for i, value in enumerate(gold[item]) if value == max(gold[item])]
            assert course["replays"] == 10 and len(course["final"]) == 5
        assert len(of_item[0]["games"]) == 4 and len(of_item[1]["games"]) == 10


def test_games_of_another_run_are_refused(run: Path, tmp_path: Path) -> None:
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = pq.read_table(run / "games.parquet")
    column = rows.column_names.index("signature")
    pq.write_table(rows.set_column(column, "signature", pa.array(["other"] * len(rows))), tmp_path / "games.parquet")
    finished = read_run(tmp_path)
    with pytest.raises(JudgescaleError, match=r"games\.parquet and summary\.json are not of the same run"):
        pack_games(finished, list_arms([finished]))
    pq.write_table(rows.drop_columns(["tied"]), tmp_path / "games.parquet")
    with pytest.raises(JudgescaleError, match=r"games\.parquet: no column tied"):
        pack_games(finished, list_arms([finished]))
    (tmp_path / "games.parquet").write_text("PAR1")
    with pytest.raises(JudgescaleError, match=r"games\.parquet: no Parquet file"):
        pack_games(finished, list_arms([finished]))


def test_show_prints_the_games(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pq.read_table(run / "games.parquet").to_pylist()
    item = rows[0]["item"]
    out = say(capsys, str(run), item)
    own = [row for row in rows if row["item"] == item]
    assert out.count("the first of 10 replays") == 3
    for row in own:
        first, second = row["first"] + 1, row["second"] + 1
        scores = rf"{row['score_first']:g} : {row['score_second']:g}"
        line = rf"^ *{row['round']} +{first}\*? +{second}\*? +{scores} +{row['won_first']} : {row['won_second']} "
        assert re.search(line, out, re.MULTILINE), line
    assert "Elo rating: 1" in out and out.count("rounds survived: 1") == 2


def test_the_script_writes_no_markup() -> None:
    """The page's policy refuses it: elements are made, and texts are texts."""
    script = (STATIC / "games.js").read_text(encoding="utf-8")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|\beval\b|setAttribute\(\"(on|style)|document\.write"
    assert not re.search(markup, script)
    assert re.search(r"^function drawGames\(games, responseNames\)", script, re.MULTILINE)
    fields = re.search(r"const GAME = \[(.*?)\]", script, re.DOTALL)
    assert fields and len(fields[1].split(",")) == 11  # as pack_course lists them
