"""Whole runs of one judge under several thinking budgets, against a local server that can continue an answer."""

from __future__ import annotations

import csv
import json
import re
import zlib
from dataclasses import replace

import pytest

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.live.buying import SpendingLimits, estimate_costs  # noqa: E402
from judgescale.harness.plan import plan_arms  # noqa: E402
from judgescale.harness.report import figure, readings  # noqa: E402
from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.types import JudgescaleError  # noqa: E402

pytestmark = pytest.mark.openai

BUDGETS = (4, 16, 64)
END = "\n</think>\n\n"


def think(messages, seed):
    """Thoughts of 1 to 40 words, the same for the same prompt and seed; the verdict depends on what was thought."""
    *_, last = messages
    if last["role"] == "assistant":
        return rf"\boxed{{Assistant {1 + zlib.crc32(last['content'].encode()) % 2}}}"
    words = 1 + (zlib.crc32(last["content"].encode()) + seed) % 40
    return " ".join(f"w{seed}.{i}" for i in range(words)) + END + r"\boxed{Assistant 1}"


class Thinker(FaultyServer):
    """Counts what it billed, and may refuse to go on with some answers."""

    refuses = False

    def _fault(self, request, body):
        happens = super()._fault(request, body)
        late = body.get("continue_final_message") and self.refuses
        if late and zlib.crc32(body["messages"][-1]["content"].encode()) % 4 == 0:
            happens = "400"
            self.log[-1] = replace(self.log[-1], fault=happens)
        return happens


@pytest.fixture
def go(composed, tmp_path):
    def go(server, *more: str, folder: str = "out", budgets=BUDGETS):
        cfg = composed(
            "judge=pairwise", "judge.model=org/Thinker", "judge.thinking=true", "judge.sampling.max_tokens=80",
            f"judge.thinking_budget={list(budgets)}", "engine=openai", "engine.continue_thoughts=true",
            f"engine.base_url={server.url}", "engine.backoff=0.01", "task=sanity", "task.size=20",
            "protocol.order=as_is", f"run.store={tmp_path}/store.sqlite", *more,
        )  # fmt: skip
        return run([cfg], tmp_path / folder, show=False)

    return go


def test_budgets_are_arms_of_one_run_told_apart_by_name(go, tmp_path):
    with Thinker(answer=think) as server:
        results = go(server, "strategy.k=2")
        assert server.requests == 2 * 3 * 20 * 2
    assert [r.thinking_budget for r in results] == list(BUDGETS)
    assert [r.judge for r in results] == [f"org/Thinker, thinking ≤ {budget}" for budget in BUDGETS]
    shares = [r.health["thoughts"]["used_up"] / 40 for r in results]
    assert 1 > shares[0] > shares[1] > shares[2] == 0
    tokens = [p.tokens_per_item for r in results for p in r.curve if (p.section, p.k) == ("overall", 2)]
    assert tokens == sorted(tokens) and len(set(tokens)) == 3
    for r, budget in zip(results, BUDGETS, strict=True):
        thoughts = r.health["thoughts"]
        assert thoughts["answers"] == thoughts["known"] == 40 and thoughts["budget"] == budget
        assert r.compute["reasoning_tokens"] == pytest.approx(40 * thoughts["mean_tokens"])
        assert r.compute["completion_tokens"] == r.compute["reasoning_tokens"] + 40 * 2  # a verdict is two words
        assert any(
            note.startswith(f"Thinking budget {budget}: {shares[BUDGETS.index(budget)]:.0%}") for note in r.notes
        )
        assert f"thinking_budget:{budget}|" in r.signature
    (told,) = results[2].differences
    assert told.startswith("org/Thinker, thinking ≤ 64 - org/Thinker, thinking ≤ 4: ")
    arms = json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
    assert [arm["thinking_budget"] for arm in arms] == list(BUDGETS)
    rows = list(csv.DictReader((tmp_path / "out" / "curve.csv").read_text().splitlines()))
    assert {row["judge"] for row in rows} == {r.judge for r in results}
    assert (tmp_path / "out" / "recorded-3.parquet").exists()


def test_the_thought_is_in_the_answer_that_is_kept(go):
    with Thinker(answer=think) as server:
        short, *_ = go(server, "strategy.k=1", folder="kept")
    from judgescale.harness.store import Store

    with Store(short.store, readonly=True) as store:
        texts = [store.read_text(*row["calls"][0]) for row in short.judgments]
    for text in texts:
        thought, verdict = text.split(END)
        assert 1 <= len(thought.split()) <= 4 and re.fullmatch(r"\\boxed\{Assistant [12]\}", verdict)


def test_what_was_bought_for_a_budget_is_bought_once_and_for_it_alone(go):
    with Thinker(answer=think) as server:
        go(server, "strategy.k=1", budgets=(4, 16))
        before = server.requests
        again = go(server, "strategy.k=1", budgets=(4, 16), folder="again")
        assert server.requests == before and "this run bought none" in " ".join(again[0].notes)
        # most thoughts end before 32 words: their answers are those of no other budget all the same
        go(server, "strategy.k=1", budgets=(4, 16, 32), folder="more")
        assert server.requests == before + 2 * 20


def test_a_budget_of_tokens_holds_both_requests(go):
    with Thinker(answer=think) as server, pytest.raises(JudgescaleError, match="run.budget.tokens=30000: .* are spent"):
        go(server, "strategy.k=1", "run.budget.tokens=30000", "engine.concurrency=4")
    read = sum(len(m["content"].split()) for entry in server.log for m in entry.body["messages"])
    assert 10000 < read < 30000


def test_an_answer_that_is_refused_late_is_paid_for(go):
    with Thinker(answer=think) as server:
        server.refuses = True
        results = go(server, "strategy.k=2", "engine.concurrency=1", budgets=(16,))
        late = server.seen("400")
    (one,) = results
    assert late and one.health["failed"] == late and one.health["thoughts"]["answers"] == 40 - late
    (paid,) = [
        re.search(r"bought [\d,]+ answers: ([\d,]+) prompt and ([\d,]+) completion", n)
        for n in one.notes
        if "bought" in n
    ]
    prompt, completion = (int(number.replace(",", "")) for number in paid.groups())
    answered = [e for e in server.log if not e.fault]
    assert prompt == sum(len(m["content"].split()) for e in answered for m in e.body["messages"])
    assert completion > 2 * (40 - late)


def test_the_estimate_counts_both_prompts(composed, tmp_path):
    def estimate(*more):
        cfg = composed(
            "judge=pairwise", "judge.model=m", "judge.thinking=true", "judge.thinking_budget=[100,200]",
            "engine=openai", "task=sanity", "task.size=8", "protocol.order=as_is", "strategy.k=3", *more,
        )  # fmt: skip
        limits = SpendingLimits(tmp_path / "none.sqlite", 0)
        return estimate_costs([arm.purchase for arm in plan_arms(cfg)], limits)

    at_once = estimate("engine.thinking_field=thinking_token_budget")
    twice = estimate("engine.continue_thoughts=true")
    prompt = at_once[0].tokens.prompt  # read once for all three samples
    assert [e.tokens.prompt for e in at_once] == [prompt, prompt]
    assert [e.tokens.prompt for e in twice] == [3 * (2 * prompt + 8 * budget) for budget in (100, 200)]
    assert {e.lacking for e in at_once + twice} == {24}


def test_the_figure_has_one_curve_over_budgets(go, monkeypatch):
    drawn = []
    own = figure.draw_curves

    def draw(ax, task, arms, unit, *more):
        drawn.append((ax, arms, unit))
        own(ax, task, arms, unit, *more)

    monkeypatch.setattr(figure, "draw_curves", draw)
    with Thinker(answer=think) as server:
        results = go(server, "strategy.k=2")
    (ax, (joined,), unit), *others = drawn
    assert unit == "tokens" and joined.judge == "org/Thinker"
    assert [p.thinking_budget for p in joined.curve] == list(BUDGETS)
    assert [p.estimate for p in joined.curve] == [r.headline for r in results]
    assert [text.get_text() for text in ax.texts if text.get_text().startswith("≤")] == ["≤ 4", "≤ 16", "≤ 64"]
    assert all(len(arms) == 3 for _, arms, _ in others)  # and the curves over k, an arm each
    assert readings.join_budgets(results[:1]) == [] == readings.join_budgets([])
