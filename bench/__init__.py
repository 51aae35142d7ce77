"""Benchmarks: each row prints the project's figure beside the raw limit, measured in the same run."""
