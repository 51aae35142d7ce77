"""What was accepted by the broker and cannot be stored, with the reason."""
