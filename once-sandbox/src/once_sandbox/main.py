"""The application: a list of what is switched on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from once_sandbox import errors, state_file
from once_sandbox.connectivity.api import router as connectivity
from once_sandbox.control.routers import CONTROL_ROUTERS
from once_sandbox.events.api import router as events
from once_sandbox.gate.middleware import Gate
from once_sandbox.health import router as health
from once_sandbox.orders.api import router as orders
from once_sandbox.orders.purchases import router as purchases
from once_sandbox.products.api import router as products
from once_sandbox.quotas.api import router as quotas
from once_sandbox.sandbox import Sandbox, make_sandbox
from once_sandbox.settings import Settings
from once_sandbox.sims.api import router as sims
from once_sandbox.sms.api import router as sms
from once_sandbox.streams import push
from once_sandbox.tickets.api import router as tickets
from once_sandbox.tokens.api import router as tokens
from once_sandbox.usage.api import router as usage
from once_sandbox.volume_limits.api import router as volume_limits

CARRIER_ROUTERS = (
    tokens,
    purchases,
    volume_limits,
    usage,
    quotas,
    connectivity,
    events,
    sms,
    sims,
    orders,
    products,
    tickets,
)


def create_app(settings: Settings | None = None) -> Gate:
    """A sandbox as the settings describe it, behind its gate."""
    settings = settings or Settings()
    sandbox = make_sandbox(settings)
    if settings.state_file is not None and settings.state_file.exists():
        sandbox.world = state_file.load(settings.state_file)
    app = FastAPI(
        title="1NCE sandbox",
        description="Paths of the 1NCE Management API, and below /control what makes them behave.",
        openapi_url="/control/openapi.json",
        docs_url="/control/docs",
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.sandbox = sandbox
    errors.install(app)
    for router in (health, *CONTROL_ROUTERS, *CARRIER_ROUTERS):
        app.include_router(router)
    return Gate(app, sandbox)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sandbox: Sandbox = app.state.sandbox
    tasks = [asyncio.create_task(push.run(sandbox))]
    if sandbox.settings.state_file is not None:
        tasks.append(asyncio.create_task(state_file.keep(sandbox, sandbox.settings.state_file)))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
