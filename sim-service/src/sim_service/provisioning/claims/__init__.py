"""Giving unclaimed SIMs an owner."""
