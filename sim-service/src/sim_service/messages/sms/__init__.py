"""Short messages: split, sent once, followed to their end, received, shown as a conversation."""
