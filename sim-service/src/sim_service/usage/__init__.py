"""What SIMs consume: usage by hour, day and month, quotas with forecasts, the carrier's Data Streamer.

Two sources count the same bytes (docs/decisions/0008): `sim_usage` polls, `streamer` receives.
`device_usage` holds what devices report of themselves; `totals` sums up organisations and tags.
"""
