"""Keys of devices: issue, rotate, revoke, check."""
