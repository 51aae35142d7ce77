"""Telemetry that ran out of attempts: listed as rejected, or stored after all."""
