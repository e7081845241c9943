"""SmolLM2-135M-Instruct as vLLM and transformers load it, and served by llama.cpp; from the file of engine=openvino."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SEED = 0  # of the scalar head


def safetensors_folder(tmp: Path) -> Path:
    """The language model in bfloat16, with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from judgescale.harness.engines.weights import fetch_smollm2

    if (folder := tmp / "smollm2").exists():
        return folder
    gguf = fetch_smollm2()
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    return folder


def thinking_folder(tmp: Path) -> Path:
    """The language model with the tokens <think> and </think>, and a chat template that opens a thought.

    It never learned to end one: their embeddings are zero, so that every other token is likelier.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if (folder := tmp / "thinking").exists():
        return folder
    text = safetensors_folder(tmp)
    tokenizer = AutoTokenizer.from_pretrained(text)
    tokenizer.add_tokens(["<think>", "</think>"])
    opens = "{% if add_generation_prompt %}{{ '<think>\\n' }}{% endif %}"
    tokenizer.chat_template = tokenizer.chat_template.rstrip() + opens
    model = AutoModelForCausalLM.from_pretrained(text)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.get_input_embeddings().weight.data[-2:] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def scalar_folder(tmp: Path, labels: int = 1) -> Path:
    """The same body under a random scalar head, as a reward model is stored: LlamaForSequenceClassification."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if (folder := tmp / f"scalar{labels}").exists():
        return folder
    text = safetensors_folder(tmp)
    torch.manual_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(text, num_labels=labels, dtype=torch.float32)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(text).save_pretrained(folder)
    return folder


def llama_server() -> Any:
    """llama.cpp's own OpenAI-compatible server with the file itself, in this process; skips where it cannot be had."""
    import pytest

    from judgescale.harness.engines.weights import fetch_smollm2
    from judgescale.harness.types import JudgescaleError

    xllamacpp = pytest.importorskip("xllamacpp")
    try:
        weights = fetch_smollm2()
    except JudgescaleError as error:
        pytest.skip(str(error))
    options = xllamacpp.CommonParams()
    options.model.path = str(weights)
    options.hostnames, options.port = ["127.0.0.1"], 0
    options.n_ctx, options.n_parallel, options.n_gpu_layers, options.verbosity = 4096, 4, 0, -1
    return xllamacpp.Server(options)
