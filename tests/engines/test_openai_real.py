"""engine=openai against a real server: llama.cpp's, in this process, with SmolLM2-135M."""

from __future__ import annotations

import asyncio
import re

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("tenacity")
pytest.importorskip("xllamacpp")

from smollm2 import llama_server

from judgescale.harness.engines.openai import OpenAI
from judgescale.harness.types import JudgescaleError, Request, Sampling

pytestmark = pytest.mark.openai_real

QUESTION = (("user", "Which letter comes first, A or B? Say one letter."),)


@pytest.fixture(scope="module")
def server():
    return llama_server()


def ask(server, request, seeds=(5,), sampling=Sampling(temperature=1, max_tokens=12), **options):  # noqa: B008
    made = OpenAI(model="any", base_url=f"{server.listening_address}/v1", timeout=120, **options)

    async def run():
        async with made.open() as session:
            answers = sorted([pair async for pair in session(request, sampling, seeds)])
        return [output for _, output in answers], session.faults

    return asyncio.run(run())


def test_samples_of_one_prompt_are_those_of_single_requests(server):
    together, faults = ask(server, Request(QUESTION), range(5, 8))
    apart, _ = ask(server, Request(QUESTION), range(5, 8), many=False)
    assert [output.text for output in together] == [output.text for output in apart] and not faults
    assert len({output.text for output in together}) > 1
    assert all(output.text and output.finish in ("stop", "length") and output.prompt_tokens for output in together)
    assert all(output.completion_tokens <= 12 for output in apart)
    assert [output.shared for output in together] == [False, True, True]


def test_constrained_answers_match_their_pattern(server):
    pattern = r"\\boxed\{(10|[1-9]), (10|[1-9])\}"
    outputs, _ = ask(
        server, Request(QUESTION, pattern=pattern), range(4), Sampling(1.0, max_tokens=48), constrain="json_schema"
    )
    whole = [output.text for output in outputs if output.finish == "stop"]
    assert whole and all(re.fullmatch(pattern, text) for text in whole)


def test_label_probabilities(server):
    [output], _ = ask(server, Request(QUESTION, labels=("A", "B")))
    assert set(output.logprobs) <= {"A", "B"} and all(value < 0 for value in output.logprobs.values())
    assert output.logprobs


def test_a_prompt_that_is_too_long_fails_with_the_servers_reason(server):
    [output], faults = ask(server, Request((("user", "word " * 5000),)))
    assert output.finish == "failed" and "context" in output.error and faults == {"400": 1}


def test_scalar_judges_are_told_where_to_go(server):
    with pytest.raises(JudgescaleError, match="engine=vllm"):
        ask(server, Request(QUESTION, kind="score"))


def test_a_thought_is_ended_and_the_answer_goes_on_from_it(server):
    """llama.cpp goes on with an assistant's turn that is last; SmolLM2 never closes a thought of its own accord."""
    asked = Request((("user", "Tell me about foxes."),))
    for budget in (8, 16):
        sampling = Sampling(1.0, max_tokens=40, thinking_budget=budget)
        outputs, faults = ask(server, asked, (5, 6), sampling, continue_thoughts=True)
        plain, _ = ask(server, asked, (5, 6), Sampling(1.0, max_tokens=budget), many=False)
        for output, thought in zip(outputs, plain, strict=True):
            assert output.text.startswith(f"{thought.text.strip()}\n</think>\n\n") and output.reasoning_tokens == budget
            assert output.text.partition("</think>")[2].strip() and output.completion_tokens <= 40
            assert output.prompt_tokens > 2 * thought.prompt_tokens + budget
        assert not faults
