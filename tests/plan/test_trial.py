"""A strategy is tried on made-up verdicts: one that does other than it declares is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from judgescale.harness.contracts import Strategy
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError

OURS = [Single(), Voting(), Voting(7), MetaVoting(8, k_meta=2), Knockout(), Knockout(3)]
OURS += [Elo(2, rating=rating) for rating in ("elo", "bradley_terry", "wins")]


@pytest.mark.parametrize("strategy", OURS, ids=str)
def test_ours_do_what_they_declare(strategy: Strategy) -> None:
    try_strategy(strategy)


@dataclass(frozen=True)
class Forgetful(Knockout):
    name: ClassVar[str] = "forgetful"
    adaptive: ClassVar[bool] = False


@dataclass(frozen=True)
class Nameless(Voting):
    name: ClassVar[str] = ""


@dataclass(frozen=True)
class Cheap(Voting):
    name: ClassVar[str] = "cheap"

    def judgments(self, n: int) -> int:
        return 1


@dataclass(frozen=True)
class Shapeless(Voting):
    name: ClassVar[str] = "shapeless"

    async def __call__(self, ask, n, rng):
        return (await super().__call__(ask, n, rng))[0]


@dataclass(frozen=True)
class Curious(Voting):
    name: ClassVar[str] = "curious"

    async def __call__(self, ask, n, rng):
        await ask(np.array([[0]]), 1)
        return await super().__call__(ask, n, rng)


@dataclass(frozen=True)
class Alone(MetaVoting):
    name: ClassVar[str] = "alone"

    def baseline(self):
        return None


@dataclass(frozen=True)
class Gambler(Voting):
    name: ClassVar[str] = "gambler"
    random: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Forgetful(2), r"strategy=forgetful: of 10 questions about 5 responses it asked .* adaptive = True"),
        (Nameless(2), "strategy=Nameless: the class must give its name"),
        (Cheap(2), "strategy=cheap: it asked for 2 judgments of 2 responses where `judgments` says 1"),
        (Shapeless(2), r"it decided \(2,\); it must return one score a response"),
        (Curious(2), r"it asks about responses \(0,\) of 2, which `questions` does not list"),
        (Strategy(2), "the class must give its name"),
        (Alone(2), "it must also name its `baseline`"),
        (Gambler(2), "the class must say random = False"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_declared_otherwise_is_refused(strategy: Strategy, said: str) -> None:
    with pytest.raises(JudgescaleError, match=said):
        try_strategy(strategy)


@dataclass(frozen=True)
class Quiet(Stopping):
    name: ClassVar[str] = "quiet"
    stops: ClassVar[bool] = False


@dataclass(frozen=True)
class Fixed(Stopping):
    name: ClassVar[str] = "fixed"
    adaptive: ClassVar[bool] = False


@dataclass(frozen=True)
class Greedy(Stopping):
    name: ClassVar[str] = "greedy"

    async def __call__(self, ask, n, rng):
        return await Stopping(self.k + 1, lead=self.lead)(ask, n, rng)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Quiet(), "strategy=quiet: it asked for . judgments of 2 responses where `judgments` says 8; .*stops = True"),
        (Fixed(), "strategy=fixed: it stops by the verdicts, so the class must also say adaptive = True"),
        (Greedy(lead=9), "strategy=greedy: it asked for 9 judgments of 2 responses where `judgments` says 8"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_stopping_rule_buys_what_it_says(strategy: Strategy, said: str) -> None:
    try_strategy(Stopping())
    with pytest.raises(JudgescaleError, match=said):
        try_strategy(strategy)
