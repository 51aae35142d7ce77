"""Devices: create, list, read, change, delete."""
