"""The API: what is switched on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from fleet_kit.app import create_app
from fleet_kit.bootstrap import open_clients
from sim_service.billing.budgets import api as budgets
from sim_service.billing.orders import api as orders
from sim_service.billing.policies import api as policies
from sim_service.billing.policies import limits as policy_limits
from sim_service.billing.products import api as products
from sim_service.billing.topups import api as topups
from sim_service.bulk import api as bulk
from sim_service.grants import api as grants
from sim_service.inventory.account import api as account
from sim_service.inventory.links import api as links
from sim_service.inventory.sims import api as sims
from sim_service.inventory.sync import api as sync
from sim_service.lifecycle.actions import api as lifecycle
from sim_service.lifecycle.connectivity import api as connectivity
from sim_service.lifecycle.diagnosis import api as diagnosis
from sim_service.lifecycle.network_events import api as events
from sim_service.messages.sms import api as sms
from sim_service.messages.sms import forwarder_api as sms_push
from sim_service.messages.sms import limits as sms_limits
from sim_service.messages.tickets import api as tickets
from sim_service.messages.tickets import limits as ticket_limits
from sim_service.provisioning.claim_codes import api as claim_codes
from sim_service.provisioning.claims import api as claims
from sim_service.provisioning.exports import api as exports
from sim_service.provisioning.imports import api as imports
from sim_service.provisioning.imports import upload as import_upload
from sim_service.settings import Settings
from sim_service.usage.device_usage import api as volumes
from sim_service.usage.quotas import api as quotas
from sim_service.usage.sim_usage import api as usage
from sim_service.usage.streamer import api as push
from sim_service.usage.totals import api as totals
from sim_service.wiring import SMS_PUSH_READER, open_resources, open_stream_receiver
from sim_service.work.job_items import api as job_items
from sim_service.work.jobs import api as jobs
from sim_service.work.jobs import limits as job_limits
from sim_service.work.schedules import api as schedules

NAME = "sim-service"
ROUTERS = [
    account.router,
    grants.router,
    budgets.router,
    bulk.router,
    sync.router,
    claim_codes.router,
    claims.router,
    totals.router,
    imports.router,
    exports.router,
    usage.router,
    volumes.router,
    sms_limits.router,
    sms.router,
    sms_push.router,
    quotas.router,
    sims.router,
    ticket_limits.router,
    tickets.router,
    lifecycle.router,
    links.router,
    topups.router,
    policy_limits.router,
    policies.router,
    orders.router,
    products.router,
    push.router,
    connectivity.router,
    events.router,
    diagnosis.router,
    schedules.router,
    job_limits.router,
    jobs.router,
    job_items.router,
]
"""In the order of their paths: what is fixed goes before what takes any name."""


def build(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_clients(settings, NAME) as common,
            open_resources(settings, common.redis, NAME) as resources,
        ):
            app.state.settings = settings
            app.state.verifier = common.verifier
            app.state.resources = resources
            app.state.sessions = resources.sessions
            app.state.carrier = resources.carrier
            app.state.cache = resources.cache
            app.state.spreadsheets = resources.spreadsheets
            app.state.sms_push_reader = SMS_PUSH_READER
            app.state.streams = open_stream_receiver(settings, resources)
            yield

    return create_app(
        service="sim",
        settings=settings,
        routers=ROUTERS,
        lifespan=lifespan,
        checks=lambda app: {"postgres": app.state.resources.check_database},
        body_limits=push.BODY_LIMITS | import_upload.BODY_LIMITS,
    )
