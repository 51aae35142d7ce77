"""Bringing the inventory up to the carrier: all SIMs as a job, one at once."""
