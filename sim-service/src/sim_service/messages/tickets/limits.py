"""How many support tickets of an organisation are kept: the carrier lists its tickets for ever."""

from typing import Annotated

from fastapi import Depends, Request

from fleet_kit.limits import Defaults, limits_router

TICKETS = "support_tickets"


def _defaults_of(request: Request) -> Defaults:
    return {TICKETS: request.app.state.settings.tickets_per_organization}


async def _limits(request: Request) -> Defaults:
    return _defaults_of(request)


TicketLimits = Annotated[Defaults, Depends(_limits)]
router = limits_router("/support-tickets/limits", _defaults_of)
