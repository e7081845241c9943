"""Engine `openai`: any server of OpenAI's chat-completions protocol (vLLM, SGLang, llama.cpp, OpenAI, DeepSeek, …).

Scalar heads are asked through vLLM's `/classify` (chat messages in, raw logits out), the only such protocol documented.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import functools
import json
import math
import os
import re
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from judgescale.harness.contracts import Engine, EngineSession, Faults
from judgescale.harness.engines import thoughts
from judgescale.harness.engines.openai_batch import OpenAILines
from judgescale.harness.engines.openai_replies import (
    Fault,
    keep_n,
    parse_reply,
    read_completions,
    read_error,
    read_scores,
)
from judgescale.harness.engines.openai_requests import (
    REJECTED,
    find_wrapped_pattern,
    is_about_n,
    write_head,
    write_tail,
)
from judgescale.harness.errors import write_install
from judgescale.harness.redaction import is_variable
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

MENDABLE = (408, 409, 425, 429)  # another attempt may succeed, as after any 5xx
LONGEST_WAIT = 60.0  # seconds between two attempts, unless the server asks for more
PATIENCE = 900.0  # seconds; a server that asks for a longer wait ends the run
START_RETRIES = 3  # before the server has ever answered: about 10 s, then it was probably not started
SHORT_REPLIES = 3  # in a row with fewer than n answers; after these, n is no longer sent
REPLIES_HELD = 8  # times max_reply_bytes that all replies in flight may take
READ_STEP = 2**16  # bytes unpacked at once
OUT_OF_ORDER = ("timeout", "reset", "500", "502", "503", "504")  # faults of a server, and not of what it was asked
OWN_FIELDS = ("model", "messages", "n", "seed", "stream")
Read = Callable[[Any, float], list[Output]]  # reads the outputs of a parsed reply that took so many seconds


class Rejected(Exception):
    """Report that a request cannot be answered; `of_n` where the server refuses several samples of one prompt."""

    def __init__(self, message: str, of_n: bool = False):
        super().__init__(message)
        self.of_n = of_n


UNREADABLE = (OSError, TimeoutError, zlib.error, Fault, Rejected, LookupError, TypeError)


@dataclass(frozen=True)
class OpenAI(Engine):
    """Ask for chat completions over HTTP. conf/engine/openai.yaml describes the options."""

    name: ClassVar[str] = "openai"

    base_url: str | Sequence[str] = "http://localhost:8000/v1"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 64
    requests_per_minute: float | None = None
    timeout: float = 600.0
    retries: int = field(default=6, metadata={"least": 0})
    backoff: float = 0.5
    many: str | bool = "auto"
    max_n: int = 128
    max_reply_bytes: int = 2**25
    constrain: str = "none"
    seed: bool = True
    max_tokens_field: str = "max_tokens"
    thinking_field: str | None = None
    continue_thoughts: bool = False
    end_of_thought: str = thoughts.ENDED_ITSELF
    extra_body: Mapping[str, Any] | None = None
    provider: str | None = None
    batch_price: float | None = None

    def __post_init__(self) -> None:
        for name, choice, allowed in (
            ("many", self.many, ("auto", True, False)),
            ("constrain", self.constrain, ("none", "structured_outputs", "json_schema")),
            ("max_tokens_field", self.max_tokens_field, ("max_tokens", "max_completion_tokens")),
            ("continue_thoughts", self.continue_thoughts, (True, False)),
        ):
            if choice not in allowed:
                raise JudgescaleError(f"engine.{name}={choice}: choose one of {', '.join(map(str, allowed)).lower()}")
        for name, value, none in (
            ("timeout", self.timeout, ""),
            ("backoff", self.backoff, ""),
            ("requests_per_minute", self.requests_per_minute, ", or null for no limit"),
        ):
            if not (isinstance(value, int | float) and 0 < value < math.inf or value is None and none):
                raise JudgescaleError(f"engine.{name}={value}: must be a number above 0{none}")
        share = self.batch_price
        if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
            raise JudgescaleError(f"engine.batch_price={share}: a share of the price lies between 0 and 1")
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", str(self.api_key_env)):  # not shown: it may be the key
            raise JudgescaleError("engine.api_key_env: give the name of the variable that holds the key, not the key")
        if self.thinking_field and self.continue_thoughts:
            raise JudgescaleError(
                "engine.thinking_field and engine.continue_thoughts: either the server ends a thought, or the harness"
            )
        if thoughts.CLOSE not in str(self.end_of_thought):
            raise JudgescaleError(f"engine.end_of_thought: must hold {thoughts.CLOSE}, after which the model answers")
        if not isinstance(self.extra_body, Mapping | None):
            raise JudgescaleError(f"engine.extra_body={self.extra_body}: fields and their values, e.g. {{top_k: 20}}")
        try:
            json.dumps(self.extra_body, allow_nan=False)
        except (ValueError, TypeError, RecursionError):  # NaN, infinities, objects: no server could read the request
            raise JudgescaleError("engine.extra_body: takes what JSON can say, and no NaN or infinity") from None
        for key in ("temperature", "top_p"):
            value = (self.extra_body or {}).get(key)
            if value is not None and (not isinstance(value, int | float) or isinstance(value, bool) or value < 0):
                raise JudgescaleError(f"engine.extra_body.{key}={value}: must be a number, 0 or more, or null")
        if own := [key for key in OWN_FIELDS if key in (self.extra_body or {})]:
            raise JudgescaleError(f"engine.extra_body.{own[0]}: the harness sets this field itself")
        if not self.parse_urls():
            raise JudgescaleError("engine.base_url is empty: give the server's address, e.g. http://localhost:8000/v1")

    def parse_urls(self) -> list[SplitResult]:
        """Parse the address of each server. Raises JudgescaleError for one that cannot be used."""
        urls = self.base_url if isinstance(self.base_url, list | tuple) else [self.base_url]
        return [_parse_url(str(url)) for url in urls]

    @property
    def window(self) -> int:
        """Return how many HTTP requests may be in flight."""
        return self.concurrency

    def identity(self) -> Mapping[str, Any]:
        """Return the provider (by default the first server's address) and the options that change what is asked."""
        first = self.parse_urls()[0]  # with its port: on one machine, the port tells servers of different models apart
        return {
            "name": self.name,
            "provider": self.provider or _name_server(first),
            "constrain": self.constrain,
            "max_tokens_field": self.max_tokens_field,
            "thinking_field": self.thinking_field,
            "extra_body": dict(self.extra_body or {}),
            **({"end_of_thought": self.end_of_thought} if self.continue_thoughts else {}),  # it came later
        }

    @property
    def asks_twice(self) -> bool:
        """Tell whether the harness ends thoughts, and not the server."""
        return self.continue_thoughts

    def check_thinking_budget(self) -> None:
        """Ask who ends a thought: the server, or the harness."""
        if self.thinking_field is None and not self.continue_thoughts:
            raise JudgescaleError(
                "judge.thinking_budget: servers call this limit differently; name it with engine.thinking_field (vLLM:"
                " thinking_token_budget), or set engine.continue_thoughts=true where a server can continue an answer"
            )

    def make_batch_lines(self) -> OpenAILines | None:
        """Return how it is asked through batch files; a scalar head is not.

        Raises JudgescaleError where an answer takes two requests.
        """
        if self.continue_thoughts:
            raise JudgescaleError(
                "engine.continue_thoughts asks twice for an answer, and run.batch once: name the server's own limit"
                " with engine.thinking_field, or leave run.batch"
            )
        return OpenAILines(self, self.max_n if self.many is not False else 1) if self.kind == "text" else None

    def stop_sending(self, session: EngineSession) -> None:
        """Send nothing any more, no retries either."""
        assert isinstance(session, OpenAISession)
        session.stop_sending()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenAISession]:
        """Open an HTTP session; nothing is sent before the first request.

        Raises JudgescaleError where a package is missing or the key cannot be one.
        """
        async with self.connect(self.read_key()) as session:
            yield session

    @asynccontextmanager
    async def connect(self, key: str) -> AsyncIterator[OpenAISession]:
        """Open an HTTP session that sends this key, or none. Raises JudgescaleError where a package is missing."""
        try:
            import aiohttp
            import tenacity  # noqa: F401  # only used after the first fault, but it should not be missing then
        except ImportError as error:
            raise JudgescaleError(f"engine={self.name} needs {error.name}: {write_install('openai')}") from error
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        async with aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0),  # the session's own slots are the limit
            timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=10),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # _read_body unpacks
        ) as http:
            yield OpenAISession(self, http, key)

    def read_key(self) -> str:
        """Read the key, "" for none. Raises JudgescaleError where it cannot be one."""
        if self.api_key_env not in os.environ and self.api_key_env != type(self).api_key_env:
            named = f"={self.api_key_env}" if is_variable(self.api_key_env) else ""  # else it may be the key
            raise JudgescaleError(f"engine.api_key_env{named}: this environment variable is not set; set it to the key")
        key = os.environ.get(self.api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise JudgescaleError(f"${self.api_key_env} holds characters that no key has: set it again")
        return key


@dataclass
class Endpoint:
    """Track one server: what is in flight there, and until when it must be left alone."""

    url: SplitResult
    busy: int = 0
    rest_until: float = 0.0  # what it asked for itself, in the event loop's time
    down_until: float = 0.0  # … and while it is out of order
    next_turn: float = 0.0  # … and when requests_per_minute allows the next request
    down: int = 0  # how many times in a row it could not be reached, or failed
    serves: str | None = None  # the model, as far as it tells; None = it was not asked yet

    def rest_when_down(self, now: float, backoff: float) -> None:
        """Leave a server that is out of order alone for a while, longer each time.

        Without this, the least busy of several servers would always be the dead one. Requests that fail while the
        server rests are counted once.
        """
        if not self.down or now >= self.down_until:
            self.down_until = max(self.down_until, now + min(backoff * 2 ** min(self.down, 16), LONGEST_WAIT))
            self.down += 1

    def get_well(self) -> None:
        """Note that it answered."""
        self.down, self.down_until = 0, 0.0

    @property
    def free_at(self) -> float:
        """Return from when on it may be asked."""
        return max(self.rest_until, self.down_until, self.next_turn)

    def draw(self, prompt: int) -> int:
        """Draw a number for a prompt: of servers equally busy, the same one gets it again, and has it in its cache."""
        return zlib.crc32(self.url.netloc.encode(), prompt)

    @property
    def shown(self) -> str:
        """Return the address as error messages show it."""
        return f"{self.url.scheme}://{self.url.netloc}{self.url.path}"


class OpenAISession:
    """Send requests to the servers, and retry, pace and count what goes wrong.

    An `Output`'s completion_tokens: a server tells only the sum over the n samples of a reply. It is split evenly (the
    first samples get the remainder), unless log-probabilities were asked for, of which there is one a token. llama.cpp
    tells only the first sample's. Samples after the first of a reply are `shared`, and their whole prompt counts as
    cached.
    """

    def __init__(self, options: OpenAI, http: Any, key: str) -> None:
        self.faults = Faults()
        self._options = options
        self._http = http  # an aiohttp.ClientSession
        self._key = key
        self._endpoints = [Endpoint(url) for url in options.parse_urls()]
        self._slots = asyncio.Semaphore(options.concurrency)
        self._met = False  # whether any server has ever answered
        self._many = options.many is not False  # whether several samples are asked for in one request
        self._short = 0  # replies in a row with fewer than n answers
        self._held = 0  # bytes of the replies that are being read
        self._stopping = asyncio.Event()  # set: nothing is sent any more
        self._compared = False  # whether what several servers serve was held against each other
        self._comparing = asyncio.Lock()

    def stop_sending(self) -> None:
        """Send nothing any more, neither retries nor what waits for its turn; what is in flight may still come."""
        self._stopping.set()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed. Up to max_n seeds go into one HTTP request; a continued answer takes two."""
        if sampling.thinking_budget is not None and self._options.continue_thoughts:
            async with contextlib.aclosing(self._think_and_answer_all(request, sampling, seeds)) as answers:
                async for answer in answers:
                    yield answer
            return
        head = write_head(self._options, request, sampling)
        waiting = self._split_into_groups(range(len(seeds)), request)
        tasks: set[asyncio.Task[tuple[Sequence[int], list[Output]]]] = set()
        try:
            while waiting or tasks:
                if len(waiting) == 1 and not tasks:  # the common case needs no task
                    replies = [await self._ask_group(request, head, seeds, waiting.pop())]
                else:
                    tasks |= {asyncio.create_task(self._ask_group(request, head, seeds, group)) for group in waiting}
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    waiting, replies = [], [task.result() for task in done]
                    tasks -= done
                for group, outputs in replies:
                    # where too few came, ask again for the others
                    waiting += self._split_into_groups(group[len(outputs) :], request)
                    for index, output in zip(group, outputs):
                        yield index, output
        finally:
            if tasks:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _split_into_groups(self, indices: Sequence[int], request: Request) -> list[Sequence[int]]:
        """Split indices into seeds into groups, each for one HTTP request."""
        if request.kind == "score":  # nothing is sampled: one number serves all
            return [indices] if indices else []
        size = self._options.max_n if self._many else 1
        return [indices[i : i + size] for i in range(0, len(indices), size)]

    async def _ask_group(
        self, request: Request, head: str, seeds: Sequence[int], group: Sequence[int]
    ) -> tuple[Sequence[int], list[Output]]:
        """Return the group and its answers: fewer where the server gave fewer, none where it refused n."""
        n = len(group)
        try:
            if request.kind == "score":
                (score,) = await self._send("classify", head, "}", read_scores)
                again = score._replace(shared=True, cached_tokens=score.prompt_tokens)
                return group, [score] + [again] * (n - 1)
            outputs = await self._complete(request, head, seeds[group[0]], n)
        except Rejected as rejected:
            if n > 1 and rejected.of_n and self._options.many == "auto":
                self._many = False
                return group, []
            return group, [Output(finish="failed", error=str(rejected))] * n
        if empty := sum(output.text == "" and output.finish == "stop" for output in outputs):
            self.faults["empty"] += empty
        if n > 1:
            self._short = self._short + 1 if len(outputs) < n else 0
            if self._short >= SHORT_REPLIES and self._options.many == "auto":
                self._many = False
        return group, outputs

    async def _complete(self, request: Request, head: str, seed: int, n: int = 1) -> list[Output]:
        """Return the answers of one chat completion, n at most. Raises Rejected where none can be had."""

        def read(reply: Any, seconds: float) -> list[Output]:
            return read_completions(reply, request.labels, find_wrapped_pattern(self._options, request), seconds)

        outputs = await self._send("chat/completions", head, write_tail(self._options, seed, n), read)
        if len(outputs) != n:
            self.faults["wrong_n"] += 1
        return keep_n(outputs, n)

    async def _think_and_answer_all(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncGenerator[tuple[int, Output]]:
        """Yield a continued answer for every seed, as (index into seeds, answer), each as soon as it is there."""

        async def one(index: int) -> tuple[int, Output]:
            """Return the answer for one seed, with its index."""
            return index, await self._think_and_answer(request, sampling, seeds[index])

        answers = [asyncio.create_task(one(index)) for index in range(len(seeds))]
        try:
            for answer in asyncio.as_completed(answers):
                yield await answer
        finally:
            for task in answers:
                task.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

    async def _think_and_answer(self, request: Request, sampling: Sampling, seed: int) -> Output:
        """Ask for a thought as long as the budget allows, close it, and ask for what follows; both are one answer.

        Raises JudgescaleError where the server's chat template does not keep the thought.
        """
        budget = sampling.thinking_budget or 0
        thinking = replace(request, pattern=None, labels=())
        head = write_head(self._options, thinking, replace(sampling, max_tokens=budget), {"stop": [thoughts.CLOSE]})
        try:
            first = (await self._complete(thinking, head, seed))[0]
        except Rejected as rejected:
            return Output(finish="failed", error=str(rejected))
        if first.finish == "refused":
            return first
        begun = thoughts.close_thought(first, self._options.end_of_thought)
        if begun.whole:
            return first._replace(text=begun.text, reasoning=None)
        written = budget if begun.written is None else begun.written
        messages = [{"role": role, "content": content} for role, content in request.messages]
        more = {
            "messages": [*messages, {"role": "assistant", "content": begun.partial}],
            "continue_final_message": True,
            "add_generation_prompt": False,
        }
        rest = replace(sampling, max_tokens=max(sampling.max_tokens - written, 1))
        try:
            second = (await self._complete(request, write_head(self._options, request, rest, more), seed))[0]
        except Rejected as rejected:
            if "final message" in str(rejected) or "continue_final_message" in str(rejected):
                raise thoughts.refuse_template(str(rejected)) from None
            second = Output(finish="failed", error=str(rejected))
        else:
            thoughts.check_continued(first, second)
        return thoughts.join_outputs(first, begun, second)

    async def _send(self, path: str, head: str, tail: str, read: Read) -> list[Output]:
        """Send a body until a reply can be read, and return its outputs. Raises Rejected where none can be had.

        The first attempt is made without the retry library, which costs about 30 µs a call.
        """
        begun, rest = head.encode(), tail.encode()
        prompt = zlib.crc32(begun) if len(self._endpoints) > 1 else 0
        body = begun + rest
        try:
            return await self._attempt(path, body, prompt, read)
        except Fault as fault:
            first = [fault]
        from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

        options = self._options

        async def attempt() -> list[Output]:
            if first:
                raise first.pop()
            return await self._attempt(path, body, prompt, read)

        def is_spent(state: RetryCallState) -> bool:
            fault = state.outcome.exception() if state.outcome else None
            short = isinstance(fault, Fault) and self._is_absent(fault)
            return state.attempt_number > (min(options.retries, START_RETRIES) if short else options.retries)

        wait = wait_exponential(multiplier=options.backoff, max=LONGEST_WAIT) + wait_random(0, options.backoff)
        retrying = AsyncRetrying(
            stop=is_spent, wait=wait, sleep=self._sleep, retry=retry_if_exception_type(Fault), reraise=True
        )
        try:
            return await retrying(attempt)
        except Fault as fault:
            if self._is_absent(fault):
                urls = ", ".join(endpoint.shown for endpoint in self._endpoints)
                raise JudgescaleError(f"no server at {urls} ({fault}): start it, or set engine.base_url") from fault
            attempts = retrying.statistics["attempt_number"]
            told = self._clean_line(f"gave up after {attempts} attempt{'s' * (attempts != 1)}: {fault}")
            raise Rejected(told) from fault

    def _is_absent(self, fault: Fault) -> bool:
        """Tell whether there seems to be no server: it cannot be reached, and no server ever answered."""
        return fault.kind == "connect" and not self._met

    async def _attempt(self, path: str, body: bytes, prompt: int, read: Read) -> list[Output]:
        """Make one attempt. Where a server cannot be reached but another may be, ask that one at once.

        prompt: what tells prompts apart. Raises Fault (another attempt may succeed), Rejected, or JudgescaleError.
        """
        several = len(self._endpoints) > 1
        async with self._slots:
            if several and not self._compared:
                async with self._comparing:
                    await self._compare_servers(self._endpoints)
                    self._compared = True
            while True:
                endpoint = await self._choose_endpoint(prompt)
                if self._stopping.is_set():
                    raise Rejected("not asked (again): the run was stopped")
                endpoint.busy += 1
                start = time.perf_counter()
                try:
                    if several and endpoint.serves is None:  # it was away, and another may have been started since
                        await self._compare_servers([endpoint])
                    status, headers, data = await self._post(endpoint, path, body)
                    if status < 500:
                        if several and endpoint.down:
                            self.faults.told.append(f"{endpoint.shown} answers again")
                        endpoint.get_well()
                    if status != 200:
                        await self._raise_for_status(endpoint, path, status, headers, data)
                    return read(parse_reply(data), time.perf_counter() - start)
                except Fault as fault:
                    said = self._clean_line(str(fault))
                    self.faults.note(fault.kind, said)
                    if fault.kind == "connect" or several and fault.kind in OUT_OF_ORDER:
                        if several and not endpoint.down:
                            self.faults.told.append(f"{endpoint.shown} is left alone for a while: {said}")
                        endpoint.rest_when_down(asyncio.get_running_loop().time(), self._options.backoff)
                    if fault.kind != "connect":
                        raise
                    endpoint.serves = None
                    if all(other.down for other in self._endpoints):
                        raise
                finally:
                    endpoint.busy -= 1

    async def _compare_servers(self, endpoints: Sequence[Endpoint]) -> None:
        """Ask servers what they serve, where that is not known, and hold it against the others.

        Raises JudgescaleError where two serve different models. One that does not tell is taken at its word.
        """
        unknown = [endpoint for endpoint in endpoints if endpoint.serves is None]
        for endpoint, serves in zip(unknown, await asyncio.gather(*map(self._ask_what_it_serves, unknown))):
            endpoint.serves = serves
        known = [endpoint for endpoint in self._endpoints if endpoint.serves]
        if other := next((e for e in known if e.serves != known[0].serves), None):
            raise JudgescaleError(
                f"engine.base_url: {known[0].shown} serves {known[0].serves}, and {other.shown} serves {other.serves}:"
                " name servers of one model"
            )

    async def _ask_what_it_serves(self, endpoint: Endpoint) -> str | None:
        """Ask a server what judge.model is there: "" where it does not tell, None where it cannot be reached."""
        import aiohttp

        try:
            models = await self._fetch_models(endpoint)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return None
        except UNREADABLE:
            return ""
        wanted = [m for m in models if m.get("id") == self._options.model]
        names = sorted({str(m.get("id")) for m in wanted or models})
        roots = {str(m["root"]).rstrip("/").rpartition("/")[2] for m in wanted if m.get("root")}  # vLLM: its weights
        roots -= {name.rpartition("/")[2] for name in names}
        return self._clean_line(", ".join(names[:8]) + (f" (weights: {', '.join(sorted(roots))})" if roots else ""))

    async def _choose_endpoint(self, prompt: int) -> Endpoint:
        """Wait until a server may be asked, and return it: the least busy of those that are not resting.

        A server that was down comes last while a request is trying it, so that only one request waits for a dead one.
        """
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            endpoint = min(
                self._endpoints,
                key=lambda e: (max(e.free_at - now, 0), e.down > 0 and e.busy > 0, e.busy, e.draw(prompt)),
            )
            wait = endpoint.free_at - now
            if wait <= 0 or self._stopping.is_set():
                if self._options.requests_per_minute:  # evenly spaced, so that no minute sees more
                    endpoint.next_turn = now + 60 / self._options.requests_per_minute
                return endpoint
            await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not on when nothing is to be sent any more."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _post(self, endpoint: Endpoint, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Post a body and return (status, headers, reply). Raises Fault where no whole reply comes back."""
        import aiohttp

        try:
            async with self._http.post(_make_address(endpoint.url, path), data=body, allow_redirects=False) as response:
                self._met = True
                return response.status, response.headers, await self._read_body(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            reason = re.search(r"\[(.+)\]$", str(error))  # a name not known, a certificate not valid, …
            why = f" ({self._clean_line(reason[1])})" if reason and "Connect call failed" not in reason[1] else ""
            raise Fault("connect", f"cannot connect to {endpoint.url.netloc}{why}") from error
        except TimeoutError as error:
            raise Fault("timeout", f"no answer within {self._options.timeout:g} s") from error
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            raise Fault("reset", f"connection lost: {self._clean_line(str(error) or type(error).__name__)}") from error

    async def _read_body(self, response: Any) -> bytes:
        """Read a reply, unpacked, as far as the memory set aside for replies goes.

        A few bytes can unpack to gigabytes, so they are unpacked here and step by step. Raises Rejected for a reply of
        more than max_reply_bytes, Fault where all replies together hold more than REPLIES_HELD of these.
        """
        most, data = self._options.max_reply_bytes, bytearray()
        packed = response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate")
        unpack = zlib.decompressobj(wbits=47) if packed else None  # gzip or zlib, whichever it is
        try:
            async for chunk in response.content.iter_any():
                while chunk:
                    piece = unpack.decompress(chunk, READ_STEP) if unpack else chunk
                    chunk = unpack.unconsumed_tail if unpack else b""
                    data += piece
                    self._held += len(piece)
                    if len(data) > most:
                        said = f"the reply is larger than engine.max_reply_bytes={most}"
                        self.faults.note("too_large", said)
                        raise Rejected(said)
                    if self._held > REPLIES_HELD * most:
                        raise Fault("too_large", f"the replies in flight hold more than {REPLIES_HELD * most} bytes")
        finally:
            self._held -= len(data)
        return bytes(data)

    async def _raise_for_status(
        self, endpoint: Endpoint, path: str, status: int, headers: Mapping[str, str], data: bytes
    ) -> None:
        """Raise the error that a status other than 200 means: Rejected, Fault or JudgescaleError."""
        message, about = read_error(data)
        message = self._clean_line(message)
        told = message if message.startswith(str(status)) else f"{status} {message}".strip()
        if status in REJECTED:
            of_n = is_about_n(message, about)
            self.faults.note("n_refused" if of_n else str(status), told)
            raise Rejected(told, of_n)
        if status == 402 or about == "insufficient_quota":
            raise JudgescaleError(f"{endpoint.shown}: {told}: add credit, or choose another engine.base_url")
        if status in MENDABLE or status >= 500:
            wait = read_retry_after(headers.get("Retry-After", ""), time.time())
            if wait > PATIENCE:
                raise JudgescaleError(f"{endpoint.shown} asks to wait {wait:.0f} s ({told}): run this again later")
            endpoint.rest_until = max(endpoint.rest_until, asyncio.get_running_loop().time() + wait)
            raise Fault(str(status), told)
        if status in (401, 403):
            key = "is refused" if self._key else "is not set"
            raise JudgescaleError(
                f"{endpoint.shown}: {told}: ${self._options.api_key_env} {key}; set it to a key of this server"
            )
        models = await self._list_models(endpoint) if status == 404 else ""
        if path == "classify":
            models += "; a scalar judge needs a vLLM server of a reward model, or engine=vllm"
        raise JudgescaleError(
            f"{endpoint.shown}: {told}: check engine.base_url (most end in /v1)"
            f" and judge.model={self._options.model}{models}"
        )

    async def _list_models(self, endpoint: Endpoint) -> str:
        """List the models that a server serves, as the end of an error message; "" where it does not tell."""
        try:
            names = [str(model.get("id")) for model in await self._fetch_models(endpoint)]
        except UNREADABLE:
            return ""
        return f"; it serves {self._clean_line(', '.join(names[:8]))}" if names else ""

    async def _fetch_models(self, endpoint: Endpoint) -> list[Mapping[str, Any]]:
        """Fetch the list of the models that a server serves. Raises one of UNREADABLE."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(5)
        try:
            async with self._http.get(_make_address(endpoint.url, "models"), timeout=timeout) as response:
                models = parse_reply(await self._read_body(response))["data"]
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise
        except aiohttp.ClientError as error:
            raise Fault("bad_json", str(error)) from error
        return [model for model in models if isinstance(model, Mapping)]

    def _clean_line(self, text: str) -> str:
        """Make a server's text one short line that can be printed and holds no key."""
        text = " ".join("".join(c if c.isprintable() else " " for c in text[:10_000]).split())
        if self._key:
            text = text.replace(self._key, "***")
        text = re.sub(r"\b(sk-|Bearer )[\w.*-]{6,}", r"\1***", text)
        return text if len(text) <= 200 else text[:199] + "…"


def read_retry_after(value: str, now: float) -> float:
    """Read a Retry-After header: seconds to wait, or 0 where it says nothing that makes sense.

    value: seconds or an HTTP date (RFC 9110, 10.2.3); now: in seconds since 1970.
    """
    try:
        wait = float(value or 0)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return 0.0
    return max(wait, 0.0) if math.isfinite(wait) else 0.0


def _name_server(url: SplitResult) -> str:
    """Name a server by its address: what follows `?` may choose a deployment, a slash at the end says nothing."""
    query = f"?{url.query}" if url.query else ""
    return url.netloc.rpartition("@")[2].lower() + url.path.rstrip("/") + query


@functools.cache
def _make_address(base: SplitResult, path: str) -> str:
    """Join a server's address and a path of the protocol; vLLM's /classify lies beside /v1, not in it."""
    root = base.path.rstrip("/")
    root = root.removesuffix("/v1") if path == "classify" else root
    return base._replace(path=f"{root}/{path}").geturl()


def _parse_url(url: str) -> SplitResult:
    """Parse the address of a server. Raises JudgescaleError, without repeating a password, where it cannot be used."""
    if "@" in url:
        raise JudgescaleError("engine.base_url holds a password: put the key into the variable of engine.api_key_env")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.port != 0
        host = parts.hostname or ""
        host.encode("idna")  # which is how it will be looked up: no empty part, none too long
        valid = valid and re.fullmatch(r"[\w.:%-]+", host) is not None
    except ValueError:
        valid = False
    if not valid:
        raise JudgescaleError(f"engine.base_url={url}: an address like http://localhost:8000/v1 is needed")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise JudgescaleError("engine.base_url ends in /chat/completions: leave that off (most end in /v1)")
    return parts._replace(fragment="")  # which is not sent
