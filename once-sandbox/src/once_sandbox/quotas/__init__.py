"""Volumes granted to a SIM, what is left of them, and how they are booked."""
