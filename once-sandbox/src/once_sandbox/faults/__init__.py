"""Faults on demand: which calls and pushes go wrong, how, and how often."""
