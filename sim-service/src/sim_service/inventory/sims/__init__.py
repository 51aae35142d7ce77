"""List and read SIMs, and apply what the carrier says of them."""
