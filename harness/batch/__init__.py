"""Batch files: a folder of requests written down, of answers that came back, and how both travel."""
