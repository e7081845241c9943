"""A FaultyServer with OpenAI's endpoints for batches: /v1/files and /v1/batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from faulty_server import FaultyServer, completion


@dataclass
class BatchServer(FaultyServer):
    """Answers a batch at once, and tells that it is under way as often as `patience` says.

    most: how many requests of a batch are answered before it expires. refuse_n: 400 for more than one sample.
    """

    most: int = 10**9
    patience: int = 0
    refuse_n: bool = False
    failing: bool = False  # every batch fails before it begins
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: int = 0
    bodies: list[Mapping[str, Any]] = field(default_factory=list)  # of the requests that were answered
    tokens: list[str | None] = field(default_factory=list)  # Authorization of every request

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/files", self.take_file)
        app.router.add_get("/v1/files/{name}/content", self.give_file)
        app.router.add_post("/v1/batches", self.begin)
        app.router.add_get("/v1/batches", self.list_all)
        app.router.add_get("/v1/batches/{name}", self.tell)

    async def take_file(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        form = await request.post()
        assert form["purpose"] == "batch"
        self.uploads += 1
        self.files[name := f"file-{len(self.files)}"] = form["file"].file.read()
        return web.json_response({"id": name, "object": "file"})

    async def give_file(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]])

    async def begin(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked["endpoint"] == "/v1/chat/completions" and asked["completion_window"] == "24h"
        lines = [json.loads(row) for row in self.files[asked["input_file_id"]].splitlines()]
        rows = [self.answer_line(line, i < self.most) for i, line in enumerate(lines)]
        name = f"batch_{len(self.batches)}"
        told = {"id": name, "input_file_id": asked["input_file_id"], "polls": 0, "status": "completed"}
        for kind, bad in (("output_file_id", False), ("error_file_id", True)):
            if chosen := [json.dumps(row) for row, is_bad in rows if is_bad == bad]:
                told[kind] = f"{name}-{kind}"
                self.files[told[kind]] = ("\n".join(chosen) + "\n").encode()
        if len(lines) > self.most:
            told["status"] = "expired"
        if self.failing:
            why = {"data": [{"message": "no such model", "line": 1}]}
            told = {"id": name, "input_file_id": asked["input_file_id"], "status": "failed", "polls": 0, "errors": why}
        self.batches[name] = told
        return web.json_response(told | {"status": "validating"})

    async def list_all(self, request: web.Request) -> web.Response:
        return web.json_response({"data": list(self.batches.values())})

    async def tell(self, request: web.Request) -> web.Response:
        told = self.batches[request.match_info["name"]]
        told["polls"] += 1
        waiting = {
            "id": told["id"],
            "status": "in_progress",
            "request_counts": {"total": 7, "completed": 3, "failed": 0},
        }
        return web.json_response(waiting if told["polls"] <= self.patience else told)

    def answer_line(self, line: Mapping[str, Any], in_time: bool) -> tuple[Mapping[str, Any], bool]:
        """The row that answers a line, and whether it goes into the file of errors."""
        row: dict[str, Any] = {"id": "r", "custom_id": line["custom_id"], "response": None, "error": None}
        body = line["body"]
        if not in_time:
            return row | {"error": {"code": "batch_expired", "message": "the window closed"}}, True
        if self.refuse_n and body.get("n", 1) > 1:
            told = {"error": {"message": "n must be 1", "param": "n"}}
            return row | {"response": {"status_code": 400, "request_id": "", "body": told}}, True
        self.bodies.append(body)
        reply = completion(body, body.get("n", 1), self.answer)
        return row | {"response": {"status_code": 200, "request_id": "", "body": reply}}, False
