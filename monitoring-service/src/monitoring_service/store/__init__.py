"""The document store: one module knows the driver, the others speak of collections, sequences and windows."""
