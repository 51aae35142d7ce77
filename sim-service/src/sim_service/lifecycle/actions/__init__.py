"""Reconciles the desired state of a SIM with the carrier's."""
