"""Telemetry storage, queries and the live feed."""
