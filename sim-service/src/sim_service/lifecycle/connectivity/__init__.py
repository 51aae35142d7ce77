"""Where SIMs are in the network."""
