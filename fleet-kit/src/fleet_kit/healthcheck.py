"""`python -m fleet_kit.healthcheck 8001`: exit 0 when /health on it answers 200 (container health checks)."""

import http.client
import sys


def main() -> None:
    """Ask once; any failure is exit code 1."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=4)
        connection.request("GET", "/health")
        well = connection.getresponse().status == 200
    except OSError:
        well = False
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
