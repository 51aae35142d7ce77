"""Who may report an event now."""

import math
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from device_service.credentials.access import CurrentReporter, Reporter
from fleet_kit.allowances import Allowances
from fleet_kit.errors import TooManyRequests
from fleet_kit.openapi import raises


@raises(TooManyRequests)
async def _within_allowance(reporter: CurrentReporter, request: Request) -> Reporter:
    """The reporter. Asked before a connection is held: an organisation's events wait for each other there."""
    allowances: Allowances[UUID] = request.app.state.event_allowances
    seconds = allowances.take(reporter.organization_id)
    if seconds > 0:
        raise TooManyRequests(
            "the organization's devices report more events than they may, report this one again later",
            retry_after=math.ceil(seconds),
        )
    return reporter


EventReporter = Annotated[Reporter, Depends(_within_allowance)]
