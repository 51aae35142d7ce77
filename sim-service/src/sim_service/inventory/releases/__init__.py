"""Which organisations had a SIM before, and until when."""
