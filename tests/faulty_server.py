"""An OpenAI-compatible server on loopback that goes wrong as asked.

    with FaultyServer(faults={"429": 0.1, "reset": 0.05}, answer=lambda messages, seed: "A") as server:
        ...  # server.url, server.requests, server.log, server.prompts, server.peak

`python -m tests.faulty_server --latency 0.02` serves until it is stopped, without faults and without a log.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gzip
import json
import math
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

FAULTS = (  # what may happen to a request instead of its answer
    "429",  # with Retry-After
    "500",
    "503",  # with Retry-After
    "400",  # "prompt too long"
    "timeout",  # never answers
    "reset",  # the connection is cut before any answer
    "cut",  # … in the middle of one
    "bad_json",  # half of the answer, as if it were whole
    "wrong_types",  # JSON of another shape
    "empty",  # null content
    "fewer",  # one answer less than n, where n > 1
    "more",  # one answer more than n
    "n_refused",  # 400 where n > 1
    "408",
    "502",
    "retry_nonsense",  # 429 with a Retry-After that is neither seconds nor a date
    "html",  # a proxy's page, with status 200
    "error_200",  # an error object, with status 200
    "null_json",
    "no_choices",
    "unknown_finish",
    "bad_utf8",
    "deep",  # JSON nested 100,000 deep
    "bad_gzip",  # said to be gzip, and is not
    "huge",  # 64 MB of text
    "bomb",  # 64 MB of text, packed into 64 kB
    # what follows is an answer that must not be thrown away
    "packed",  # gzip
    "slow",  # byte by byte
    "no_usage",
    "zero_usage",
    "nan_usage",
    "negative_usage",
    "text_usage",
    "float_usage",
    "cached_over",  # more cached tokens than there are
    "float_index",
    "same_index",
    "parts",  # content as a list
    "refusal",
    "content_filter",
    "length",
    "escapes",  # control characters before the answer
)
USAGES: Mapping[str, Any] = {
    "no_usage": None,
    "zero_usage": {"prompt_tokens": 0, "completion_tokens": 0},
    "nan_usage": {"prompt_tokens": math.nan, "completion_tokens": math.inf},
    "negative_usage": {"prompt_tokens": -5, "completion_tokens": -7},
    "text_usage": "many",
    "float_usage": {"prompt_tokens": 12.0, "completion_tokens": 3.0},
    "cached_over": {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 10**6},
    },
}
BODIES: Mapping[str, bytes] = {  # whole replies
    "wrong_types": b'{"choices": [{"index": "first", "message": ["no"], "finish_reason": 7}], "usage": "none"}',
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "error_200": b'{"error": {"message": "overloaded"}}',
    "null_json": b"null",
    "no_choices": b'{"choices": [], "usage": {}}',
    "bad_utf8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    "deep": b"[" * 100_000,
}
HUGE = 2**26  # characters of an answer that nobody wants


@dataclass(frozen=True)
class Entry:
    """One request as it arrived: when (time.monotonic), what became of it ("" = answered), its JSON and headers."""

    at: float
    fault: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@contextmanager
def nobody() -> Iterator[str]:
    """The address of a server that is not there; the port is held meanwhile, so that no other server gets it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@dataclass
class FaultyServer:
    """Runs in a thread of its own between __enter__ and __exit__.

    faults: name to the share of requests it befalls; which ones depends on seed, prompt and how often it was asked.
    answer(messages, seed) writes the text; the i-th of n samples gets seed + i. latency in seconds. With a `key`,
    other keys get 401.
    """

    faults: Mapping[str, float] = field(default_factory=dict)
    latency: float = 0.0
    seed: int = 0
    answer: Callable[[Sequence[Mapping[str, str]], int], str] = lambda messages, seed: f"answer {seed}"
    retry_after: str = "0.2"
    key: str | None = None
    score: Callable[[Sequence[Mapping[str, str]]], Sequence[float]] = lambda messages: [0.5]
    port: int = 0  # 0 = given by the system
    models: Sequence[str] = ("served-model",)
    root: str | None = None  # where the first model's weights come from, as vLLM tells
    log: list[Entry] = field(default_factory=list)
    prompts: Counter[str] = field(default_factory=Counter)  # requests for each prompt, its messages as JSON
    peak: int = 0  # most requests in flight at once

    def __post_init__(self) -> None:
        if unknown := set(self.faults) - set(FAULTS):
            raise ValueError(f"no such faults: {sorted(unknown)}")
        self._busy = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> int:
        return len(self.log)

    def seen(self, fault: str) -> int:
        """How many requests met this fault."""
        return sum(entry.fault == fault for entry in self.log)

    def __enter__(self) -> FaultyServer:
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()
        if not self.port:
            raise RuntimeError("the server did not start: its thread's traceback is above")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()  # also where it could not start
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/classify", self._classify)
        app.router.add_get("/v1/models", self._models)
        self.add_routes(app)
        self._stop = asyncio.Event()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def add_routes(self, app: web.Application) -> None:
        """Serve more than chat completions."""

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self._busy += 1
        self.peak = max(self.peak, self._busy)
        try:
            return await self._reply(request, body, self._fault(request, body))
        finally:
            self._busy -= 1

    def _fault(self, request: web.Request, body: Mapping[str, Any]) -> str:
        """What befalls this request, "" for nothing; also puts it on the log."""
        prompt = json.dumps(body["messages"])
        draw = random.Random(f"{self.seed} {prompt} {body.get('seed')} {self.prompts[prompt]}").random()
        self.prompts[prompt] += 1
        happens = ""
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            happens = "401"
        else:
            for name, share in self.faults.items():
                if 0 <= draw < share and (name not in ("fewer", "n_refused") or body.get("n", 1) > 1):
                    happens = name
                draw -= share
        self.log.append(Entry(time.monotonic(), happens, body, dict(request.headers)))
        return happens

    async def _reply(self, request: web.Request, body: Mapping[str, Any], fault: str) -> web.StreamResponse:
        if fault == "timeout":
            await self._stop.wait()
        await asyncio.sleep(self.latency)
        if fault == "reset":
            request.transport.abort()
        if fault in ("400", "401", "408", "429", "500", "502", "503", "n_refused", "retry_nonsense"):
            status = {"n_refused": 400, "retry_nonsense": 429}.get(fault) or int(fault)
            message = "n must be 1" if fault == "n_refused" else f"injected {fault}"
            wait = {"Retry-After": self.retry_after} if fault in ("429", "503") else {}
            if fault == "retry_nonsense":
                wait = {"Retry-After": "soon, -1"}
            return web.json_response({"error": {"message": message}}, status=status, headers=wait)
        n = body.get("n", 1) + {"fewer": -1, "more": 1}.get(fault, 0)
        told = completion(body, n, self.answer, null=fault == "empty")
        spoil(told, fault)
        reply = BODIES.get(fault) or (make_huge_reply() if fault == "huge" else json.dumps(told).encode())
        if fault in ("packed", "bomb", "bad_gzip"):
            packed = pack_huge_reply() if fault == "bomb" else gzip.compress(reply) if fault == "packed" else reply
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")
        if fault == "slow":
            response = web.StreamResponse(headers={"Content-Length": str(len(reply))})
            await response.prepare(request)
            for i in range(0, len(reply), 1 + len(reply) // 20):
                await response.write(reply[i : i + 1 + len(reply) // 20])
                await asyncio.sleep(0.002)
            return response
        if fault == "cut":
            response = web.StreamResponse(headers={"Content-Length": str(len(reply))})
            await response.prepare(request)
            await response.write(reply[: len(reply) // 2])
            request.transport.abort()
            return response
        if fault == "bad_json":
            reply = reply[: len(reply) // 2]
        return web.Response(body=reply, content_type="application/json")

    async def _classify(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self._fault(request, body)
        values = list(self.score(body["messages"]))
        data = [{"index": 0, "label": None, "probs": values, "num_classes": len(values)}]
        return web.json_response({"data": data, "usage": {"prompt_tokens": _tokens(body["messages"])}})

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name, "root": self.root} for name in self.models]})


def completion(body: Mapping[str, Any], n: int, answer: Callable[[Any, int], str], null: bool = False) -> Any:
    """A chat completion of n choices, a token a word; it ends where the request says."""
    messages, seed = body["messages"], body.get("seed", 0)
    said = [end_text(body, None if null else answer(messages, seed + i)) for i in range(n)]
    texts = [text for text, _ in said]
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
        for i, (text, reason) in enumerate(said)
    ]
    written = sum(len((text or "").split()) for text in texts)
    read = _tokens(messages)
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": choices,
        "usage": usage,
    }


def end_text(body: Mapping[str, Any], text: str | None) -> tuple[str | None, str]:
    """A text up to a stop string, which is left out, or to the limit of its tokens; and which of these ended it."""
    if text is None:
        return None, "stop"
    for stop in body.get("stop") or ():
        text = text.partition(stop)[0]
    words = re.findall(r"\s*\S+", text)
    most = body.get("max_tokens", math.inf)
    return (text, "stop") if len(words) <= most else ("".join(words[:most]), "length")


@functools.cache
def make_huge_reply() -> bytes:
    choice = {"index": 0, "message": {"content": "x" * HUGE}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice]}).encode()


@functools.cache
def pack_huge_reply() -> bytes:
    return gzip.compress(make_huge_reply())


def spoil(told: dict[str, Any], fault: str) -> None:
    """Change a completion as the fault wants it."""
    if fault in USAGES:
        told["usage"] = USAGES[fault]
    for choice in told["choices"]:
        message = choice["message"]
        if fault in ("float_index", "same_index"):
            choice["index"] = float(choice["index"]) if fault == "float_index" else 0
        elif fault == "parts":
            message["content"] = [
                {"type": "thinking", "text": "hm"},
                {"type": "text", "text": message["content"][:3]},
                {"type": "text", "text": message["content"][3:]},
            ]
        elif fault == "refusal":
            message |= {"refusal": "I will not.", "content": None}
        elif fault in ("content_filter", "length"):
            choice["finish_reason"] = fault
        elif fault == "unknown_finish":
            choice["finish_reason"] = "eaten"
        elif fault == "escapes":
            message["content"] = "\x1b]0;owned\x07\u202e\x00" + message["content"]


def _tokens(messages: Sequence[Mapping[str, str]]) -> int:
    return sum(len(message["content"].split()) for message in messages)


class Bench(asyncio.Protocol):
    """HTTP/1.1 as far as a benchmark's clients need it: a web framework would be slower than they are."""

    def __init__(self, latency: float, replies: Callable[[int], bytes]):
        self.latency, self.replies, self.data = latency, replies, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"content-length: *(\d+)", self.data[:end], re.I)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.data) < size:
                return
            n = re.search(rb'"n": ?(\d+)', self.data[end:size])
            self.data = self.data[size:]
            reply = self.replies(int(n[1]) if n else 1)
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, reply)


async def bench(latency: float, port: int, words: int) -> None:
    """Answers `words` words after a fixed latency; the bytes are made once for each n."""

    @functools.cache
    def reply(n: int) -> bytes:
        asked = {"model": "m", "messages": [{"role": "user", "content": "word"}]}
        body = json.dumps(completion(asked, n, lambda messages, seed: "word " * words)).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    server = await asyncio.get_running_loop().create_server(lambda: Bench(latency, reply), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a local server with a fixed latency")
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--words", type=int, default=50, help="length of an answer")
    options = parser.parse_args()
    asyncio.run(bench(options.latency, options.port, options.words))
