"""What every package stands on: database, cache, dependencies of endpoints, small helpers.

Knows neither SIMs nor the carrier.
"""
