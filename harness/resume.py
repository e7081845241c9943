"""Whether a finished run need not be done again: it was made of the same config, program and files as one would be now.

What a run was made of stands in its summary.json, under "made_of". Data of the Hub are taken to be the same as long as
the config names the same data set and revision.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError

from judgescale.harness import ROOT
from judgescale.harness.options import find_file, list_values
from judgescale.harness.plan.juries import BY_COST
from judgescale.harness.plan.prices import keep_used_prices
from judgescale.harness.redaction import redact
from judgescale.harness.signature import find_version

NO_MATTER = (
    "dry",
    "again",
    "batch",
    "budget",
    "max_failures",
    "store",
)  # options of `run` that leave a finished result alike
FILES = ("config.yaml", "curve.csv", "credits.parquet")  # that what reads finished runs needs besides summary.json
CODE = ("harness/**/*.py", "harness/**/*.jinja", "tasks/**/*.py", "tasks/**/*.json", "results/published/*.csv")
DIFFERENCES = 3  # options that one line names
MISSING = object()
LONGEST = 1_000  # characters of a file's name


def describe_origins(cfgs: Sequence[DictConfig], suite: DictConfig | None = None) -> dict[str, Any]:
    """Describe what a run of these configs is made of, for summary.json: digests of config, program and input files.

    suite: the config that a suite's members are made from.
    """
    plain = [read_plain(cfg) for cfg in cfgs]
    plain += [{"suite": redact(OmegaConf.to_container(suite.task, resolve=True))}] if suite else []
    code = {name: digest_module(name) for one in plain for name in list_foreign_modules(one)}
    files = {file for one in plain for file in list_input_files(one)}
    return {
        "config": hash_text(json.dumps(plain, sort_keys=True, default=str)),
        "version": find_version(),
        "code": hash_text(json.dumps([digest_program(), sorted(code.items())])),
        # one digest of what is in them: their paths are in the config
        "files": hash_text(json.dumps([hash_files(file) for file in sorted(files)])),
    }


def find_change(folder: Path, made_of: Mapping[str, Any], config_yaml: str) -> str | None:
    """Say why a run has to be done, "" where its folder holds no finished one; None where it need not.

    made_of: what it would be made of now (`describe_origins`). config_yaml: what its config.yaml would hold.
    """
    path = folder / "summary.json"
    if not path.is_file():
        return ""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        before, arms = summary.get("made_of"), list(summary["arms"])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError):
        return "its summary.json cannot be read"
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        return f"its {missing[0]} is missing"
    if not isinstance(before, dict):
        return "an earlier version wrote it, which did not say what it was made of"
    if before.get("version") != made_of["version"]:
        return f"judgescale {before.get('version')} made it, and this is {made_of['version']}"
    if before.get("code") != made_of["code"]:
        return "the program was changed"
    if before.get("config") != made_of["config"]:
        return f"its config was another one: {describe_changes(folder / 'config.yaml', config_yaml)}"
    if before.get("files") != made_of["files"]:
        return "a file that it reads was changed"
    failed = sum(int(arm["health"].get("failed") or 0) for arm in arms if arm.get("engine") != "recorded")
    return f"{failed:,} judgments had failed" if failed else None


def read_plain(cfg: DictConfig) -> dict[str, Any]:
    """Read a config as plain values, secrets hidden, without the options that leave a finished result alike."""
    if cfg.judge.get("pool") != BY_COST:  # which takes the prices of judges by their names in the set
        cfg = keep_used_prices(cfg)
    try:
        plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    except InterpolationToMissingValueError:  # a member of a suite whose data are not here
        plain = OmegaConf.to_container(cfg, resolve=False)  # type: ignore[assignment]
    # where `data` leads, task.path says
    plain = redact({name: value for name, value in plain.items() if name not in ("hydra", "data", "tracker")})
    if isinstance(run := plain.get("run"), dict):
        plain["run"] = {name: value for name, value in run.items() if name not in NO_MATTER}
    return plain


def describe_changes(before: Path, now: str) -> str:
    """Name the options that differ between a run's config.yaml and what it would hold now."""
    try:
        old = dict(list_values(yaml.safe_load(before.read_text(encoding="utf-8"))))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError):
        return "its config.yaml cannot be read"
    new = dict(list_values(yaml.safe_load(now)))
    places = [place for place in dict.fromkeys([*new, *old]) if old.get(place, MISSING) != new.get(place, MISSING)]
    ignored = ("tracker.", *(f"run.{name}" for name in NO_MATTER))
    places = [place for place in places if not place.startswith(ignored)]
    told = [f"{place}: {old.get(place, 'none')} | {new.get(place, 'none')}" for place in places[:DIFFERENCES]]
    more = f" and {len(places) - DIFFERENCES} more" if len(places) > DIFFERENCES else ""
    return "; ".join(told) + more if told else "that of another arm or member"


def list_input_files(plain: Mapping[str, Any]) -> Iterator[Path]:
    """List the files that a config names, and the folders that it names as data: a `path`, and one in place of a Hub's.

    The weights of a model are not among them: they are far too large, and the store knows them by their name alone.
    """
    for place, value in list_values({name: plain.get(name) for name in ("engine", "task", "judge", "meta")}):
        if not isinstance(value, str) or not value or len(value) > LONGEST or place.endswith("model"):
            continue
        path = find_file(os.path.expanduser(value))
        if path.is_file() or (path.is_dir() and place.endswith(("path", "hub.id"))):
            yield path


def list_foreign_modules(plain: Mapping[str, Any]) -> Iterator[str]:
    """List the modules of parts that are not ours, as `_target_` names them."""
    for place, value in list_values(plain):
        if place.endswith("_target_") and isinstance(value, str) and not value.startswith("judgescale."):
            yield value.rpartition(".")[0]


@cache
def digest_module(name: str) -> str:
    """Digest the source of a module; empty where it cannot be found."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return ""
    file = Path(spec.origin) if spec and spec.origin else None
    return hash_file(file) if file and file.is_file() else ""


@cache
def digest_program() -> str:
    """Digest the program's own source, and what it holds results against."""
    files = sorted({path for pattern in CODE for path in ROOT.glob(pattern)})
    return hash_text("\n".join(f"{path.relative_to(ROOT).as_posix()} {hash_file(path)}" for path in files))


def hash_files(path: Path) -> list[tuple[str, str]]:
    """Hash a file, or every file in a folder by its name there."""
    if path.is_file():
        return [("", hash_once(path, *read_state(path)))]
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    return [(file.relative_to(path).as_posix(), hash_once(file, *read_state(file))) for file in inside]


def read_state(path: Path) -> tuple[int, int]:
    """Read when a file was written and how long it is: if they change, it is hashed anew."""
    about = path.stat()
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=4096)
def hash_once(path: Path, written: int, size: int) -> str:
    """Hash a file, once for all jobs of a process as long as it is not written anew."""
    return hash_file(path)


def hash_file(path: Path) -> str:
    """Hash a file's content: its SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_text(text: str) -> str:
    """Hash a text: its SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
