"""Where specification and recorded traffic disagree: which of the two is shown."""
