"""A 1NCE Management API that runs locally, with its faults on demand."""
