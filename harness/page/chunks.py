"""Pack what a page holds into blocks that a browser unpacks only when somebody looks at them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

TYPES = {"uint8": np.uint8, "int16": np.int16, "uint16": np.uint16, "uint32": np.uint32, "float32": np.float32}


def pack(content: bytes) -> str:
    """Compress bytes, the same ones always alike, and write them in base64."""
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode("ascii")


def pack_json(value: Any) -> str:
    """Pack a value as JSON in ASCII, which keeps halves of characters too; NaN is refused."""
    return pack(json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii"))


def pack_columns(columns: Mapping[str, np.ndarray]) -> tuple[str, dict[str, tuple[str, int, int]]]:
    """Pack columns of numbers, little-endian, one after the other; return also each one's type, offset and length."""
    where: dict[str, tuple[str, int, int]] = {}
    pieces: list[bytes] = []
    offset = 0
    for name, column in columns.items():
        kind = next(kind for kind, dtype in TYPES.items() if column.dtype == dtype)
        content = column.astype(column.dtype.newbyteorder("<")).tobytes()
        padding = -len(content) % 8  # a typed array begins at a multiple of its numbers' size
        where[name] = (kind, offset, len(column))
        pieces += [content, bytes(padding)]
        offset += len(content) + padding
    return pack(b"".join(pieces)), where


def cut_by_size(sizes: np.ndarray, most: int) -> list[int]:
    """Cut a sequence into chunks of about this size; return where each begins, and the end. No entry is split."""
    if not len(sizes):
        return [0]
    chunk = np.concatenate([[0], np.cumsum(sizes)[:-1]]) // most
    return [*np.flatnonzero(np.diff(chunk, prepend=-1)).tolist(), len(sizes)]
