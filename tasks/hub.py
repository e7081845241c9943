"""Read rows of data sets on the Hugging Face Hub with `datasets`, at a revision that is resolved and recorded."""

from __future__ import annotations

import logging
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from judgescale.harness.errors import advise_local_copy, write_install
from judgescale.harness.types import JudgescaleError, MissingData

OPTIONS = ("id", "config", "split", "revision")
NO_WAY = {"ConnectionError", "TransportError", "Timeout"}  # of requests and of httpx, whichever the Hub's client has
PATIENCE = 60.0  # seconds for which the Hub is not asked again once there was no way to it


class Lost(NamedTuple):
    """Hold how the Hub was lost, and until when it is not asked again."""

    until: float  # time.monotonic
    error: Exception


_lost: list[Lost] = []  # the last one, of this process


class Part(NamedTuple):
    """Name one split of one configuration of one data set."""

    id: str
    config: str | None
    split: str

    @property
    def title(self) -> str:
        """Return what errors call it."""
        return "/".join(filter(None, (self.id, self.config, self.split)))


@dataclass(frozen=True)
class Hub:
    """Hold the options of task.hub. Each of id, config and split is a list, for a benchmark in several data sets.

    An id may also be a folder in which a copy of the data set lies. No code of a data set is ever run. `prefix` is how
    the names of the options begin: "task." for task.hub and task.path.
    """

    id: Sequence[str]
    config: Sequence[str | None]
    split: Sequence[str]
    revision: Sequence[str | None]  # one for each id
    prefix: str = "task."
    resolved: dict[str, str] = field(default_factory=dict)  # id -> commit, filled while rows are read

    def list_parts(self) -> list[Part]:
        """List every split of every configuration of every data set."""
        return [Part(*part) for part in product(self.id, self.config, self.split)]

    def read_rows(self, part: Part) -> Iterator[dict[str, Any]]:
        """Yield the rows of one part. Raises JudgescaleError where they cannot be had, saying why and what to do."""
        try:
            import datasets  # noqa: F401
        except ImportError as error:
            why = f"the Hub needs {error.name}: {write_install('hub')}"
            told = f"{self.prefix}hub.id={part.id}: {why}, or {self._local_copy}"
            raise MissingData(told, f"{self.prefix}path", why) from error
        revision = self.revision[self.id.index(part.id)]
        try:
            with _silence_libraries():
                data = self._load_part(part, revision)
            yield from data
        except Exception as error:  # of `datasets`, of the Hub's client or of its HTTP library, which change
            raise self._explain(part, revision, error) from error

    def _load_part(self, part: Part, revision: str | None) -> Any:
        """Load one part, and note in `resolved` which commit it is of."""
        from datasets import load_dataset

        folder = Path(os.path.expanduser(part.id))
        if folder.is_dir():
            if revision:
                raise ValueError(f"a folder has no revisions; {self.prefix}hub.revision must be null")
            self.resolved[part.id] = "local"
            return load_dataset(str(folder.resolve()), part.config, split=part.split, keep_in_memory=False)
        commit = self.resolved.get(part.id) or _resolve_commit(part.id, revision)
        data = load_dataset(part.id, part.config, split=part.split, revision=commit, keep_in_memory=False)
        # `datasets` takes whatever its cache holds where the Hub cannot be reached, and calls it by its commit
        names = [Path(file["filename"]).parent.name for file in data.cache_files]
        found = next((name for name in names if is_commit(name)), commit or "unknown")
        if commit and found != commit:
            raise ValueError(f"the cache has no newer copy than {found}; remove that one or fetch {commit[:8]}")
        self.resolved[part.id] = found
        return data

    def _explain(self, part: Part, revision: str | None, error: Exception) -> JudgescaleError:
        """Make the error of one line that says which part cannot be had, why, and what to do.

        It is MissingData where the Hub does not give the data set, and none for what it gives and cannot be used.
        """
        kinds = find_kinds(error)
        said = " ".join(str(error).split())[:300] or type(error).__name__
        option, title = f"{self.prefix}hub", f"data set {part.title}{f'@{revision}' if revision else ''}"
        if "GatedRepoError" in kinds or "is a gated dataset" in said:
            why = "it is gated: accept its terms on its page on the Hub, then set HF_TOKEN"
        elif "RevisionNotFoundError" in kinds or "Revision '" in said:
            return JudgescaleError(f"{title} has no revision {revision}; look at {option}.revision")
        elif kinds & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
            why = f"it is not on the Hub, or not for everybody: look at {option}.id, set HF_TOKEN"
        elif "OfflineModeIsEnabled" in said:
            why = "it is not in the cache, and HF_HUB_OFFLINE is set; unset it"
        elif kinds & NO_WAY:
            why = f"no way to the Hub ({said}); set HF_HUB_OFFLINE=1 if it is in the cache"
        elif "HfHubHTTPError" in kinds:
            why = f"the Hub refuses it ({said})"
        else:
            return JudgescaleError(f"{title} cannot be had: {said}")
        return MissingData(f"{title} cannot be had: {why}, or {self._local_copy}", f"{self.prefix}path", why)

    @property
    def _local_copy(self) -> str:
        """Return the advice to do without the Hub."""
        return advise_local_copy(self.prefix)

    def describe_origin(self) -> Mapping[str, Any]:
        """Return what is needed to get the same rows again; a folder is told by its name alone."""
        names = [Path(id).name if self.resolved.get(id) == "local" else id for id in self.id]
        return {
            "hub": "+".join(names),
            "config": "+".join(c or "" for c in self.config),
            "split": "+".join(self.split),
            "revision": "+".join(self.resolved.get(id, "unknown") for id in self.id),
        }


def read_hub_options(options: Any, prefix: str = "task.") -> Hub | None:
    """Read the option task.hub (or, with a prefix "task.prior_", task.prior_hub); None where it is null.

    Raises JudgescaleError naming the part of it that does not fit.
    """
    if options is None:
        return None
    option = f"{prefix}hub"
    if not isinstance(options, Mapping):
        raise JudgescaleError(f"{option}={options}: must be a mapping of {', '.join(OPTIONS)}")
    if unknown := [key for key in options if key not in OPTIONS]:
        raise JudgescaleError(f"{option}.{unknown[0]}: no such option; there are {', '.join(OPTIONS)}")
    ids, configs, splits, revisions = (_read_names(options, name, option) for name in OPTIONS)
    if len(revisions) == 1:
        revisions *= len(ids)
    if len(revisions) != len(ids):
        raise JudgescaleError(f"{option}.revision: has {len(revisions)} for {len(ids)} ids; give one, or one for each")
    return Hub(ids, configs, splits, revisions, prefix)


def _read_names(options: Mapping[str, Any], key: str, option: str) -> list[Any]:
    """Read a name or a list of names; config and revision may be null."""
    value = options.get(key)
    names = list(value) if isinstance(value, list | tuple) else [value]
    may_lack = key in ("config", "revision")
    if not names or not all(isinstance(n, str) and n.strip() or n is None and may_lack for n in names):
        wanted = "a commit, branch or tag, in quotes" if key == "revision" else "a name"
        shown = "null" if value is None else value
        raise JudgescaleError(f"{option}.{key}={shown}: must be {wanted}, or a list of them")
    return names


def is_commit(name: str) -> bool:
    """Tell whether a name is a full commit hash."""
    return re.fullmatch("[0-9a-f]{40}", name) is not None


def _resolve_commit(id: str, revision: str | None) -> str | None:
    """Ask the Hub which commit a revision is; None where the newest is wanted and the Hub is not to be asked.

    Where there was no way to the Hub a moment ago, it is not asked: a silent network takes its time to say so, and a
    suite would wait for it once a member.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    if _lost and time.monotonic() < _lost[0].until:
        raise _lost[0].error
    try:
        found: str | None = HfApi().dataset_info(id, revision=revision, timeout=10).sha
        return found
    except OfflineModeIsEnabled:
        if revision is None or is_commit(revision):
            return revision
        raise ValueError(f"HF_HUB_OFFLINE is set, and only the Hub knows what {revision} is; name a commit") from None
    except Exception as error:
        if find_kinds(error) & NO_WAY:
            _lost[:] = [Lost(time.monotonic() + PATIENCE, error)]
        raise


def find_kinds(error: Exception) -> set[str]:
    """Find the names of the classes that an error is of: those of the Hub's libraries may not be there to import."""
    return {kind.__name__ for kind in type(error).__mro__}


@contextmanager
def _silence_libraries() -> Iterator[None]:
    """Keep the Hub's libraries from showing bars, remarks and warnings: the error or the result says what matters."""
    import datasets
    import huggingface_hub

    with ExitStack() as after:
        after.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for name, bars in (("datasets", datasets.utils), ("huggingface_hub", huggingface_hub.utils)):
            logger = logging.getLogger(name)
            after.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
            if not bars.are_progress_bars_disabled():
                after.callback(bars.enable_progress_bars)
                bars.disable_progress_bars()
        yield
