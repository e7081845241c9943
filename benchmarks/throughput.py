"""HTTP requests a second against a local server: python benchmarks/throughput.py [--lm-eval PYTHON] [--inspect PYTHON].

The server answers after 20 ms from a process pinned to another core; every arm runs on one core with 64 requests in
flight, in a process that imports it once. The arms take turns, each right after a run of the bare aiohttp loop; ratios
to that run are what to compare, and the bare loop's own ratio tells the noise. CPU is the client's processor time a
request. What is counted of an arm is all that it does from before its first request until it has all answers in hand:
of `harness` a whole `buy`, with the store opened, written and closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


async def bare(url: str, requests: int, n: int) -> None:
    """What aiohttp can do: post, read, parse."""
    import aiohttp

    samples = {"n": n} if n > 1 else {}

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def ask(number: int) -> None:
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": f"{number} {PROMPT}"}],
                "temperature": 1.0,
                "max_tokens": 100,
                "seed": number,
                **samples,
            }
            async with session.post(f"{url}/chat/completions", json=body) as response:
                assert len(json.loads(await response.read())["choices"]) == n

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
    assert len(bought.data.columns) == requests * n


def lm_eval(url: str, requests: int, n: int) -> None:
    """lm-eval's API model with its own concurrency; n samples are n requests, as its `repeats` asks for them."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalChatCompletion

    model = LocalChatCompletion(
        base_url=f"{url}/chat/completions", model="m", num_concurrent=IN_FLIGHT, tokenizer_backend=None
    )
    options = {"temperature": 1.0, "max_gen_toks": 100, "until": []}
    prompts = [model.apply_chat_template([{"role": "user", "content": f"{i // n} {PROMPT}"}]) for i in range(requests)]
    asked = [Instance("generate_until", {}, (prompt, options), i) for i, prompt in enumerate(prompts)]
    found = model.generate_until(asked, disable_tqdm=True)
    assert len(found) == requests and all(found)


async def inspect(url: str, requests: int, n: int) -> None:
    """Inspect's OpenAI-compatible model, its own limit of connections raised to 64; n samples by its `num_choices`."""
    from inspect_ai.model import GenerateConfig, get_model

    samples = {"num_choices": n} if n > 1 else {}
    config = GenerateConfig(max_connections=IN_FLIGHT, temperature=1.0, max_tokens=100, **samples)
    model = get_model("openai-api/local/m", base_url=url, api_key="none", config=config)

    async def ask(number: int) -> None:
        assert len((await model.generate(f"{number} {PROMPT}")).choices) == n

    await in_flight(ask, requests)


class Arm(NamedTuple):
    """What is measured: a function of the server's address, a number of HTTP requests, and n answers a prompt."""

    run: Callable[[str, int, int], object]
    n: int
    asked: str  # how the n answers are asked for
    tool: str = "judgescale"
    share: float = 1.0  # of the requests: a slow tool gets fewer

    @property
    def answers(self) -> int:
        """Answers a request."""
        return 1 if self.run is lm_eval else self.n


ARMS = {
    "bare aiohttp": Arm(bare, 1, ""),
    "bare, n=16": Arm(bare, 16, "n=16 in one request"),
    "engine, n=1": Arm(engine, 1, ""),
    "engine, n=16": Arm(engine, 16, "n=16 in one request"),
    "harness, n=1": Arm(harness, 1, "voting@1"),
    "harness, n=16": Arm(harness, 16, "voting@16: n=16 in one request"),
    "lm-eval, n=1": Arm(lm_eval, 1, "", "lm_eval"),
    "lm-eval, n=16": Arm(lm_eval, 16, "repeats: 16 requests", "lm_eval"),
    "inspect, n=1": Arm(inspect, 1, "", "inspect_ai", 0.1),
    "inspect, n=16": Arm(inspect, 16, "num_choices=16 in one request", "inspect_ai", 0.1),
}
INSTALL = {"lm_eval": 'pip install "lm-eval[api]"', "inspect_ai": "pip install inspect-ai openai"}
BASE = "bare aiohttp"


def measure(arm: str, url: str, requests: int) -> tuple[float, float]:
    """Requests a second, and milliseconds of processor time a request."""
    start, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        running = ARMS[arm].run(url, requests, ARMS[arm].n)
        if asyncio.iscoroutine(running):
            asyncio.run(running)
    return requests / (time.perf_counter() - start), (time.process_time() - cpu) / requests * 1000


def pin(core: int) -> None:
    """Keep this process on one core, where the system can and there are several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


@dataclass
class Client:
    """A process with one tool's Python, which measures what it is told to, one line of JSON each."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, python: str, url: str) -> Client:
        """Start it on the first core; nothing is imported yet."""
        command = [python, __file__, "--serve", url]
        return cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def measure(self, arm: str, requests: int) -> tuple[float, float]:
        """As `measure`. Raises RuntimeError, saying why, where that fails."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps([arm, requests]), file=self.process.stdin, flush=True)
        told = json.loads(self.process.stdout.readline() or '"it ended: see above"')
        if isinstance(told, str):
            raise RuntimeError(told)
        return told[0], told[1]


def serve(url: str) -> None:
    """Measure what the lines on stdin say, until they end."""
    sys.stdout, answers = sys.stderr, sys.stdout  # a tool may print
    for line in sys.stdin:
        arm, requests = json.loads(line)
        try:
            found: object = measure(arm, url, requests)
        except Exception as error:
            found = f"{type(error).__name__}: {error}".splitlines()[0]
        print(json.dumps(found), file=answers, flush=True)


def is_installed(python: str, module: str) -> bool:
    """Tell whether a Python has a module."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", look], capture_output=True).returncode == 0


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description="requests a second against a local server")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--lm-eval", metavar="PYTHON", default=sys.executable, help="a Python that has lm-eval")
    parser.add_argument("--inspect", metavar="PYTHON", default=sys.executable, help="a Python that has inspect_ai")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="measure only these")
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)  # how this script starts a tool's Python
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    pin(0)
    if options.serve:
        serve(options.serve)
        return 0
    pythons = {"judgescale": sys.executable, "lm_eval": options.lm_eval, "inspect_ai": options.inspect}
    if lost := [python for python in pythons.values() if not shutil.which(python)]:
        parser.error(f"{lost[0]}: no such program")
    tools = {ARMS[arm].tool for arm in options.arms}
    absent = {tool for tool in tools & INSTALL.keys() if not is_installed(pythons[tool], tool)}
    arms = [arm for arm in options.arms if ARMS[arm].tool not in absent]
    command = [sys.executable, str(ROOT / "tests" / "faulty_server.py"), "--latency", str(options.latency)]
    clients: dict[str, Client] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: pin(1)) as server:
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            clients = {tool: Client.start(pythons[tool], url) for tool in ("judgescale", *(tools - absent))}
            results, failed = run(arms, clients, options.requests, options.repeats)
        finally:
            for client in clients.values():
                client.process.terminate()
            server.terminate()
    setting = f"{IN_FLIGHT} in flight, {options.latency * 1000:g} ms; medians of {options.repeats}"
    print(f"{options.requests} requests, {setting}; ratios to the bare loop just before: least, median, most\n")
    print(f"{'':14}{'requests/s':>11}{'to bare':>18}{'CPU ms':>8}{'answers/s':>11}  asked by")
    for arm in options.arms:
        tool = ARMS[arm].tool
        if tool in absent:
            print(f"{arm:14} not installed in {pythons[tool]}: {INSTALL[tool]}")
        elif arm in failed:
            print(f"{arm:14} failed: {failed[arm]}")
        else:
            rates, ratios, cpus = (sorted(values) for values in zip(*results[arm]))
            rate, ratio, cpu = map(statistics.median, (rates, ratios, cpus))
            shown = f"{ratios[0]:.2f} {ratio:.2f} {ratios[-1]:.2f}"
            print(f"{arm:14}{rate:11.0f}{shown:>18}{cpu:8.3f}{rate * ARMS[arm].answers:11.0f}  {ARMS[arm].asked}")
    return 0


Results = dict[str, list[tuple[float, float, float]]]


def run(arms: list[str], clients: Mapping[str, Client], requests: int, repeats: int) -> tuple[Results, dict[str, str]]:
    """Return of each arm and repeat (requests/s, their ratio to a bare run just before, CPU ms), and why arms failed.

    A first round only imports and connects.
    """
    results: Results = {arm: [] for arm in arms}
    failed: dict[str, str] = {}
    for repeat in range(repeats + 1):
        for arm in arms:
            if arm in failed:
                continue
            count = max(int(requests * ARMS[arm].share), 1) if repeat else IN_FLIGHT
            base, _ = clients["judgescale"].measure(BASE, requests if repeat else IN_FLIGHT)
            try:
                rate, cpu = clients[ARMS[arm].tool].measure(arm, count)
            except (RuntimeError, OSError) as error:
                failed[arm] = str(error)
                continue
            if repeat:
                results[arm].append((rate, rate / base, cpu))
    return results, failed


if __name__ == "__main__":
    sys.exit(main())
