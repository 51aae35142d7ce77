"""Figures of an organisation at a glance."""
