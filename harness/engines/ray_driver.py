"""Run chunks of requests as Ray Data LLM jobs, in a process of its own, for as long as standard input is open.

    python -P ray_driver.py   # as engine=ray starts it, in a session and a folder of its own; lines of JSON in and out

The first line says what to start (`Setup`), and is answered by {"ready": true} or {"error": …}. Then come a chunk's
rows, [id, body] each, and a line "go". Every answer is a line [id, {…}] as soon as Ray has it; {"ended": null} or
{"ended": "the error"} follows the last. "stop" lets nothing be asked any more. When standard input closes, which it
also does where the process at its other end is killed, Ray is shut down; a cluster that was started here ends with it.

Ray may end the process that uses it, writes to its terminal and takes over its signals: hence a process of its own.
The program imports nothing of this package, and Ray takes what it defines to the workers by value, so that a cluster's
nodes need nothing of this package either.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import queue
import random
import re
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MENDABLE = (408, 409, 425, 429)  # another attempt may succeed, as after any 5xx
LONGEST_WAIT = 60.0  # seconds between two attempts, unless the server asks for more
PATIENCE = 900.0  # seconds; a server that asks for a longer wait is not asked again
RESTARTS = 3  # of a worker that dies, and of what it was doing, within a job; Ray's own default is without end
STOP = 6.0  # seconds that Ray gets to shut down
NOT_ASKED = -1  # the status of a request that was not sent, for the run was stopped


@dataclass(frozen=True)
class Setup:
    """Say what to start: the lines of conf/engine/ray.yaml, as far as they are Ray's business.

    processor: "http" or "vllm". options: the processor's own. http: what `Posts` takes.
    """

    processor: str
    address: str | None
    workers: int
    batch_size: int
    options: Mapping[str, Any]
    model: str = ""
    engine_kwargs: Mapping[str, Any] = field(default_factory=dict)
    thoughts_end: int | None = None
    http: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(default="", repr=False)


# ------------------------------------------------------------------------------------------------ on the workers


class Reply:
    """Give Ray's HTTP stage what it expects of a reply: every outcome is one, also that there was none."""

    status, reason = 200, "OK"  # Ray is not to try again: that is done here

    def __init__(self, status: int, text: str, faults: Sequence[str], seconds: float) -> None:
        self._said = {"status": status, "text": text, "faults": ",".join(faults), "seconds": seconds}

    async def __aenter__(self) -> Reply:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def json(self) -> dict[str, Any]:
        """Return the outcome; all have the same fields, which is what makes a table of them."""
        return self._said


class Batch:
    """Send the requests of one batch, all at once: Ray's stage would await one after another."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts
        self._sent: list[asyncio.Task[Reply]] = []

    async def __aenter__(self) -> Batch:
        await self._posts.join()
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._sent:
            task.cancel()
        await asyncio.gather(*self._sent, return_exceptions=True)
        await self._posts.leave()

    def post(self, url: str, headers: Mapping[str, str], data: str) -> asyncio.Task[Reply]:
        """Send a request; data: its body, which Ray has made a JSON string of."""
        self._sent.append(asyncio.ensure_future(self._posts.send(json.loads(data).encode())))
        return self._sent[-1]


@dataclass
class Posts:
    """Send requests to servers of one model and try again as engine=openai does; the session_factory of Ray's config.

    The key is asked of an actor, so that it never stands in what Ray keeps or logs of a job.
    """

    urls: Sequence[str]
    timeout: float
    retries: int
    backoff: float
    in_flight: int  # requests of this worker
    most: int  # bytes of a reply
    keeper: Any = field(default=None, repr=False)
    _http: Any = field(default=None, repr=False)
    _slots: asyncio.Semaphore | None = field(default=None, repr=False)
    _batches: int = 0  # under way
    _stopped: bool = False

    def __call__(self) -> Batch:
        """Make what sends a batch."""
        return Batch(self)

    async def join(self) -> None:
        """Look whether the run was stopped, and connect where no other batch has."""
        import aiohttp

        self._batches += 1
        key, self._stopped = await self.keeper.tell.remote()
        if self._http is None:
            headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
            self._http = aiohttp.ClientSession(
                headers=headers,
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=10),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            self._slots = self._slots or asyncio.Semaphore(self.in_flight)

    async def leave(self) -> None:
        """Close the connections after the last batch: nothing tells a worker that it ends."""
        self._batches -= 1
        if not self._batches:
            http, self._http = self._http, None
            await http.close()

    async def send(self, body: bytes) -> Reply:
        """Send a request until there is an answer or no attempt is left; the samples of a prompt go to one server."""
        assert self._slots is not None
        prompt = zlib.crc32(body.rpartition(b', "seed"')[0])
        faults: list[str] = []
        status, text, seconds = NOT_ASKED, "the run was stopped", 0.0
        for attempt in range(0 if self._stopped else self.retries + 1):
            async with self._slots:
                start = time.perf_counter()
                status, text, wait = await self._attempt(self.urls[(prompt + attempt) % len(self.urls)], body)
                seconds = time.perf_counter() - start
            if status and status != 200 and status not in MENDABLE and status < 500:
                break
            if status == 200:
                with contextlib.suppress(ValueError, RecursionError):
                    json.loads(text)
                    break
                status, text = 0, f"bad_json: the reply is no JSON ({len(text)} characters)"
            faults.append(str(status) if status else text.partition(":")[0])
            if wait > PATIENCE:
                break
            if attempt < self.retries:
                grows = min(self.backoff * 2**attempt, LONGEST_WAIT) + random.uniform(0, self.backoff)
                await asyncio.sleep(max(wait, grows))
        return Reply(status, text, faults, seconds)

    async def _attempt(self, url: str, body: bytes) -> tuple[int, str, float]:
        """Make one attempt: (status, what came, seconds that the server wants to be left alone).

        The status is 0 where no whole reply came, and what came then is the kind of fault and its reason.
        """
        import aiohttp

        try:
            async with self._http.post(url, data=body, allow_redirects=False) as response:
                wait = read_retry_after(response.headers.get("Retry-After", ""))
                data = bytearray()
                async for piece in response.content.iter_any():
                    data += piece
                    if len(data) > self.most:
                        return 413, f"the reply has more than {self.most} bytes", 0.0
                return response.status, data.decode(errors="replace"), wait
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return 0, "connect: cannot connect to the server", 0.0
        except TimeoutError:
            return 0, f"timeout: no answer within {self.timeout:g} s", 0.0
        except (aiohttp.ClientError, OSError) as error:
            return 0, f"reset: connection lost: {error or type(error).__name__}", 0.0


def read_retry_after(value: str) -> float:
    """Read a Retry-After header, seconds or an HTTP date, as seconds; 0 where it says nothing that makes sense."""
    try:
        wait = float(value or 0)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return wait if 0 < wait < 1e9 else 0.0


class Keeper:
    """Hold the key and whether the run was stopped, as an actor."""

    def __init__(self) -> None:
        self._key, self._stopped = "", False

    def hold(self, key: str) -> None:
        """Hold a key. Not an argument of the constructor: Ray keeps those for a restart."""
        self._key = key

    def stop(self) -> None:
        """Let no batch be sent from now on."""
        self._stopped = True

    def tell(self) -> tuple[str, bool]:
        """Return the key, "" for none, and whether the run was stopped."""
        return self._key, self._stopped


def take_body(row: dict[str, Any]) -> dict[str, Any]:
    """Hand a request's body to Ray's HTTP stage as it is: as a nested object, Ray would give all rows all fields."""
    return {"payload": row["body"]}


def read_reply(row: dict[str, Any]) -> dict[str, Any]:
    """Keep of a row what the reply says."""
    return {"id": row["id"], **row["http_response"]}


def take_tokens(row: dict[str, Any]) -> dict[str, Any]:
    """Hand a prompt's tokens and its sampling options to Ray's vLLM stage."""
    body = json.loads(row["body"])
    return {"tokenized_prompt": body["tokens"], "sampling_params": body["params"]}


@dataclass
class ReadTokens:
    """Keep of a row what vLLM generated.

    thoughts_end: the token </think>, where the model has one.
    """

    thoughts_end: int | None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return its text, counts of tokens, and the last token, which tells a whole answer from one cut off."""
        tokens = [int(token) for token in row["generated_tokens"]]
        ends = [i for i, token in enumerate(tokens, 1) if token == self.thoughts_end]
        return {
            "id": row["id"],
            "text": row["generated_text"],
            "prompt_tokens": int(row["num_input_tokens"]),
            "completion_tokens": len(tokens),
            "reasoning_tokens": ends[-1] if ends else 0,
            "last": tokens[-1] if tokens else -1,
            "seconds": float(row["time_taken_llm"]),
        }


# ------------------------------------------------------------------------------------------------ in this process


class Trouble(Exception):
    """Say in one line why Ray cannot be used."""


class Driver:
    """Run jobs on a cluster that it started or joined."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.keeper: Any = None
        self._processor: Any = None

    def start(self) -> None:
        """Start or join the cluster and build the processor. Raises Trouble."""
        setup = self.setup
        if setup.address and (place := re.fullmatch(r"\[?([^\]/]+?)\]?:(\d+)", setup.address)):
            try:
                socket.create_connection((place[1], int(place[2])), 10).close()  # Ray itself would try for minutes
            except OSError as error:
                raise Trouble(f"engine.address={setup.address}: nobody answers there ({error})") from None
        import ray

        try:
            config = self._configure()
        except Exception as error:
            raise Trouble(name_option(error) or explain(error)) from error
        try:
            if setup.address:
                ray.init(setup.address, log_to_driver=True)
            else:
                cpus = max(os.cpu_count() or 1, setup.workers + 1)
                ray.init("local", num_cpus=cpus, include_dashboard=False, _temp_dir=os.getcwd(), log_to_driver=True)
        except Exception as error:
            told = f"engine.address={setup.address}" if setup.address else "a local cluster does not start"
            raise Trouble(f"{told}: {explain(error)}") from error
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            self.keeper = ray.remote(num_cpus=0)(Keeper).remote()
            ray.get(self.keeper.hold.remote(setup.key))
            self._processor = self._build(config)
        except Exception as error:
            raise Trouble(explain(error)) from error

    def _configure(self) -> Any:
        """Make Ray's config, which checks its options."""
        from ray.data import llm

        setup = self.setup
        if setup.processor == "http":
            made: dict[str, Any] = {
                "url": setup.http["urls"][0],
                "session_factory": Posts(**setup.http),
                "batch_size": setup.batch_size,
                "concurrency": (setup.workers, setup.workers),
            }
            return llm.HttpRequestProcessorConfig(**(made | dict(setup.options)))
        made = {
            "model_source": setup.model,
            "batch_size": setup.batch_size,
            "concurrency": setup.workers,
            "engine_kwargs": dict(setup.engine_kwargs),
            "should_continue_on_error": True,  # a row that fails is one answer that failed
            "log_engine_metrics": False,
            "chat_template_stage": False,
            "tokenize_stage": False,
            "detokenize_stage": False,
        }
        return llm.vLLMEngineProcessorConfig(**(made | dict(setup.options)))

    def _build(self, config: Any) -> Any:
        """Build what runs a job."""
        from ray.data import TaskPoolStrategy, llm

        setup = self.setup
        # for taking and reading rows: a process each takes seconds to start, and passes thousands of rows a second
        light: dict[str, Any] = {"num_cpus": 0.1, "compute": TaskPoolStrategy(size=1 + setup.workers // 8)}
        limits = {"max_restarts": RESTARTS, "max_task_retries": RESTARTS}
        take, read = (take_tokens, ReadTokens(setup.thoughts_end)) if setup.model else (take_body, read_reply)
        if setup.processor == "http":
            config.session_factory.keeper = self.keeper
            # as many batches as keep its requests in flight; Ray's own default is one
            limits["max_concurrency"] = 1 + -(-setup.http["in_flight"] // setup.batch_size)
        processor = llm.build_processor(
            config, preprocess=take, postprocess=read, preprocess_map_kwargs=light, postprocess_map_kwargs=light
        )
        for name in processor.list_stage_names():
            processor.get_stage_by_name(name).map_batches_kwargs.update(limits)
        return processor

    def run(self, rows: Sequence[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Run a job over rows, (id, body) each; yield (id, answer) as they come. Raises what Ray raises."""
        import ray

        blocks = -(-len(rows) // self.setup.batch_size)
        items = [{"id": i, "body": body} for i, body in rows]
        done = self._processor(ray.data.from_items(items, override_num_blocks=blocks))
        for table in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            for answer in table.to_pylist():
                yield answer.pop("id"), answer


def explain(error: BaseException) -> str:
    """Explain an error of Ray's in one line: what was raised first, on whichever machine, and not how it got here."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\w*(\(|: )", line)]
    causes = [line for line in raised if "UserCodeException" not in line] or raised  # which only says that one follows
    told = causes[0] if causes else " ".join(lines[:3]) or type(error).__name__
    return re.sub(r"^(?:\w+\.)+(?=\w+(Error|Exception))", "", told)[:400]


def name_option(error: Exception) -> str:
    """Name the option that a processor's config does not take; "" for other errors."""
    try:
        first = error.errors()[0]  # type: ignore[attr-defined]
        return f"engine.processor_options.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (AttributeError, LookupError, TypeError):
        return ""


def end_session(session: int) -> int:
    """Kill what is left of a cluster that was started here, on Linux: all processes of a session but this one.

    Ray's put themselves into groups of their own, but stay in the session of the process that started them. Returns how
    many there were.
    """
    killed = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, LookupError):
            state, _, _, of, *_ = entry.read_text().rpartition(")")[2].split()
            if int(of) == session and state != "Z" and (pid := int(entry.parent.name)) != os.getpid():
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def end() -> None:
    """Shut Ray down and end this process, whatever its other threads are at."""
    watchdog = threading.Timer(STOP, leave)
    watchdog.daemon = True
    watchdog.start()
    if "ray" in sys.modules:
        with contextlib.suppress(Exception):
            sys.modules["ray"].shutdown()
    leave()


def leave() -> None:
    """End this process, and what is left of a cluster that was started here; it writes to the working directory."""
    folder = os.getcwd()
    for _ in range(50):  # a process may start another one, or write a file, while it is being killed
        left = end_session(os.getsid(0))
        shutil.rmtree(folder, ignore_errors=True)
        if not left and not os.path.exists(folder):
            break
        time.sleep(0.1)
    os._exit(0)


def main() -> None:
    """Serve the process at the other end of standard input and output."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    said_here = os.fdopen(os.dup(0), encoding="utf-8")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)  # or Ray's processes would hold the pipe open
    os.dup2(2, 1)  # what Ray prints goes to the log
    lines: queue.Queue[Any] = queue.Queue()
    driver: Driver | None = None

    def listen() -> None:
        """Queue what comes in, and end when nothing more can come."""
        for line in said_here:
            said = json.loads(line)
            if said == "stop" and driver and driver.keeper:
                driver.keeper.stop.remote()
            elif said != "stop":
                lines.put(said)
        end()

    def say(what: Any) -> None:
        """Tell the run something, a line each."""
        try:
            answers.write(json.dumps(what) + "\n")
        except OSError:  # nobody is there any more, and the other thread ends this process
            threading.Event().wait()

    threading.Thread(target=listen, daemon=True).start()
    driver = Driver(Setup(**lines.get()))
    try:
        driver.start()
    except Trouble as trouble:
        say({"error": str(trouble)})
        end()
    say({"ready": True})
    rows: list[tuple[int, str]] = []
    while True:
        if (said := lines.get()) != "go":
            rows.append((said[0], said[1]))
            continue
        chunk, rows = rows, []
        ended = None
        try:
            for answer in driver.run(chunk):
                say(answer)
        except BaseException as error:
            print(f"job failed: {error}", file=sys.stderr, flush=True)
            ended = explain(error)
        say({"ended": ended})


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        end()
