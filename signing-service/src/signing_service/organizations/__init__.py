"""Organisations, the tenants of the platform."""
