"""Login with limits on failures, access and refresh tokens, logout."""
