"""Run the jobs of engine=ray in a process of its own, ray_driver.py: start it, talk to it, leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.engines import ray_driver
from judgescale.harness.engines.ray_chunks import JobDied, Jobs, Row
from judgescale.harness.engines.ray_driver import STOP, Setup, end_session
from judgescale.harness.redaction import redact_text
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from judgescale.harness.engines.ray import Ray

LONGEST_LINE = 2**28  # bytes of what the driver says about one answer


@dataclass
class RayProcess(Jobs):
    """Talk to the process in which Ray runs."""

    process: asyncio.subprocess.Process
    folder: str  # for what Ray writes, sockets among it: deleted in the end
    log: Path

    @classmethod
    async def start(cls, options: Ray, setup: Setup) -> RayProcess:
        """Start the process, and Ray in it. Raises JudgescaleError where Ray cannot be had as it is wanted."""
        log = Path(options.log) if options.log else Path(tempfile.mkdtemp(prefix="judgescale-")) / "ray.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="jsray-")  # short: a socket's path holds no more than 107 characters
        environment = {name: value for name, value in os.environ.items() if name != options.api_key_env}
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")  # GiB; vLLM's default is most of the machine
        environment.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or every process warns of it
        with log.open("ab") as written:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                os.path.abspath(ray_driver.__file__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
                env=environment,
                cwd=folder,  # Ray puts the working directory on the workers' search path
                start_new_session=True,  # Ctrl-C is for the run, which first lets answers in flight arrive
                limit=LONGEST_LINE,
            )
        made = cls(process, folder, log)
        try:
            await made._send([asdict(setup)])
            said = await made._hear()
            if "error" in said:
                token = ": the cluster wants a token, set RAY_AUTH_MODE=token" if made._lacks_token() else ""
                raise JudgescaleError(f"engine=ray: {redact_text(said['error'])}{token} (see {log})")
        except JobDied as died:
            await made.end()
            raise JudgescaleError(f"engine=ray does not start: {died} (see {log})") from died
        except BaseException:
            await made.end()
            raise
        return made

    async def run(self, rows: Sequence[Row]) -> AsyncGenerator[tuple[int, Mapping[str, Any]]]:
        """Yield (id, what was said) for every row, as the job gives them. Raises JobDied."""
        await self._send([[row.id, row.body] for row in rows] + ["go"])
        while True:
            said = await self._hear()
            if isinstance(said, list):
                yield said[0], said[1]
            elif said["ended"] is not None:
                raise JobDied(self._find_cause(redact_text(said["ended"])))
            else:
                return

    async def stop_sending(self) -> None:
        """Let the workers send no further batch."""
        with contextlib.suppress(JobDied):
            await self._send(["stop"])

    async def end(self) -> None:
        """Let the process end, by force where it takes too long, and kill what is left of a cluster of its own."""
        process = self.process
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP + 5)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        end_session(process.pid)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _send(self, lines: Sequence[Any]) -> None:
        """Send lines. Raises JobDied where the process is gone."""
        assert self.process.stdin
        try:
            for line in lines:
                self.process.stdin.write(json.dumps(line).encode() + b"\n")
                await self.process.stdin.drain()
        except (OSError, RuntimeError):
            raise JobDied(await self._tell_death()) from None

    async def _hear(self) -> Any:
        """Return the next thing that the process says. Raises JobDied where it is gone."""
        assert self.process.stdout
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise JobDied(await self._tell_death())
        return json.loads(line)

    async def _tell_death(self) -> str:
        """Tell how the process ended, and what its log says last about it."""
        status = await self.process.wait()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return self._find_cause(f"Ray's process ended ({how})")

    def _lacks_token(self) -> bool:
        """Tell whether a cluster refused Ray's token, which Ray itself says in the log alone."""
        return b"InvalidAuthToken" in self._read_log_end()

    def _read_log_end(self) -> bytes:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 2**17))
            return log.read()

    def _find_cause(self, told: str) -> str:
        """Add the last error in the log where an error only points to one that was written elsewhere."""
        if "root cause" not in told and "process ended" not in told:
            return told
        lines = self._read_log_end().decode(errors="replace").splitlines()
        found = [m[0] for line in lines if (m := re.search(r"\b\w+(?:Error|Exception): .+", line))]
        causes = [redact_text(line)[:300] for line in found if "root cause" not in line]
        return f"{told}: {causes[-1]}" if causes else told
