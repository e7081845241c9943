"""A thought that is ended by force in two requests: one for the thought, one for the answer that follows it.

A chat server that cannot hold a thought to a number of tokens can still be asked for so many tokens of it, and then to
go on after `</think>` in the same turn of the assistant. Both requests are one answer, and both are paid for.
"""

from __future__ import annotations

from typing import NamedTuple

from judgescale.harness.types import JudgescaleError, Output

OPEN, CLOSE = "<think>", "</think>"
ENDED_ITSELF = f"\n{CLOSE}\n\n"  # as the models write it that end a thought themselves
TELLING = 32  # tokens of a thought that its prompt's length must show


def check_reasoning_parser(parser: str | None) -> None:
    """Ask for the name of a model's way of thinking, by which vLLM knows where a thought begins and ends.

    Raises JudgescaleError where it is not given.
    """
    if parser is None:
        raise JudgescaleError(
            "judge.thinking_budget needs engine.reasoning_parser, vLLM's name for this model's way of thinking:"
            " deepseek_r1, qwen3, …"
        )


class Begun(NamedTuple):
    """Hold the beginning of an assistant's turn, which the second request continues.

    partial: what the server is sent, the thought with the mark that opens it. text: what the answer keeps of it.
    whole: the model has answered already, and there is nothing to continue. written: tokens so far.
    """

    partial: str
    text: str
    whole: bool
    written: int | None
    reasoning_tokens: int | None


def close_thought(first: Output, end_of_thought: str) -> Begun:
    """Close the thought that the first request brought: with `end_of_thought` where the limit of tokens cut it.

    A server may deliver thoughts apart from the text, or go on after a thought though it was to stop there.
    """
    said, thought = first.text or "", first.reasoning
    if thought is None:
        thought, _, said = said.partition(CLOSE)
    cut = first.finish == "length" and not said.strip()
    thought = thought.strip().removeprefix(OPEN).strip()
    text = thought + (end_of_thought if cut else ENDED_ITSELF) + said.lstrip()
    told = first.reasoning_tokens if said.strip() else first.completion_tokens
    whole = bool(said.strip()) and first.finish != "length"
    return Begun(f"{OPEN}\n{text}", text, whole, first.completion_tokens, told)


def check_continued(first: Output, second: Output) -> None:
    """Raise JudgescaleError where the prompt of the second request plainly lacks the thought.

    Many chat templates delete the thoughts of earlier turns, and some servers do not say so.
    """
    counts = first.prompt_tokens, first.completion_tokens, second.prompt_tokens
    if None in counts or (first.completion_tokens or 0) < TELLING:
        return
    prompt, thought, again = (count or 0 for count in counts)
    if again < prompt + thought / 2:
        raise refuse_template(f"a prompt of {prompt} tokens and a thought of {thought} came back as {again}")


def refuse_template(reason: str) -> JudgescaleError:
    """Make the error for a server whose chat template does not keep the thought that is to be continued."""
    return JudgescaleError(
        f"engine.continue_thoughts: the server's chat template drops thoughts ({reason}): let the server end them"
        " (engine.thinking_field), or take engine=vllm"
    )


def join_outputs(first: Output, begun: Begun, second: Output) -> Output:
    """Join the two requests in one answer: the thought, its end and what followed, with the tokens of both.

    A server that looks for thoughts may take the answer for one. Where the second request failed, what the first one
    cost is kept.
    """
    cached = [output.cached_tokens for output in (first, second) if output.cached_tokens is not None]
    said = second.text or ""
    if second.reasoning:
        said = f"{second.reasoning}{CLOSE}{said}" if said.strip() else second.reasoning
    if second.finish == "failed":
        return first._replace(text=None, reasoning=None, finish="failed", error=second.error)
    return second._replace(
        text=begun.text + said if second.finish != "refused" else second.text,
        reasoning=None,
        prompt_tokens=_add(first.prompt_tokens, second.prompt_tokens),
        cached_tokens=sum(cached) if cached else None,
        completion_tokens=_add(first.completion_tokens, second.completion_tokens),
        reasoning_tokens=begun.reasoning_tokens,
        seconds=(first.seconds or 0.0) + (second.seconds or 0.0),
    )


def _add(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
