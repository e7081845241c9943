"""Every answer ever bought: the store, its file to carry elsewhere, and its commands."""

from judgescale.harness.store.store import Question, Store, canonical

__all__ = ["Question", "Store", "canonical"]
