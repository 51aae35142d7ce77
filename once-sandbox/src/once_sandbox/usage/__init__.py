"""Daily volumes of a SIM: a seeded past, and whatever was driven through the control API since."""
