"""The games of a tournament that a run keeps: one true course, and no number that changes by keeping it."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import arm as make_arm
from omegaconf import DictConfig

from judgescale.harness import runner
from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Answers, Ask, Strategy
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.games import Scorebook
from judgescale.harness.finished.games import find_who_went_on, read_courses
from judgescale.harness.report import files
from judgescale.harness.strategies import double_elimination, knockout
from judgescale.harness.strategies.double_elimination import DoubleElimination
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.swiss import Swiss
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Judgment, Record

PLAYERS = [Knockout(2), DoubleElimination(2), Swiss(2), Elo(2), Elo(2, rating="wins"), InformationGain(2)]


def tournament(strategy: Strategy, n: int, score: Any, items: int = 2, samples: int = 2) -> Arm:
    """An arm whose judge gives the pair (a, b) of item i, sample j, the scores score(i, j, a, b); None is unusable."""
    names, gold = tuple(f"r{r}" for r in range(n)), (1.0, *[0.0] * (n - 1))
    records = []
    for i in range(items):
        for a in range(n):
            for b in range(a + 1, n):
                for j in range(samples):
                    said = score(i, j, a, b)
                    of = {"scores": said, "status": "unparsed" if said is None else "ok", "sample": j}
                    judgment = Judgment(judge="j", shown=(a, b), **of)
                    of_item = {"prompt": f"q{i}", "cluster": f"q{i}", "subset": "", "responses": names, "gold": gold}
                    records.append(Record(**of_item, judgment=judgment))
    return dataclasses.replace(make_arm(records, strategy, sorted({1, samples})), draws=20)


def by_chance(seed: int, kinds: tuple[Any, ...] = ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5), None)) -> Any:
    rng = np.random.default_rng(seed)
    return lambda i, j, a, b: kinds[rng.integers(len(kinds))]


def play(arm: Arm, book: Scorebook | None = None) -> Any:
    pools = [
        {q: arm.judgments.find_pool(item, q) for q in arm.strategy.questions(len(item.responses))} for item in arm.items
    ]
    return decide(arm, arm.strategy, arm.ks, pools, book=book)


def rows_of(arm: Arm) -> list[dict[str, Any]]:
    assert arm.strategy.games is not None
    book = Scorebook(arm.strategy.games)
    play(arm, book)
    table = book.tabulate(arm)
    assert table is not None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_knockout_of_known_scores_with_byes() -> None:
    rows = rows_of(tournament(Knockout(2), 5, lambda i, j, a, b: (3.0, 1.0)))
    for item in {row["item"] for row in rows}:
        own = [row for row in rows if row["item"] == item]
        assert [row["game"] for row in own] == [1, 2, 3, 4] and [row["round"] for row in own] == [1, 1, 2, 3]
        for row in own:
            better = min(row["first"], row["second"])
            lead = (6.0, 2.0) if better == row["first"] else (2.0, 6.0)
            assert row["winner"] == better and (row["score_first"], row["score_second"]) == lead
            assert (row["judgments"], row["tied"], row["replays"], row["k"]) == (2, 0, 20, 2)
            assert (row["won_first"], row["won_second"]) == ((2, 0) if better == row["first"] else (0, 2))
        out = [row["first"] + row["second"] - row["winner"] for row in own]
        assert sorted([*out, own[-1]["winner"]]) == [0, 1, 2, 3, 4] and own[-1]["winner"] == 0
        first_round = {side for row in own[:2] for side in (row["first"], row["second"])}
        assert len(first_round) == 4  # the fifth had a bye
        assert own[0]["final"] is not None and all(row["final"] is None for row in own[1:])
        survived = own[0]["final"]
        assert survived[0] == 3 and all(survived[row["first"] + row["second"] - row["winner"]] == row["round"] - 1
                                        for row in own)  # fmt: skip


def test_ties_and_unusable_judgments() -> None:
    def say(i: int, j: int, a: int, b: int) -> tuple[float, float] | None:
        return None if j == 0 else (2.0, 2.0)

    (row,) = rows_of(tournament(Swiss(3), 2, say, items=1, samples=3))
    assert row["winner"] is None and (row["judgments"], row["won_first"], row["won_second"], row["tied"]) == (3, 0, 0, 2)
    assert row["score_first"] == row["score_second"] == 4.0
    (row,) = rows_of(tournament(Knockout(2), 2, lambda *_: None, items=1))
    assert row["winner"] is None and row["final"] == [None, None] and row["tied"] == 0


def test_judgments_are_counted_where_the_strategy_counts_them() -> None:
    def say(i: int, j: int, a: int, b: int) -> tuple[float, float]:
        return (9.0, 0.0) if j == 0 else (1.0, 2.0)  # one by far, two by little

    assert [row["winner"] for row in rows_of(tournament(Elo(3), 2, say, items=1, samples=3))] == [1]
    assert [row["winner"] for row in rows_of(tournament(Swiss(3), 2, say, items=1, samples=3))] == [0]


@pytest.mark.parametrize("strategy", PLAYERS, ids=str)
def test_what_is_kept_is_the_first_replay_and_changes_no_number(strategy: Strategy) -> None:
    arm = tournament(strategy, 5, by_chance(3), items=4)
    seen: list[list[tuple[np.ndarray, Answers]]] = []

    class Spied(type(strategy)):  # type: ignore[misc]
        """The same strategy, whose first replay of the batch is noted where it is asked."""

        async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
            seen.append([])

            class Spy:
                draws = ask.draws

                async def __call__(self, questions: np.ndarray, k: int) -> Answers:
                    answers = await ask(questions, k)
                    seen[-1].append((np.broadcast_to(questions, (self.draws, *questions.shape[-2:]))[0], answers))
                    return answers

            decided: np.ndarray = await super().__call__(Spy(), n, rng)
            return decided

    fields = {f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy)}
    plain = play(dataclasses.replace(arm, strategy=Spied(**fields)))
    assert strategy.games is not None
    book = Scorebook(strategy.games)
    watched = play(arm, book)
    for one, other in zip(plain, watched, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.scores, b.scores)
            np.testing.assert_array_equal(a.weight, b.weight)
    table = book.tabulate(arm)
    assert table is not None
    rows = table.to_pylist()
    names = [item.id for item in arm.items]
    assert list(dict.fromkeys(row["item"] for row in rows)) == names
    for place, name in enumerate(names):
        final = next(row["final"] for row in rows if row["item"] == name)
        np.testing.assert_array_equal(np.array(final, float), watched[-1][place].scores[0])
    of_first = [row for row in rows if row["item"] == min(names)]  # a batch holds its items in the order of their ids
    asked = [(pair, scores) for pairs, answers in seen[1] for pair, scores in zip(pairs, answers.scores[0], strict=True)]
    assert len(of_first) == len(asked)
    for row, (pair, scores) in zip(of_first, asked, strict=True):
        usable = scores[~np.isnan(scores).any(axis=1)]
        assert [row["first"], row["second"]] == pair.tolist()
        assert [row["score_first"], row["score_second"]] == usable.sum(axis=0).tolist()
        assert row["won_first"] == (usable[:, 0] > usable[:, 1]).sum() and row["tied"] == (usable[:, 0] == usable[:, 1]).sum()


@pytest.mark.parametrize("strategy", [Knockout(1), DoubleElimination(1)], ids=str)
def test_how_coins_fell_is_told_by_what_came_after(strategy: Strategy, monkeypatch: pytest.MonkeyPatch) -> None:
    winners: list[int] = []
    truly = knockout.play

    async def watch(*given: Any) -> knockout.Played:
        played = await truly(*given)
        winners.extend(played.winners[0].tolist())
        return played

    monkeypatch.setattr(knockout, "play", watch)
    monkeypatch.setattr(double_elimination, "play", watch)
    told = tied = 0
    for seed in range(40):
        arm = tournament(strategy, 2 + seed % 7, by_chance(seed, ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))), 1, 1)
        arm = dataclasses.replace(arm, draws=1, seed=seed)
        winners.clear()
        rows = rows_of(arm)
        for row, found, true in zip(rows, find_who_went_on(rows), winners, strict=True):
            tied += row["winner"] is None
            told += row["winner"] is None and found is not None
            assert found in (true, None)
    assert tied > 40 and told > 0.8 * tied
    if strategy.name == "knockout":
        assert told == tied


def test_a_live_run_keeps_what_was_truly_played(composed: Any, tmp_path: Path) -> None:
    cfg: DictConfig = composed(
        "task=sanity", "judge=random", "strategy=knockout", "strategy.k=3", "task.responses=5", "task.size=4",
        f"run.store={tmp_path / 's.sqlite'}",
    )  # fmt: skip
    runner.run([cfg], tmp_path / "run", show=False)
    bought: dict[tuple[str, tuple[int, ...]], list[dict[int, float]]] = {}
    for row in pq.read_table(tmp_path / "run" / "judgments.parquet").to_pylist():
        said = dict(zip(row["shown"], row["scores"] or (), strict=False))
        bought.setdefault((row["item"], tuple(sorted(row["shown"]))), []).append(said)
    courses = list(read_courses(tmp_path / "run"))
    assert len(courses) == 4 and sum(len(course.games) for course in courses) == len(bought) == 16
    for course in courses:
        for game, through in zip(course.games, course.through, strict=True):
            judged = bought[game["item"], tuple(sorted((game["first"], game["second"])))]
            assert (game["replays"], game["judgments"]) == (1, len(judged)) == (1, 3)
            for side in ("first", "second"):
                assert game[f"score_{side}"] == sum(said[game[side]] for said in judged)
            assert through in (game["first"], game["second"])
        assert course.final.index(max(course.final)) == course.through[-1]


def test_a_run_without_games_leaves_no_file(tmp_path: Path, evaluated: Any) -> None:
    assert Voting().games is None
    results = list(evaluated("strategy=voting", "task=vicuna80_pairs", "run.limit=5", "run.ks=[1]").values())
    (tmp_path / "games.parquet").write_text("of the run before")
    files.write_files(results, tmp_path, "{}")
    assert not (tmp_path / "games.parquet").exists() and not list(read_courses(tmp_path))


def test_a_book_of_many_items_stays_small() -> None:
    """Rows of one array, some 50 bytes a game: the arrays that a batch hands in are not kept."""
    book, rng = Scorebook(Knockout().games), np.random.default_rng(0)
    pairs = np.array([[[0, 1], [2, 3]]])
    for place in range(3000):
        book.note_games(np.array([place]), 1, pairs, rng.random((1, 2, 3, 2)), np.array([3]))
    assert len(book._games.values) == 6000 and book._games._room.nbytes < 6000 * 50 * 2 + 2**16


def test_an_ask_about_something_else_than_pairs_is_no_game() -> None:
    book = Scorebook(Knockout().games)

    class Asked:
        draws = 2

        async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
            return Answers(np.zeros((2, len(questions), 1, 3)), np.zeros((2, len(questions), 1)))

    asyncio.run(book.watch(Asked(), np.array([0]), np.array([0]))(np.arange(3)[None], 1))
    assert len(book._games.values) == 0
