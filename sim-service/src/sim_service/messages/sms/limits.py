"""How many messages that an organisation has written are kept; those for later wait in no queue but ours."""

from fastapi import Request

from fleet_kit.limits import Defaults, limits_router

SMS_WRITTEN = "sms_messages"


def _defaults_of(request: Request) -> Defaults:
    return {SMS_WRITTEN: request.app.state.settings.sms_per_organization}


router = limits_router("/sims/sms/limits", _defaults_of)
