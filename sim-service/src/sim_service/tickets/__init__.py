"""Support tickets at the carrier: opened once, kept with their conversations."""
