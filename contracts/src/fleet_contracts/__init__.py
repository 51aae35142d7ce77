"""Every event and telemetry message of the fleet, as Pydantic models."""
