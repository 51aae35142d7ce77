"""`python -m device_simulator` is the command `device-simulator`."""

from device_simulator.cli import main

main()
