from fleet_kit.serve import serve
from signing_service.main import create
from signing_service.settings import settings

if __name__ == "__main__":
    serve(create(settings()), settings())
