"""Who is asking, and what they may do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from fleet_kit.errors import Forbidden, NotFound, Unauthorized
from fleet_kit.openapi import raises
from fleet_kit.scope import Scope
from fleet_kit.unproved_limit import mark_proved


class Role(StrEnum):
    """Viewers read, operators also change devices and SIMs, admins also manage the organisation."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


@dataclass(frozen=True, slots=True)
class Principal:
    """The verified bearer of a token. `is_admin` is the platform administrator."""

    user_id: UUID
    organization_id: UUID
    role: Role
    is_admin: bool
    email: str
    token_id: str
    session_id: str
    expires_at: datetime

    @property
    def scope(self) -> Scope:
        """What this principal's queries may see."""
        return Scope(None if self.is_admin else self.organization_id)

    def acts_for(self, organization_id: UUID | None) -> UUID:
        """The organisation that a request names, by default one's own; raises NotFound for another's."""
        wanted = organization_id or self.organization_id
        if not self.scope.covers(wanted):
            raise NotFound("no such organisation", code="ORGANIZATION_NOT_FOUND")
        return wanted

    def require(self, role: Role) -> None:
        """Raise Forbidden below `role`; call it after what is asked for has been found."""
        if not self.is_admin and _RANK[self.role] < _RANK[role]:
            raise Forbidden(f"this needs the role {role}", details={"role": role})


@raises(Unauthorized, when_changing=Forbidden)
async def current_principal(request: Request) -> Principal:
    """The bearer of the request's token; raises Unauthorized, or Unavailable if it cannot be checked."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("send a token as `Authorization: Bearer …`")
    principal: Principal = await request.app.state.verifier.verify(token.strip())
    mark_proved(request.scope)
    return principal


def _at_least(role: Role) -> Callable[[Principal], Awaitable[Principal]]:
    @raises(Forbidden)
    async def check(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        principal.require(role)
        return principal

    return check


@raises(Forbidden)
async def _platform_admin(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
    if not principal.is_admin:
        raise Forbidden("this is for the platform administrator")
    return principal


CurrentUser = Annotated[Principal, Depends(current_principal)]
CurrentOperator = Annotated[Principal, Depends(_at_least(Role.OPERATOR))]
CurrentAdmin = Annotated[Principal, Depends(_at_least(Role.ADMIN))]
PlatformAdmin = Annotated[Principal, Depends(_platform_admin)]
