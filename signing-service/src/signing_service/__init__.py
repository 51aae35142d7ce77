"""Users, organisations, tokens and the token denylist."""
