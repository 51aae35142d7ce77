"""Money spent on SIMs: a ledger that is written before the carrier is asked, and settled afterwards."""
