"""Which SIM is in which device."""
