"""What the network and the account report about a SIM."""
