"""judge=process with a tiny token-classification model, made here: engines answer what the model itself says."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import sys
from pathlib import Path

import pytest

from judgescale.harness.engines.transformers import Transformers
from judgescale.harness.engines.vllm import Vllm
from judgescale.harness.judges.process import Process
from judgescale.harness.types import Item, JudgescaleError, Sampling

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # the lane that has torch
TAG = "<extra_0>"
END = "<|im_end|>"
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}" + END + "\n{% endfor %}"
ITEMS = [
    Item(
        id=str(i),
        prompt=str(i),
        cluster=str(i),
        responses=("a", "b"),
        gold=(1, 0),
        conversation=(("user", "What is 2 + 2? " * i),),
        texts=("Two and two.\n\n" * i + "It is 4.", f"It is {TAG} 22.\n\nOf course."),
    )
    for i in (1, 2, 9)
]
REQUESTS = [request for item in ITEMS for request in Process().requests(item, (0, 1))]


def save_model(folder: Path, kind: str = "TokenClassification", labels: int = 2) -> Path:
    """Save a tiny Qwen2 of random weights under a head, with a byte-pair tokenizer trained on a few words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = [END, "<|im_start|>", TAG]
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=letters, show_progress=False)
    raw.train_from_iterator(["What is 2 + 2? It is 4. Two and two."] * 3, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=END)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        initializer_range=0.3,  # so that steps differ by more than rounding
        num_labels=labels,
        pad_token_id=0,
        eos_token_id=0,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    getattr(transformers, f"AutoModelFor{kind}").from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("transformers")
    pytest.importorskip("torch")
    tmp = tmp_path_factory.mktemp("models")
    one = save_model(tmp / "one label", labels=1)
    return {"two labels": save_model(tmp / "two labels"), "one label": one}


async def ask(engine, requests=REQUESTS, seeds=(1, 2)):
    async def ask_one(session, request):
        answers = dict([pair async for pair in session(request, Sampling(), seeds)])
        return [answers[i] for i in range(len(seeds))]

    async with engine.open() as session:
        return await asyncio.gather(*(ask_one(session, request) for request in requests))


def compute_directly(folder: Path, labels: int) -> list[tuple[float, ...]]:
    """The steps of every request by one forward pass each, at the tags that are found in the whole text."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    found = []
    for request in REQUESTS:
        messages = [{"role": role, "content": said} for role, said in request.messages]
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0]
        at_tags = logits[torch.tensor(ids) == tokenizer.convert_tokens_to_ids(TAG)]
        found.append(tuple((at_tags.softmax(-1)[:, 1] if labels > 1 else at_tags.sigmoid()[:, 0]).tolist()))
    return found


@pytest.mark.parametrize(("model", "labels"), [("two labels", 2), ("one label", 1)])
def test_transformers_says_what_the_model_says(models, model, labels):
    folder = models[model]
    answers = asyncio.run(ask(Transformers(str(folder), kind="steps", dtype="float32", batch_size=4)))
    expected = compute_directly(folder, labels)
    for request, (first, again), steps in zip(REQUESTS, answers, expected, strict=True):
        assert len(first.steps) == len(request.marks) and first.steps == pytest.approx(steps, abs=1e-5)
        assert again.steps == first.steps and (first.shared, again.shared) == (False, True)
        assert first.prompt_tokens > 0 and (first.cached_tokens, first.completion_tokens) == (0, 0)
    assert len({round(p, 3) for steps in expected for p in steps}) > len(REQUESTS)


def test_the_other_label_is_the_other_probability(models):
    import dataclasses

    other = [dataclasses.replace(request, good_label=0) for request in REQUESTS[:2]]
    engine = Transformers(str(models["two labels"]), kind="steps", dtype="float32")
    good, bad = (asyncio.run(ask(engine, requests)) for requests in (REQUESTS[:2], other))
    assert [1 - p for answer in good for p in answer[0].steps] == pytest.approx(
        [p for answer in bad for p in answer[0].steps]
    )
    with pytest.raises(JudgescaleError, match=r"judge.good_label=2: .* has the labels 0 to 1"):
        asyncio.run(ask(engine, [dataclasses.replace(REQUESTS[0], good_label=2)]))


def test_a_tag_that_is_no_token_is_told(models):
    (request, _) = Process(step_tag="<extra_9>").requests(ITEMS[0], (0, 1))
    with pytest.raises(JudgescaleError, match="judge.step_tag='<extra_9>' is no token of "):
        asyncio.run(ask(Transformers(str(models["two labels"]), kind="steps"), [request]))


def test_a_conversation_too_long_fails_alone(models):
    engine = Transformers(str(models["two labels"]), kind="steps", max_length=100)
    answers = asyncio.run(ask(engine, REQUESTS))
    assert {o.finish for answer in answers[4:5] for o in answer} == {"failed"} and answers[0][0].steps


@pytest.mark.parametrize("kind", ["SequenceClassification", "CausalLM"])
def test_another_head_is_refused(tmp_path, kind):
    pytest.importorskip("torch")
    folder = save_model(tmp_path / kind, kind)
    with pytest.raises(JudgescaleError, match=r"has no token-classification head \(score.\w+ is missing\)"):
        asyncio.run(ask(Transformers(str(folder), kind="steps")))


OWN_CODE = """
import torch
from transformers import Qwen2Model, Qwen2PreTrainedModel


class Own(Qwen2PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen2Model(config)
        size = config.hidden_size
        self.score = torch.nn.Sequential(torch.nn.Linear(size, size), torch.nn.ReLU(), torch.nn.Linear(size, 2))
        self.post_init()

    def forward(self, input_ids, attention_mask):
        return (self.score(self.model(input_ids, attention_mask=attention_mask)[0]),)
"""


@pytest.fixture(scope="module")
def own(models, tmp_path_factory):
    """The model with two labels under a head of two layers, stored as Qwen's process reward models are."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(models["two labels"], tmp_path_factory.mktemp("own") / "own")
    weights = load_file(file := folder / "model.safetensors")
    last = {f"score.2.{part}": weights.pop(f"score.{part}") for part in ("weight", "bias")}
    first = {"score.0.weight": torch.eye(64) / 2, "score.0.bias": torch.full((64,), 0.1)}
    save_file(weights | first | last, file, {"format": "pt"})
    (folder / "own.py").write_text(OWN_CODE)
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["Qwen2ForProcessRewardModel"], "auto_map": {"AutoModel": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_head_of_the_models_own_code_runs_only_where_that_is_trusted(own, models):
    with pytest.raises(JudgescaleError, match="one with code of its own also needs engine.trust_remote_code=true"):
        asyncio.run(ask(Transformers(str(own), kind="steps")))
    trusted = Transformers(str(own), kind="steps", dtype="float32", trust_remote_code=True)
    assert "trust_remote_code" in trusted.identity() and "trust_remote_code" not in Transformers("m").identity()
    plain = Transformers(str(models["two labels"]), kind="steps", dtype="float32")
    (ours, _), (theirs, _) = (asyncio.run(ask(engine, REQUESTS[:1]))[0] for engine in (trusted, plain))
    assert len(ours.steps) == len(theirs.steps) and ours.steps != pytest.approx(theirs.steps)


def write_rewardmath(path: Path) -> Path:
    """A problem in the owners' format: ten solutions, each a list of steps."""
    from judgescale.tasks.rewardmath import RIGHT

    rows = [
        {
            "problem": f"What is {p} + 2?",
            "answer": str(p + 2),
            "eval_solution": ["Two and two.", f"It is {p + 2 + i}."] + ["It is."] * (i % 3),
            "solution_reference": RIGHT if i == 0 else f"org/m{i}",
            "subject": "Algebra",
            "level": 1,
        }
        for p in range(3)
        for i in range(10)
    ]
    path.write_text(json.dumps(rows))
    return path


def go(monkeypatch, *overrides: str) -> None:
    """Run a command line in this process."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton

    from judgescale.harness import command

    monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)
    monkeypatch.setattr(sys, "argv", ["judgescale", *overrides])
    command.main()


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_run_from_the_command_line_is_replayed_under_another_rule(models, tmp_path, monkeypatch, engine):
    if engine == "vllm":
        pytest.importorskip("vllm")
    from judgescale.harness.recorded.sets import read_set
    from judgescale.harness.stats.steps import multiply_steps

    texts = write_rewardmath(tmp_path / "RewardMATH_direct.json")
    live = ["judge=process", f"judge.model={models['two labels']}", r"judge.step_separator=\n", f"engine={engine}"]
    task = ["task=rewardmath", "strategy=single"]
    store = f"run.store={tmp_path}/store.sqlite"
    go(monkeypatch, *live, *task, f"task.path={texts}", store, f"hydra.run.dir={tmp_path}/live", "engine.dtype=float32")
    summary = json.loads((tmp_path / "live/summary.json").read_text())
    assert summary["items"] == 3 and summary["compute"]["prompt_tokens"] > 0 == summary["compute"]["completion_tokens"]
    records = read_set(file := tmp_path / "live/recorded.parquet").records
    for record in records:
        judgment = record.judgment
        assert len(judgment.steps) == 10 and {len(steps) for steps in judgment.steps} == {2, 3, 4}
        assert judgment.scores == pytest.approx([multiply_steps(steps) for steps in judgment.steps])
    replayed = ["engine=recorded", f"engine.path={file}", *task, "judge.steps=last"]
    go(monkeypatch, *replayed, f"hydra.run.dir={tmp_path}/last")
    best = [max(range(10), key=lambda i: r.judgment.steps[i][-1]) for r in records]
    right = sum(r.gold[r.judgment.shown[i]] for i, r in zip(best, records)) / 3
    assert math.isclose(json.loads((tmp_path / "last/summary.json").read_text())["headline"]["value"], right)


@pytest.mark.parametrize("head", ["transformers", "Qwen"])
def test_vllm_says_what_transformers_says(models, own, head):
    pytest.importorskip("vllm")
    folder = str(own if head == "Qwen" else models["two labels"])
    expected = asyncio.run(ask(Transformers(folder, kind="steps", dtype="float32", trust_remote_code=head == "Qwen")))
    found = asyncio.run(ask(Vllm(folder, kind="steps", dtype="float32", max_model_len=512)))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[0].steps == pytest.approx(theirs[0].steps, abs=1e-4) and ours[1].shared
        assert ours[0].prompt_tokens == theirs[0].prompt_tokens and ours[0].completion_tokens == 0


def test_vllm_refuses_another_head(tmp_path):
    pytest.importorskip("vllm")
    folder = save_model(tmp_path / "scalar", "SequenceClassification", labels=1)
    with pytest.raises(JudgescaleError, match="has no token-classification head"):
        asyncio.run(ask(Vllm(str(folder), kind="steps", max_model_len=512)))
