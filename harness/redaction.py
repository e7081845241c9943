"""Keep secrets out of whatever is written or printed: one rule for configs, error lines, stores, sets and file names.

A secret is the value of a name that says so (`api_key`, `Authorization`, `?sig=`), the user and password of an address,
and text in the form of a well-known kind of key. Addresses also lose their fragment, which no server is sent. A
reference to an environment variable, `${oc.env:NAME}`, is no secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from judgescale.harness.types import JudgescaleError

HIDDEN = "***"
SECRETS = {
    "key", "keys", "apikey", "apikeys", "token", "secret", "secrets", "password", "passwords", "passwd", "pwd",
    "passphrase", "auth", "authorization", "credential", "credentials", "cookie", "sig", "signature",
}  # fmt: skip
# an environment reference is no secret, unless its default is one
ENVIRONMENT = re.compile(r"(?:Bearer )?\$\{oc\.env:\s*[\w.]+\s*(,\s*(null|''|\"\")?\s*)?\}")
VARIABLE = re.compile(r"(?=.{1,40}$)[A-Z][A-Z0-9]{0,15}(_[A-Z0-9]{1,16})*")  # as names look, and keys do not

# http://user:password@, also where the password holds one of @ / # ?; a port is no password
USER = re.compile(r"(\w://)(?:[^/\s?#]*@|[^/@\s]*:(?!\d{1,5}(?:[/?#\s,]|$))\S*@)")
FRAGMENT = re.compile(r"(\w://[^\s#'\"]*)#[^\s'\",\])}]*")
REFERENCE = r"\$\{[^}]*\}"
QUERY = re.compile(rf"([?&;])([^=&#\s?]+)=({REFERENCE}|[^&#\s'\",\])}}]+)")
ASSIGNED = re.compile(rf"(?<![?&;\w.\-])([\w.\-]+)=({REFERENCE}|\S+)")  # an override, also one quoted in a text
IN_MAPPING = re.compile(  # {name: value} and {'name': 'value'}, as YAML, JSON and Python write it
    r"""([{,]\s*|(?=['"]))(['"]?)([\w.\- ]+)\2(\s*:\s*)"""
    rf"""("[^"]*"?|'[^']*'?|(?:[A-Za-z]+ )?(?:{REFERENCE}|[^\s,}}\]{{\[]+))"""
)
KNOWN = re.compile(r"\b(sk-|hf_|gh[opsu]_|xox[abp]-|AIza|AKIA|Bearer )[\w.*+/=-]{12,}")


def is_secret_name(name: str) -> bool:
    """Tell whether a name is that of a secret."""
    # the last word decides: api_key and HF_TOKEN are secrets, max_tokens and thinking_token_budget are settings
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(words) and words[-1].lower() in SECRETS


def names_variable(name: str) -> bool:
    """Tell whether an option takes the name of the variable that holds a secret, as `api_key_env` does."""
    return name.lower().endswith("_env") and is_secret_name(name[: -len("_env")])


def is_variable(value: str) -> bool:
    """Tell whether a text is the name of a variable and not, by mistake, a secret itself."""
    return bool(VARIABLE.fullmatch(value)) or value in os.environ


def redact(value: Any, name: str = "") -> Any:
    """Return a value of a config, under its name, with all that is secret in it hidden."""
    if isinstance(value, Mapping):
        secret = is_secret_name(name)
        return {k: redact(v, name if secret else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(v, name) for v in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_secret_name(name):
        return value if isinstance(value, str) and ENVIRONMENT.fullmatch(value.strip()) else HIDDEN
    if names_variable(name):
        return value if is_variable(str(value)) else HIDDEN
    return redact_text(value) if isinstance(value, str) else value


def redact_address(text: str) -> str:
    """Return text with the addresses in it as they may be shown: no user, no fragment, no secret in the query."""
    text = FRAGMENT.sub(r"\1", USER.sub(rf"\1{HIDDEN}@", text))
    return QUERY.sub(lambda m: f"{m[1]}{m[2]}={_hide(m[2], m[3])}", text)


def redact_text(text: str) -> str:
    """Return text without its secrets: addresses, assignments, mappings, and well-known kinds of keys."""

    def hide_in_mapping(found: re.Match[str]) -> str:
        """Write a name and its value as they stood, the value hidden where it is secret."""
        start, quote, name, colon, value = found.groups()
        return f"{start}{quote}{name}{quote}{colon}{_hide(name, value)}"

    text = ASSIGNED.sub(lambda m: f"{m[1]}={_hide(m[1], m[2])}", redact_address(text))
    return KNOWN.sub(rf"\1{HIDDEN}", IN_MAPPING.sub(hide_in_mapping, text))


def _hide(name: str, value: str) -> str:
    """Return what may be shown of a value that stands beside this name in a text."""
    bare = value.strip("'\"")
    if names_variable(name):
        return value if is_variable(re.split("[:,]", bare)[0]) else HIDDEN
    return HIDDEN if is_secret_name(name) and bare not in ("", "null") and not ENVIRONMENT.fullmatch(bare) else value


def redact_yaml(config: str) -> str:
    """Return a config in YAML without its secrets; where it holds none, just as it was given."""
    import yaml  # type: ignore[import-untyped]

    try:
        found = yaml.safe_load(config)
    except yaml.YAMLError:
        return "# left out: the config could not be read as YAML, so its secrets could not be found\n"
    safe = redact(found)
    return config if safe == found else str(yaml.safe_dump(safe, sort_keys=False, allow_unicode=True, width=10**6))


def refuse_secrets(arguments: Iterable[str]) -> None:
    """Raise JudgescaleError, without repeating it, for a secret on a command line: Hydra would write it to files."""
    for argument in arguments:
        name, _, value = argument.lstrip("+~").partition("=")
        inside = _read_mapping(value)
        if redact_text(argument) != argument or redact(inside, name) != inside:
            raise _make_refusal(redact_text(name), value)


def _read_mapping(value: str) -> Any:
    """Read the value of an override where it is a list or a mapping; None where it is none that YAML can read."""
    import yaml

    try:
        return yaml.safe_load(value) if value.startswith(("{", "[")) and "*" not in value else None
    except (yaml.YAMLError, ValueError, RecursionError):  # Hydra will say what is wrong with it
        return None


def refuse_secrets_in(config: Any, file: str) -> None:
    """Raise JudgescaleError, without repeating it, for a secret in a config file; `file` names that."""
    if found := _find_secret(config, ()):
        place, value = found
        raise _make_refusal(f"{file}, {redact_text('.'.join(place))}", str(value))


def _make_refusal(where: str, value: str) -> JudgescaleError:
    if names_variable(where):
        return JudgescaleError(
            f"{where}: give the name of the variable that holds the key, in capitals, as in OPENAI_API_KEY; not the key"
        )
    if USER.search(value):
        what = "holds a password"
    elif FRAGMENT.search(value):
        return JudgescaleError(f"{where}: the address has a #fragment, which no server is sent: leave it off")
    else:
        what = "holds a key or password"
    return JudgescaleError(
        f"{where} {what}, and configs are written to files: put the key into an environment variable, and name that"
        " with engine.api_key_env"
    )


def _find_secret(value: Any, place: Sequence[str]) -> tuple[Sequence[str], Any] | None:
    """Return the place of the first secret in a config, and the value there."""
    if isinstance(value, Mapping) and not (place and is_secret_name(place[-1])):
        found = (_find_secret(v, (*place, str(k))) for k, v in value.items())
    elif isinstance(value, list):
        found = (_find_secret(v, place) for v in value)
    else:
        return (place, value) if redact(value, place[-1] if place else "") != value else None
    return next(filter(None, found), None)
