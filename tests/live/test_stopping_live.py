"""A stopping rule that asks a model: it buys what its replay on the same answers says, and replays as it was bought."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeEngine
from test_buying import noisy, paid, purchase

from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.runner import run
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.types import JudgescaleError, Output

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

pytestmark = pytest.mark.openai

LEAD = ("strategy=stopping", "strategy.k=7", "strategy.lead=2")


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


@pytest.fixture
def go(composed, tmp_path):
    def go(*overrides: str, folder: str):
        (result,) = run([composed(*overrides)], tmp_path / folder, show=False)
        return result

    return go


def live(server, tmp_path, *more: str) -> list[str]:
    model = ["judge=pairwise", "judge.model=local", "engine=openai", f"engine.base_url={server.url}"]
    return [*model, "task=sanity", "task.size=30", f"run.store={tmp_path}/store.sqlite", *more]


def count_by_item(result) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in result.judgments:
        found[row["item"]] = found.get(row["item"], 0) + 1
    return found


def test_it_buys_what_its_replay_on_the_same_answers_says(go, tmp_path):
    """Live, as it was bought, and by hand on the answers of a run that bought all 7."""
    with FaultyServer(answer=verdict) as server:
        stopped = go(*live(server, tmp_path, *LEAD), folder="stopped")
        asked = server.requests
        everything = go(*live(server, tmp_path, "strategy=voting", "strategy.k=7"), folder="all")
        assert server.requests > asked  # what the rule did not ask for is only now bought
    bought = count_by_item(stopped)
    signs: dict[str, list[float]] = {}
    for row in sorted(everything.judgments, key=lambda row: row["sample"]):
        signs.setdefault(row["item"], []).append(
            (1 if row["scores"][0] > row["scores"][1] else -1) * (1 - 2 * row["shown"][0])
        )
    for item, each in signs.items():
        lead = np.abs(np.cumsum(each))
        assert bought[item] == (int(np.argmax(lead >= 2)) + 1 if (lead >= 2).any() else 7)
    assert len(set(bought.values())) > 1 and stopped.compute["judgments"] == sum(bought.values()) == asked

    (recorded,) = (tmp_path / "stopped").glob("recorded*.parquet")
    for options in (LEAD, ("strategy=stopping",)):  # without a k, that of the run
        again = go("task=sanity", "protocol=sanity", f"engine.path={recorded}", *options, folder="again")
        assert again.k == 7 and again.headline.value == stopped.headline.value
        assert again.compute["judgments"] == stopped.compute["judgments"]
        assert again.compute["prompt_tokens"] == pytest.approx(stopped.compute["prompt_tokens"])
    with pytest.raises(JudgescaleError, match="another seed, k or rule asks what was not bought"):
        go("task=sanity", f"engine.path={recorded}", "strategy=stopping", "strategy.lead=6", folder="more")
    other = go("task=sanity", f"engine.path={recorded}", "strategy=voting", folder="other")
    assert any("bought until strategy=stopping had seen enough" in note for note in other.notes)


def test_an_answer_that_failed_is_not_asked_again(tmp_path):
    """It was asked for once in this run: a judgment that is lost stays lost, however many more are asked for."""
    engine = FakeEngine(
        lambda request, seed: Output(finish="failed", error="no") if seed % 3 == 0 else noisy(request, seed)
    )
    (bought,) = paid(tmp_path, purchase(engine, items=20, strategy=Stopping(6, lead=2)), max_failures=1000)
    assert engine.answers == len(bought.data.records) == bought.meter.judgments
    statuses = {r.judgment.status for r in bought.data.records}
    assert statuses == {"ok", "failed"} and bought.data.meta["live"]["stopped_by"] == "stopping"


def test_what_the_store_has_is_counted_once(tmp_path):
    """The same run again buys nothing, and says how many answers the store had."""
    (first,) = paid(tmp_path, purchase(FakeEngine(noisy), items=10, strategy=Stopping(6, lead=2)))
    engine = FakeEngine(noisy)
    (second,) = paid(tmp_path, purchase(engine, items=10, strategy=Stopping(6, lead=2)))
    assert engine.answers == 0 and second.meter.reused == first.meter.bought == len(first.data.records)


def test_a_live_strategy_hears_what_the_protocol_sums(tmp_path):
    """Under votes=verdicts scores count as one vote: what a live run asks is what its evaluation replays."""
    heard = []

    class Listening(Stopping):
        async def __call__(self, ask, n, rng):
            heard.append((await ask(np.arange(n)[None], 1)).scores[0, 0, 0].tolist())
            return await super().__call__(ask, n, rng)

    engine = FakeEngine(lambda request, seed: r"\boxed{9, 3}" if request.order[0] == 0 else r"\boxed{3, 9}")
    for votes in ("scores", "verdicts"):
        order = purchase(engine, items=1, strategy=Listening(3, lead=2), judge=Pointwise(), votes=votes)
        paid(tmp_path, order)
    assert heard == [[9, 3], [1, 0]]
