"""engine=openvino with a real model, SmolLM2-135M: what it samples, constrains, counts, refuses and abandons."""

from __future__ import annotations

import asyncio
import math
import re
import time

import pytest

pytest.importorskip("openvino_genai")

from judgescale.harness.engines.openvino import Openvino
from judgescale.harness.engines.weights import fetch_smollm2
from judgescale.harness.types import JudgescaleError, Request, Sampling

pytestmark = pytest.mark.embedded

QUESTION = (("user", "Which answer is better? The capital of France is … A: Paris. B: London. Answer with A or B."),)
HOT = Sampling(temperature=1.0, max_tokens=16)


@pytest.fixture(scope="module", autouse=True)
def model():
    try:
        return fetch_smollm2()
    except JudgescaleError as error:
        pytest.skip(str(error))


def using(ask, **options):
    """What `ask`, a coroutine function, makes of a running engine's session."""

    async def run():
        async with Openvino("smollm2", max_num_seqs=16, cache_size=1, **options).open() as session:
            return await ask(session)

    return asyncio.run(run())


async def outputs(session, request, sampling=HOT, seeds=(1,)):
    return [output for _, output in sorted([pair async for pair in session(request, sampling, seeds)])]


def test_seeds_decide_the_answers_whatever_else_is_in_flight():
    async def ask(session):
        request, long = Request(QUESTION), Request((("user", "Count to a hundred. " * 20),))
        together = await outputs(session, request, seeds=range(6))
        alone = [(await outputs(session, request, seeds=[seed]))[0] for seed in range(6)]
        crowd = await asyncio.gather(outputs(session, request, seeds=range(6)), outputs(session, long, seeds=range(6)))
        greedy = await outputs(session, request, Sampling(max_tokens=16), seeds=(1, 2))
        return together, alone, crowd[0], greedy

    together, alone, crowd, greedy = using(ask)
    for others in (alone, crowd):  # float32 rounds otherwise in another batch: rarely, a draw falls on the other side
        assert sum(a.text == b.text for a, b in zip(together, others)) >= 5
    assert len({o.text for o in together}) == 6
    assert greedy[0].text == greedy[1].text
    assert [o.shared for o in together] == [False] + 5 * [True] and not any(o.shared for o in alone)
    assert len({o.prompt_tokens for o in together + alone}) == 1
    assert {(o.finish, o.completion_tokens) for o in greedy} == {("length", 16)}


def test_the_template_is_applied_once_and_tokens_are_counted_after_it():
    from openvino_genai import Tokenizer

    text = "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"

    async def ask(session):
        return await outputs(session, Request((("system", "Be terse."), ("user", "Hello"))))

    ids = Tokenizer(str(fetch_smollm2())).encode(text, add_special_tokens=False).input_ids
    assert using(ask)[0].prompt_tokens == ids.shape[1]


def test_patterns_hold_for_every_sample_and_labels_have_their_probabilities():
    pattern = r"\\boxed\{(10|[1-9]), (10|[1-9])\}"

    async def ask(session):
        boxed = await outputs(session, Request(QUESTION, pattern=pattern), Sampling(1.0, 1.0, 32), range(8))
        greedy = (await outputs(session, Request(QUESTION), Sampling(max_tokens=1)))[0].text
        labels = await outputs(
            session, Request(QUESTION, pattern="A|B", labels=("A", "B", "yes", greedy)), seeds=(1, 2)
        )
        picks = await outputs(session, Request(QUESTION, pattern="A|B"), seeds=range(300))
        return boxed, greedy, labels, picks

    boxed, greedy, labels, picks = using(ask)
    assert all(re.fullmatch(pattern, o.text) and o.finish == "stop" for o in boxed)
    assert len({o.text for o in boxed}) > 1
    assert all(o.text in ("A", "B") for o in labels + picks)
    p = {label: math.exp(value) for label, value in labels[0].logprobs.items()}
    assert labels[1].logprobs == labels[0].logprobs
    assert sum(p.values()) < 1 and max(p, key=p.get) == greedy
    expected, found = p["A"] / (p["A"] + p["B"]), sum(o.text == "A" for o in picks) / len(picks)
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / len(picks))


def test_what_cannot_be_asked_fails_alone():
    async def ask(session):
        return await asyncio.gather(
            outputs(session, Request((("user", "word " * 200),)), seeds=(1, 2)),
            outputs(session, Request((("user", "a lone surrogate \ud800"),))),
            outputs(session, Request(QUESTION), Sampling(1.0, 1.0, 5000)),
        ), session.faults

    (long, odd, fine), faults = using(ask, context=128)
    assert [o.finish for o in long] == ["failed"] * 2 and "context 128" in long[0].error and long[0].text is None
    assert odd[0].finish == "failed" and faults["failed"] == 3
    assert fine[0].finish in ("stop", "length") and fine[0].prompt_tokens + fine[0].completion_tokens <= 128


def test_an_abandoned_question_is_aborted_and_the_rest_goes_on():
    async def ask(session):
        endless = outputs(session, Request(QUESTION), Sampling(1.0, 1.0, 8000), range(64))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(endless, 0.5)
        after = await outputs(session, Request(QUESTION), HOT)
        pending = asyncio.create_task(outputs(session, Request(QUESTION), Sampling(1.0, 1.0, 8000), range(64)))
        await asyncio.sleep(0.2)
        pending.cancel()
        return after, time.perf_counter()

    after, left = using(ask)
    assert after[0].text and time.perf_counter() - left < 20  # it did not finish what nobody waits for


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(QUESTION, labels=("no error",)), "labels of one token; 'no error'"),
        (Request(QUESTION, pattern="(("), "gave up"),
    ],
)
def test_what_no_request_survives_is_raised_for_everyone(request_, says):
    async def ask(session):
        with pytest.raises(JudgescaleError, match=says):
            await outputs(session, request_)
        with pytest.raises(JudgescaleError, match=says):
            await outputs(session, Request(QUESTION))

    using(ask)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "smollm2", "kind": "score"}, "scalar heads"),
        ({"model": "smollm2", "context": 9000}, r"engine\.context=9000.*8192"),
        ({"model": "nosuch.gguf"}, r"judge\.model=nosuch\.gguf: no such file"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything_is_asked(options, says):
    async def run():
        async with Openvino(**options).open():
            raise AssertionError("it started")

    with pytest.raises(JudgescaleError, match=says):
        asyncio.run(run())


def test_half_a_model_is_named_before_it_crashes_the_process(tmp_path):
    (tmp_path / "m.gguf").write_bytes(fetch_smollm2().read_bytes()[:50_000_000])  # a download that stopped half-way

    async def run():
        async with Openvino(str(tmp_path / "m.gguf"), context=100).open():
            raise AssertionError("it started")

    with pytest.raises(JudgescaleError, match=r"m\.gguf"):
        asyncio.run(run())


def test_identity_has_what_may_change_an_answer():
    one, other = Openvino("smollm2"), Openvino("smollm2", max_num_seqs=8, threads=1)
    assert one.identity() == other.identity() != Openvino("smollm2", precision=None).identity()


def test_it_is_quiet(capfd):
    async def ask(session):
        return await outputs(session, Request(QUESTION, pattern="A|B", labels=("A", "yes")), seeds=(1, 2))

    using(ask)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
