"""Who works on what is due: hints over the broker, and a look that goes on without them."""
