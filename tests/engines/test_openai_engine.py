"""engine=openai against a server that goes wrong: every answer arrives, every fault is counted, no key leaks."""

from __future__ import annotations

import asyncio
import email.utils
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("aiohttp")
pytest.importorskip("tenacity")

from faulty_server import FaultyServer, nobody

from judgescale.harness.engines.openai import OpenAI, read_retry_after
from judgescale.harness.engines.openai_replies import (
    WRAPPER,
    Fault,
    parse_reply,
    read_completions,
    read_error,
    read_scores,
)
from judgescale.harness.options import build
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

pytestmark = pytest.mark.openai

DRAWN = Sampling(temperature=1)
KEY = "sk-very-secret-key-0123456789"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def prompt(text="who wins?", **fields):
    return Request((("system", "judge"), ("user", text)), **fields)


def engine(server, **options):
    return OpenAI(**{"model": "m", "base_url": server.url, "timeout": 5, "backoff": 0.01, **options})


async def ask_session(session, requests, seeds=(0,), sampling=DRAWN):
    """Everything the session says to requests sent at once: a dictionary index -> output for each."""

    async def one(request):
        answers = [pair async for pair in session(request, sampling, seeds)]
        assert sorted(index for index, _ in answers) == list(range(len(seeds)))  # each once
        return dict(answers)

    return await asyncio.gather(*map(one, requests))


def ask_and_count(made, requests, **how):
    """What a session of the engine says to the requests, and its faults."""

    async def run():
        async with made.open() as session:
            return await ask_session(session, requests, **how), session.faults

    return asyncio.run(run())


def ask(made, requests, **how):
    return ask_and_count(made, requests, **how)[0]


def test_an_answer_with_its_counts():
    with FaultyServer(answer=lambda messages, seed: f"two words {messages[1]['content']}") as server:
        [[output]] = [answers.values() for answers in ask(engine(server), [prompt("x")])]
    assert (output.text, output.finish, output.prompt_tokens, output.completion_tokens) == ("two words x", "stop", 2, 3)
    assert not output.shared and output.seconds and output.seconds > 0
    body = server.log[0].body
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "judge"}, {"role": "user", "content": "x"}],
        "temperature": 1,
        "top_p": 1.0,
        "max_tokens": 2048,
        "seed": 0,
    }
    assert "Authorization" not in server.log[0].headers


def test_samples_of_one_prompt_are_one_request():
    with FaultyServer() as server:
        [answers] = ask(engine(server), [prompt()], seeds=range(100, 116))
    assert server.requests == 1 and server.log[0].body["n"] == 16 and server.log[0].body["seed"] == 100
    assert [answers[i].text for i in range(16)] == [f"answer {100 + i}" for i in range(16)]
    assert [answers[i].shared for i in range(16)] == [False] + [True] * 15
    assert sum(output.completion_tokens for output in answers.values()) == 32
    assert {output.prompt_tokens for output in answers.values()} == {3}


def test_groups_have_at_most_max_n():
    with FaultyServer() as server:
        [answers] = ask(engine(server, max_n=4), [prompt()], seeds=range(0, 100, 10))
    assert sorted(entry.body.get("n", 1) for entry in server.log) == [2, 4, 4]
    assert sorted(entry.body["seed"] for entry in server.log) == [0, 40, 80]
    assert [answers[i].shared for i in range(10)] == [i % 4 > 0 for i in range(10)]


INJECTED = {"429": 0.06, "500": 0.06, "503": 0.02, "timeout": 0.02, "reset": 0.06, "cut": 0.06, "bad_json": 0.06}
NAMES = {"cut": "reset", "wrong_types": "bad_json", "fewer": "wrong_n", "more": "wrong_n"}


@pytest.mark.parametrize("many", ["auto", False])
def test_every_answer_arrives_and_every_fault_is_counted(many):
    faults = {**INJECTED, "wrong_types": 0.05, "empty": 0.05, "fewer": 0.05, "more": 0.05}
    with FaultyServer(faults, retry_after="0.05", answer=lambda messages, seed: f"{messages[1]['content']}!") as server:
        made = engine(server, timeout=1.5, retries=12, backoff=0.002, many=many)
        answers, met = ask_and_count(made, [prompt(f"p{i}") for i in range(60)], seeds=range(4))
    for i, outputs in enumerate(answers):
        assert {output.text for output in outputs.values()} <= {f"p{i}!", ""}  # "": the server's own empty content
    seen = {name: server.seen(name) for name in faults if server.seen(name)}
    assert set(seen) >= set(INJECTED) - {"503", "timeout"}
    expected = {}
    for name, count in seen.items():
        expected[NAMES.get(name, name)] = expected.get(NAMES.get(name, name), 0) + count
    empty = sum(output.text == "" for outputs in answers for output in outputs.values())
    assert {**met, "empty": met["empty"] > 0} == {**expected, "empty": empty > 0}
    assert all(output.finish == "stop" for outputs in answers for output in outputs.values())


def test_retries_used_up():
    with FaultyServer({"500": 1.0}) as server:
        [answers], met = ask_and_count(engine(server, retries=2), [prompt()], seeds=range(3))
    assert {output.finish for output in answers.values()} == {"failed"}
    assert answers[0].error == "gave up after 3 attempts: 500 injected 500" and met == {"500": 3}


def test_every_session_counts_its_own_faults():
    with FaultyServer({"500": 1.0}) as server:
        made = engine(server, retries=0)
        assert [ask_and_count(made, [prompt()])[1] for _ in range(2)] == [{"500": 1}] * 2


def test_retry_after_is_obeyed():
    with FaultyServer({"429": 0.5}, retry_after="0.3", seed=3) as server:
        ask(engine(server, backoff=0.001), [prompt(f"p{i}") for i in range(6)])
    refused = [entry.at for entry in server.log if entry.fault == "429"]
    assert refused and max(refused) < server.log[-1].at
    for at in refused:  # those already on their way when the server said so aside, it is left alone
        assert not [entry for entry in server.log if at + 0.1 < entry.at < at + 0.29]


@given(st.text())
def test_retry_after_reads_anything(value):
    assert 0 <= read_retry_after(value, time.time()) < math.inf


def test_retry_after_as_seconds_and_as_date():
    now = time.time()
    assert read_retry_after("7", now) == 7
    assert read_retry_after(email.utils.formatdate(now + 30, usegmt=True), now) == pytest.approx(30, abs=1)
    assert read_retry_after(email.utils.formatdate(now - 30, usegmt=True), now) == 0
    assert [read_retry_after(value, now) for value in ("soon", "", "nan", "-5")] == [0, 0, 0, 0]


def test_a_wait_longer_than_the_timeout_ends_the_run():
    with FaultyServer({"429": 1.0}, retry_after="86400") as server, pytest.raises(JudgescaleError, match="86400 s"):
        ask(engine(server), [prompt()])


def test_requests_per_minute_are_evenly_spaced():
    with FaultyServer() as server:
        ask(engine(server, requests_per_minute=1200), [prompt(f"p{i}") for i in range(8)])
    times = [entry.at for entry in server.log]
    assert times[-1] - times[0] >= 7 * 0.05 - 0.02


def test_concurrency_is_never_exceeded():
    with FaultyServer({"500": 0.2}, latency=0.01) as server:
        ask(engine(server, concurrency=5), [prompt(f"p{i}") for i in range(60)])
    assert server.peak == 5


def test_several_servers_share_the_work_and_one_may_be_dead():
    with nobody() as gone, FaultyServer(latency=0.005) as one, FaultyServer(latency=0.005) as two:
        made = engine(one, base_url=[one.url, gone, two.url], concurrency=8)
        answers, met = ask_and_count(made, [prompt(f"p{i}") for i in range(60)])
    assert all(outputs[0].finish == "stop" for outputs in answers)
    assert one.requests + two.requests == 60 and abs(one.requests - two.requests) < 20
    assert 0 < met["connect"] < 30


def test_a_dead_server_costs_the_others_requests_no_attempt_and_no_wait():
    with nobody() as gone, FaultyServer() as server:
        made = engine(server, base_url=[server.url, gone], retries=0, backoff=0.001, concurrency=4)
        start = time.monotonic()
        answers, met = ask_and_count(made, [prompt(f"p{i}") for i in range(200)])
    assert all(outputs[0].finish == "stop" for outputs in answers) and met["connect"] > 0
    assert time.monotonic() - start < 5


def test_a_server_that_comes_back_is_asked_again():
    async def run(made):
        async with made.open() as session:
            session._endpoints[1].down = 3
            await ask_session(session, [prompt(f"p{i}") for i in range(20)])

    with FaultyServer(latency=0.01) as one, FaultyServer() as back:
        asyncio.run(run(engine(one, base_url=[one.url, back.url], concurrency=2)))
    assert back.requests > 5


def test_servers_of_different_models_are_told_before_anything_is_asked():
    with FaultyServer(models=["m", "x"]) as one, FaultyServer(models=["m"]) as two, FaultyServer(models=["y"]) as other:
        ask(engine(one, base_url=[one.url, two.url]), [prompt(f"p{i}") for i in range(8)])  # both serve judge.model
        asked = one.requests + two.requests
        with pytest.raises(JudgescaleError, match=rf"{one.url} serves m, and {other.url} serves y: name servers of"):
            ask(engine(one, base_url=[one.url, two.url, other.url]), [prompt("a"), prompt("b")])
        assert one.requests + two.requests == asked == 8 and other.requests == 0
    with FaultyServer(models=["m"], root="/a/judge-7b/") as one, FaultyServer(models=["m"], root="/b/judge-7b") as two:
        ask(engine(one, base_url=[one.url, two.url]), [prompt()])
        two.root = "/b/judge-14b"
        with pytest.raises(JudgescaleError, match=r"serves m \(weights: judge-7b\), and .* m \(weights: judge-14b\)"):
            ask(engine(one, base_url=[one.url, two.url]), [prompt()])


def test_a_server_that_fails_at_once_does_not_draw_all_requests():
    """The least busy server is the one that answers 500 in no time: it must not use up everybody's attempts."""
    with FaultyServer({"500": 1.0}) as broken, FaultyServer(latency=0.005) as well:
        made = engine(well, base_url=[broken.url, well.url], concurrency=8, retries=2, backoff=0.02)
        answers = ask(made, [prompt(f"p{i}") for i in range(200)])
    assert all(outputs[0].finish == "stop" for outputs in answers) and broken.requests < 40


def test_a_prompt_goes_to_the_same_of_idle_servers():
    with FaultyServer() as one, FaultyServer() as two:
        made = engine(one, base_url=[one.url, two.url], concurrency=1, many=False)
        ask(made, [prompt(f"p{i}") for i in range(12)], seeds=range(5))
    assert set(one.prompts.values()) == set(two.prompts.values()) == {5} and not set(one.prompts) & set(two.prompts)


def test_each_server_has_its_own_limit():
    with FaultyServer() as one, FaultyServer() as two:
        made = engine(one, base_url=[one.url, two.url], requests_per_minute=1200)
        ask(made, [prompt(f"p{i}") for i in range(16)])
    for server in (one, two):
        times = [entry.at for entry in server.log]
        assert len(times) == 8 and 7 * 0.05 - 0.02 <= times[-1] - times[0] < 14 * 0.05


def test_no_server_is_told_soon():
    start = time.monotonic()
    with nobody() as gone:
        told = rf"no server at {gone} \(cannot connect to [\d.:]+\): start"
        with pytest.raises(JudgescaleError, match=told):
            ask(OpenAI(model="m", base_url=gone, backoff=0.01), [prompt()])
    assert time.monotonic() - start < 3


def test_n_refused_falls_back_for_the_rest_of_the_run():
    with FaultyServer({"n_refused": 1.0}) as server:
        (first, second), met = ask_and_count(engine(server), [prompt("a"), prompt("b")], seeds=range(4))
        assert [first[i].text for i in range(4)] == [f"answer {i}" for i in range(4)]
        assert not any(output.shared for output in (*first.values(), *second.values()))
    assert set(met) == {"n_refused"} and met["n_refused"] <= 2
    assert server.requests == met["n_refused"] + 8


def test_n_insisted_on_fails_where_it_is_refused():
    with FaultyServer({"n_refused": 1.0}) as server:
        [answers] = ask(engine(server, many=True), [prompt()], seeds=range(4))
    assert server.requests == 1 and answers[0].error == "400 n must be 1"


def test_too_few_are_asked_for_again_and_too_many_are_dropped():
    with FaultyServer({"fewer": 1.0}) as server:
        [answers], met = ask_and_count(engine(server), [prompt()], seeds=range(6))
    assert [entry.body.get("n", 1) for entry in server.log] == [6, 1]
    assert [answers[i].text for i in range(6)] == [f"answer {i}" for i in range(6)] and met == {"wrong_n": 1}
    with FaultyServer({"more": 1.0}) as server:
        [answers], met = ask_and_count(engine(server), [prompt()], seeds=range(6))
    assert len(answers) == 6 and server.requests == 1 and met == {"wrong_n": 1}


def test_a_server_that_keeps_ignoring_n_is_asked_one_at_a_time():
    with FaultyServer({"fewer": 1.0}) as server:
        _, met = ask_and_count(engine(server, concurrency=1), [prompt(f"p{i}") for i in range(8)], seeds=range(2))
    assert met["wrong_n"] < 8 + 3 and server.log[-1].body.get("n", 1) == 1


def test_a_rejected_request_fails_alone_and_is_not_retried():
    with FaultyServer({"400": 1.0}) as server:
        [answers] = ask(engine(server), [prompt()], seeds=range(2))
    assert server.requests == 1 and answers[1] == Output(finish="failed", error="400 injected 400")


def test_empty_content_is_delivered_and_counted():
    with FaultyServer({"empty": 1.0}) as server:
        [answers], met = ask_and_count(engine(server), [prompt()], seeds=range(2))
    assert [answers[i].text for i in (0, 1)] == ["", ""] and met == {"empty": 2} and server.requests == 1


def test_a_key_is_sent_and_appears_nowhere_else(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)

    async def run(made):
        async with made.open() as session:
            return *await ask_session(session, [prompt()]), repr(session)

    with FaultyServer(key=KEY) as server:
        made = engine(server, api_key_env="SOME_KEY")
        answers, shown = asyncio.run(run(made))
    assert answers[0].text == "answer 0" and server.log[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in shown + repr(made) + repr(made.identity()) + repr(answers) + json.dumps(server.log[0].body)


def test_a_key_that_the_server_repeats_is_blotted_out(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = OpenAI(model="m")

    async def line(text):
        async with made.open() as session:
            return session._clean_line(text)

    assert asyncio.run(line(f"Incorrect key {KEY}\n\x1b[31m")) == "Incorrect key *** [31m"
    assert asyncio.run(line("key sk-abcdefgh12345 is wrong")) == "key sk-*** is wrong"


@pytest.mark.parametrize("key, told", [(None, "is not set"), ("wrong", "is refused")])
def test_a_refused_key_ends_the_run(monkeypatch, key, told):
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with FaultyServer(key=KEY) as server, pytest.raises(JudgescaleError, match=rf"127.*401.*OPENAI_API_KEY {told}"):
        ask(engine(server), [prompt()])


def test_a_wrong_path_names_what_is_served():
    with FaultyServer() as server, pytest.raises(JudgescaleError, match="v2: 404: Not Found: check.*judge.model=m$"):
        ask(engine(server, base_url=f"{server.url}/v2"), [prompt()])


def test_pattern_labels_and_limits_in_the_request():
    asked = prompt(pattern="A|B")
    with FaultyServer(answer=lambda messages, seed: '{"answer": "A"}') as server:
        [plain] = ask(engine(server), [asked])
        [wrapped] = ask(engine(server, constrain="json_schema"), [asked])
        ask(engine(server, constrain="structured_outputs"), [asked])
        extra = {"temperature": None, "service_tier": "flex"}
        made = engine(server, max_tokens_field="max_completion_tokens", thinking_field="budget", extra_body=extra)
        ask(made, [prompt(labels=("A", "B"))], sampling=Sampling(thinking_budget=9))
    assert (plain[0].text, wrapped[0].text) == ('{"answer": "A"}', "A")
    assert [entry.body["max_tokens"] for entry in server.log[:3]] == [2048, 2048 + WRAPPER, 2048]
    schema = server.log[1].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["pattern"] == "^(A|B)$"
    assert server.log[2].body["structured_outputs"] == {"regex": "A|B"}
    last = server.log[3].body
    assert last["max_completion_tokens"] == 2048 and last["budget"] == 9 and last["service_tier"] == "flex"
    assert last["logprobs"] is True and last["top_logprobs"] == 20 and not {"temperature", "max_tokens"} & set(last)


def test_scores_of_a_scalar_head():
    with FaultyServer(score=lambda messages: [-1.5]) as server:
        [answers] = ask(engine(server), [prompt(kind="score")], seeds=range(3))
    assert [answers[i].score for i in range(3)] == [-1.5] * 3 and [answers[i].shared for i in range(3)] == [0, 1, 1]
    assert server.log[0].body["use_activation"] is False and server.requests == 1
    with FaultyServer(score=lambda messages: [0.1, 0.9]) as server, pytest.raises(JudgescaleError, match="2 classes"):
        ask(engine(server), [prompt(kind="score")])


def test_a_cancelled_consumer_leaves_nothing_running():
    async def run(server):
        async with engine(server, many=False).open() as session:
            answers = session(prompt(), Sampling(), range(8))
            await anext(answers)
            await answers.aclose()
            waiting = asyncio.create_task(anext(session(prompt("slow"), Sampling(), range(8))))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1 and session._endpoints[0].busy == 0

    with FaultyServer(latency=0.2) as server:
        asyncio.run(run(server))


@pytest.mark.parametrize(
    "options, told",
    [
        ({"base_url": "localhost:8000"}, "engine.base_url=localhost:8000"),
        ({"base_url": []}, "engine.base_url is empty"),
        ({"base_url": "http://me:secret@host/v1"}, "holds a password"),
        ({"base_url": "me:secret@host"}, "holds a password"),
        ({"many": "often"}, "engine.many=often: choose one of auto, true, false"),
        ({"constrain": "regex"}, "engine.constrain=regex"),
        ({"requests_per_minute": 0}, "engine.requests_per_minute"),
        ({"requests_per_minute": "many"}, "engine.requests_per_minute=many: must be a number above 0, or null"),
        ({"timeout": 0}, "engine.timeout=0: must be a number above 0"),
        ({"timeout": math.nan}, "engine.timeout=nan"),
        ({"timeout": None}, "engine.timeout=None"),
        ({"backoff": -1}, "engine.backoff=-1"),
        ({"base_url": None}, "engine.base_url=None: an address"),
        ({"base_url": "http://host/v1/chat/completions/"}, "engine.base_url ends in /chat/completions: leave that off"),
        ({"api_key_env": "sk-secret"}, "engine.api_key_env: give the name of the variable"),
        ({"api_key_env": "KEY\nsecret"}, "engine.api_key_env: give the name of the variable"),
        ({"extra_body": "top_k"}, "engine.extra_body=top_k"),
        ({"extra_body": {"n": 2}}, "engine.extra_body.n"),
    ],
)
def test_bad_options(options, told):
    with pytest.raises(JudgescaleError) as error:
        OpenAI(model="m", **options)
    assert told in str(error.value) and "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["concurrency", "max_n"])
def test_counts_out_of_range(composed, name):
    with pytest.raises(JudgescaleError, match=rf"engine.{name}=0: must be 1 or more"):
        build(composed("engine=openai", "judge=direct", "judge.model=m", f"engine.{name}=0").engine, "engine")


def test_further_fields_from_the_command_line(composed):
    options = ("engine=openai", "judge=direct", "judge.model=m")
    assert build(composed(*options).engine, "engine").identity()["extra_body"] == {}
    made = build(composed(*options, "engine.extra_body={top_k: 20}").engine, "engine")
    assert made.identity()["extra_body"] == {"top_k": 20}


def test_identity_has_hosts_without_ports():
    assert OpenAI(model="m", base_url=["http://b:1/v1", "http://a:2/v1"]).identity()["provider"] == "b:1/v1"
    assert OpenAI(model="m", provider="us").identity()["provider"] == "us"


def reply(*contents, **fields):
    choices = [{"index": i, "message": {"content": c}, "finish_reason": "stop"} for i, c in enumerate(contents)]
    return {"choices": choices, **fields}


def test_reading_a_reply():
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    given_reply = reply("b", "a", "c", usage=usage)
    given_reply["choices"].reverse()
    given_reply["choices"][0] |= {"finish_reason": "length"}
    given_reply["choices"][1]["message"] |= {"reasoning_content": "hm"}
    given_reply["choices"][2]["message"] |= {"content": None, "refusal": "I will not"}
    outputs = read_completions(given_reply, (), None, 1.0)
    assert [o.text for o in outputs] == ["I will not", "a", "c"]
    assert [o.finish for o in outputs] == ["refused", "stop", "length"]
    assert [o.completion_tokens for o in outputs] == [2, 2, 1] and [o.reasoning_tokens for o in outputs] == [1, 1, 0]
    assert [o.cached_tokens for o in outputs] == [3, 7, 7] and [o.shared for o in outputs] == [False, True, True]
    assert outputs[1].reasoning == "hm"
    [bare] = read_completions(reply("x"), (), None, 1.0)
    assert bare.prompt_tokens is bare.completion_tokens is bare.cached_tokens is bare.reasoning_tokens is None


@pytest.mark.parametrize("wire", [r'{"answer": "\\boxed{1}"}', r'{ "answer" : "\boxed{1}"}'])
def test_an_answer_wrapped_in_json_with_its_backslash_escaped_or_not(wire):
    [output] = read_completions(reply(wire), (), r"\\boxed\{\d\}", 1.0)
    assert output.text == r"\boxed{1}"


def test_llama_cpp_counts_the_first_of_several_samples():
    outputs = read_completions(reply("a", "b", usage={"completion_tokens": 4}, timings={}), (), None, 1.0)
    assert [output.completion_tokens for output in outputs] == [4, None]


def test_label_probabilities_merge_spellings():
    top = [{"token": t, "logprob": math.log(p)} for t, p in (("A", 0.5), (" A", 0.2), ("C", 0.1))]
    made = reply("A", usage={"completion_tokens": 1})
    made["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": math.log(0.5), "top_logprobs": top}]}
    [output] = read_completions(made, ("A", "B"), None, 1.0)
    assert output.logprobs == {"A": pytest.approx(math.log(0.7))}


def test_lone_surrogates_can_be_stored():
    [output] = read_completions(parse_reply(json.dumps(reply("\ud800 ä")).encode()), (), None, 1.0)
    assert output.text == "? ä" and output.text.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_garbage_is_a_fault_and_never_a_traceback(data):
    """Any one value of a good reply, replaced by anything."""
    content = [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -2}]}]
    good = reply("A", "B", usage={"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 1}})
    good["choices"][0]["logprobs"] = {"content": content}
    owner, key = {"reply": good}, "reply"
    while isinstance(owner[key], dict | list) and len(owner[key]) and data.draw(st.booleans()):
        owner = owner[key]
        key = data.draw(st.sampled_from(sorted(owner) if isinstance(owner, dict) else range(len(owner))))
    owner[key] = data.draw(json_values)
    wire = json.dumps({"reply": good} if key == "reply" else good).encode()
    for read in (lambda r: read_completions(r, ("A", "B"), "A|B", 1.0), lambda r: read_scores(r, 1.0)):
        try:
            outputs = read(parse_reply(wire))
        except Fault as fault:
            assert fault.kind == "bad_json" and "\n" not in str(fault)
        else:
            assert all(isinstance(o.text, str) for o in outputs)
    assert isinstance(read_error(wire)[0], str)


@given(st.binary(max_size=50))
def test_any_bytes_are_json_or_a_fault(data):
    try:
        parse_reply(data)
    except Fault as fault:
        assert fault.kind == "bad_json"
    assert isinstance(read_error(data)[0], str)
