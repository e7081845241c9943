"""A secret given in any place reaches no file, no file's name and no output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from judgescale.harness.engines.openai import OpenAI
from judgescale.harness.live.connection import Connection
from judgescale.harness.live.meter import Meter
from judgescale.harness.live.model import Model
from judgescale.harness.live.outbox import Outbox
from judgescale.harness.redaction import redact, redact_text, refuse_secrets
from judgescale.harness.store import Store
from judgescale.harness.types import JudgescaleError, Sampling

SECRET = "SENTINELx9pw"
LIVE = (
    "judge=pairwise", "judge.model=m", "engine=openai", "task=sanity", "run.limit=2", "engine.retries=1",
    "engine.backoff=0.01", "run.store=store.sqlite",
)  # fmt: skip
NOWHERE = "engine.base_url=http://127.0.0.1:9/v1"
KEPT_OUT = "put the key into an environment variable, and name that with engine.api_key_env"


def go(folder: Path, *arguments: str, **env: str) -> str:
    """Run a command in a folder, and return all it printed; it must fail, and leave the secret nowhere."""
    clean = {k: v for k, v in os.environ.items() if k not in ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=folder, env=clean | env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said, said
    assert SECRET not in said
    for path in folder.rglob("*"):
        assert SECRET not in str(path)
        assert path.is_dir() or "given" in path.parts or SECRET.encode() not in path.read_bytes(), path
    return said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"engine.base_url=http://user:{SECRET}@127.0.0.1:9/v1"], KEPT_OUT),
        (["-m", "seed=0,1", f"engine.base_url=http://user:{SECRET}@127.0.0.1:9/v1"], KEPT_OUT),
        (["-m", "seed=0,1", f"+engine.api_key={SECRET}", "hydra.verbose=true"], KEPT_OUT),
        (["--dry", f"engine.extra_body={{headers: {{Authorization: Bearer {SECRET}}}}}"], KEPT_OUT),
        ([f"+engine.extra_body.api_key={SECRET}", "--cfg", "job"], KEPT_OUT),
        ([f"{NOWHERE}#{SECRET}"], "#fragment"),
        (["-m", "seed=0,1", f"engine.api_key_env=sk-{SECRET}"], "give the name of the variable"),
        ([f"engine.api_key_env={SECRET}"], "give the name of the variable"),
    ],
)
def test_a_secret_on_the_command_line_is_refused_before_anything_is_written(tmp_path, arguments, said):
    assert said in go(tmp_path, *arguments, *LIVE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [[], ["-m", "seed=0,1", "hydra.verbose=true", "hydra.output_subdir=.hydra"]])
def test_a_secret_in_a_config_file_is_refused(tmp_path, more):
    (tmp_path / "given" / "experiment").mkdir(parents=True)
    recipe = tmp_path / "given" / "experiment" / "mine.yaml"
    recipe.write_text(f"# @package _global_\nengine:\n  extra_body: {{api_key: {SECRET}}}\n")
    said = go(tmp_path, "--config-dir", "given", *more, "experiment=mine", *LIVE)
    assert f"{recipe}, engine.extra_body.api_key holds a key or password" in said


@pytest.mark.parametrize("field", ["api_key", "user"])  # "user" does not look like a secret
def test_a_secret_out_of_the_environment_is_used_and_kept_nowhere(tmp_path, field):
    body = f"engine.extra_body={{{field}: '${{oc.env:MINE}}'}}"
    said = go(tmp_path, "-m", "seed=0,1", body, NOWHERE, *LIVE, "hydra.verbose=true", MINE=SECRET)
    assert "no server at http://127.0.0.1:9/v1" in said and list(tmp_path.rglob("multirun.yaml"))


def test_a_variable_that_is_not_set_is_an_error(tmp_path):
    said = go(tmp_path, "engine.api_key_env=JUDGESCALE_NO_SUCH_KEY", NOWHERE, *LIVE)
    assert "engine.api_key_env=JUDGESCALE_NO_SUCH_KEY: this environment variable is not set" in said


def test_the_store_knows_a_model_without_its_secrets(tmp_path):
    engine = OpenAI(
        model="m", extra_body={"api_key": SECRET, "top_k": 20}, provider=f"host/v1?api-version=2&key={SECRET}"
    )
    with Store(tmp_path / "store.sqlite") as store:
        model = Model(Connection(engine, None), "judge", Sampling(), 0, Outbox(store, Meter(0)), Meter(0), None)
    assert SECRET not in model.settings
    assert '"top_k":20' in model.settings and "api-version=2&key=***" in model.settings


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://user:pw@host:1/v1", "http://***@host:1/v1"),
        ("http://u:p@w@host/v1, then", "http://***@host/v1, then"),
        ("http://u:p/w#x?y@host/v1", "http://***@host/v1"),
        ("https://host/v1?api-version=2&sig=pw&n=1#pw", "https://host/v1?api-version=2&sig=***&n=1"),
        ("engine.api_key=pw judge=pairwise", "engine.api_key=*** judge=pairwise"),
        ("{headers: {Authorization: Bearer pw}, top_k: 1}", "{headers: {Authorization: ***}, top_k: 1}"),
        ("{'model': 'm', 'api_key': 'p w'}", "{'model': 'm', 'api_key': ***}"),
        ("Incorrect key sk-pwpwpwpwpwpwpwpw given", "Incorrect key sk-*** given"),
    ],
)
def test_text_is_redacted(given: str, shown: str) -> None:
    assert redact_text(given) == shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "plain",
    [
        "engine.base_url=http://localhost:8000/v1,http://b:1/v1",
        "engine.api_key_env=OPENAI_API_KEY,MY_KEY",
        "judge.sampling.max_tokens=5",
        "engine.thinking_field=thinking_token_budget",
        "engine.extra_body={api_key: ${oc.env:MINE}, top_k: 2}",
        "run.budget.tokens=100",
        "github.com/OWNER/NAME@0123456789",
        "https://github.com/OWNER/NAME@0123456789",
        "strategy.k: must be a whole number",
    ],
)
def test_what_is_no_secret_stays(plain: str) -> None:
    assert redact_text(plain) == plain
    refuse_secrets([plain])


def test_values_are_redacted_by_their_names() -> None:
    given = {"api_key": 5, "keys": ["a", {"b": "c"}], "HF_TOKEN": "${oc.env:HF}", "max_tokens": 9, "key_env": "sk-1"}
    shown = {"api_key": "***", "keys": ["***", {"b": "***"}], "HF_TOKEN": "${oc.env:HF}", "max_tokens": 9}
    assert redact(given) == shown | {"key_env": "***"}
    with pytest.raises(JudgescaleError, match=r"^engine.extra_body holds a key"):
        refuse_secrets(["engine.extra_body={keys: [pw, x]}"])


def test_the_command_that_summary_json_repeats_holds_no_secret(monkeypatch):
    from judgescale.harness import command

    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/judgescale"])
    token = command.TYPED.set(("task=llmbar", f"+engine.api_key={SECRET}", f"engine.base_url=http://u:{SECRET}@h/v1"))
    try:
        assert command.write_command([]).startswith("judgescale task=llmbar '+engine.api_key=***' ")
        assert SECRET not in command.write_command([])
    finally:
        command.TYPED.reset(token)
