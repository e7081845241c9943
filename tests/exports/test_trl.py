"""TRL's trainers and OpenRLHF's data sets read what is exported: they prepare it, and TRL's take a step on it."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
from live_judge import LiveJudge, export, pick

from judgescale.rewards import make_openrlhf_reward, make_trl_reward, reward_rrm

pytestmark = [pytest.mark.trl, pytest.mark.filterwarnings("ignore")]
trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
is_conversational = pytest.importorskip("trl.data_utils").is_conversational

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STEP = {"max_steps": 1, "per_device_train_batch_size": 2, "report_to": "none", "use_cpu": True, "bf16": False}


@pytest.fixture(scope="module")
def folder(composed, tmp_path_factory):
    """A run of a pairwise judge that is right two times of three."""
    judge = LiveJudge(pick(2 / 3), size=30)
    return judge.run(composed, tmp_path_factory.mktemp("trl") / "run", "judge=pairwise", "strategy.k=3")


@pytest.fixture(scope="module")
def tokenizer():
    """Bytes, with a chat template: nothing is loaded from anywhere."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=letters, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    own = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<pad>")
    own.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    own.chat_template = CHAT
    return own


@pytest.fixture
def model(tokenizer):
    """A language model of two layers that knows nothing, and one with a scalar head."""
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_key_value_heads=2, max_position_embeddings=8192, **size, **special
    )
    return SimpleNamespace(
        language=LlamaForCausalLM(config), scalar=lambda: _with_head(config, LlamaForSequenceClassification)
    )


def _with_head(config, kind):
    config.num_labels = 1
    return kind(config)


def load(path: Path):
    return datasets.load_dataset(
        "json" if path.suffix == ".jsonl" else "parquet",
        data_files=str(path),
        split="train",
        cache_dir=str(path.parent),
    )


def train(kind, arguments, trained, rows, tokenizer, tmp_path, **options):
    """Let a trainer prepare a data set and take a step on it; return the trainer."""
    settings = arguments(output_dir=str(tmp_path / "out"), **STEP, **options.pop("settings", {}))
    trainer = kind(trained, args=settings, train_dataset=rows, processing_class=tokenizer, **options)
    trainer.train()
    assert trainer.state.global_step == 1
    return trainer


@pytest.mark.parametrize("shape", ["trl", "trl_text"])
def test_reward_models_and_dpo_take_preferences_with_their_margins(folder, tmp_path, tokenizer, model, shape):
    export("preferences", folder, tmp_path, "--shape", shape)
    rows = load(tmp_path / "train.jsonl")
    assert is_conversational(rows[0]) == (shape == "trl")
    reward = train(trl.RewardTrainer, trl.RewardConfig, model.scalar(), rows, tokenizer, tmp_path)
    prepared = reward.train_dataset
    assert {"chosen_ids", "rejected_ids", "margin"} <= set(prepared.column_names) and len(prepared) == len(rows)
    text = tokenizer.decode(prepared[0]["chosen_ids"])
    said = rows[0]["chosen"][0]["content"] if shape == "trl" else rows[0]["chosen"]
    assert said in text
    reference = copy.deepcopy(model.language)
    train(trl.DPOTrainer, trl.DPOConfig, model.language, rows, tokenizer, tmp_path, ref_model=reference)


@pytest.mark.parametrize("shape", ["trl", "messages"])
def test_fine_tuning_takes_sampled_judgments(folder, tmp_path, tokenizer, model, shape):
    export("sampled_judgments", folder, tmp_path, "--shape", shape)
    rows = load(tmp_path / "train.jsonl")
    trainer = train(
        trl.SFTTrainer, trl.SFTConfig, model.language, rows, tokenizer, tmp_path, settings={"max_length": None}
    )
    whole = tokenizer.decode(trainer.train_dataset[0]["input_ids"])
    turns = rows[0]["messages"] if shape == "messages" else rows[0]["prompt"] + rows[0]["completion"]
    assert all(turn["content"] in whole for turn in turns)
    if shape == "trl":  # the loss is on the judgment alone
        learned = tokenizer.decode([token for token in trainer.train_dataset[0]["labels"] if token >= 0])
        assert turns[-1]["content"] in learned and turns[0]["content"] not in learned


def test_meta_rows_are_trls_unpaired_preferences(folder, tmp_path):
    export("meta_rm", folder, tmp_path, "--shape", "unpaired")
    rows = load(tmp_path / "train.jsonl")
    assert is_conversational(rows[0]) and {row["label"] for row in rows} == {True, False}


def test_grpo_calls_the_reward_with_the_gold_of_its_rows(folder, tmp_path, tokenizer, model):
    export("sampled_judgments", folder, tmp_path)
    rows = load(tmp_path / "train.jsonl").select_columns(["prompt", "gold"])
    seen = []

    def say(output, gold, **options):
        seen.append((output, gold))
        return reward_rrm(r"\boxed{Assistant 1}", gold, **options)  # as if the model had said so

    train(
        trl.GRPOTrainer, trl.GRPOConfig, model.language, rows, tokenizer, tmp_path,
        reward_funcs=make_trl_reward(say), settings={"num_generations": 2, "max_completion_length": 4},
    )  # fmt: skip
    assert len(seen) == 2 and all(isinstance(output, str) and sorted(gold) == [0, 1] for output, gold in seen)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_openrlhf_reads_preferences_and_judgments(folder, tmp_path, tokenizer, kind):
    ours = pytest.importorskip("openrlhf.datasets")
    export("preferences", folder, tmp_path, "--shape", "openrlhf")
    main_rows = load(tmp_path / "train.jsonl")
    defaults = {"prompt_key": None, "chosen_key": "chosen", "rejected_key": "rejected", "apply_chat_template": True}
    strategy = SimpleNamespace(args=SimpleNamespace(data=SimpleNamespace(**defaults)))
    for is_dpo in (False, True):
        read = ours.RewardDataset(main_rows, tokenizer, 4096, strategy, is_dpo=is_dpo, num_processors=1)
        assert len(read) == len(main_rows)
        chosen, _, rejected, _, extra = read[0]
        assert main_rows[0]["chosen"][-1]["content"] in tokenizer.decode(chosen[0])
        assert main_rows[0]["rejected"][-1]["content"] in tokenizer.decode(rejected[0])
        assert is_dpo or extra == main_rows[0]["margin"]
    from judgescale.harness.exports.__main__ import main

    main(["sampled_judgments", str(folder), "--out", str(tmp_path), "--shape", "openrlhf", "--as", kind])
    rows = load(tmp_path / f"train.{kind}")
    keys = {"input_key": "input", "output_key": "output", "apply_chat_template": True}
    strategy = SimpleNamespace(args=SimpleNamespace(data=SimpleNamespace(**keys)))
    read = ours.SFTDataset(rows, tokenizer, 8192, strategy, num_processors=1)
    assert len(read) == len(rows) and rows[0]["output"][0]["content"] in read.responses[0]
    assert rows[0]["input"][-1]["content"] in read.prompts[0]


def test_openrlhf_rewards_are_tensors_by_query():
    torch = pytest.importorskip("torch")
    reward_func = make_openrlhf_reward(reward_rrm, thinking=True)
    prompt = "<|im_start|>user\nClose with \\boxed{Assistant 2}.<|im_end|>\n<|im_start|>assistant\n<think>"
    said = [
        r"a</think> \boxed{Assistant 1}<|im_end|>",
        r"b</think> \boxed{Assistant 2}<｜end▁of▁sentence｜>",
        "cut off",
    ]
    labels = ["[1, 0]", [1, 0], '{"gold": [0, 1], "texts": ["2 + 2?"]}']
    found = reward_func([prompt + answer for answer in said], [prompt] * 3, labels)
    assert torch.equal(found["rewards"], torch.tensor([1.0, -1.0, -1.0]))
    assert torch.equal(found["scores"], torch.tensor([1.0, 0.0, 0.0]))
    one = reward_func([prompt + said[0]], [prompt], labels[:1])
    assert torch.tensor([one["rewards"]]).shape == (1,)  # as OpenRLHF takes it
