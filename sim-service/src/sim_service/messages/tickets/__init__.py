"""Support tickets at the carrier: opened once, stored with their conversations."""
