"""What each SIM used, by day."""
