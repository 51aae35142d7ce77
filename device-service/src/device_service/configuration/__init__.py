"""Configuration of a device: one JSON object."""
