"""Tokens a second of a live run with engine=vllm against a bare LLM.chat(n=k).

python benchmarks/vllm_tokens.py MODEL [--prompts N] [--k K] [--tokens T] [--repeats R]

Every arm is a process with its own vLLM, started once. They take turns on the same prompts and the same sampling, every
answer has the same length (end-of-text is ignored), and each round starts with an empty prefix cache. The script exits
with 1 if the live run's median ratio to the bare loop is below 0.95.
"""

# not named vllm.py: a script's folder comes first on the import path, also in the processes that vLLM starts

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a checkout too

WORDS = "Which of these two responses answers the question better, the longer or the shorter one? "
SHARED: dict[str, Any] = {"max_model_len": 2048, "max_num_seqs": 64}
BATCH = {"max_num_batched_tokens": 4096}  # vLLM's defaults differ between LLM and AsyncLLM
Arm = Iterator[Callable[[], tuple[int, float]]]  # yields once: what runs a round, giving tokens written and seconds


def prompts(count: int, around: int) -> list[str]:
    """Texts about the same, about `around` words long, whose prefixes differ."""
    return [f"{i}. " + WORDS * (around // 16) for i in range(count)]


def bare(args: argparse.Namespace) -> Arm:
    """LLM.chat over all prompts at once, k samples each."""
    from vllm import LLM, SamplingParams
    from vllm.platforms import current_platform

    cpu = current_platform.is_cpu()
    llm = LLM(args.model, enforce_eager=cpu, enable_chunked_prefill=not cpu, disable_log_stats=True, **SHARED, **BATCH)
    seed = 0 if args.seeds else None
    sampling = SamplingParams(n=args.k, temperature=1.0, max_tokens=args.tokens, seed=seed, ignore_eos=True)
    chats = [[{"role": "user", "content": text}] for text in prompts(args.prompts, args.words)]

    def run() -> tuple[int, float]:
        llm.reset_prefix_cache()
        start = time.perf_counter()
        results = llm.chat(chats, sampling, use_tqdm=False)
        seconds = time.perf_counter() - start
        return sum(len(answer.token_ids) for result in results for answer in result.outputs), seconds

    try:
        yield run
    finally:
        llm.llm_engine.engine_core.shutdown()  # else this process waits for it for ever


def live(args: argparse.Namespace) -> Arm:
    """A live run of voting@k end to end: store, parsing and the counting behind the progress bar."""
    from judgescale.harness.contracts import Judge, Reading
    from judgescale.harness.engines.vllm import Vllm, VllmSession
    from judgescale.harness.live.buying import ModelSpec, Purchase, _run_purchases
    from judgescale.harness.live.meter import Meter
    from judgescale.harness.store import Store
    from judgescale.harness.strategies.voting import Voting
    from judgescale.harness.types import Item, Output, Request, Sampling

    class FixedLength(VllmSession):
        """Ignore end-of-text, because the arms must write equally much."""

        def _make_params(self, request: Request, sampling: Sampling, seed: int) -> Any:
            params = super()._make_params(request, sampling, seed)
            params.ignore_eos = True
            return params

    class Running(Vllm):
        """Hand out the session that is running, which stays up between rounds."""

        def open(self) -> contextlib.nullcontext[FixedLength]:  # type: ignore[override]
            return contextlib.nullcontext(session)

    class Plain(Judge):
        """Ask what the other arm asks."""

        format = "plain"

        def widths(self) -> tuple[int, int]:
            return (1, 1)

        def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
            return (Request((("user", item.prompt),)),)

        def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
            return Reading("ok", (1.0,))

    items = tuple(
        Item(id=text, prompt=text, cluster=text, responses=("r",), gold=(1.0,))
        for text in prompts(args.prompts, args.words)
    )
    sampling = Sampling(temperature=1.0, max_tokens=args.tokens)

    async def run_round() -> tuple[int, float]:
        await session._llm.reset_prefix_cache()
        purchase = Purchase(
            label="m",
            judge=Plain(),
            spec=ModelSpec(engine, sampling),
            strategy=Voting(args.k),
            items=items,
            order="as_is",
            seed=0,
            strategy_seed=0,
            name="benchmark",
        )
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
            meter, start = Meter(max_failures=0), time.perf_counter()
            await _run_purchases([purchase], store, meter, lambda _: None, [])
            return int(meter.tokens.completion), time.perf_counter() - start

    engine = Running(args.model, seed_requests=args.seeds, extra=BATCH, **SHARED)
    session = FixedLength(engine)
    with asyncio.Runner() as runner:
        try:
            runner.run(session.start())
            yield lambda: runner.run(run_round())
        finally:
            session.close()


ARMS: dict[str, Callable[[argparse.Namespace], Arm]] = {"LLM.chat": bare, "judgescale": live}


def serve(arm: str, args: argparse.Namespace, pipe: Connection) -> None:
    """An arm's process: one round for every message, until the message is None."""
    for run in ARMS[arm](args):
        pipe.send(run())  # warms up
        while pipe.recv() is not None:
            pipe.send(run())


def tokens_per_second(args: argparse.Namespace, arms: dict[str, Callable[..., Arm]]) -> dict[str, list[float]]:
    """Tokens a second of every arm in every round; the arms' turns are interleaved, their order turns round."""
    spawn = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    rates: dict[str, list[float]] = {arm: [] for arm in arms}
    try:
        for arm in arms:  # one after the other: loading two models at once disturbs both
            here, there = spawn.Pipe()
            spawn.Process(target=serve, args=(arm, args, there)).start()
            there.close()  # ours; with its own end the process takes the pipe along if it fails
            here.recv()
            pipes[arm] = here
        for i in range(args.repeats):
            for arm in list(arms)[:: -1 if i % 2 else 1]:
                pipes[arm].send(i)
                written, seconds = pipes[arm].recv()
                assert written == args.prompts * args.k * args.tokens, f"{arm} wrote {written} tokens"
                rates[arm].append(written / seconds)
    finally:
        for pipe in pipes.values():
            pipe.send(None)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder or a name on the hub")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--words", type=int, default=160, help="length of a prompt")
    parser.add_argument("--k", type=int, default=4, help="answers a prompt")
    parser.add_argument("--tokens", type=int, default=32, help="length of an answer")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", action=argparse.BooleanOptionalAction, default=True, help="a seed every request")
    args = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB; two engines share the memory
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    rates = tokens_per_second(args, ARMS)
    for arm, values in rates.items():
        print(f"{arm}: {statistics.median(values):.0f} tokens/s (from {min(values):.0f} to {max(values):.0f})")
    ratio = statistics.median(e / b for e, b in zip(rates["judgescale"], rates["LLM.chat"], strict=True))
    print(f"judgescale / LLM.chat: {ratio:.3f}, median of {args.repeats} rounds")
    sys.exit(ratio < 0.95)


if __name__ == "__main__":
    main()
