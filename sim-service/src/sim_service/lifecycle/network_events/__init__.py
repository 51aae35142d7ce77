"""What the network noted about SIMs."""
