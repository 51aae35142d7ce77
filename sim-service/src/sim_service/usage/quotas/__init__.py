"""What is left of each SIM's data and messages."""
