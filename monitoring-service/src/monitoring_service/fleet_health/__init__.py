"""The health of the whole fleet in one answer."""
