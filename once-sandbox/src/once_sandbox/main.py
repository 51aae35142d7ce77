"""The application: a list of what is switched on."""

from fastapi import FastAPI

from once_sandbox import errors
from once_sandbox.connectivity.api import router as connectivity
from once_sandbox.events.api import router as events
from once_sandbox.gate.middleware import Gate
from once_sandbox.health import router as health
from once_sandbox.orders.api import router as orders
from once_sandbox.orders.purchases import router as purchases
from once_sandbox.products.api import router as products
from once_sandbox.quotas.api import router as quotas
from once_sandbox.sandbox import make_sandbox
from once_sandbox.settings import Settings
from once_sandbox.sims.api import router as sims
from once_sandbox.sms.api import router as sms
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


def create_app(settings: Settings | None = None) -> FastAPI:
    """A sandbox as the settings describe it."""
    sandbox = make_sandbox(settings or Settings())
    app = FastAPI(
        title="1NCE sandbox",
        description=__doc__,
        openapi_url="/control/openapi.json",
        docs_url="/control/docs",
        redoc_url=None,
    )
    app.state.sandbox = sandbox
    errors.install(app)
    for router in (health, *CARRIER_ROUTERS):
        app.include_router(router)
    app.add_middleware(Gate, sandbox=sandbox)
    return app
