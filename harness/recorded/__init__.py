"""Recorded sets: judgments somebody already paid for, kept as one small Parquet file a set (numbers and ids, no texts).

    from judgescale.harness.recorded import read, write, shipped
    vicuna = read("results/recorded/vicuna80.parquet")      # or read("vicuna80"): a shipped set by its name
    vicuna.meta["varies"], len(vicuna.records)

`python -m harness.recorded --help` imports other people's files, shows a set and rebuilds the shipped ones.
"""

from judgescale.harness.recorded.sets import COLUMNS, SCHEMA, RecordedSet, read, shipped, write

__all__ = ["COLUMNS", "SCHEMA", "RecordedSet", "read", "shipped", "write"]
