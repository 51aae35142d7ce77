"""Whether a device is heard: status, last seen, the sweeper."""
