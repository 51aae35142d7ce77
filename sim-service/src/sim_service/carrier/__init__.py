"""Carriers: their interface, models and errors, rate limiter and circuit breaker.

The rest of the service knows only these modules; each carrier has a folder of its own (`once`: 1NCE).
"""
