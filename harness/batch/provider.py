"""Batches at a server that has OpenAI's endpoints for them: files go up by /files, run by /batches, and come back."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from judgescale.harness.batch.folder import ENDPOINT, find_requests, read_state, update_state
from judgescale.harness.errors import make_harmless, write_install
from judgescale.harness.types import JudgescaleError

OVER = ("completed", "expired", "cancelled")  # a batch that is over may have files to fetch; "failed": it never began
WAIT = 600  # seconds for a file to go up or down


@dataclass
class Server:
    """Talk to one server; every error is one line that holds no key."""

    http: Any  # an aiohttp.ClientSession
    address: str
    key: str

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """Send a request and return the reply's JSON."""
        data = await self.fetch(method, path, **body)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise JudgescaleError(f"{self.address}: the reply to {path} is no JSON: is this engine.base_url?") from None

    async def fetch(self, method: str, path: str, **body: Any) -> bytes:
        """Send a request and return the reply. Raises JudgescaleError for one that is not 200."""
        import aiohttp

        parts = urlsplit(self.address)
        url = parts._replace(path=f"{parts.path.rstrip('/')}/{path}").geturl()
        try:
            async with self.http.request(method, url, allow_redirects=False, **body) as response:
                data: bytes = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            told = self.clean(str(error) or type(error).__name__)
            raise JudgescaleError(f"{self.address}/{path}: {told}; the same command goes on from here") from None
        if status == 200:
            return data
        told = self.clean(read_message(data))
        if status == 404 and method == "POST":
            told += ": the server seems to have no batches; have the files answered elsewhere (vllm run-batch)"
        if status in (401, 403):
            told += ": check the key in the variable of engine.api_key_env"
        raise JudgescaleError(f"{self.address}/{path}: {status} {told}")

    def clean(self, text: str) -> str:
        """Make what a server says one short line without the key."""
        return make_harmless((text.replace(self.key, "***") if self.key else text)[:300])


def read_message(data: bytes) -> str:
    """Read what an error reply says."""
    try:
        reply = json.loads(data)
        error = reply.get("error", reply)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        return data[:300].decode(errors="replace")


@asynccontextmanager
async def connect(about: Mapping[str, Any]) -> AsyncIterator[Server]:
    """Open the way to the server of a file of requests; `about` is what the state says of it."""
    try:
        import aiohttp
    except ImportError as error:
        raise JudgescaleError(f"judgescale batch needs {error.name}: {write_install('openai')}") from error
    address, variable = about.get("address"), about.get("key_variable")
    if not isinstance(address, str) or not isinstance(variable, str):
        raise JudgescaleError("state.json: says no address and key_variable; write the requests again with run.batch")
    key = os.environ.get(variable, "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=WAIT)) as http:
        yield Server(http, address, key)


async def send(folder: Path) -> list[str]:
    """Send every file of requests that was not sent yet, and return a line for each.

    What was done is kept step by step, so that a command that was cut off goes on and sends nothing twice.
    """
    told = []
    for file in find_requests(folder):
        about = read_state(folder).get(file.name)
        if about is None:
            raise JudgescaleError(f"{folder}/state.json: says nothing of {file.name}; delete the file, and run again")
        if about.get("batch") or about.get("saved"):
            continue
        async with connect(about) as server:
            if not (uploaded := about.get("file")):
                uploaded = await upload(server, file)
                update_state(folder, file.name, {"file": uploaded})
                begun = None
            else:  # the last command may have been cut off before it could note the batch
                begun = await find_batch(server, uploaded)
            if not begun:
                wanted = {"input_file_id": uploaded, "endpoint": ENDPOINT, "completion_window": "24h"}
                begun = read_field(server, await server.ask("POST", "batches", json=wanted), "id")
            update_state(folder, file.name, {"batch": begun, "status": "sent"})
        told.append(f"{file.name}: {about.get('requests', 0):,} requests sent as {begun}")
    return told


async def upload(server: Server, file: Path) -> str:
    """Upload a file of requests and return its name at the server."""
    import aiohttp

    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    with file.open("rb") as content:
        form.add_field("file", content, filename=file.name, content_type="application/jsonl")
        return read_field(server, await server.ask("POST", "files", data=form), "id")


async def find_batch(server: Server, uploaded: str) -> str | None:
    """Find the batch that was begun with an uploaded file among the last hundred."""
    listed = await server.ask("GET", "batches", params={"limit": "100"})
    for batch in listed.get("data") or () if isinstance(listed, dict) else ():
        if isinstance(batch, dict) and batch.get("input_file_id") == uploaded:
            return read_field(server, batch, "id")
    return None


def read_field(server: Server, reply: Any, name: str) -> str:
    """Read a text that a reply must have."""
    value = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(value, str) or not value:
        raise JudgescaleError(f"{server.address}: the reply says no {name!r}: is this engine.base_url?")
    return value


async def collect(folder: Path) -> tuple[list[str], int]:
    """Fetch the answers of every batch that is over; return a line for each, and how many are under way."""
    told, under_way = [], 0
    for file in find_requests(folder):
        name, about = file.name, read_state(folder).get(file.name, {})
        if not about.get("batch") or about.get("saved"):
            continue
        async with connect(about) as server:
            batch = await server.ask("GET", f"batches/{about['batch']}")
            status = read_field(server, batch, "status")
            if status == "failed":
                update_state(folder, name, {"batch": None, "file": None, "status": status})
                told.append(
                    f"{name}: failed: {server.clean(list_errors(batch))}; `judgescale batch send` sends it again"
                )
                continue
            if status not in OVER:
                under_way += 1
                update_state(folder, name, {"status": status})
                told.append(f"{name}: {make_harmless(status)}{count_done(batch)}")
                continue
            saved = []
            for kind, suffix in (("output_file_id", ""), ("error_file_id", "-errors")):
                if batch.get(kind):
                    answers = await server.fetch("GET", f"files/{batch[kind]}/content")
                    out = file.with_name(f"{name.replace('requests', 'answers').removesuffix('.jsonl')}{suffix}.jsonl")
                    draft = out.with_name(f".{out.name}.tmp")
                    draft.write_bytes(answers)
                    os.replace(draft, out)
                    saved.append(out.name)
            update_state(folder, name, {"status": status, "saved": True})
            told.append(f"{name}: {status}{count_done(batch)}; {' and '.join(saved) or 'no answers'}")
    return told, under_way


def count_done(batch: Mapping[str, Any]) -> str:
    """Tell how many of a batch's requests are done, where the server says."""
    counts = batch.get("request_counts")
    if not isinstance(counts, dict) or not isinstance(counts.get("total"), int):
        return ""
    done, failed = counts.get("completed", 0), counts.get("failed", 0)
    return f", {done:,} of {counts['total']:,} answered" + (f", {failed:,} failed" if failed else "")


def list_errors(batch: Mapping[str, Any]) -> str:
    """List the first errors for which a server did not take a batch, with their lines."""
    errors = batch.get("errors")
    found = errors.get("data") if isinstance(errors, dict) else None
    said = [
        f"{'line ' + str(e['line']) + ': ' if e.get('line') else ''}{e.get('message') or e.get('code')}"
        for e in found or ()
        if isinstance(e, dict)
    ]
    return "; ".join(said[:3]) or "the server does not say why"
