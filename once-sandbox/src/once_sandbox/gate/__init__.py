"""What stands before every call: time that passes, the bearer token, the rate limits."""
