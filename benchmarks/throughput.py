"""HTTP requests a second against a local server: python benchmarks/throughput.py [--requests N] [--inspect PYTHON].

The server answers after 20 ms from a process pinned to another core; every arm runs on one core with 64 requests in
flight. Arms take turns, each after a run of the bare loop; ratios to that run are what to compare, and the bare loop's
own ratio tells the noise. CPU is the client's processor time a request.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout too

IN_FLIGHT = 64
PROMPT = "Which of these two responses answers the question better? " + "word " * 200


async def in_flight(ask: Callable[[int], object], requests: int) -> None:
    """Awaits ask(0), ask(1), …, 64 at a time."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await ask(number)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def bare(url: str, requests: int) -> None:
    """What aiohttp can do: post, read, parse."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def ask(number: int) -> None:
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": f"{number} {PROMPT}"}],
                "temperature": 1.0,
                "max_tokens": 100,
                "seed": number,
            }
            async with session.post(f"{url}/chat/completions", json=body) as response:
                assert json.loads(await response.read())["choices"][0]["message"]["content"]

        await in_flight(ask, requests)


async def engine(url: str, requests: int, n: int) -> None:
    """judgescale.harness.engines.openai alone: nothing is stored or parsed."""
    from judgescale.harness.engines.openai import OpenAI
    from judgescale.harness.types import Request, Sampling

    sampling = Sampling(temperature=1.0, max_tokens=100)
    async with OpenAI(model="m", base_url=url, concurrency=IN_FLIGHT).open() as session:

        async def ask(number: int) -> None:
            seeds = range(number * n, number * n + n)
            async for _, output in session(Request((("user", f"{number} {PROMPT}"),)), sampling, seeds):
                assert output.text

        await in_flight(ask, requests)


def harness(url: str, requests: int, n: int) -> None:
    """A live run of voting@n end to end: prompts, store, parsing and progress bar; one request an item."""
    from rich.console import Console

    from judgescale.harness.engines.openai import OpenAI
    from judgescale.harness.judges.pairwise import Pairwise
    from judgescale.harness.live.buying import ModelSpec, Purchase, SpendingLimits, buy
    from judgescale.harness.strategies.voting import Voting
    from judgescale.harness.types import Item, Sampling
    from judgescale.harness.watching.display import show_on_terminal
    from judgescale.harness.watching.progress import Follower, Plan

    words = "word " * 60
    items = tuple(
        Item(
            id=f"{i}",
            prompt=f"{i}",
            cluster=f"{i}",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            subset="",
            conversation=(("user", f"{i}?"),),
            texts=(f"{words}a", f"{words}b"),
        )
        for i in range(requests)
    )
    spec = ModelSpec(OpenAI(model="m", base_url=url, concurrency=IN_FLIGHT), Sampling(temperature=1.0, max_tokens=100))
    purchase = Purchase(
        label="m",
        judge=Pairwise(),
        spec=spec,
        strategy=Voting(n),
        items=items,
        order="as_is",
        seed=0,
        strategy_seed=0,
        name="throughput",
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        show_on_terminal(Console(file=nowhere, force_terminal=True)) as show,
    ):
        follower = Follower([Plan("m", requests, requests * n)])
        limits = SpendingLimits(Path(folder) / "store.sqlite", max_failures=0)
        (bought,) = buy([purchase], limits, lambda meter: show(follower.look(meter)))
    assert len(bought.data.records) == requests * n


def lm_eval(url: str, requests: int) -> None:
    """lm-eval's API model with its own concurrency."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalChatCompletion

    model = LocalChatCompletion(
        base_url=f"{url}/chat/completions", model="m", num_concurrent=IN_FLIGHT, tokenizer_backend=None
    )
    options = {"temperature": 1.0, "max_gen_toks": 100, "until": []}
    prompts = [model.apply_chat_template([{"role": "user", "content": f"{i} {PROMPT}"}]) for i in range(requests)]
    asked = [Instance("generate_until", {}, (prompt, options), i) for i, prompt in enumerate(prompts)]
    assert all(model.generate_until(asked, disable_tqdm=True))


async def inspect(url: str, requests: int) -> None:
    """Inspect's OpenAI-compatible model, its own limit of connections raised to 64."""
    from inspect_ai.model import GenerateConfig, get_model

    config = GenerateConfig(max_connections=IN_FLIGHT, temperature=1.0, max_tokens=100)
    model = get_model("openai-api/local/m", base_url=url, api_key="none", config=config)

    async def ask(number: int) -> None:
        assert (await model.generate(f"{number} {PROMPT}")).completion

    await in_flight(ask, requests)


ARMS: dict[str, Callable[[str, int], object]] = {
    "bare aiohttp": bare,
    "engine, n=1": lambda url, requests: engine(url, requests, 1),
    "engine, n=16": lambda url, requests: engine(url, requests, 16),
    "harness, n=1": lambda url, requests: harness(url, requests, 1),
    "harness, n=16": lambda url, requests: harness(url, requests, 16),
    "lm-eval": lm_eval,
    "inspect": inspect,
}


def measure(arm: str, url: str, requests: int) -> tuple[float, float]:
    """Requests a second, and milliseconds of processor time a request."""
    start, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        running = ARMS[arm](url, requests)
        if asyncio.iscoroutine(running):
            asyncio.run(running)
    return requests / (time.perf_counter() - start), (time.process_time() - cpu) / requests * 1000


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def main() -> int:
    parser = argparse.ArgumentParser(description="requests a second against a local server")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--lm-eval", action="store_true", help="measure lm-eval's API model too (needs lm_eval)")
    parser.add_argument("--inspect", metavar="PYTHON", help="measure inspect_ai too, with the Python that has it")
    parser.add_argument("--arm", help=argparse.SUPPRESS)  # how the Python of --inspect is called
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    pin(0)
    if options.arm:
        measure(options.arm, options.url, IN_FLIGHT)  # imports and connects
        print(json.dumps(measure(options.arm, options.url, options.requests)))
        return 0
    arms = ["bare aiohttp", "engine, n=1", "engine, n=16", "harness, n=1", "harness, n=16"]
    arms += ["lm-eval"] if options.lm_eval else []
    arms += ["inspect"] if options.inspect else []
    command = [sys.executable, str(ROOT / "tests" / "faulty_server.py"), "--latency", str(options.latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: pin(1)) as server:
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            results = run(arms, url, options.requests, options.repeats, options.inspect)
        finally:
            server.terminate()
    setting = f"{IN_FLIGHT} in flight, {options.latency * 1000:g} ms; median of {options.repeats}"
    print(f"{options.requests} requests, {setting}\n")
    print(f"{'':14}{'requests/s':>12}{'to bare':>10}{'CPU ms':>9}{'answers/s':>12}")
    for arm in arms:
        rate, ratio, cpu = (statistics.median(values) for values in zip(*results[arm]))
        print(f"{arm:14}{rate:12.0f}{ratio:10.2f}{cpu:9.3f}{rate * (16 if arm.endswith('n=16') else 1):12.0f}")
    return 0


def run(arms: list[str], url: str, requests: int, repeats: int, python: str | None) -> dict[str, list[list[float]]]:
    """Of each arm and repeat: requests/s, their ratio to a bare run just before, CPU ms. A first round only imports."""

    def once(arm: str, count: int) -> tuple[float, float]:
        return elsewhere(str(python), arm, url, max(count // 10, 1)) if arm == "inspect" else measure(arm, url, count)

    results: dict[str, list[list[float]]] = {arm: [] for arm in arms}
    for repeat in range(repeats + 1):
        for arm in arms:
            base, _ = once("bare aiohttp", requests if repeat else IN_FLIGHT)
            rate, cpu = once(arm, requests if repeat else IN_FLIGHT)
            if repeat:
                results[arm].append([rate, rate / base, cpu])
    return results


def elsewhere(python: str, arm: str, url: str, requests: int) -> tuple[float, float]:
    """`measure` in another Python."""
    command = [python, __file__, "--arm", arm, "--url", url, "--requests", str(requests)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{python} cannot measure {arm}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    rate, cpu = json.loads(done.stdout.splitlines()[-1])
    return rate, cpu


if __name__ == "__main__":
    sys.exit(main())
