"""Read config files so that a broken or hostile one is an error that names the file, before Hydra uses it.

YAML lets a file of a few lines stand for billions of values (aliases of aliases), or contain itself; a secret in a
config would be copied to every run's folder.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import yaml  # type: ignore[import-untyped]
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness import ROOT
from judgescale.harness.redaction import refuse_secrets_in
from judgescale.harness.types import JudgescaleError

LONGEST = 200_000  # characters of a config file
MOST_VALUES = 20_000  # in a file, an alias counted as all that it stands for


class FileConfigSource(file_config_source.FileConfigSource):
    """Read the YAML files of a folder for Hydra, checked; one that did not change in between only once.

    It bears the name of the class that it replaces: by that name, Hydra lets it stay in the processes of a launcher.
    """

    known: ClassVar[dict[tuple[object, ...], ConfigResult]] = {}  # of all folders: each job of a sweep asks anew

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one file. Raises JudgescaleError where it is no config, and ConfigLoadError where there is none."""
        file = os.path.join(self.path, self._normalize_file_name(config_path))
        if not os.path.isfile(file):
            return super().load_config(config_path)
        about = os.stat(file)
        version = (self.provider, file, about.st_ino, about.st_mtime_ns, about.st_size)
        if version not in self.known:
            self.known[version] = self._load_checked(config_path, file)
        return copy.deepcopy(self.known[version])  # Hydra takes it apart

    def _load_checked(self, config_path: str, file: str) -> ConfigResult:
        with translate_errors(file):
            with open(file, encoding="utf-8") as opened:
                check_text(opened.read(LONGEST + 1))
            result: ConfigResult = super().load_config(config_path)
        if not isinstance(result.config, DictConfig):
            raise JudgescaleError(f"{file}: must hold options, a line each, as in strategy: …")
        check_defaults(OmegaConf.to_container(result.config), file)
        refuse_secrets_in(OmegaConf.to_container(result.config), file)
        if isinstance(paths := OmegaConf.select(result.config, "data.paths"), DictConfig):
            OmegaConf.set_struct(paths, False)  # its options are the tasks' names, also of tasks elsewhere
        return result


def read_configs_checked() -> None:
    """Let Hydra read every config file in this process as the source above does."""
    Plugins.instance()  # which registers Hydra's own sources first
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource


@contextmanager
def translate_errors(file: str) -> Iterator[None]:
    """Turn whatever is wrong with a config file into a line that names it, and the line in it."""
    try:
        yield
    except JudgescaleError as error:
        raise JudgescaleError(f"{file}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise JudgescaleError(f"{file}{line}: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise JudgescaleError(f"{file}: is nested too deeply to be a config") from None
    except UnicodeDecodeError as error:
        raise JudgescaleError(f"{file}: is not UTF-8 text (byte {error.start})") from None
    except (OmegaConfBaseException, ValueError, TypeError, OSError) as error:
        raise JudgescaleError(f"{file}: {str(error).splitlines()[0]}") from None


def check_defaults(config: Any, file: str) -> None:
    """Raise JudgescaleError for a defaults list that Hydra cannot read."""
    if not isinstance(entries := config.get("defaults", []), list):
        raise JudgescaleError(f"{file}: defaults must be a list, as in defaults: [base, _self_]")
    for entry in entries:
        choice = [entry]
        if isinstance(entry, dict) and len(entry) == 1:
            (chosen,) = entry.values()
            choice = chosen if isinstance(chosen, list) else [chosen or ""]  # nothing may be chosen
        if not all(isinstance(name, str) for name in choice):
            raise JudgescaleError(f"{file}: {entry} in defaults must be a file's name, or group: name")


def check_text(text: str) -> None:
    """Raise JudgescaleError for a text that would take too long or too much memory to read as YAML."""
    if len(text) > LONGEST:
        raise JudgescaleError(f"is longer than the {LONGEST:,} characters that a config may have")
    if "\0" in text:
        raise JudgescaleError(f"line {text[: text.index(chr(0))].count(chr(10)) + 1} holds a NUL character")
    if "*" in text and "&" in text and (root := yaml.compose(text, Loader=yaml.SafeLoader)) is not None:
        count_values(root, {}, set())


def count_values(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Count the values that a node of YAML stands for, aliases written out.

    known: counts of nodes counted before, by id; above: the nodes that this one lies in.

    Raises JudgescaleError for a node that contains itself, or that stands for too many values.
    """
    if id(node) in above:
        raise JudgescaleError(f"line {node.start_mark.line + 1} has an alias of something that it is part of")
    if (count := known.get(id(node))) is None:
        below: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            below = node.value
        elif isinstance(node, yaml.MappingNode):
            below = [one for pair in node.value for one in pair]
        count = 1 + sum(count_values(one, known, above | {id(node)}) for one in below)
        known[id(node)] = count
    if count > MOST_VALUES:
        raise JudgescaleError(f"its aliases stand for more than {MOST_VALUES:,} values")
    return count


def check_choices(arguments: Sequence[str]) -> None:
    """Raise JudgescaleError where an override of a config group, such as judge=…, is no name and no list of names."""
    parser = OverridesParser.create()
    for argument in arguments:
        group, equals, _ = argument.lstrip("+~").partition("=")
        if not equals or not re.fullmatch(r"\w+(@\w*)?", group) or not (ROOT / "conf" / group.split("@")[0]).is_dir():
            continue
        try:
            parsed = parser.parse_override(argument)
            values = list(parsed.sweep_iterator()) if parsed.is_discrete_sweep() else [parsed.value()]
        except HydraException:
            continue  # Hydra says it better
        for value in values:
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(name, str) for name in names) and not (value is None and parsed.is_delete()):
                raise JudgescaleError(f"{argument}: must be the name of a choice in conf/{group}/, or a list of names")
