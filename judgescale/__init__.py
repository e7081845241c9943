"""judgescale from Python: evaluate judgments you have, or run a judge that is a plain function.

    import judgescale as js

    (result,) = js.evaluate(rows, strategy=js.Voting(k=4), protocol="common")
    result = js.run_judge(my_function, js.load_task("sanity", size=20), strategy=js.Knockout(k=3))
    print(result.headline.value, result.headline.ci, result.signature)

Everything else of the package may change between versions; what stands in `__all__` is meant to last. Names are loaded
when they are first used, so that the command line starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judgescale.api import evaluate as evaluate
    from judgescale.api import load_protocol as load_protocol
    from judgescale.api import load_task as load_task
    from judgescale.api import run_judge as run_judge
    from judgescale.harness.contracts import Answers as Answers
    from judgescale.harness.contracts import Ask as Ask
    from judgescale.harness.contracts import Engine as Engine
    from judgescale.harness.contracts import EngineSession as EngineSession
    from judgescale.harness.contracts import Judge as Judge
    from judgescale.harness.contracts import MetaRM as MetaRM
    from judgescale.harness.contracts import Reading as Reading
    from judgescale.harness.contracts import Strategy as Strategy
    from judgescale.harness.strategies.budget import Budget as Budget
    from judgescale.harness.strategies.cascade import Cascade as Cascade
    from judgescale.harness.strategies.double_elimination import DoubleElimination as DoubleElimination
    from judgescale.harness.strategies.elo import Elo as Elo
    from judgescale.harness.strategies.information_gain import InformationGain as InformationGain
    from judgescale.harness.strategies.knockout import Knockout as Knockout
    from judgescale.harness.strategies.meta_voting import MetaVoting as MetaVoting
    from judgescale.harness.strategies.single import Single as Single
    from judgescale.harness.strategies.stopping import Stopping as Stopping
    from judgescale.harness.strategies.swiss import Swiss as Swiss
    from judgescale.harness.strategies.voting import Voting as Voting
    from judgescale.harness.strategies.weighted_voting import WeightedVoting as WeightedVoting
    from judgescale.harness.types import Estimate as Estimate
    from judgescale.harness.types import Item as Item
    from judgescale.harness.types import JudgescaleError as JudgescaleError
    from judgescale.harness.types import Judgment as Judgment
    from judgescale.harness.types import Output as Output
    from judgescale.harness.types import Record as Record
    from judgescale.harness.types import Request as Request
    from judgescale.harness.types import Result as Result
    from judgescale.harness.types import Rules as Rules
    from judgescale.harness.types import Sampling as Sampling
    from judgescale.harness.types import Task as Task

    __version__: str

_HOMES = {
    "api": "evaluate load_protocol load_task run_judge",
    "harness.contracts": "Answers Ask Engine EngineSession Judge MetaRM Reading Strategy",
    "harness.strategies.budget": "Budget",
    "harness.strategies.cascade": "Cascade",
    "harness.strategies.double_elimination": "DoubleElimination",
    "harness.strategies.elo": "Elo",
    "harness.strategies.information_gain": "InformationGain",
    "harness.strategies.knockout": "Knockout",
    "harness.strategies.meta_voting": "MetaVoting",
    "harness.strategies.single": "Single",
    "harness.strategies.stopping": "Stopping",
    "harness.strategies.swiss": "Swiss",
    "harness.strategies.voting": "Voting",
    "harness.strategies.weighted_voting": "WeightedVoting",
    "harness.types": "Estimate Item JudgescaleError Judgment Output Record Request Result Rules Sampling Task",
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Answers",
    "Ask",
    "Budget",
    "Cascade",
    "DoubleElimination",
    "Elo",
    "Engine",
    "EngineSession",
    "Estimate",
    "InformationGain",
    "Item",
    "Judge",
    "JudgescaleError",
    "Judgment",
    "Knockout",
    "MetaRM",
    "MetaVoting",
    "Output",
    "Reading",
    "Record",
    "Request",
    "Result",
    "Rules",
    "Sampling",
    "Single",
    "Stopping",
    "Strategy",
    "Swiss",
    "Task",
    "Voting",
    "WeightedVoting",
    "evaluate",
    "load_protocol",
    "load_task",
    "run_judge",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name == "__version__":
        return import_module("judgescale.harness.signature").find_version()
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'judgescale' has no attribute {name!r}")
    return getattr(import_module(f"judgescale.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
