"""Pushes to the customer: the Data Streamer and the SMS Forwarder."""
