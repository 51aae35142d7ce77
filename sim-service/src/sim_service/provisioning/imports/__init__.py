"""SIMs from a spreadsheet: claims, labels, tags, metadata and devices of up to 100,000 at once."""
