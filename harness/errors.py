"""Errors as the person at the keyboard meets them: one line that names the culprit and what to do.

What it quotes of models, servers and files is made harmless here, and secrets are hidden.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from judgescale.harness import ROOT
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.redaction import redact_text
from judgescale.harness.types import JudgescaleError, Unfinished

LONGEST = 1_000  # characters of a line; an error may quote a value of any size
LAUNCHERS = {  # of Hydra, and the extra of this package that installs each
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray-launcher",
}


def explain_error(error: BaseException) -> str:
    """Put an exception out of a run into one line; bugs are marked as such and point to the traceback."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, HydraException | OmegaConfBaseException):  # some of Hydra's are OSErrors too
        return f"error: {make_harmless(_explain_unknown_option(error) or _explain_config_error(str(error)))}"
    if isinstance(error, Unfinished):
        return make_harmless(str(error))
    if isinstance(error, JudgescaleError | OSError):
        return f"error: {make_harmless(str(error))}"
    if isinstance(error, RecursionError):
        return "error: configs that contain each other without end: look at their defaults lists, and at ${…} in them"
    kind = type(error).__name__
    return f"internal error: {kind}: {make_harmless(str(error))} (JUDGESCALE_DEBUG=1 shows where; please report it)"


def make_harmless(text: str) -> str:
    """Put a text on one line that can be printed: no secrets, no control characters, of bounded length."""
    line = flatten_text(redact_text(text))
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


def write_install(extra: str = "") -> str:
    """Write the command that installs this package with an extra: from the checkout where it runs from one."""
    if (ROOT / "pyproject.toml").is_file():
        return f"pip install -e '.[{extra}]'" if extra else "pip install -e ."
    return f"pip install 'judgescale[{extra}]'" if extra else "pip install judgescale"


def advise_local_copy(prefix: str = "task.") -> str:
    """Write how to give data that are not here: the advice of every error that lacks them.

    prefix: how the name of the option begins, "task." for task.path; only that one has ways for all tasks.
    """
    more = ", or for every run with data.paths.TASK or data.root" if prefix == "task." else ""
    return f"give a local copy with {prefix}path=FILE_OR_FOLDER (in a suite task.paths.TASK{more})"


def list_some(names: Sequence[str], most: int = 6) -> str:
    """List the first names in a line, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _explain_unknown_option(error: BaseException) -> str | None:
    """Explain an override of an option that the config does not have, with the one meant; None for other errors."""
    option = re.search(r"Could not override '([^']+)'", str(error))
    if not option:
        return None
    refused = error.__cause__ or error.__context__
    node, key, full = (getattr(refused, name, None) for name in ("parent_node", "key", "full_key"))
    known = [str(name) for name in node] if node is not None else []
    if node is not None and not known:  # null, or a plain value
        within = str(full).removesuffix(f".{key}")
        return f"{option[1]}: {within} has no options of its own yet; to add one, use +{option[1]}=…"
    close = difflib.get_close_matches(str(key), known, 1)
    whole = str(full).removesuffix(str(key)) + "".join(close) + option[1].removeprefix(str(full))
    meant = f" did you mean {whole}?" if close else ""
    listed = "python run.py judge=… engine=… task=… --help lists all options of these choices"
    return f"{option[1]}: no such option;{meant} {listed}"


def _explain_config_error(text: str) -> str:
    """Put Hydra's and OmegaConf's multi-line messages in one line, in our words where we know better."""
    launcher = re.search(r"Could not \w+ .*'hydra/launcher/(\w+)'", text)
    if launcher and (extra := LAUNCHERS.get(launcher[1])):
        return f"hydra/launcher={launcher[1]} is not installed: {write_install(extra)}"
    if group := re.search(r"Could not find '([\w@.]+)/([^']*)'\s*Available options in '[^']*':((?:\n\t\S+)+)", text):
        options = group[3].split()
        close = difflib.get_close_matches(group[2], options, 1)
        meant = f" did you mean {close[0]}?" if close else ""
        return f"{group[1]}={group[2]}: no such choice;{meant} there are {', '.join(options)}"
    if "override_grammar" in text:
        told = flatten_text(re.sub(r"See https://hydra\S+ for details|\n +\^", "", text))
        told = told.replace("LexerNoViableAltException:", "cannot read")
        return f"{told}: quote the override, as in 'judge.price={{input: 1, output: 2}}'"
    return flatten_text(
        re.sub(r"\n\s*((full_key|object_type|reference_type)[=:].*|Config search path:[^$]*)", "", text)
    )
