"""The token endpoint and the tokens it gave out."""
