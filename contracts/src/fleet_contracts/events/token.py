"""Revocation of access tokens."""

from typing import Literal

from fleet_contracts.events.envelope import Data, FleetEvent, Timestamp


class TokenRevokedData(Data):
    """Tokens with this `jti` or of this session (`sid`) are refused from now on, until `expires_at`."""

    jti: str | None = None
    sid: str | None = None
    expires_at: Timestamp


class TokenRevoked(FleetEvent):
    """A token or a whole session was revoked."""

    type: Literal["token.revoked"] = "token.revoked"
    data: TokenRevokedData
