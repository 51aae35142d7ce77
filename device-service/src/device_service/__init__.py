"""Devices, their credentials, configuration, status and telemetry intake."""
