"""The carrier 1NCE: the only folder that knows its API."""
