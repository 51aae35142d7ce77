import sys

from fleet_kit.serve import serve
from signing_service.keys import KeyUnusable
from signing_service.main import create
from signing_service.settings import settings

if __name__ == "__main__":
    try:
        app = create(settings())
    except KeyUnusable as error:
        sys.exit(f"SIGNING_KEY_FILE, PREVIOUS_KEY_FILES: {error}")
    serve(app, settings())
