"""`python -m once_sandbox` is the same program as the command `once-sandbox`."""

from once_sandbox.cli import main

if __name__ == "__main__":
    main()
