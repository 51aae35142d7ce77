"""One action for many SIMs: a job with a result for each of them.

A step starts a SIM's action in its own feature (change, tag, top-up, message) and polls for the result.
"""
