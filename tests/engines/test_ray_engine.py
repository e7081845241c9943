"""engine=ray without Ray: chunks, jobs that die, what a row's failure costs, and how the workers ask servers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from types import SimpleNamespace

import pytest
from hydra.utils import instantiate

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer, completion, nobody  # noqa: E402

from judgescale.harness.engines import ray_driver  # noqa: E402
from judgescale.harness.engines.openai import OpenAI  # noqa: E402
from judgescale.harness.engines.ray import Ray  # noqa: E402
from judgescale.harness.engines.ray_chunks import JobDied, Jobs, RaySession  # noqa: E402
from judgescale.harness.engines.ray_driver import NOT_ASKED, Posts, explain, read_retry_after  # noqa: E402
from judgescale.harness.engines.ray_forms import ServerForm  # noqa: E402
from judgescale.harness.engines.vllm import Vllm  # noqa: E402
from judgescale.harness.types import JudgescaleError, Request, Sampling  # noqa: E402

pytestmark = pytest.mark.openai

DRAWN = Sampling(temperature=1)


def prompt(text="who wins?"):
    return Request((("user", text),))


def write_reply(body, **more):
    """What a worker says of a server's reply to a body."""
    told = json.dumps(completion(json.loads(body), 1, lambda messages, seed: f"{messages[0]['content']} {seed}"))
    return {"status": 200, "text": told, "faults": "", "seconds": 0.1} | more


class MadeUpJobs(Jobs):
    """Answer in reverse; the first jobs die after as many answers as `deaths` says."""

    def __init__(self, deaths=(), say=write_reply):
        self.deaths, self.say = list(deaths), say
        self.chunks, self.starts, self.ends = [], 0, 0

    async def start(self):
        self.starts += 1
        return self

    async def run(self, rows):
        self.chunks.append([json.loads(row.body) for row in rows])
        left = self.deaths.pop(0) if self.deaths else None
        for row in reversed(rows):
            if left == 0:
                raise JobDied("OutOfMemoryError: no room")
            left = None if left is None else left - 1
            await asyncio.sleep(0)
            yield row.id, self.say(row.body)
        if left == 0:
            raise JobDied("OutOfMemoryError: no room")

    async def end(self):
        self.ends += 1


def ask(jobs, requests, seeds=(0,), then=None, **options):
    """What the session says to requests sent at once, texts or errors, and the session."""
    made = Ray("m", wait=0.02, **options)

    async def one(session, request, seeds):
        try:
            answers = [pair async for pair in session(request, DRAWN, seeds)]
        except JudgescaleError as error:
            return str(error)
        assert sorted(i for i, _ in answers) == list(range(len(seeds)))  # each once
        return [output.text or output.error for _, output in sorted(answers, key=lambda pair: pair[0])]

    async def talk():
        session = RaySession(made, ServerForm(made), jobs.start)
        await session.begin()
        try:
            told = asyncio.gather(*(one(session, request, seeds) for request in requests))
            if then:
                await then(session)
            return await told, session, await one(session, prompt("later"), (7,))
        finally:
            await session.close()

    return asyncio.run(talk())


def test_chunks_take_samples_as_rows_of_their_own_with_the_seeds_of_the_others():
    jobs = MadeUpJobs()
    told, _, later = ask(jobs, [prompt(f"q{i}") for i in range(9)], seeds=(40, 41, 42), chunk=10)
    assert told == [[f"q{i} 40", f"q{i} 41", f"q{i} 42"] for i in range(9)] and later == ["later 7"]
    assert [len(chunk) for chunk in jobs.chunks] == [10, 10, 7, 1]  # 27 rows, and the one of later
    rows = [row for chunk in jobs.chunks for row in chunk]
    assert all("n" not in row for row in rows) and Counter(row["seed"] for row in rows[:27]) == dict.fromkeys(
        (40, 41, 42), 9
    )
    assert jobs.starts == 1 and jobs.ends == 1


def test_a_job_that_dies_is_run_again_for_what_lacks():
    jobs = MadeUpJobs(deaths=[4, 0])
    told, session, _ = ask(jobs, [prompt(f"q{i}") for i in range(10)])
    assert told == [[f"q{i} 0"] for i in range(10)]
    assert [len(chunk) for chunk in jobs.chunks] == [10, 6, 6, 1]
    assert session.faults["job died"] == 2 and jobs.starts == 3  # each time in a cluster of its own


def test_jobs_that_die_too_often_end_the_run_in_one_line_and_what_came_is_kept():
    told, _, later = ask(MadeUpJobs(deaths=[4, 0, 1]), [prompt(f"q{i}") for i in range(10)], log="x/ray.log")
    assert told[-5:] == [[f"q{i} 0"] for i in range(5, 10)]
    line = (
        "engine=ray: 3 jobs in a row died: OutOfMemoryError: no room; 5 answers came and are kept, 5 of this chunk"
        " lack: mend the cause and run the same command again (see x/ray.log)"
    )
    assert set(map(str, told[:5])) == {line} and later == line


def test_a_job_that_dies_before_any_answer_is_not_run_again():
    jobs = MadeUpJobs(deaths=[0, 0])
    told, *_ = ask(jobs, [prompt()])
    assert "engine=ray: the job died: OutOfMemoryError" in told[0] and len(jobs.chunks) == 1


def test_a_job_that_ends_early_counts_as_dead():
    class Lazy(MadeUpJobs):
        async def run(self, rows):
            async for pair in super().run(rows[:-1] or rows):
                yield pair

    told, session, _ = ask(Lazy(), [prompt(f"q{i}") for i in range(3)])
    assert told == [[f"q{i} 0"] for i in range(3)] and session.faults["job died"] == 1


def test_a_bug_ends_the_run_and_nobody_waits_for_ever():
    def say(body):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(MadeUpJobs(say=say), [prompt()])


def test_a_run_that_is_stopped_while_a_job_dies_runs_no_other():
    class Stopped(MadeUpJobs):
        async def run(self, rows):
            async for pair in super().run(rows):
                yield pair
                self.session.stop_sending()

    async def note(session):
        jobs.session = session

    jobs = Stopped(deaths=[2])
    told, *_ = ask(jobs, [prompt(f"q{i}") for i in range(4)], then=note)
    assert told[2:] == [["q2 0"], ["q3 0"]] and told[:2] == [["not asked: the run was stopped"]] * 2
    assert len(jobs.chunks) == 1


def test_a_row_that_fails_is_one_answer():
    def say(body):
        if "q1" in body:
            return write_reply(body, status=400, text='{"error": {"message": "too long"}}')
        if "q2" in body:
            return write_reply(body, status=0, text="timeout: no answer within 9 s", faults="timeout,timeout")
        return write_reply(body, text="[]" if "q3" in body else write_reply(body)["text"])

    told, session, _ = ask(MadeUpJobs(say=say), [prompt(f"q{i}") for i in range(4)], request_retries=1)
    assert told[:3] == [["q0 0"], ["400 too long"], ["gave up after 2 attempts: no answer within 9 s"]]
    assert "choices" in told[3][0] and session.faults == {"400": 1, "timeout": 2, "bad_json": 1}


@pytest.mark.parametrize(
    "status, text, why",
    [
        (401, '{"error": "who?"}', r"401 who\?: \$OPENAI_API_KEY is not set; set it"),
        (404, '{"error": "no such model"}', "404 no such model: check it, and judge.model=m"),
        (402, "pay", "402 pay: add credit"),
        (0, "connect: cannot connect to the server", "no server at http://localhost:8000/v1"),
    ],
)
def test_what_no_other_request_would_survive_ends_the_run(status, text, why, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    jobs = MadeUpJobs(say=lambda body: write_reply(body, status=status, text=text))
    told, _, later = ask(jobs, [prompt()])
    with pytest.raises(JudgescaleError, match=why):
        raise JudgescaleError(told[0])
    assert later == told[0] and len(jobs.chunks) == 1


def test_a_stopped_run_begins_no_chunk():
    async def stop(session):
        await asyncio.sleep(0)
        session.stop_sending()

    jobs = MadeUpJobs()
    told, _, later = ask(jobs, [prompt(), prompt("b")], then=stop)
    assert told == [["not asked: the run was stopped"]] * 2 and later == told[0] and not jobs.chunks


def test_answers_are_those_of_engine_openai_or_vllm_however_they_are_had():
    same = OpenAI("m", base_url="http://a/v1", constrain="json_schema")
    made = Ray("m", base_url=["http://a/v1", "http://b/v1"], constrain="json_schema")
    assert made.identity() == same.identity()
    assert Ray("m", chunk=5, workers=9, address="auto", batch_size=3, retries=0).identity() == Ray("m").identity()
    assert Ray("m", extra_body={"top_k": 3}).identity() != Ray("m").identity()
    more = {"max_num_seqs": 4, "enable_chunked_prefill": False}
    loaded = Ray("m", processor="vllm", max_model_len=64, tensor_parallel_size=2, engine_kwargs=more)
    vllm = Vllm("m", max_model_len=64, extra={"enable_chunked_prefill": False})
    assert loaded.identity() == {"name": "vllm", **vllm.identity()}


def test_options(composed):
    made = instantiate(composed("engine=ray", "judge=pairwise", "judge.model=some/model").engine)
    assert type(made) is Ray and made.name == "ray" and made.window == 10_000 and made.kinds == ("text",)
    assert made == Ray("some/model")  # the defaults of both
    for wrong, why in (
        ({"processor": "sglang"}, "engine.processor=sglang: choose one of http, vllm"),
        ({"address": "ray://head:10001"}, "engine.address=ray://head:10001: Ray Data cannot run through"),
        ({"wait": 0}, "engine.wait=0: must be a number of seconds"),
        ({"processor_options": "x"}, "engine.processor_options=x: options and their values"),
        ({"processor_options": {"concurrency": 2}}, "engine.processor_options.concurrency: is said elsewhere"),
        ({"dtype": "half"}, "engine.dtype: engine.processor=http asks servers, and loads no model; leave it out"),
        ({"processor": "vllm", "base_url": "http://a"}, "engine.base_url: engine.processor=vllm loads the model"),
        ({"processor": "vllm", "engine_kwargs": {"dtype": "x"}}, "engine.engine_kwargs.dtype: is said elsewhere"),
        ({"base_url": "localhost"}, "engine.base_url=localhost: an address like"),
        ({"constrain": "yes"}, "engine.constrain=yes: choose one of"),
    ):
        with pytest.raises(JudgescaleError, match=why):
            Ray("m", **wrong)
    for made, why in (
        (Ray("m"), "judge.thinking_budget: .* engine.thinking_field"),
        (Ray("m", processor="vllm"), "judge.thinking_budget needs engine.reasoning_parser"),
    ):
        with pytest.raises(JudgescaleError, match=why):
            made.check_thinking_budget()


@pytest.mark.parametrize(
    "driver, why",
    [
        ("raise ValueError(chr(33))", r"does not start: .*status 1\): ValueError: ! \(see .*ray.log"),
        (
            """print("InvalidAuthToken", file=sys.stderr); print('{"error": "engine.address=x: failed"}')""",
            r"engine.address=x: failed: the cluster wants a token, set RAY_AUTH_MODE=token \(see ",
        ),
    ],
)
def test_a_driver_that_cannot_start_says_why(tmp_path, monkeypatch, driver, why):
    (tmp_path / "driver.py").write_text(f"import sys\nsys.stdin.readline()\n{driver}\n")
    monkeypatch.setattr(ray_driver, "__file__", str(tmp_path / "driver.py"))

    async def start():
        async with Ray("m").log_to(tmp_path).open():
            raise AssertionError("it started")

    with pytest.raises(JudgescaleError, match=why):
        asyncio.run(start())


def test_the_first_error_is_told_and_not_how_it_got_here():
    told = """ray::MapBatches(vLLMEngineStageUDF)() (pid=7, ip=10.0.0.1)
  File "/x/base.py", line 166, in __call__
ray.exceptions.UserCodeException: UDF failed

The above exception was the direct cause of the following exception:
  File "/x/plan.py", line 9
ValueError: the model does not fit"""
    assert explain(RuntimeError(told)) == "ValueError: the model does not fit"
    assert explain(RuntimeError("")) == "RuntimeError"


# What runs on the workers


def send(bodies, stopped=False, **options):
    """What a batch says to bodies, as Ray's stage sends them."""

    async def tell():
        return "sk-key", stopped

    keeper = SimpleNamespace(tell=SimpleNamespace(remote=tell))
    made = {"timeout": 5, "retries": 6, "backoff": 0.01, "in_flight": 8, "most": 2**20} | options

    async def talk():
        async with Posts(keeper=keeper, **made)() as batch:
            sent = [batch.post("http://unused", {}, json.dumps(body)) for body in bodies]
            said = []
            for task in sent:
                async with await task as reply:
                    said.append(await reply.json())
            return said

    return asyncio.run(talk())


def write_bodies(number):
    return [
        json.dumps({"model": "m", "messages": [{"role": "user", "content": f"q{i}"}], "seed": i}) for i in range(number)
    ]


def test_workers_try_again_and_tell_every_fault():
    faults = {"429": 0.1, "reset": 0.1, "503": 0.1, "bad_json": 0.1, "cut": 0.05, "400": 0.1}
    with FaultyServer(faults=faults, latency=0.005, key="sk-key", retry_after="0.01") as server:
        said = send(write_bodies(80), urls=[f"{server.url}/chat/completions"])
        counts = Counter(fault for each in said for fault in each["faults"].split(",") if fault)
        assert {each["status"] for each in said} == {200, 400} and server.peak <= 8
        assert counts["429"] == server.seen("429") and counts["bad_json"] == server.seen("bad_json")
        assert counts["reset"] == server.seen("reset") + server.seen("cut")
        assert all(f"answer {i}" in each["text"] for i, each in enumerate(said) if each["status"] == 200)


def test_workers_share_prompts_among_servers_and_leave_a_dead_one():
    with FaultyServer() as one, FaultyServer() as two, nobody() as dead:
        urls = [f"{url}/chat/completions" for url in (one.url, two.url, dead)]
        said = send(write_bodies(30), urls=urls)
        assert {each["status"] for each in said} == {200} and min(one.requests, two.requests) > 5
        assert Counter(each["faults"] for each in said).keys() == {"", "connect"}


def test_workers_send_nothing_once_the_run_is_stopped():
    with FaultyServer() as server:
        (said,) = send(write_bodies(1), stopped=True, urls=[server.url])
        assert said["status"] == NOT_ASKED and not server.requests


def test_workers_do_not_take_what_is_too_large():
    with FaultyServer(faults={"huge": 1}) as server:
        (said,) = send(write_bodies(1), urls=[f"{server.url}/chat/completions"])
    assert said["status"] == 413 and "more than 1048576 bytes" in said["text"]


def test_retry_after():
    assert [read_retry_after(text) for text in ("2", "", "soon", "-1", "inf", "nan")] == [2, 0, 0, 0, 0, 0]
