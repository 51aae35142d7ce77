"""Devices' own count of their traffic, published by the hour for sim-service."""
