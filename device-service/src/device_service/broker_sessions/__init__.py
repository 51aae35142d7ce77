"""Open sessions at the broker end when the key that opened them does."""
