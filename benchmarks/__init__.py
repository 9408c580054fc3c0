"""Measurement scripts; their results go into docs/benchmarks.md."""
