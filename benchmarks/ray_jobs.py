"""CPU time of a row through engine=ray, beside engine=openai: python benchmarks/ray_jobs.py [--rows N] [--batch N].

A local server answers after 20 ms, 64 requests in flight, two workers. CPU time counts the run's own process, and all
processes of Ray's (looked at every 0.15 s, so a little of those that end is missed). Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout too

TICKS = os.sysconf("SC_CLK_TCK")
PROMPT = "Which of these two responses answers the question better? " + "word " * 300


class Watch(threading.Thread):
    """Add up the CPU seconds of every process of a session, also of those that have ended."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.seconds: dict[tuple[str, str], float] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Read what every process of the session has used, until the end."""
        while not self.ended.wait(0.15):
            for entry in Path("/proc").glob("[0-9]*/stat"):
                with contextlib.suppress(OSError, LookupError):
                    fields = entry.read_text().rpartition(")")[2].split()
                    if int(fields[3]) == self.session:
                        used = (int(fields[11]) + int(fields[12])) / TICKS
                        self.seconds[entry.parent.name, fields[19]] = used


async def measure(engine: Any, rows: int) -> None:
    """Ask for all rows at once, twice, and print what each took."""
    from judgescale.harness.types import Request, Sampling

    async with engine.open() as session:
        watch = Watch(session._jobs.process.pid) if engine.name == "ray" else None
        if watch:
            watch.start()

        async def ask(number: int) -> None:
            """Ask for one answer."""
            request = Request((("user", f"{number} {PROMPT}"),))
            assert [output.finish async for _, output in session(request, Sampling(1.0), (number,))] == ["stop"]

        for part in ("first", "second"):
            before, own, start = sum(watch.seconds.values()) if watch else 0.0, time.thread_time(), time.perf_counter()
            await asyncio.gather(*(ask(number) for number in range(rows)))
            took, own = time.perf_counter() - start, time.thread_time() - own
            await asyncio.sleep(0.5)
            ray = sum(watch.seconds.values()) - before if watch else 0.0
            told = f"{1e3 * own / rows:.3f} ms own, {1e3 * ray / rows:.3f} ms Ray's, {rows / took:.0f} rows/s"
            print(f"{engine.name}, {part} {rows} rows: {told}", flush=True)
        if watch:
            watch.ended.set()


def main() -> None:
    """Measure both engines against one server."""
    from judgescale.harness.engines.openai import OpenAI
    from judgescale.harness.engines.ray import Ray

    parser = argparse.ArgumentParser(description="CPU time of a row through engine=ray")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.faulty_server", "--latency", "0.02"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    url = server.stdout.readline().strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            shape = {"chunk": options.rows, "batch_size": options.batch, "wait": 1.0}
            made = Ray("m", base_url=url, concurrency=64, **shape).log_to(Path(folder))
            asyncio.run(measure(made, options.rows))
        asyncio.run(measure(OpenAI("m", base_url=url, concurrency=64), options.rows))
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
