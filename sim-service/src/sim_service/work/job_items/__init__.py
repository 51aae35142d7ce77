"""What became of each SIM of a job."""
