"""Sweeps, reports, benchmarks: the `popjax` command."""
