"""The choices of every config group, for --help: wrapped, and judges that are formats apart from those with a model."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING

from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType

from judgescale.harness.options import load_choice

if TYPE_CHECKING:
    from hydra._internal.config_loader_impl import ConfigLoader

WIDTH = 118  # characters of a line
NO_JUDGES = ("base",)  # what others inherit


def list_choices() -> str:
    """List the choices of every group, here and in a folder given with --config-dir, one paragraph a group."""
    return list_choices_of(GlobalHydra.instance().config_loader())


@lru_cache(maxsize=1)
def list_choices_of(loader: ConfigLoader) -> str:
    """List the choices that a loader finds, once: Hydra writes the help anew with every config that it composes."""
    paragraphs = []
    for group, names in find_groups(loader).items():
        if group == "judge":
            models = [name for name in names if name not in NO_JUDGES and has_card(name)]
            formats = [name for name in names if name not in (*models, *NO_JUDGES)]
            paragraphs += [_write("judge, a format", formats), _write("judge, with its model", models)]
        else:
            paragraphs.append(_write(group, names))
    return "\n".join(paragraphs).replace("$", "$$")  # Hydra fills the text in as a template


def has_card(judge: str) -> bool:
    """Tell whether a judge's own file says what is known of its model. Help is shown whatever is wrong with a file."""
    try:
        return "card" in load_choice("judge", judge)
    except Exception:
        return False


def find_groups(loader: ConfigLoader) -> dict[str, list[str]]:
    """Find every group of ours that has choices, and their names."""
    groups = [name for name in loader.get_group_options("", ObjectType.GROUP) if name != "hydra"]
    found = {group: loader.get_group_options(group, ObjectType.CONFIG) for group in sorted(groups)}
    return {group: names for group, names in found.items() if names}


def _write(title: str, names: list[str]) -> str:
    return textwrap.fill(f"{title}: {', '.join(names)}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
