"""Which SIMs exist, whose they are and in which device each one is.

The rows of `sims` and what is copied from device-service; kept like the carrier's list by `sync`.
Taking SIMs over and giving them back is in `provisioning`, since it also touches usage and changes.
"""
