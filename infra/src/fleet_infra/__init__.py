"""Brings up the fleet and its servers without Docker."""
