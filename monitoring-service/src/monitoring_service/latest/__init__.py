"""The newest reading of each device."""
