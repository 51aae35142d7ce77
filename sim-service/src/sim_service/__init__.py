"""SIM cards at the carrier: inventory, usage and quotas."""
