"""Cache-aside for answers to reads: in Redis, by organisation, never older than a committed change."""
