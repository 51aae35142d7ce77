"""Local copies of devices, SIMs and alerts, kept up to date by events of their services."""
