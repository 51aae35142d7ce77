"""Schema migrations of device-service."""
