"""Telling the others which devices were heard."""
