"""What devices measured: storing it exactly once, reading it back, forgetting it in time."""
