"""Publishes which devices sent a message."""
