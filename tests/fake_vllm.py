"""Stands in for `vllm serve`: python fake_vllm.py MODEL --port N …; what the model is called says how it behaves.

It has a worker process, as vLLM has. Models: well; slow (never gets ready); broken (dies at its start); mortal (dies
with the third question); stubborn (does not end when asked).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

model, options = sys.argv[1], sys.argv[2:]
port = int(options[options.index("--port") + 1])
answered = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if model == "slow" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        global answered
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert "Authorization" not in self.headers
        answered += 1
        if model == "mortal" and answered == 3:
            print("RuntimeError: CUDA out of memory", flush=True)
            os._exit(1)
        time.sleep(0.02)
        text = rf"\boxed{{Assistant {1 + asked.get('seed', 0) % 2}}}"
        choices = [
            {"index": i, "message": {"content": text}, "finish_reason": "stop"} for i in range(asked.get("n", 1))
        ]
        reply = json.dumps({"choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: object) -> None:
        pass


if model == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(f"options {' '.join(options)}\npids {os.getpid()} {worker.pid}", flush=True)
if model == "broken":
    print("ValueError: No available memory for the cache blocks.\nsome more words", flush=True)
    sys.exit(1)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
