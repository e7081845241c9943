"""The block `scorecard` of a config: which printed table a run is to fill, and how it is laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.options import load_choice
from judgescale.harness.published.find import OPTIONS
from judgescale.harness.scorecard.layout import COLUMNS, PrintedTable, lay_out
from judgescale.harness.types import JudgescaleError

KEYS = ("title", "printed", "columns", "judges")


class Block(NamedTuple):
    """Hold what a block says."""

    printed: Mapping[str, Sequence[str]]  # words by option, as `judgescale published find` takes them
    title: str = ""
    columns: str = ""  # benchmark, section or k; empty = what varies
    judges: Sequence[str] = ()  # names of conf/judge whose rows can be bought


def read_table(cfg: DictConfig) -> PrintedTable | None:
    """Read the printed table that a composed config asks for; None where it asks for none.

    Raises JudgescaleError for what no table can be made of, and for a judge that no config is of.
    """
    if cfg.get("scorecard") is None:
        return None
    block = read_block(cfg.scorecard)
    for name in block.judges:
        try:
            load_choice("judge", name)
        except JudgescaleError as error:
            raise JudgescaleError(f"scorecard.judges: {error}") from None
    try:
        return lay_out(block.printed, block.title, block.columns)
    except JudgescaleError as error:
        raise JudgescaleError(f"scorecard.printed: {error}") from None


def read_block(given: Any) -> Block:
    """Read a block. Raises JudgescaleError naming the key that does not fit."""
    options = OmegaConf.to_container(given, resolve=True) if OmegaConf.is_config(given) else given
    if not isinstance(options, dict):
        raise JudgescaleError(f"scorecard={options}: must be null or hold {', '.join(KEYS)}")
    if unknown := [str(key) for key in options if key not in KEYS]:
        raise JudgescaleError(f"scorecard.{unknown[0]}: no such option; there are {', '.join(KEYS)}")
    columns = options.get("columns") or ""
    if columns not in ("", *COLUMNS):
        raise JudgescaleError(f"scorecard.columns={columns}: choose {', '.join(COLUMNS)}")
    title = options.get("title") or ""
    if not isinstance(title, str):
        raise JudgescaleError(f"scorecard.title={title}: must be a text; quote a number")
    judges = options.get("judges") or []
    if not isinstance(judges, list) or not all(isinstance(name, str) for name in judges):
        raise JudgescaleError(f"scorecard.judges={judges}: must be a list of names of conf/judge/")
    return Block(read_words(options.get("printed")), title, columns, judges)


def read_words(given: Any) -> dict[str, list[str]]:
    """Read which numbers are wanted, options in the order in which `judgescale published find` narrows down by them."""
    if not isinstance(given, dict) or not given:
        raise JudgescaleError(f"scorecard.printed={given}: say which numbers, by {', '.join(OPTIONS)}")
    if unknown := [str(key) for key in given if key not in OPTIONS]:
        raise JudgescaleError(f"scorecard.printed.{unknown[0]}: no such option; there are {', '.join(OPTIONS)}")
    words = {name: given[name] if isinstance(given[name], list) else [given[name]] for name in OPTIONS if name in given}
    for name, of_option in words.items():
        if not of_option or not all(type(word) in (str, int) and str(word).strip() for word in of_option):
            raise JudgescaleError(
                f"scorecard.printed.{name}={given[name]}: must be a word, or a list of them; quote a number"
            )
    return {name: [str(word) for word in of_option] for name, of_option in words.items()}
