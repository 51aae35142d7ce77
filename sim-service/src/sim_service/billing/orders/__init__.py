"""Orders at the carrier: as its account lists them, and new ones."""
