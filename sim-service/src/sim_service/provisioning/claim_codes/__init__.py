"""One-time codes with which an organisation claims the SIMs that the platform administrator meant for it."""
