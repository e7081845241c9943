"""Read the games of a finished run's tournaments, and find who went on from the tied ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgescale.harness.finished.tables import Row, read_rows


@dataclass(frozen=True)
class Course:
    """Hold one course of an item's tournament."""

    games: tuple[Row, ...]  # rows of games.parquet, in the order of the games
    through: tuple[int | None, ...]  # who won each, by a coin if tied; None: nobody drops out, or unknown

    @property
    def about(self) -> Row:
        """Return a row with what all games have in common."""
        return self.games[0]

    @property
    def final(self) -> tuple[float | None, ...]:
        """Return the decision's score of each response."""
        return tuple(self.about["final"] or ())


def read_courses(folder: Path, task: str | None = None, items: Sequence[str] | None = None) -> Iterator[Course]:
    """Read the tournaments of a run, arm by arm and item by item; none where it played no games.

    task, items: of those that are wanted; None = all.

    Raises JudgescaleError where games.parquet is not what a run writes.
    """
    import pyarrow.compute as pc

    from judgescale.harness.report.files import GAME

    if not (folder / "games.parquet").is_file():
        return
    wanted = pc.scalar(True) if task is None else pc.field("task") == task
    wanted = wanted if items is None else wanted & pc.field("item").isin(list(items))
    courses: dict[tuple[int, str], list[Row]] = {}
    for row in read_rows(folder, "games", tuple(GAME), ("winner", "final", "lives"), wanted):
        courses.setdefault((row["number"], row["item"]), []).append(row)
    for games in courses.values():
        yield Course(tuple(games), find_who_went_on(games))


def find_who_went_on(games: Sequence[Row]) -> tuple[int | None, ...]:
    """Find who went on from each game of a tournament in which losers drop out, of tied ones too where that shows.

    A coin decides a tied game, and what came after tells how it fell: everybody but the one who is left lost the last
    game that they played, and whoever is out lost as many as put out.
    """
    lives, final = games[0]["lives"], [-1.0 if score is None else score for score in games[0]["final"] or ()]
    if lives is None or not final or max(final) < 0:
        return (None,) * len(games)
    sides = [(game["first"], game["second"]) for game in games]
    through: list[int | None] = [game["winner"] for game in games]
    last = {response: place for place, pair in enumerate(sides) for response in pair}
    champion, decider = final.index(max(final)), len(games) - 1

    def has_lost(response: int, place: int) -> bool | None:
        """Tell whether a response lost a tied game, from its other games alone; None where they do not tell."""
        if last[response] == place:
            return response != champion
        before = [p for p, pair in enumerate(sides) if response in pair and p not in (place, last[response])]
        lost = sum(through[p] not in (None, response) for p in before)
        if lost >= lives - 1:  # one more, and there would have been no further game
            return False
        open_ = sum(through[p] is None for p in before)
        in_final = last[response] == decider  # who may have come there with fewer lost games
        return True if not in_final and lost + open_ < lives - 1 else None

    found = True
    while found:
        found = False
        for place, pair in enumerate(sides):
            for response, other in (pair, pair[::-1]):
                if through[place] is None and (lost := has_lost(response, place)) is not None:
                    through[place], found = (other if lost else response), True
    return tuple(through)
