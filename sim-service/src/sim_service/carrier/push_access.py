"""Who may push: the carrier, with HTTP Basic."""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from fleet_kit.errors import NotFound, Unauthorized
from fleet_kit.openapi import raises
from fleet_kit.unproved_limit import mark_proved
from sim_service.platform.dependencies import AppSettings

_REALM = "push"


class PushRefused(Unauthorized):
    """Not the username and password of the settings."""

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Basic realm="{_REALM}"'}


_basic = HTTPBasic(
    realm=_REALM, auto_error=False, description="PUSH_USERNAME and PUSH_PASSWORD, as set at the carrier"
)


@raises(NotFound, PushRefused)
async def check_caller(
    request: Request,
    settings: AppSettings,
    given: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> None:
    """Let only the carrier pass; raises NotFound where nobody is meant to push."""
    if not settings.push_username or settings.push_password is None:
        raise NotFound(
            "pushes are switched off: PUSH_USERNAME and PUSH_PASSWORD are not set", code="PUSH_SWITCHED_OFF"
        )
    if given is None:
        raise PushRefused("username and password are missing")
    known = secrets.compare_digest(given.username.encode(), settings.push_username.encode())
    right = secrets.compare_digest(
        given.password.encode(), settings.push_password.get_secret_value().encode()
    )
    if not (known and right):
        raise PushRefused("username or password is wrong")
    mark_proved(request.scope)


PushCaller = Annotated[None, Depends(check_caller)]
"""Endpoints that the carrier calls."""
