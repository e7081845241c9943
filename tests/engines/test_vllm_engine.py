"""engine=vllm and engine=transformers: what runs anywhere, and with a small model where vLLM is installed."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import shutil
import sys
import warnings
from types import SimpleNamespace

import pytest
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.engines.chat import TemplateRefusal, tokenize_conversation
from judgescale.harness.engines.transformers import Transformers
from judgescale.harness.engines.vllm import Vllm, VllmSession, logsumexp
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.judges.scalar import Scalar
from judgescale.harness.types import Item, JudgescaleError, Request, Sampling

FOX = Request((("user", "Tell me about foxes."),))
ITEM = Item(
    id="1",
    prompt="q",
    cluster="q",
    responses=("a", "b"),
    gold=(1, 0),
    subset="",
    conversation=(("user", "What is 2 + 2?"),),
    texts=("It is 4.", "It is 22, of course."),
)
WARM = Sampling(temperature=1.0, max_tokens=12)


async def ask(session, request, sampling=WARM, seeds=(0,)):
    answers = {i: output async for i, output in session(request, sampling, seeds)}
    return [answers[i] for i in range(len(seeds))]


async def start(engine):
    async with engine.open():
        raise AssertionError("it started")


# Anywhere


@pytest.mark.parametrize("name, kind", [("vllm", Vllm), ("transformers", Transformers)])
def test_the_config_makes_the_engine(composed, name, kind):
    cfg = composed(f"engine={name}", "judge=scalar", "judge.model=some/model")
    engine = instantiate(cfg.engine)
    assert type(engine) is kind and engine.model == "some/model" and engine.kind == "score"
    assert engine.name == name and engine.window >= 1
    assert "some/model" not in str(engine.identity())


def test_a_missing_package_is_said_in_one_line(monkeypatch):
    for package in ("vllm", "vllm.v1.engine.async_llm", "torch"):
        monkeypatch.setitem(sys.modules, package, None)
    for engine in (Vllm("m"), Transformers("m")):
        with pytest.raises(
            JudgescaleError, match=f"engine={engine.name} needs .*pip install -e '.\\[{engine.name}\\]'"
        ):
            asyncio.run(start(engine))


def test_thoughts_cannot_be_bounded_without_knowing_where_they_end():
    with pytest.raises(JudgescaleError, match="judge.thinking_budget needs engine.reasoning_parser"):
        Vllm("m").check_thinking_budget()
    Vllm("m", reasoning_parser="qwen3").check_thinking_budget()
    with pytest.raises(JudgescaleError, match="engine.end_of_thought: must end with </think>"):
        Vllm("m", reasoning_parser="qwen3", end_of_thought="Time is up.").check_thinking_budget()
    assert Vllm("m").identity() != Vllm("m", end_of_thought="So.</think>").identity()
    assert "end_of_thought" not in Vllm("m").identity()  # answers of before keep their place in the store


def test_transformers_does_not_write():
    with pytest.raises(JudgescaleError, match="engine=vllm"):
        asyncio.run(start(Transformers("m", kind="text")))


def test_a_template_that_refuses_costs_only_its_request():
    def refuse(*args, **options):
        raise ValueError("roles must\nalternate")

    session = VllmSession(Vllm("m"))
    session._tokenizer = SimpleNamespace(apply_chat_template=refuse)
    with pytest.raises(TemplateRefusal):
        tokenize_conversation(session._tokenizer, FOX)
    failed = asyncio.run(ask(session, FOX, seeds=(1, 2)))
    assert [o.finish for o in failed] == ["failed", "failed"] and "roles must alternate" in failed[0].error


@pytest.mark.parametrize("reason, finish", [("stop", "stop"), ("length", "length"), ("abort", "failed")])
def test_why_an_answer_ended(reason, finish):
    answer = SimpleNamespace(text="A", finish_reason=reason, token_ids=[5, 6, 7], logprobs=None)
    session = VllmSession(Vllm("m"))
    session._thoughts_end = 6
    output = session._read_text(SimpleNamespace(outputs=[answer], num_cached_tokens=3), FOX)
    assert output["finish"] == finish
    if finish != "failed":
        assert (output["completion_tokens"], output["reasoning_tokens"], output["cached_tokens"]) == (3, 2, 3)


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=4))
def test_logsumexp(values):
    assert math.exp(logsumexp(values)) == pytest.approx(sum(map(math.exp, values)))
    assert logsumexp([-math.inf, *values]) == pytest.approx(logsumexp(values))
    assert logsumexp([-math.inf]) == -math.inf


# With a model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("vllm")
    from smollm2 import safetensors_folder, scalar_folder, thinking_folder

    tmp = tmp_path_factory.mktemp("models")
    scalar = {"scalar": scalar_folder(tmp), "two labels": scalar_folder(tmp, labels=2)}
    return {"text": safetensors_folder(tmp), "thinking": thinking_folder(tmp), **scalar}


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner
    if zmq := sys.modules.get("zmq"):  # vLLM leaves its contexts to the garbage collector, which would warn
        with warnings.catch_warnings(action="ignore"):
            for context in [o for o in gc.get_objects() if type(o) is zmq.Context]:
                context.destroy(linger=0)


@pytest.fixture(scope="module")
def writer(models, loop):
    opened = Vllm(str(models["text"]), max_model_len=1024, max_num_seqs=64).open()
    yield loop.run(opened.__aenter__())
    loop.run(opened.__aexit__(None, None, None))


def on_vllm(test):
    return pytest.mark.vllm(pytest.mark.filterwarnings("ignore")(test))


@on_vllm
def test_samples_of_one_prompt_differ_repeat_and_share_it(writer, loop):
    prompt = Request((("user", "Tell me about foxes. " * 60),))
    outputs = loop.run(ask(writer, prompt, WARM, seeds=range(100, 108)))
    assert len({o.text for o in outputs}) == 8
    assert [o.shared for o in outputs] == [False] + [True] * 7
    assert all((o.completion_tokens == 12) == (o.finish == "length") for o in outputs)
    paid, *rest = outputs
    assert paid.cached_tokens == 0 and all(0 < o.cached_tokens < o.prompt_tokens == paid.prompt_tokens for o in rest)
    assert loop.run(ask(writer, prompt, WARM, seeds=[103]))[0].text == outputs[3].text


@on_vllm
def test_the_prompt_is_the_models_own_template_once(writer, loop):
    templated = writer._tokenizer.apply_chat_template(
        [{"role": "user", "content": "Tell me about foxes."}], add_generation_prompt=True, tokenize=False
    )
    expected = writer._tokenizer(templated, add_special_tokens=False).input_ids
    assert tokenize_conversation(writer._tokenizer, FOX) == expected
    assert loop.run(ask(writer, FOX))[0].prompt_tokens == len(expected)


@on_vllm
@pytest.mark.parametrize("judge", [Pairwise(verdict_only=True), Pointwise(verdict_only=True)])
def test_constrained_judges_always_parse(writer, loop, judge):
    for shown in ((0, 1), (1, 0)):
        (request,) = judge.requests(ITEM, shown)
        outputs = loop.run(ask(writer, request, Sampling(1.0, max_tokens=32), seeds=range(4)))
        readings = [judge.read(ITEM, shown, [output]) for output in outputs]
        assert [r.status for r in readings] == ["ok"] * 4 and all(len(r.scores) == 2 for r in readings)


@on_vllm
def test_label_probabilities_are_of_the_whole_vocabulary(writer, loop):
    request = Request((("user", "Which is the first letter, A or B?"),), labels=("A", "B"))
    output = loop.run(ask(writer, request))[0]
    assert set(output.logprobs) == {"A", "B"} and 0 < sum(map(math.exp, output.logprobs.values())) < 1
    constrained = Request(request.messages, labels=("A", "B"), pattern="[AB]")
    output = loop.run(ask(writer, constrained))[0]
    assert output.text in "AB" and sum(map(math.exp, output.logprobs.values())) == pytest.approx(1, abs=1e-3)
    with pytest.raises(JudgescaleError, match="no single token"):
        loop.run(ask(writer, Request(FOX.messages, labels=("Assistant 1",))))


@on_vllm
def test_a_thought_is_ended_at_its_budget(models, loop):
    """The template opens a thought, which this model never ends; a token of the budget is the opening line's."""
    end = "\nTime is up.\n</think>"
    made = Vllm(
        str(models["thinking"]), max_model_len=512, max_num_seqs=8, reasoning_parser="deepseek_r1", end_of_thought=end
    )

    async def think():
        async with made.open() as session:
            asked = [(Sampling(1.0, max_tokens=60, thinking_budget=b), (1, 2)) for b in (10, 20)]
            free = await ask(session, FOX, Sampling(1.0, max_tokens=60), (1, 2))
            return free, await asyncio.gather(*(ask(session, FOX, *how) for how in asked)), session._tokenizer

    free, held, tokenizer = loop.run(think())
    assert not any("</think>" in output.text or output.reasoning_tokens for output in free)
    forced = len(tokenizer.encode(end, add_special_tokens=False))
    for budget, outputs in zip((10, 20), held, strict=True):
        for output, unbounded in zip(outputs, free, strict=True):
            thought, answer = output.text.split(end)
            assert unbounded.text.startswith(thought) and thought.strip()  # the same thought, cut
            assert len(tokenizer.encode(thought, add_special_tokens=False)) <= budget and answer.strip()
            assert budget <= output.reasoning_tokens <= budget + forced < output.completion_tokens <= 60


@on_vllm
def test_a_prompt_too_long_fails_alone(writer, loop):
    async def both():
        return await asyncio.gather(ask(writer, Request((("user", "fox " * 3000),)), seeds=(1, 2)), ask(writer, FOX))

    long, short = loop.run(both())
    assert {o.finish for o in long} == {"failed"} and "the model takes 1023" in long[0].error
    assert short[0].text
    cut = loop.run(ask(writer, Request((("user", "fox " * 900),)), Sampling(max_tokens=4000)))[0]
    assert cut.finish in ("stop", "length") and cut.completion_tokens < 100


@on_vllm
def test_what_nobody_waits_for_is_aborted(writer, loop):
    async def cancel():
        task = asyncio.create_task(ask(writer, FOX, Sampling(1.0, max_tokens=900), seeds=range(8)))
        while not writer._llm.output_processor.has_unfinished_requests():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled(), writer._llm.output_processor.has_unfinished_requests()

    assert loop.run(cancel()) == (True, False)
    assert loop.run(ask(writer, FOX))[0].text


@on_vllm
def test_a_model_without_a_template_is_refused_before_it_is_loaded(models, tmp_path):
    folder = shutil.copytree(models["text"], tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(JudgescaleError, match="has no chat template"):
        asyncio.run(start(Vllm(str(folder))))


@on_vllm
@pytest.mark.parametrize("wrong", ["trust_remote_code", "no_such_argument"])
def test_extra_arguments_are_checked(models, wrong):
    with pytest.raises(JudgescaleError, match=f"engine.extra.{wrong}"):
        asyncio.run(start(Vllm(str(models["text"]), extra={wrong: True})))


@on_vllm
def test_rewards_equal_those_of_transformers(models, loop):
    items = [
        Item(
            id=str(i),
            prompt="q",
            cluster="q",
            responses=("a", "b"),
            gold=(1, 0),
            subset="",
            conversation=(("user", "Why? " * i),),
            texts=("Because. " * i, "No."),
        )
        for i in (1, 3, 30)
    ]
    requests = [request for item in items for request in Scalar().requests(item, (0, 1))]

    async def scores(engine):
        async with engine.open() as session:
            outputs = await asyncio.gather(*(ask(session, request, seeds=(1, 2)) for request in requests))
        assert all(one.score == two.score and (one.shared, two.shared) == (False, True) for one, two in outputs)
        return [one.score for one, _ in outputs]

    folder = str(models["scalar"])
    expected = loop.run(scores(Transformers(folder, dtype="float32", batch_size=4)))
    assert len(set(expected)) == len(expected)
    found = loop.run(scores(Vllm(folder, kind="score", dtype="float32", max_model_len=1024)))
    assert found == pytest.approx(expected, abs=1e-4)


@on_vllm
def test_two_labels_are_no_reward(models):
    with pytest.raises(JudgescaleError, match="2 labels"):
        asyncio.run(start(Transformers(str(models["two labels"]))))
    import torch

    with pytest.raises(JudgescaleError, match="2 labels"):
        VllmSession(Vllm("m"))._read_score(
            SimpleNamespace(outputs=SimpleNamespace(data=torch.zeros(2)), num_cached_tokens=0)
        )


@on_vllm
def test_a_dead_engine_is_one_line(writer, loop):
    """The last test: the shared engine does not outlive it."""

    async def kill():
        waiting = asyncio.create_task(ask(writer, FOX, Sampling(1.0, max_tokens=900), seeds=range(4)))
        while not writer._llm.output_processor.has_unfinished_requests():
            await asyncio.sleep(0.01)
        for process in writer._llm.engine_core.resources.engine_manager.processes:
            os.kill(process.pid, 9)
        return await waiting

    with pytest.raises(JudgescaleError, match=r"engine=vllm: .* died: .*\(see .*\.log\)"):
        loop.run(kill())
    with pytest.raises(JudgescaleError, match="died"):
        loop.run(ask(writer, FOX))
    os.unlink(writer._log_path)
