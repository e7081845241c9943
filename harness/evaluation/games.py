"""One course of each item's tournament, game by game: the columns of games.parquet.

A live run plays one. Recorded judgments are replayed many times, and the first replay is kept. What is noted is what a
strategy asks and is told about pairs, so that the strategy itself need not know of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Answers, Ask, Games
from judgescale.harness.stats.votes import round_off_noise

if TYPE_CHECKING:
    import pyarrow as pa

GAME = np.dtype(
    [
        ("item", np.int32),  # its place in the arm
        ("round", np.int32),
        ("first", np.int16),
        ("second", np.int16),
        ("judgments", np.int32),
        ("won_first", np.int32),
        ("won_second", np.int32),
        ("tied", np.int32),
        ("score_first", np.float64),
        ("score_second", np.float64),
        ("winner", np.int16),  # -1 = a tie
    ]
)
DECIDED = np.dtype([("item", np.int32), ("size", np.int32), ("replays", np.int32)])


class Scorebook:
    """Note the games of an arm's items as rows of one array: at a hundred thousand items, objects would be too many."""

    def __init__(self, games: Games) -> None:
        """Take how the games are read."""
        self.games = games
        self._games, self._decided, self._scores = Rows(GAME), Rows(DECIDED), Rows(np.dtype(np.float64))

    def watch(self, ask: Ask, places: np.ndarray, rows: np.ndarray) -> Watched:
        """Return an `Ask` that answers as this one does, and of which this book notes one replay of each item.

        places: of the items in the arm, (B,). rows: which of its replays are noted, one an item, (B,).
        """
        return Watched(ask, self, places, rows)

    def note_games(self, places: np.ndarray, number: int, pairs: np.ndarray, scores: np.ndarray, k: np.ndarray) -> None:
        """Note a round of items: pairs (B, Q, 2), the scores of their judgments (B, Q, k, 2), and how many (B,)."""
        margins = scores[..., 0] - scores[..., 1]
        usable = ~np.isnan(margins)
        known = np.where(usable, margins, 0.0)
        won = (known > 0).sum(axis=2), (known < 0).sum(axis=2)
        if self.games.by_verdicts:
            lead = won[0] - won[1]
        else:
            lead = round_off_noise(known.sum(axis=2), np.abs(known).max(axis=2, initial=0))
        rows = np.empty(pairs.shape[:2], GAME)
        rows["item"], rows["round"], rows["judgments"] = places[:, None], number, k[:, None]
        rows["first"], rows["second"] = pairs[..., 0], pairs[..., 1]
        rows["won_first"], rows["won_second"], rows["tied"] = *won, usable.sum(axis=2) - won[0] - won[1]
        summed = np.where(usable[..., None], scores, 0.0).sum(axis=2)
        rows["score_first"], rows["score_second"] = summed[..., 0], summed[..., 1]
        rows["winner"] = np.where(lead == 0, -1, np.where(lead > 0, pairs[..., 0], pairs[..., 1]))
        self._games.add(rows.reshape(-1))

    def note_decisions(self, places: np.ndarray, scores: np.ndarray, replays: np.ndarray) -> None:
        """Note what the games of items came to: scores (B, n), and how many replays there were of each, (B,)."""
        rows = np.empty(len(places), DECIDED)
        rows["item"], rows["size"], rows["replays"] = places, scores.shape[1], replays
        self._decided.add(rows)
        self._scores.add(scores.reshape(-1))

    def tabulate(self, arm: Arm) -> pa.Table | None:
        """Make the columns of games.parquet, the items in the order of the arm; None where no game was played.

        `final` stands in the first row of each item.
        """
        import pyarrow as pa

        games, decided = self._games.values, self._decided.values
        if not len(games):
            return None
        games = games[np.argsort(games["item"], kind="stable")]
        starts = np.flatnonzero(np.diff(games["item"], prepend=-1))
        counts = np.diff(starts, append=len(games))
        at, own = np.zeros((2, len(arm.items)), int)  # of each item: where its scores begin, and its row of `decided`
        at[decided["item"]] = np.cumsum(decided["size"]) - decided["size"]
        own[decided["item"]] = np.arange(len(decided))
        played = games["item"][starts]
        sizes = decided["size"][own[played]]
        ends = np.cumsum(sizes)
        scores = self._scores.values[np.repeat(at[played] - ends + sizes, sizes) + np.arange(ends[-1])]
        offsets = np.zeros(len(games) + 1, np.int32)
        offsets[starts + 1] = sizes
        no_list = np.ones(len(games) + 1, bool)  # an offset that is empty makes a row empty
        no_list[np.r_[starts, len(games)]] = False
        names = pa.array([item.id for item in arm.items])
        columns = {
            "item": pa.DictionaryArray.from_arrays(pa.array(games["item"]), names),
            "k": np.full(len(games), arm.k, np.int32),
            "replays": np.repeat(decided["replays"][own[played]], counts),
            "round": games["round"],
            "game": np.arange(len(games), dtype=np.int32) - np.repeat(starts, counts) + 1,
            **{name: games[name] for name in GAME.names or () if name not in ("item", "round", "winner")},
            "winner": pa.array(games["winner"], mask=games["winner"] < 0),
            "final": pa.ListArray.from_arrays(
                pa.array(np.cumsum(offsets, dtype=np.int32), mask=no_list), pa.array(scores, mask=np.isnan(scores))
            ),
        }
        told = {
            "score_name": pa.array([self.games.score]),
            "start": pa.array([self.games.start]),
            "lives": pa.array([self.games.lives], pa.int32()),
            "by_verdicts": pa.array([self.games.by_verdicts]),
        }
        same = pa.array(np.zeros(len(games), np.int32))
        return pa.table({**columns, **{name: value.take(same) for name, value in told.items()}})


class Rows:
    """Hold rows in one array that grows."""

    def __init__(self, kind: np.dtype) -> None:
        self._room, self._used = np.empty(1024, kind), 0

    @property
    def values(self) -> np.ndarray:
        """Return the rows that were added."""
        return self._room[: self._used]

    def add(self, rows: np.ndarray) -> None:
        """Add rows."""
        end = self._used + len(rows)
        if end > len(self._room):
            self._room = np.concatenate([self.values, np.empty(2 * end - self._used, self._room.dtype)])
        self._room[self._used : end] = rows
        self._used = end


@dataclass
class Watched:
    """Pass a strategy's questions on, and note those about pairs in a scorebook (contracts.Ask)."""

    ask: Ask
    book: Scorebook
    places: np.ndarray
    rows: np.ndarray
    rounds: int = 0
    draws: int = field(init=False)

    def __post_init__(self) -> None:
        self.draws = self.ask.draws

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Return what was answered."""
        answers = await self.ask(questions, k)
        if questions.shape[-1] == 2 and questions.size:
            self.rounds += 1
            pairs = np.broadcast_to(questions, (self.draws, *questions.shape[-2:]))[self.rows]
            most = np.broadcast_to(k, self.draws)[self.rows]
            self.book.note_games(self.places, self.rounds, pairs, answers.scores[self.rows], most)
        return answers
