"""What whole organisations and tags used, and who used most."""
