from device_service.main import create
from device_service.settings import settings
from fleet_kit.serve import serve

if __name__ == "__main__":
    serve(create(settings()), settings())
