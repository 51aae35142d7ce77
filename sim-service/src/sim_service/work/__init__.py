"""Long work: jobs with leases, their items and schedules, the worker's slots, and forgetting old rows.

Knows no SIM: features hand in their handlers (`worker.py`), people read progress under `/jobs`.
"""
