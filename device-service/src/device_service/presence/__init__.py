"""Whether a device sends messages: status, last seen, the sweeper."""
