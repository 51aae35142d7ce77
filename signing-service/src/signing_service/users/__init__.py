"""Users of organisations: roles, activation, passwords."""
