"""Short messages to and from a SIM."""
