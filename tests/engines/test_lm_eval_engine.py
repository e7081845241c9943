"""engine=lm_eval: models as lm-eval registers them, one of them real (llama.cpp's server, SmolLM2-135M)."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("lm_eval")

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from smollm2 import llama_server

from judgescale.harness.engines.lm_eval import LmEval
from judgescale.harness.types import JudgescaleError, Request, Sampling

pytestmark = pytest.mark.lm_eval

WARM = Sampling(temperature=1.0, top_p=0.9, max_tokens=12)
LONG = "an answer that is long enough for equal ones to be no accident"


@register_model("judgescale-test")
class Fake(LM):
    """Notes what it is asked. `deaf` to seeds, `broken` in every call, or losing system turns."""

    made: list[Fake] = []

    def __init__(self, model=None, revision=None, deaf=False, broken="", loses=None, batch_size=None, **others):
        super().__init__()
        self.model, self.revision, self.deaf, self.broken, self.loses = model, revision, deaf, broken, loses
        self.calls, self.threads = [], set()
        Fake.made.append(self)

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return "".join(f"<{m['role']}>{m['content']}" for m in chat_history if m["role"] != self.loses)

    def generate_until(self, requests, disable_tqdm=False):
        self.calls.append([r.args for r in requests])
        self.threads.add(threading.get_ident())
        if self.broken:
            raise RuntimeError(self.broken)
        return [f"{prompt} {LONG}" if self.deaf else f"{LONG} {given.get('seed')}" for prompt, given in self.calls[-1]]

    def loglikelihood(self, requests, disable_tqdm=False):
        return [(-float(len(label)), False) for _, label in (r.args for r in requests)]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def question(text="which?", **fields):
    return Request((("user", text),), **fields)


async def outputs(session, request, seeds=(1, 2), sampling=WARM):
    return [output for _, output in sorted([pair async for pair in session(request, sampling, seeds)])]


def using(ask, lm="judgescale-test", **options):
    async def run():
        async with LmEval("some/model", lm=lm, **options).open() as session:
            return await ask(session)

    return asyncio.run(run())


def test_every_sample_has_its_seed_and_many_go_in_one_call():
    async def ask(session):
        return await asyncio.gather(*(outputs(session, question(str(i)), (10 * i, 10 * i + 1)) for i in range(3)))

    found = using(ask, revision="abc", gen_kwargs={"min_p": 0.1})
    assert [o.text for pair in found for o in pair] == [f"{LONG} {seed}" for seed in (0, 1, 10, 11, 20, 21)]
    assert {(o.finish, o.prompt_tokens, o.completion_tokens) for pair in found for o in pair} == {("stop", None, None)}
    model = Fake.made[-1]
    assert (model.model, model.revision) == ("some/model", "abc")
    prompt, given = model.calls[0][0]
    assert prompt == "<user>0" and given == {
        "until": [],
        "max_gen_toks": 12,
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 0.9,
        "seed": 0,
        "min_p": 0.1,
    }
    assert len(model.calls) < 6


def test_parallel_calls_have_one_sample_each():
    using(lambda session: outputs(session, question(), range(6)), parallel=3)
    assert [len(call) for call in Fake.made[-1].calls] == [1] * 6


def test_greedy_has_no_seed():
    using(lambda session: outputs(session, question(), sampling=Sampling()))
    given = Fake.made[-1].calls[0][0][1]
    assert given["do_sample"] is False and not {"seed", "top_p"} & set(given)


def test_labels_get_their_log_probabilities():
    found = using(lambda session: outputs(session, question(labels=("yes", "no"))))
    assert [o.logprobs for o in found] == [{"yes": -3.0, "no": -2.0}] * 2


def test_a_model_that_ignores_the_seed_is_found_out_but_short_verdicts_may_agree():
    async def ask(session):
        for i in range(3):
            await outputs(session, question(str(i)), range(4))

    with pytest.raises(JudgescaleError, match="every seed alike at temperature 1"):
        using(ask, lm_args={"deaf": True})
    using(ask)

    async def greedy(session):
        for i in range(3):
            await outputs(session, question(str(i)), range(4), Sampling())

    using(greedy, lm_args={"deaf": True})


def test_what_goes_wrong_fails_its_samples_or_says_what_to_change():
    async def ask(session):
        return await outputs(session, question()), session.faults

    found, faults = using(ask, lm_args={"broken": "no\nmemory"})
    assert [(o.finish, o.error) for o in found] == [("failed", "no memory")] * 2 and faults["failed"] == 2
    lost = using(
        lambda session: outputs(session, Request((("system", "be fair"), ("user", "x")))), lm_args={"loses": "system"}
    )
    assert {(o.finish, o.error) for o in lost} == {("failed", "the model's chat template drops a turn of this prompt")}
    with pytest.raises(JudgescaleError, match=r"engine\.lm=nosuch .*no model for this name"):
        using(ask, lm="nosuch")
    with pytest.raises(JudgescaleError, match=r"engine\.lm=gguf has no chat template"):
        using(ask, lm="gguf", lm_args={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(JudgescaleError, match="scalar heads"):
        using(ask, kind="score")


def test_identity_keeps_secrets_and_places_to_itself():
    args = {"auth_token": "s", "header": {"Authorization": "s"}, "base_url": "http://u:s@h", "dtype": "float32"}
    assert LmEval("m", lm_args=args).identity() == {"lm": "hf", "lm_args": {"dtype": "float32"}, "gen_kwargs": {}}


@pytest.fixture(scope="module")
def server():
    return llama_server()


def test_a_real_model_gives_distinct_samples_and_the_same_ones_again(server):
    async def ask(session):
        return await asyncio.gather(
            *(outputs(session, question(f"Tell me of animal {i}."), range(4)) for i in range(3))
        )

    options = {
        "lm": "local-chat-completions",
        "lm_args": {"base_url": f"{server.listening_address}/v1/chat/completions"},
    }
    found, again = using(ask, **options), using(ask, parallel=4, **options)
    texts = [[o.text for o in samples] for samples in found]
    assert all(len(set(samples)) == 4 for samples in texts)
    assert texts == [[o.text for o in samples] for samples in again]
    with pytest.raises(JudgescaleError, match="tells no log-probabilities"):
        using(lambda session: outputs(session, question(labels=("A",))), **options)
    options["lm_args"] = {"base_url": f"{server.listening_address}/nowhere", "max_retries": 1}
    with pytest.raises(JudgescaleError, match="refused: 404"):
        using(ask, **options)
