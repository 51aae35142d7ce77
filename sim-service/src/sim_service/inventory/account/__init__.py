"""What concerns the account at the carrier as a whole, for the platform administrator."""
