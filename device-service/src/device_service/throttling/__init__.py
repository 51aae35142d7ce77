"""Devices that send too much are kept from the broker for a while."""
