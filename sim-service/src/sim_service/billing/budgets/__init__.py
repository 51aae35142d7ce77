"""How much of its granted money an organisation has spent, or may yet have to."""
