"""The API: what is switched on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from fleet_kit.app import create_app
from fleet_kit.bootstrap import open_common
from fleet_kit.health import Check
from sim_service.account import api as account
from sim_service.bulk import api as bulk
from sim_service.claims import api as claims
from sim_service.connectivity import api as connectivity
from sim_service.diagnosis import api as diagnosis
from sim_service.events import api as events
from sim_service.exports import api as exports
from sim_service.imports import api as imports
from sim_service.imports import upload as import_upload
from sim_service.job_items import api as job_items
from sim_service.jobs import api as jobs
from sim_service.lifecycle import api as lifecycle
from sim_service.links import api as links
from sim_service.orders import api as orders
from sim_service.policies import api as policies
from sim_service.products import api as products
from sim_service.push import api as push
from sim_service.quotas import api as quotas
from sim_service.schedules import api as schedules
from sim_service.settings import Settings
from sim_service.sims import api as sims
from sim_service.sms import api as sms
from sim_service.sms import push as sms_push
from sim_service.sync import api as sync
from sim_service.tickets import api as tickets
from sim_service.topups import api as topups
from sim_service.totals import api as totals
from sim_service.usage import api as usage
from sim_service.volumes import api as volumes
from sim_service.wiring import open_forwarder, open_resources, open_streams

NAME = "sim-service"
ROUTERS = [
    account.router,
    bulk.router,
    sync.router,
    claims.router,
    totals.router,
    imports.router,
    exports.router,
    usage.router,
    volumes.router,
    sms.router,
    sms_push.router,
    quotas.router,
    sims.router,
    tickets.router,
    lifecycle.router,
    links.router,
    topups.router,
    policies.router,
    orders.router,
    products.router,
    push.router,
    connectivity.router,
    events.router,
    diagnosis.router,
    schedules.router,
    jobs.router,
    job_items.router,
]
"""In the order of their paths: what is fixed goes before what takes any name."""


def build(settings: Settings) -> FastAPI:
    """The application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_common(settings, NAME) as common,
            open_resources(settings, common.redis, NAME) as resources,
        ):
            app.state.settings = settings
            app.state.verifier = common.verifier
            app.state.resources = resources
            app.state.sessions = resources.sessions
            app.state.carrier = resources.carrier
            app.state.cache = resources.cache
            app.state.sms_forwarder = open_forwarder(resources)
            app.state.streams = open_streams(settings, resources)
            yield

    return create_app(
        service="sim",
        settings=settings,
        routers=ROUTERS,
        lifespan=lifespan,
        checks=_checks,
        body_limits=push.BODY_LIMITS | import_upload.BODY_LIMITS,
    )


def _checks(app: FastAPI) -> Mapping[str, Check]:
    return {"postgres": app.state.resources.check_database}
