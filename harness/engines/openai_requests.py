"""Writing of a chat completion's body, as an OpenAI-compatible server takes it alone or as a line of a batch file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judgescale.harness.engines.openai_replies import WRAPPER, make_json_schema
from judgescale.harness.types import Request, Sampling

if TYPE_CHECKING:
    from judgescale.harness.engines.openai import OpenAI

REJECTED = (400, 413, 422)  # this request will never succeed; others may


def write_head(options: OpenAI, request: Request, sampling: Sampling, more: Mapping[str, Any] | None = None) -> str:
    """Write the JSON body that all groups of a request share: without n, seed and the closing brace.

    more: further fields.
    """
    messages = [{"role": role, "content": content} for role, content in request.messages]
    body: dict[str, Any] = {"model": options.model, "messages": messages}
    if request.kind == "score":
        body |= {"use_activation": False, "add_generation_prompt": False}
    else:
        wrapped = find_wrapped_pattern(options, request)
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        body[options.max_tokens_field] = sampling.max_tokens + (WRAPPER if wrapped else 0)
        if sampling.thinking_budget is not None and options.thinking_field is not None:
            body[options.thinking_field] = sampling.thinking_budget
        if request.labels:
            body |= {"logprobs": True, "top_logprobs": 20}
        if request.pattern and options.constrain == "structured_outputs":
            body["structured_outputs"] = {"regex": request.pattern}
        elif wrapped:
            body["response_format"] = make_json_schema(wrapped)
    body |= {**(options.extra_body or {}), **(more or {})}
    return json.dumps({key: value for key, value in body.items() if value is not None})[:-1]


def write_tail(options: OpenAI, seed: int, n: int) -> str:
    """Write the rest of a body: how many samples are wanted, and their seed."""
    tail = f', "n": {n}' if n > 1 else ""
    if options.seed:
        tail += f', "seed": {seed % 2**31}'  # the range that every server takes
    return f"{tail}}}"


def find_wrapped_pattern(options: OpenAI, request: Request) -> str | None:
    """Return the pattern of an answer that comes wrapped in JSON.

    None where it comes plain, as it must where the log-probabilities of its first token are wanted.
    """
    return request.pattern if options.constrain == "json_schema" and not request.labels else None


def is_about_n(message: str, about: str) -> bool:
    """Tell whether an error is about several samples of one prompt; `about`: what the server names as its cause."""
    return about == "n" or re.search(r"\bn\b|completion choice", message) is not None
