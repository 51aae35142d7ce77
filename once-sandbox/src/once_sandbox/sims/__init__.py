"""SIM cards: who they are, what can be read of them and changed about them."""
