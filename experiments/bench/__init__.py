"""Benchmarks: speed, and what the memory models can learn."""
