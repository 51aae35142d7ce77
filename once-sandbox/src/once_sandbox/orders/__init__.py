"""Orders: SIMs, top-ups and extensions that are paid some time later."""
