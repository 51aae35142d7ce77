"""This service's own copy of what others know about devices, SIMs and alerts, made from their events."""
