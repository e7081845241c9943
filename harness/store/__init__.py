"""The store of every answer ever bought from a model, its export to one Parquet file, and its commands."""

from judgescale.harness.store.store import Question, Store, encode_canonical, name_as_now

__all__ = ["Question", "Store", "encode_canonical", "name_as_now"]
