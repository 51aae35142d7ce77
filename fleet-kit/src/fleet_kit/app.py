"""The application that every service starts from: errors, ids, health, metrics, documents."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, Depends, FastAPI

from fleet_kit import errors
from fleet_kit.health import Check, add_health
from fleet_kit.http_metrics import add_metrics
from fleet_kit.logging import configure_logging
from fleet_kit.middleware import RequestContext
from fleet_kit.openapi import describe_errors
from fleet_kit.openapi_document import add_openapi_document
from fleet_kit.parameters import check_parameters
from fleet_kit.settings import ServiceSettings
from fleet_kit.unproved_limit import UnprovedLimit

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
API = "/api/v1"


def create_app(
    *,
    service: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    checks: Callable[[FastAPI], Mapping[str, Check]],
    internal: Sequence[APIRouter] = (),
    body_limits: Mapping[str, int] | None = None,
    dependency_errors: Sequence[type[Exception]] = (),
) -> FastAPI:
    """A service's API. `service` is its short name; `routers` go under /api/v1, `internal` under /internal.

    The lifespan has to set on `app.state` what the kit's dependencies use: `verifier`, and `sessions` where
    the service has Postgres. `body_limits`: paths whose bodies may have another size, in bytes.
    `dependency_errors`: see fleet_kit.errors.install.
    """
    configure_logging(f"{service}-service", settings.log_level)
    app = _api(service, lifespan)
    errors.install(app, dependency_errors=dependency_errors)
    app.add_middleware(
        UnprovedLimit,
        per_second=settings.unproved_requests_per_second,
        burst=settings.unproved_requests_burst,
    )
    app.add_middleware(RequestContext, body_limits=body_limits)
    _include(app, routers, internal)
    describe_errors(app, routers, API)
    add_openapi_document(app, f"{API}/{service}/openapi.json")
    add_health(app, lambda: checks(app))
    add_metrics(app)
    return app


def _api(service: str, lifespan: Lifespan) -> FastAPI:
    return FastAPI(
        title=f"{service}-service",
        version="1",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        strict_content_type=False,
        separate_input_output_schemas=False,
        dependencies=[Depends(check_parameters)],
    )


def _include(app: FastAPI, routers: Sequence[APIRouter], internal: Sequence[APIRouter]) -> None:
    for router in routers:
        app.include_router(router, prefix=API)
    for router in internal:
        app.include_router(router, prefix="/internal", include_in_schema=False)
