"""Rule-based rewards to train a generative reward model with: +1 where its output is right, -1 where it is not.

    from judgescale.rewards import make_trl_reward, reward_grm, reward_rrm

    reward_grm(r"… \\boxed{8, 5}", gold=[1, 0])                   # 1.0; DeepSeek-GRM, arXiv 2504.02495, section 3.2
    reward_rrm(r"… </think> \\boxed{Assistant 2}", gold=[1, 0])   # -1.0; RRM, arXiv 2505.14674, section 3.2

Outputs are read by the parsers that evaluate them, so that a model is rewarded for what counts later: the last verdict,
nothing that is taken back or merely quoted, no tie. `gold` has one number a response, in the order shown, of which
exactly one is the highest; of a lone response 1 says that it has an error, 0 that it has none, as in the benchmarks.
Neither paper gives a reward for the format: an output without a verdict is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from judgescale.harness.judges.outcome import find_best, is_right
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.judges.prompt import PromptedJudge
from judgescale.harness.types import Item, JudgescaleError, Output

__all__ = ["make_openrlhf_reward", "make_trl_reward", "reward_grm", "reward_rrm"]

RIGHT, WRONG = 1.0, -1.0
# How a decoded answer ends: <|im_end|>, <｜end▁of▁sentence｜>, </s>, <eos>, <end_of_turn>, padding
END = re.compile(r"(?:\s|<[|｜][^<>|｜]{1,40}[|｜]>|</s>|<eos>|<pad>|<end_of_turn>)+\Z")


class Reward(Protocol):
    """Reward one output, as reward_grm and reward_rrm do."""

    def __call__(self, output: str, gold: Sequence[float], *, texts: Sequence[str] = ()) -> float:
        """Return +1 or -1."""


def reward_grm(
    output: str,
    gold: Sequence[float],
    *,
    texts: Sequence[str] = (),
    thinking: bool = False,
    scale: str = "1-10",
) -> float:
    r"""Reward scores, as in `\boxed{8, 5}`: +1 if the best response's is strictly the highest, -1 if not.

    A lone response is right or wrong by its score: in the upper half of the scale (6 and more of 1-10, 1 of 0-1) it
    has no error. texts: what the prompt quoted, the conversation's turns and the responses; a verdict that stands in
    one of them counts only where it closes the output. thinking: the chat template itself opens the thought.

    Raises JudgescaleError for a gold with no single best response.
    """
    return _reward(Pointwise(thinking=thinking, scale=scale), output, gold, texts)


def reward_rrm(output: str, gold: Sequence[float], *, texts: Sequence[str] = (), thinking: bool = False) -> float:
    r"""Reward a pick, `\boxed{Assistant 1}` or `\boxed{Assistant 2}`: +1 if it is the better response, -1 if not.

    texts, thinking: as of reward_grm. Raises JudgescaleError for a gold that is not of two responses, one the better.
    """
    if len(gold) != 2:
        raise JudgescaleError(f"gold={list(gold)}: RRM picks one of two responses; give two numbers")
    return _reward(Pairwise(thinking=thinking), output, gold, texts)


def _reward(judge: PromptedJudge, output: str, gold: Sequence[float], texts: Sequence[str]) -> float:
    """Reward an output of a judge."""
    if not gold or find_best(gold) is None:
        raise JudgescaleError(f"gold={list(gold)}: one response, and only one, must have the highest number")
    # the texts stand where the parser looks for what a judge may have quoted
    turns, responses = tuple(("user", text) for text in texts), tuple(map(str, range(len(gold))))
    item = Item(
        id="", prompt="", cluster="", responses=responses, gold=tuple(gold), conversation=turns, texts=("",) * len(gold)
    )
    reading = judge.read(item, tuple(range(len(gold))), (Output(output),))
    return RIGHT if is_right(reading.scores, gold) else WRONG


def make_trl_reward(reward: Callable[..., float] = reward_grm, **options: Any) -> Callable[..., list[float]]:
    """Make a reward function for TRL's GRPOTrainer: `reward_funcs=[make_trl_reward(reward_rrm, thinking=True)]`.

    Its data set has, besides `prompt`, a column `gold`, and may have `texts`; both are lists, in the order shown.
    options: those of the reward.
    """

    def reward_all(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        gold: Sequence[Sequence[float]] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Reward every completion, texts or lists of messages."""
        if gold is None:
            raise JudgescaleError("the data set has no column gold: one number a response, in the order shown")
        texts = columns.get("texts") or [()] * len(completions)
        return [
            reward(_read_text(completion), of_row, texts=of_texts or (), **options)
            for completion, of_row, of_texts in zip(completions, gold, texts, strict=True)
        ]

    reward_all.__name__ = getattr(reward, "__name__", "reward")  # TRL logs it by its name
    return reward_all


def make_openrlhf_reward(reward: Callable[..., float] = reward_grm, **options: Any) -> Callable[..., dict[str, Any]]:
    """Make the `reward_func` of a file for OpenRLHF's --reward.remote_url: `reward_func = make_openrlhf_reward()`.

    The column of --data.label_key holds gold as a list, or as JSON: `[1, 0]`, or `{"gold": [1, 0], "texts": […]}`.
    options: those of the reward.
    """

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
        """Reward every query, a prompt with the answer after it, as OpenRLHF decodes them."""
        import torch

        rows = zip(queries, prompts, labels, strict=True)
        found = [
            reward(_cut_answer(query, prompt), gold, texts=texts, **options)
            for query, prompt, (gold, texts) in ((query, prompt, _read_label(label)) for query, prompt, label in rows)
        ]
        rewards = torch.tensor(found)
        right = (rewards > 0).float()
        return {"rewards": rewards, "scores": right, "extra_logs": {"right": right}}

    return reward_func


def _read_text(completion: Any) -> str:
    """Return the text of a completion: itself, or what its last message says."""
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"] if completion else ""
    if not isinstance(content, str):
        raise JudgescaleError(f"a completion's content is {type(content).__name__}; a reward reads text")
    return content


def _cut_answer(query: str, prompt: str) -> str:
    """Return what follows the prompt in a query, without the tokens that end it."""
    _, found, answer = query.partition(prompt)
    if not found:
        raise JudgescaleError("a query does not contain its prompt, so that its answer cannot be told from it")
    return END.sub("", answer)


def _read_label(label: Any) -> tuple[Sequence[float], Sequence[str]]:
    """Return the gold and the texts of a label."""
    try:
        given = json.loads(label) if isinstance(label, str) else label
        found = given if isinstance(given, Mapping) else {"gold": given}
        return [float(value) for value in found["gold"]], [str(text) for text in found.get("texts", ())]
    except (ValueError, TypeError, KeyError):
        raise JudgescaleError(
            f"label {str(label)[:80]!r}: must be a number a response, in the order shown, as [1, 0]"
        ) from None
