"""What every purchase at the carrier has in common: its columns, its states and how it is settled."""
