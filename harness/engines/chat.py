"""A conversation under a model's own chat template, for the engines that hand a model tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from judgescale.harness.types import JudgescaleError, Request


class TemplateRefusal(Exception):
    """Say in one line why a chat template does not accept a conversation."""


def load_chat_tokenizer(model: str, revision: str | None, cache: str | None = None) -> Any:
    """Load a model's tokenizer, which must have a chat template.

    cache: the folder for downloaded files; None = the default one of Hugging Face.
    Raises JudgescaleError where there is no tokenizer or no template. A template of our own is no way out: it would
    make the model another judge.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, cache_dir=cache, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as e:
        raise JudgescaleError(f"model={model}: no tokenizer can be had: {e}") from e
    if not getattr(tokenizer, "chat_template", None):  # some kinds of tokenizer have no such attribute
        raise JudgescaleError(f"model={model} has no chat template: take an instruction-tuned model or a judge's own")
    return tokenizer


def tokenize_conversation(tokenizer: Any, request: Request) -> list[int]:
    """Convert a conversation to the token ids that the model reads.

    For a request of kind "text", the ids end where the model's answer begins.
    Raises TemplateRefusal.
    """
    ids: list[int] = apply_template(
        tokenizer, request.messages, add_generation_prompt=request.kind == "text", tokenize=True, return_dict=False
    )
    return ids


def apply_template(tokenizer: Any, messages: Sequence[tuple[str, str]], **options: Any) -> Any:
    """Put (role, content) messages through a tokenizer's chat template. Raises TemplateRefusal."""
    try:
        return tokenizer.apply_chat_template([{"role": role, "content": said} for role, said in messages], **options)
    except Exception as e:  # a template is a program that came with the model: it may raise anything
        raise TemplateRefusal(f"the chat template refuses the conversation: {' '.join(str(e).split())}") from e
