"""What the carrier pushes to us: the data streamer's usage records and events."""
