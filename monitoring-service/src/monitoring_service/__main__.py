from fleet_kit.serve import serve
from monitoring_service.main import create
from monitoring_service.settings import settings

if __name__ == "__main__":
    serve(create(settings()), settings(), websockets=True)
