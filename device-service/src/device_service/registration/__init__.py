"""Creating a device together with its key."""
