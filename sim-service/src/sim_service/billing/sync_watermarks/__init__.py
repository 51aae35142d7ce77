"""When lists of the carrier's whole account were last read."""
