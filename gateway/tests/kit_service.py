"""A service made of fleet-kit whose one route fails: `python kit_service.py PORT`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from fleet_kit.app import create_app
from fleet_kit.serve import serve
from fleet_kit.settings import ServiceSettings

router = APIRouter()


@router.get("/devices/failing")
async def fail() -> None:
    raise ZeroDivisionError


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


if __name__ == "__main__":
    settings = ServiceSettings(amqp_url="amqp://x:y@z/", redis_url="redis://x", port=int(sys.argv[1]))
    app = create_app(
        service="device", settings=settings, routers=[router], lifespan=lifespan, checks=lambda _: {}
    )
    serve(app, settings)
