"""engine=openai with engine.continue_thoughts: a thought is ended at its budget, and two requests are one answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("aiohttp")
pytest.importorskip("tenacity")

import faulty_server
from faulty_server import FaultyServer

from judgescale.harness.engines.openai import OpenAI
from judgescale.harness.engines.thoughts import ENDED_ITSELF, close_thought, join_outputs
from judgescale.harness.judges.reading import read_answer
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

pytestmark = pytest.mark.openai

QUESTION = Request((("user", "who wins?"),))
VERDICT = r"\boxed{Assistant 1}"
CLOSED = "\nTime is up.\n</think>\n\n"


class Thinker(FaultyServer):
    """A model that thinks for so many words, then answers; `late` befalls the requests that go on with an answer."""

    def __init__(self, words: int, late: str = "", **options):
        def answer(messages, seed):
            if messages[-1]["role"] == "assistant":
                return VERDICT
            return " ".join(f"w{seed}.{i}" for i in range(words)) + "\n</think>\n\n" + VERDICT

        super().__init__(answer=answer, **options)
        self.late = late

    def _fault(self, request, body):
        happens = super()._fault(request, body)
        return self.late if body.get("continue_final_message") and self.late else happens


def ask(server, budget, seeds=(0,), request=QUESTION, most=100, **options):
    made = OpenAI(
        **{"model": "m", "base_url": server.url, "timeout": 5, "backoff": 0.01, "retries": 1}
        | {"continue_thoughts": True, "end_of_thought": CLOSED}
        | options
    )

    async def run():
        async with made.open() as session:
            sampling = Sampling(1.0, max_tokens=most, thinking_budget=budget)
            answers = {i: output async for i, output in session(request, sampling, seeds)}
            return [answers[i] for i in range(len(seeds))], session.faults

    return asyncio.run(run())


def test_a_thought_is_ended_at_its_budget_and_answered():
    with Thinker(words=60) as server:
        outputs, faults = ask(server, 40, seeds=(3, 4, 5))
    for seed, output in zip((3, 4, 5), outputs, strict=True):
        thought = " ".join(f"w{seed}.{i}" for i in range(40))
        assert output.text == f"{thought}{CLOSED}{VERDICT}" and output.reasoning is None and output.finish == "stop"
        assert read_answer(output, thinking=True) == ("ok", VERDICT)
        assert output.completion_tokens == 40 + len(VERDICT.split()) and output.reasoning_tokens == 40
        # both prompts: the question; the question, the opening mark, the thought and its end
        assert output.prompt_tokens == 2 + (2 + 1 + 40 + len(CLOSED.split())) and not output.shared
    firsts = [entry.body for entry in server.log if not entry.body.get("continue_final_message")]
    seconds = [entry.body for entry in server.log if entry.body.get("continue_final_message")]
    assert len(firsts) == len(seconds) == 3 and not faults
    assert all(body["max_tokens"] == 40 and body["stop"] == ["</think>"] for body in firsts)
    assert all(body["max_tokens"] == 60 and body["add_generation_prompt"] is False for body in seconds)
    assert all("stop" not in body and "n" not in body for body in seconds)
    assert sorted(body["seed"] for body in firsts) == sorted(body["seed"] for body in seconds) == [3, 4, 5]
    assert all(body["messages"][:-1] == firsts[0]["messages"] for body in seconds)
    assert {body["messages"][-1]["role"] for body in seconds} == {"assistant"}
    assert all(body["messages"][-1]["content"].startswith("<think>\nw") for body in seconds)


def test_a_thought_that_ends_itself_keeps_its_own_end():
    with Thinker(words=10) as server:
        ([output], _) = ask(server, 40)
    assert output.text == " ".join(f"w0.{i}" for i in range(10)) + ENDED_ITSELF + VERDICT
    assert output.reasoning_tokens == 10 and "Time is up" not in server.log[1].body["messages"][-1]["content"]
    assert server.log[1].body["max_tokens"] == 90


def test_a_pattern_binds_only_the_answer():
    asked = replace(QUESTION, pattern="A|B")
    with Thinker(words=60) as server:
        ask(server, 40, request=asked, constrain="structured_outputs")
    assert [entry.body.get("structured_outputs") for entry in server.log] == [None, {"regex": "A|B"}]


@pytest.mark.parametrize("late, faults", [("500", {"500": 2}), ("400", {"400": 1}), ("bad_json", {"bad_json": 2})])
def test_what_the_thought_cost_is_not_lost_with_the_answer(late, faults):
    with Thinker(words=60, late=late) as server:
        ([output], met) = ask(server, 40)
    assert output.finish == "failed" and output.error and output.text is None and met == faults
    assert (output.prompt_tokens, output.completion_tokens) == (2, 40)


def test_a_failed_thought_fails_the_answer():
    with Thinker(words=60, faults={"400": 1.0}) as server:
        ([output], _) = ask(server, 40)
    assert output.finish == "failed" and output.prompt_tokens is None and server.requests == 1


def test_both_requests_are_retried():
    with Thinker(words=60, faults={"429": 0.3, "reset": 0.2}, retry_after="0.01") as server:
        outputs, faults = ask(server, 40, seeds=range(20), retries=12)
    assert all(output.text.endswith(VERDICT) for output in outputs) and faults["429"] and faults["reset"]


def test_answers_that_nobody_asked_for_are_on_the_bill():
    with Thinker(words=60, faults={"more": 1.0}) as server:
        ([output], faults) = ask(server, 40)
    assert output.completion_tokens == 2 * 40 + 2 * 2 and output.text.endswith(VERDICT) and faults == {"wrong_n": 2}


def test_a_template_that_drops_the_thought_ends_the_run(monkeypatch):
    own = faulty_server._tokens
    kept = lambda messages: own([m for m in messages if m["role"] != "assistant"])  # noqa: E731
    monkeypatch.setattr(faulty_server, "_tokens", kept)
    with Thinker(words=60) as server, pytest.raises(JudgescaleError, match="drops thoughts .*thought of 40 came back"):
        ask(server, 40)


def test_a_template_that_refuses_to_go_on_ends_the_run():
    class Refusing(Thinker):
        async def _reply(self, request, body, fault):
            if not body.get("continue_final_message"):
                return await super()._reply(request, body, fault)
            said = "continue_final_message is set but the final message does not appear in the chat"
            return faulty_server.web.json_response({"error": {"message": said}}, status=400)

    with (
        Refusing(words=60) as server,
        pytest.raises(JudgescaleError, match="engine.continue_thoughts: .*final message"),
    ):
        ask(server, 40)


@pytest.mark.parametrize(
    "first, text, whole",
    [
        (Output("so", finish="length"), f"so{CLOSED}", False),
        (Output("<think>\nso ", finish="length"), f"so{CLOSED}", False),
        (Output("", reasoning="so\n", finish="length"), f"so{CLOSED}", False),
        (Output(None, reasoning="so"), f"so{ENDED_ITSELF}", False),
        (Output("so\n</think>"), f"so{ENDED_ITSELF}", False),
        # it went on though it was to stop there
        (Output("so</think>\nA", finish="length"), f"so{ENDED_ITSELF}A", False),
        (Output("so</think>\nA"), f"so{ENDED_ITSELF}A", True),
        (Output("A", reasoning="so"), f"so{ENDED_ITSELF}A", True),
        (Output("", finish="length"), CLOSED, False),
    ],
)
def test_every_way_in_which_servers_deliver_a_thought(first, text, whole):
    begun = close_thought(first, CLOSED)
    assert (begun.text, begun.whole, begun.partial) == (text, whole, f"<think>\n{text}")


@given(st.sampled_from([("A", None), (None, "A"), ("", "A"), ("A", "more")]), st.integers(0, 99), st.integers(0, 99))
def test_an_answer_is_read_wherever_the_server_puts_it(said, prompt, written):
    first = Output("so", finish="length", prompt_tokens=5, completion_tokens=7, cached_tokens=1, seconds=1.0)
    second = Output(said[0], reasoning=said[1], prompt_tokens=prompt, completion_tokens=written, seconds=2.0)
    joined = join_outputs(first, close_thought(first, CLOSED), second)
    assert read_answer(joined, thinking=True) == ("ok", "A")
    assert (joined.prompt_tokens, joined.completion_tokens) == (5 + prompt, 7 + written)
    assert (joined.reasoning_tokens, joined.cached_tokens, joined.seconds) == (7, 1, 3.0)
    uncounted = join_outputs(first, close_thought(first, CLOSED), second._replace(prompt_tokens=None))
    assert uncounted.prompt_tokens is None  # not half of what was paid


def test_who_ends_a_thought_must_be_said():
    with pytest.raises(JudgescaleError, match="engine.thinking_field .*engine.continue_thoughts=true"):
        OpenAI("m").check_thinking_budget()
    OpenAI("m", thinking_field="thinking_token_budget").check_thinking_budget()
    OpenAI("m", continue_thoughts=True).check_thinking_budget()
    with pytest.raises(JudgescaleError, match="either the server ends a thought, or the harness"):
        OpenAI("m", thinking_field="thinking_token_budget", continue_thoughts=True)
    with pytest.raises(JudgescaleError, match="engine.end_of_thought: must hold </think>"):
        OpenAI("m", end_of_thought="Time is up.")


def test_answers_of_before_keep_their_place_in_the_store():
    assert OpenAI("m").identity() == OpenAI("m", end_of_thought=CLOSED).identity()
    assert not {"continue_thoughts", "end_of_thought"} & set(OpenAI("m").identity())
    made = [OpenAI("m", continue_thoughts=True, end_of_thought=end).identity() for end in (CLOSED, ENDED_ITSELF)]
    assert made[0] != made[1] != OpenAI("m").identity()
