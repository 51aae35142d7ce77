"""Carriers: what the rest of the service may know of them (base, errors), and one folder for each carrier."""
