"""What can be ordered at the carrier."""
