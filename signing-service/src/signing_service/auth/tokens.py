"""Making pairs of tokens."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fleet_kit.principal import Principal, Role
from fleet_kit.token_verifier import LEEWAY_SECONDS, claims_of
from signing_service.auth.models import RefreshToken
from signing_service.keys import KeyRing
from signing_service.users.models import User


@dataclass(frozen=True)
class TokenIssuer:
    """Issues tokens; lives are durations."""

    keys: KeyRing
    issuer: str
    audience: str
    access_token_lifetime: timedelta
    refresh_token_lifetime: timedelta

    def access(self, user: User, session_id: UUID) -> str:
        """An access token of the user."""
        now = datetime.now(UTC)
        principal = Principal(
            user_id=user.id,
            organization_id=user.organization_id,
            role=Role(user.role),
            is_admin=user.is_admin,
            email=user.email,
            token_id=str(uuid4()),
            session_id=str(session_id),
            expires_at=now + self.access_token_lifetime,
        )
        claims = claims_of(principal, issuer=self.issuer, audience=self.audience, issued_at=now)
        return self.keys.sign(claims)

    def refresh(self, user: User, session_id: UUID) -> tuple[str, RefreshToken]:
        """A refresh token, and the row that knows it by its hash."""
        token = f"rt_{secrets.token_urlsafe(32)}"
        row = RefreshToken(
            token_hash=token_hash(token),
            session_id=session_id,
            user_id=user.id,
            expires_at=datetime.now(UTC) + self.refresh_token_lifetime,
        )
        return token, row

    def last_expiry(self) -> datetime:
        """When every access token issued until now has expired, leeway included."""
        return datetime.now(UTC) + self.access_token_lifetime + timedelta(seconds=LEEWAY_SECONDS)


def token_hash(token: str) -> bytes:
    """What is stored of a refresh token. It is random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()
