"""Answers to reads, kept in Redis for a while and never beyond a change."""
