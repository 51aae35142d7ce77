"""Forgetting what nobody needs any more."""
