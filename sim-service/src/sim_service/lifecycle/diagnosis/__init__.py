"""One answer in words why a SIM or its device is silent, or that it is fine."""
