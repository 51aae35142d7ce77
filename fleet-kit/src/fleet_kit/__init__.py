"""What every service does the same way: mechanics, no domain."""
