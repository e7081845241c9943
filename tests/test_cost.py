"""What judgments cost: closed forms against counting, and rules on who pays for a prompt."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.cost import Price, Tokens, count_call_tokens, expect_tokens, flops
from judgescale.harness.types import Call, JudgescaleError


def call(key: str, rank: int = 0, prompt=100, cached=0, completion=10, reasoning=0, shared: bool = False) -> Call:
    return Call("judge", key.encode(), rank, prompt, cached, completion, reasoning, shared)


def of_judge(pools, k) -> Tokens | None:
    found = expect_tokens(pools, k)
    return None if found is None else found.get("judge", Tokens())


def billed(judgments) -> Tokens:
    """The bill for these judgments, counted call by call: every answer once, a prompt sampled together once."""
    every = {(c.key, c.rank): c for calls in judgments for c in calls}.values()
    total, read = Tokens(), set()
    for c in every:
        total = total.plus(Tokens(0, 0, c.completion_tokens, c.reasoning_tokens))
        if c.key not in read:
            total = total.plus(Tokens(c.prompt_tokens, 0))
        if c.key in TOGETHER:
            read.add(c.key)
    return total


TOGETHER = {b"a", b"b"}  # prompts of an engine that samples several answers to one


@st.composite
def pools(draw):
    """One to three questions of n judgments each, whose calls share prompts and answers, also between questions."""
    n = draw(st.integers(1, 5))
    prompts = {"a": 7, "b": 50, "c": 300}
    found = []
    for _ in range(draw(st.integers(1, 3))):
        pool = []
        for _ in range(n):
            keys = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True))
            ranks = [draw(st.integers(0, n - 1)) for _ in keys]
            pool.append(
                [
                    call(
                        k, r, prompts[k], completion=11 * (r + 1) + prompts[k], reasoning=r, shared=k in "ab" and r > 0
                    )
                    for k, r in zip(keys, ranks)
                ]
            )
        # an engine that samples together marks some answer of the pool as such
        seen = {c.key for calls in pool for c in calls if c.shared}
        pool[0] += [call(k, 9, prompts[k], shared=True) for k in "ab" if k.encode() not in seen]
        found.append(pool)
    return found


@settings(max_examples=200, deadline=None)
@given(pools=pools(), data=st.data())
def test_expected_is_the_mean_over_all_subsets(pools, data):
    k = data.draw(st.integers(1, len(pools[0])))
    choices = list(product(*(combinations(pool, k) for pool in pools)))
    bills = [billed([calls for subset in choice for calls in subset]) for choice in choices]
    mean = [sum(column) / len(bills) for column in zip(*bills)]
    assert of_judge(pools, k) == pytest.approx(Tokens(*mean))


def test_scalar_answers_shared_between_the_pairs_of_elo_are_counted_once():
    pairs = combinations("abcd", 2)
    of_item = [[[call(x, 0, 100, completion=0), call(y, 0, 100, completion=0)]] * 8 for x, y in pairs]
    for k in (1, 4, 8):
        assert of_judge(of_item, k) == Tokens(prompt=400)


def test_one_prefill_serves_the_samples_of_a_prompt_and_not_those_of_another():
    together = [[call("a", r, shared=r > 0)] for r in range(4)]
    alone = [[call("a", r)] for r in range(4)]
    both = [[call("a" if r % 2 else "b", r // 2, shared=r > 1)] for r in range(4)]  # two orders, two samples each
    assert [of_judge([together], k).prompt for k in (1, 2, 4)] == [100, 100, 100]
    assert [of_judge([alone], k).prompt for k in (1, 2, 4)] == [100, 200, 400]
    assert [of_judge([both], k).prompt for k in (1, 2, 4)] == pytest.approx([100, 100 * (1 + 2 / 3), 200])
    assert [of_judge([pool], 3).completion for pool in (together, alone, both)] == pytest.approx([30] * 3)


def test_repeats_of_one_greedy_answer_cost_it_once():
    assert of_judge([[[call("a")]] * 6], 4) == Tokens(100, 0, 10)


def test_cached_tokens_are_counted_where_the_prompt_was_paid():
    pool = [[call("a", 0, cached=64)], [call("a", 1, cached=100, shared=True)]]
    assert of_judge([pool], 2) == Tokens(100, 64, 20)
    assert of_judge([pool], 1) == Tokens(100, 64, 10)


@pytest.mark.parametrize("unknown", [{"prompt": None}, {"completion": None}])
def test_an_unknown_count_makes_the_sum_unknown(unknown):
    assert of_judge([[[call("a")], [call("a", 1, **unknown)]]], 1) is None
    assert count_call_tokens(call("a", **unknown)) is None


def test_an_answer_that_shared_its_prompt_pays_for_none():
    assert count_call_tokens(call("a", cached=30, reasoning=4)) == Tokens(100, 30, 10, 4)
    assert count_call_tokens(call("a", cached=100, reasoning=4, shared=True)) == Tokens(0, 0, 10, 4)
    assert count_call_tokens(call("a", cached=None, reasoning=None)) == Tokens(100, 0, 10, 0)


def test_prices_are_dollars_a_million_tokens():
    tokens = Tokens(prompt=1_000_000, cached=400_000, completion=200_000, reasoning=150_000)
    assert Price(2.0, 10.0).dollars(tokens) == pytest.approx(2 + 2)  # thoughts are part of the completion
    assert Price(2.0, 10.0, cached=0.5).dollars(tokens) == pytest.approx(1.2 + 0.2 + 2)
    assert Price(0, 0).dollars(tokens) == 0


@pytest.mark.parametrize("field", ["input", "output", "cached"])
@pytest.mark.parametrize("value", [-1, "cheap", True])
def test_a_price_that_is_none_is_named(field, value):
    with pytest.raises(JudgescaleError, match=rf"price\.{field}={value}"):
        Price(**{"input": 1.0, "output": 1.0, field: value})


def test_flops_are_of_the_tokens_computed():
    assert flops(7e9, Tokens(1000, 600, 100, 80)) == 2 * 7e9 * (400 + 100)
