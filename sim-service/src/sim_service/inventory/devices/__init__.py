"""Copies of facts that device-service owns."""
