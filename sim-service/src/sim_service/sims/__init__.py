"""The inventory: list and read SIMs, and take over what the carrier says of them."""
