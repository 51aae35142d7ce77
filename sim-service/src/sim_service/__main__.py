"""`python -m sim_service`: the API."""

from fleet_kit.serve import serve
from sim_service.main import build
from sim_service.settings import settings

if __name__ == "__main__":
    serve(build(settings()), settings())
