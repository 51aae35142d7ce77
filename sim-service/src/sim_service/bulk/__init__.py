"""One action for many SIMs: a job with a result for each of them."""
