"""The sandbox's own API: what 1NCE's customer cannot do, and 1NCE or the world would."""
