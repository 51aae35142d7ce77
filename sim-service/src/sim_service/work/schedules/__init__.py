"""Jobs that are asked for from time to time; people see, pause and change it."""
