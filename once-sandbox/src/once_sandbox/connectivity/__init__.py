"""Where a SIM is attached, its session, and what 1NCE tells of both."""
