"""Support tickets and their conversations."""
