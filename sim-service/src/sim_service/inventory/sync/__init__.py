"""Syncs the inventory from the carrier: all SIMs as a job, a single one at once."""
