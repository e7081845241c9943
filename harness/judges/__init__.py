"""Judge formats and meta RMs: each file is one way to ask a model about responses and to read its verdict."""
