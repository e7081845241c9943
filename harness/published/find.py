"""Choose printed numbers by words: judge, benchmark, section, metric, strategy, k, source, status."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from judgescale.harness.errors import list_some
from judgescale.harness.published.lists import Row, normalise_benchmark, rank_trust, split_name
from judgescale.harness.published.setting import GREEDY, count_votes, keep_letters_and_digits
from judgescale.harness.types import JudgescaleError

Printed = tuple[Row, str]  # a number, and the digits that it was written with


class Option(NamedTuple):
    """Hold what an option looks at in a row, and how it spells it."""

    read: Callable[[Row], str]
    spell: Callable[[str], str] = keep_letters_and_digits


def name_strategy(row: Row) -> str:
    """Name the strategy of a printed number; greedy is one of its own."""
    strategy, _ = count_votes(row.strategy, row.k)
    return GREEDY if strategy == "single" and row.temperature == 0 else row.strategy


def spell_judge(name: str) -> str:
    """Spell a judge without its organisation, case and separators."""
    return keep_letters_and_digits(split_name(name)[1])


OPTIONS: Mapping[str, Option] = {
    "judge": Option(lambda row: row.model, spell_judge),
    "benchmark": Option(lambda row: row.benchmark, normalise_benchmark),
    "section": Option(lambda row: row.subset),
    "metric": Option(lambda row: row.metric),
    "strategy": Option(name_strategy),
    "k": Option(lambda row: "" if row.k is None else str(row.k), str.strip),
    "source": Option(lambda row: row.source),
    "status": Option(lambda row: row.status),
}
EXACT = ("k", "metric")  # 3 is not a part of 32


def find_printed(printed: Iterable[Printed], asked: Mapping[str, Sequence[str]]) -> list[Printed]:
    """Find the numbers that fit one of the words of every option, by judge and section, the best-trusted first.

    asked, and what is raised: as `choose_printed` has it.
    """
    return sorted(choose_printed(printed, asked), key=lambda pair: _rank(pair[0]))


def choose_printed(printed: Iterable[Printed], asked: Mapping[str, Sequence[str]]) -> list[Printed]:
    """Choose the numbers that fit one of the words of every option, in the order in which they are given.

    asked: words by option. A word is a name that equals it, case and separators aside, or else all that contain it.
    Raises JudgescaleError for a word that nothing fits, naming what there is.
    """
    rows = list(printed)
    for option, words in asked.items():
        read = OPTIONS[option].read
        names = {read(row) for row, _ in rows} - {""}
        chosen = {name for word in words for name in choose_names(option, word, names, asked)}
        rows = [(row, text) for row, text in rows if read(row) in chosen]
    return rows


def name_judges(printed: Iterable[Printed]) -> dict[str, str]:
    """Name the judge that each model's name means: names with and without an organisation are one judge's.

    The shorter name stands for both, unless models of two organisations answer to it.
    """
    models = {row.model for row, _ in printed}
    orgs: dict[str, set[str]] = {}
    for model in models:
        org, name = split_name(model)
        orgs.setdefault(name, set()).update({org} - {""})
    first: dict[str, str] = {}
    for model in sorted(models, key=lambda model: (len(model), model)):
        first.setdefault(split_name(model)[1], model)
    return {model: first[split_name(model)[1]] if len(orgs[split_name(model)[1]]) < 2 else model for model in models}


def choose_names(option: str, word: str, names: Iterable[str], asked: Mapping[str, Sequence[str]]) -> list[str]:
    """Choose the names that a word means. Raises JudgescaleError, naming what there is, where it means none."""
    spell = OPTIONS[option].spell
    spelled = {name: spell(name) for name in sorted(names)}
    equal = [name for name, plain in spelled.items() if plain == spell(word)]
    parts = [name for name, plain in spelled.items() if spell(word) in plain and option not in EXACT]
    if not (equal or parts):
        close = difflib.get_close_matches(spell(word), list(spelled.values()), 1)
        meant = next((f" did you mean {name}?" for name, plain in spelled.items() if plain in close), "")
        before = [f"{name} {' '.join(asked[name])}" for name in list(asked)[: list(asked).index(option)]]
        among = f" with {', '.join(before)}" if before else ""
        there = list_some(sorted(spelled, key=_sort_numbers), 12) or "none"
        raise JudgescaleError(f"{option} {word}: nobody printed such a number{among};{meant} there are {there}")
    return equal or parts


def _rank(row: Row) -> tuple[object, ...]:
    """Rank a row in a list: by benchmark, judge, section, strategy and k, the best-trusted first."""
    return row.benchmark, split_name(row.model)[1], row.subset, row.metric, row.strategy, row.k or 0, rank_trust(row)


def _sort_numbers(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (0, name.lower())
