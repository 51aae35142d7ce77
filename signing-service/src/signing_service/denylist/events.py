"""Events that the denylist publishes."""

from datetime import datetime
from uuid import UUID

from fleet_contracts.events import TokenRevoked, TokenRevokedData
from signing_service.base import SOURCE


def revoked(organization_id: UUID, *, jti: str | None, sid: str, expires_at: datetime) -> TokenRevoked:
    """These tokens are refused from now on."""
    return TokenRevoked(
        source=SOURCE,
        subject=sid,
        organizationid=organization_id,
        data=TokenRevokedData(jti=jti, sid=sid, expires_at=expires_at),
    )
