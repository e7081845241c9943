"""Parsing of an OpenAI-compatible server's replies. Whatever a server sends is untrusted, so every field is checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from judgescale.harness.types import JudgescaleError, Output

FINISH = {  # OpenAI's reasons; TGI's, Mistral's and Anthropic's, which compatible servers pass on
    **dict.fromkeys(("stop", "tool_calls", "function_call", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "model_length", "max_tokens"), "length"),
    **dict.fromkeys(("content_filter", "refusal"), "refused"),
}
ANSWER = "answer"  # the one property of a JSON answer
PLAIN = {"role", "content"}  # all that most messages hold
PARTS = {"text": "text", "output_text": "text", "thinking": "thinking", "reasoning": "thinking", "refusal": "refusal"}
WRAPPER = 24  # the most tokens that the JSON around an answer takes, white space included


class Fault(Exception):
    """Report that an attempt failed, where another attempt may succeed. `kind` is its name in a session's faults."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def make_json_schema(pattern: str) -> dict[str, Any]:
    """Make OpenAI's response_format for a JSON object with one string, all of which matches the pattern."""
    schema = {
        "type": "object",
        "properties": {ANSWER: {"type": "string", "pattern": f"^({pattern})$"}},
        "required": [ANSWER],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": ANSWER, "strict": True, "schema": schema}}


def parse_reply(data: bytes) -> Any:
    """Parse a reply's JSON. Raises Fault where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Fault("bad_json", f"the reply is no JSON ({len(data)} bytes)") from error


def read_error(data: bytes) -> tuple[str, str]:
    """Read an error reply: (message, what it is about).

    Servers put the message in different places; all usual ones are tried. The second value is "n" or
    "insufficient_quota" where the server names one of these as the cause, else "".
    """
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        return data[:1000].decode(errors="replace"), ""
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    if not isinstance(error, dict):
        return str(error), ""
    about = next((v for v in (error.get("code"), error.get("param")) if v in ("n", "insufficient_quota")), "")
    return str(error.get("message") or error.get("detail") or error), about


def _get_field(owner: Any, key: str, kind: type, needed: bool = False) -> Any:
    """Return owner[key], or None where it is absent or null.

    Raises Fault where the owner is no object, the value is not of the kind, or a needed value is absent.
    """
    if not isinstance(owner, dict):
        raise Fault("bad_json", f"the reply has {type(owner).__name__} where an object with {key!r} belongs")
    value = owner.get(key)
    if value is None and not needed:
        return None
    if not isinstance(value, kind):
        raise Fault("bad_json", f"the reply's {key!r} is {type(value).__name__}, not {kind.__name__}")
    return value


def _read_count(owner: Any, key: str) -> int | None:
    """Return owner[key] as a count; None where it is absent or makes no sense: the answer itself is paid for."""
    value = owner.get(key) if isinstance(owner, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        return None
    return int(value) if value == int(value) else None


def _get_text(owner: Any, key: str) -> str | None:
    value = _get_field(owner, key, str)
    # JSON can spell a lone surrogate, which could not be stored
    return value if value is None or value.isascii() else value.encode(errors="replace").decode()


def _read_content(message: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Read a message's (text, thoughts, refusal); its content is a string, or a list of parts with a type each."""
    if message.keys() == PLAIN and isinstance(message["content"], str):
        return _get_text(message, "content") or "", None, None
    thoughts = _get_text(message, "reasoning_content") or _get_text(message, "reasoning")
    refusal = _get_text(message, "refusal")
    if not isinstance(message.get("content"), list):
        return _get_text(message, "content") or "", thoughts, refusal
    said: dict[str, list[str]] = {"text": [], "thinking": [], "refusal": []}
    for part in message["content"]:
        part = {"type": "text", "text": part} if isinstance(part, str) else part
        kind = PARTS.get(_get_field(part, "type", str) or "text")
        if kind is None:  # a picture, a call of a tool
            continue
        inner = part.get(kind, part.get("text"))  # Mistral's thoughts are a list of texts
        said[kind] += [
            _get_text(piece, "text") or "" for piece in (inner if isinstance(inner, list) else [{"text": inner}])
        ]
    text, thinking, refused = ("".join(pieces) for pieces in said.values())
    return text, thoughts or thinking or None, refusal or refused or None


def _read_tokens(choice: Any) -> list[Any]:
    """Read what a choice says about the log-probabilities of each of its tokens; nothing where they are not told."""
    told = _get_field(choice, "logprobs", dict)
    return [] if told is None else _get_field(told, "content", list) or []


def _check_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        raise Fault("bad_json", "the reply has no finite number where one belongs")
    return float(value)


def keep_n(outputs: Sequence[Output], n: int) -> list[Output]:
    """Keep n outputs of those that came. Nobody asked for the others, but the bill has them."""
    if len(outputs) > n and None not in (counts := [output.completion_tokens for output in outputs[n - 1 :]]):
        paid = outputs[n - 1]._replace(completion_tokens=sum(count or 0 for count in counts))
        return [*outputs[: n - 1], paid]
    return list(outputs[:n])


def read_completions(reply: Any, labels: Sequence[str], pattern: str | None, seconds: float | None) -> list[Output]:
    """Read the outputs of a chat completion, at least one, ordered by their index.

    labels: those whose log-probabilities were asked for.
    pattern: what the answer inside a JSON answer matches; None where plain text was asked for.
    Raises Fault where the reply does not follow the protocol.
    """
    choices = _get_field(reply, "choices", list, needed=True)
    if not choices:
        raise Fault("bad_json", "the reply has no choices")
    if len(choices) > 1:
        choices = sorted(choices, key=lambda choice: _read_count(choice, "index") or 0)
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    prompt = _read_count(usage, "prompt_tokens") or None  # no prompt has 0 tokens: such a server does not count
    cached = _read_count(usage.get("prompt_tokens_details"), "cached_tokens")
    if cached is None:
        cached = _read_count(usage, "prompt_cache_hit_tokens")  # DeepSeek's name
    cached = None if cached is None or prompt is None else min(cached, prompt)
    tokens = [_read_tokens(choice) for choice in choices]
    total = _read_count(usage, "completion_tokens")
    own = list(map(len, tokens))  # one log-probability a token
    written = own if total == sum(own) else _split_evenly(total, len(choices))
    if len(choices) > 1 and "timings" in reply:  # llama.cpp counts the tokens of the first sample alone
        written = [total] + [None] * (len(choices) - 1)
    thinking = _read_count(usage.get("completion_tokens_details"), "reasoning_tokens")
    thought = _split_evenly(thinking if thinking is None or total is None else min(thinking, total), len(choices))
    outputs = []
    for i, choice in enumerate(choices):
        message = _get_field(choice, "message", dict, needed=True)
        reason = _get_field(choice, "finish_reason", str, needed=True).lower()
        if reason not in FINISH:
            raise Fault("bad_json", f"the reply's finish_reason is {reason[:40]!r}")
        text, thoughts, refusal = _read_content(message)
        outputs.append(
            Output(
                text=refusal or (_unwrap_answer(text, pattern) if pattern else text),
                reasoning=thoughts,
                finish="refused" if refusal else FINISH[reason],
                logprobs=_read_logprobs(tokens[i], labels) if labels and tokens[i] else None,
                prompt_tokens=prompt,
                cached_tokens=prompt if i else cached,
                completion_tokens=None if text and not total else written[i],
                reasoning_tokens=thought[i],
                shared=i > 0,
                seconds=seconds,
            )
        )
    return outputs


def _unwrap_answer(text: str, pattern: str) -> str:
    """Return the one string in a JSON answer; return the text itself where it is no such JSON.

    llama.cpp matches the pattern with the characters of the JSON before they are unescaped, so that is tried first.
    """
    if (raw := re.fullmatch(rf'\s*\{{\s*"{ANSWER}"\s*:\s*"(.*)"\s*\}}\s*', text, re.S)) and re.fullmatch(
        pattern, raw[1]
    ):
        return raw[1]
    try:
        answer = json.loads(text)[ANSWER]
    except (ValueError, RecursionError, LookupError, TypeError):
        return text
    return answer.encode(errors="replace").decode() if isinstance(answer, str) else text


def _split_evenly(total: int | None, n: int) -> list[int | None]:
    """Split a count into n parts, of which the first get the remainder."""
    return [None if total is None else total // n + (i < total % n) for i in range(n)]


def _read_logprobs(tokens: Sequence[Any], labels: Sequence[str]) -> dict[str, float]:
    """Read each label's log-probability as the first token.

    "A" and " A" are one label. A label that is not among the top tokens is absent from the result.
    """
    top = _get_field(tokens[0], "top_logprobs", list) or []
    candidates = {_get_field(c, "token", str, needed=True): _check_number(c.get("logprob")) for c in [*top, tokens[0]]}
    found: dict[str, float] = {}
    for token, value in candidates.items():
        if (label := token.strip()) in labels:
            found[label] = found.get(label, 0.0) + math.exp(min(value, 0.0))
    return {label: math.log(p) if p > 0 else -math.inf for label, p in found.items()}


def read_scores(reply: Any, seconds: float) -> list[Output]:
    """Read the one output in a reply of /classify: a scalar head has one class, and its logit is the score.

    Raises Fault where the reply does not follow the protocol, JudgescaleError where the model has several classes.
    """
    data = _get_field(reply, "data", list, needed=True)
    values = _get_field(data[0] if data else None, "probs", list, needed=True)
    if len(values) != 1:
        raise JudgescaleError(f"the server's model has {len(values)} classes: a scalar judge has one")
    prompt = _read_count(reply.get("usage"), "prompt_tokens") or None
    return [Output(score=_check_number(values[0]), prompt_tokens=prompt, completion_tokens=0, seconds=seconds)]
