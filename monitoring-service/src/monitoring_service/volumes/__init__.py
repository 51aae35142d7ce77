"""What devices themselves say of their traffic, told to sim-service by the hour."""
