"""The reads of a request, as its endpoint asks for them."""

from typing import Annotated

from fastapi import Depends, Request

from fleet_kit.principal import CurrentUser
from monitoring_service.store.reads import BudgetedReads


async def _request_reads(user: CurrentUser, request: Request) -> BudgetedReads:
    state = request.app.state
    settings = state.settings
    return BudgetedReads(
        state.read_limiter,
        str(user.organization_id),
        documents=settings.query_readings,
        seconds=settings.query_seconds,
        store_seconds=settings.mongo_timeout_seconds,
        is_gone=request.is_disconnected,
    )


RequestReads = Annotated[BudgetedReads, Depends(_request_reads)]
