"""Bringing what is wanted of a SIM about at the carrier."""
