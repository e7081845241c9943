"""Where a process reward model puts its numbers: the tokens that end the steps, and the probability in their logits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from judgescale.harness.engines.chat import TemplateRefusal, apply_template
from judgescale.harness.types import JudgescaleError, Request

SPECIAL = re.compile(r"<\S+>")  # how tokens are spelled that mean something of their own to a model


def tokenize_steps(tokenizer: Any, request: Request, model: str) -> tuple[list[int], list[int]]:
    """Convert a conversation to token ids, and find the place of the token that ends each step of its last message.

    A tag is tokenised apart from the text around it, and its last token ends the step: every step has exactly one, and
    nothing that the text says can add or move one. The template shows a stand-in for the last message, whose text is
    then put there as it is.

    Raises TemplateRefusal; JudgescaleError where the tokenizer does not know the tag.
    """
    *turns, (role, said) = request.messages
    everything = "\n".join(content for _, content in request.messages)
    stand_in = next(word for i in count() if (word := f"response{i}") not in everything)
    shown = apply_template(tokenizer, (*turns, (role, stand_in)), add_generation_prompt=False, tokenize=False)
    if shown.count(stand_in) != 1:
        raise TemplateRefusal("the chat template does not show the last message once")
    before, _, after = shown.partition(stand_in)
    ids: list[int] = []
    places: list[int] = []
    begin, lead = 0, before
    for start, end in request.marks:
        ids += _tokenize(tokenizer, lead + said[begin:start]) + _tokenize_tag(tokenizer, said[start:end], model)
        places.append(len(ids) - 1)
        begin, lead = end, ""
    return ids + _tokenize(tokenizer, lead + said[begin:] + after), places


def _tokenize(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text, without what the tokenizer would put around it."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _tokenize_tag(tokenizer: Any, tag: str, model: str) -> list[int]:
    """Return the ids of a step tag: one where it is spelled as a special token, at least one known where it is not."""
    ids = _tokenize(tokenizer, tag)
    if not ids or tokenizer.unk_token_id in ids or (len(ids) > 1 and SPECIAL.fullmatch(tag.strip())):
        raise JudgescaleError(
            f"judge.step_tag={tag!r} is no token of {model}: give the one that it was trained to read after each step"
        )
    return ids


def find_probabilities(logits: Sequence[Sequence[float]], good_label: int, model: str) -> tuple[float, ...]:
    """Return how probable each step is right: the softmax of its labels' logits, or the sigmoid of its only one.

    logits: (steps, labels). Raises JudgescaleError where the model has no such label.
    """
    labels = len(logits[0]) if logits else 0
    if labels > 1 and good_label >= labels:
        raise JudgescaleError(f"judge.good_label={good_label}: {model} has the labels 0 to {labels - 1}")
    return tuple(_soften(row if labels > 1 else (0.0, row[0]), good_label if labels > 1 else 1) for row in logits)


def _soften(row: Sequence[float], chosen: int) -> float:
    """Return the softmax of a row at one place; NaN where a logit is no finite number."""
    top = max(row)
    weights = [math.exp(value - top) for value in row] if all(map(math.isfinite, row)) else [math.nan] * len(row)
    return weights[chosen] / math.fsum(weights)
