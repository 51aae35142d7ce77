"""Events that devices report."""
