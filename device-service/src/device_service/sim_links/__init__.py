"""Which SIM is in which device, as sim-service says."""
