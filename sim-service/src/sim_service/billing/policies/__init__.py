"""Top-up policies: volume bought before SIMs run dry, within limits, a budget and approvals."""
