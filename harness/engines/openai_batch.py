"""Requests as lines of OpenAI's batch files, and the answers to them; `vllm run-batch` takes and writes the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judgescale.harness.engines.openai_replies import Fault, keep_n, read_completions, read_error
from judgescale.harness.engines.openai_requests import (
    REJECTED,
    find_wrapped_pattern,
    is_about_n,
    write_head,
    write_tail,
)
from judgescale.harness.types import Output, Request, Sampling

if TYPE_CHECKING:
    from judgescale.harness.engines.openai import OpenAI


@dataclass
class OpenAILines:
    """Write the very bodies that the engine would send, and read the very replies (contracts.BatchLines)."""

    options: OpenAI
    most: int  # samples of one prompt in a line; 1 once a server refused more

    @property
    def address(self) -> str:
        """Return the address of the (first) server."""
        return self.options.parse_urls()[0].geturl()

    @property
    def key_variable(self) -> str:
        """Return the name of the environment variable that holds the key."""
        return self.options.api_key_env

    @property
    def share(self) -> float | None:
        """Return which share of the price a batch costs."""
        return self.options.batch_price

    def write(self, request: Request, sampling: Sampling, seed: int, n: int) -> str:
        """Write the body of a line that asks for n samples."""
        return write_head(self.options, request, sampling) + write_tail(self.options, seed, n)

    def read(self, request: Request, n: int, status: int, reply: Any) -> list[Output]:
        """Read the answers to a line that asked for n samples."""
        if status == 200:
            try:
                outputs = read_completions(reply, request.labels, find_wrapped_pattern(self.options, request), None)
            except Fault as fault:
                raise ValueError(str(fault)) from None
            return keep_n(outputs, n)
        message, about = read_error(json.dumps(reply).encode())
        told = f"{status} {message}" if status else message
        if status not in REJECTED:
            raise ValueError(told)
        if n > 1 and self.options.many == "auto" and is_about_n(message, about):
            self.most = 1
            raise ValueError(f"{told}: its samples are asked for one by one")
        return [Output(finish="failed", error=told)] * n
