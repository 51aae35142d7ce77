"""1NCE's records as ours, by group of calls. Nothing raises here: what cannot be read is None."""
