"""Help for the tests of every service: tokens that verify, waiting for a condition."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from fleet_kit.principal import Principal, Role
from fleet_kit.token_verifier import ALGORITHM, Jwk, TokenVerifier, claims_of

T = TypeVar("T")
ISSUER, AUDIENCE = "fleet-signing", "fleet"


class ManualClock:
    """Seconds that pass when the test says so; called like time.monotonic."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The present second."""
        return self.now


class NothingRevoked:
    """A denylist for tests that are not about revocation; `revoked` may be filled."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    async def is_revoked(self, jti: str, sid: str) -> bool:
        """See fleet_kit.token_denylist.Denylist."""
        return bool({jti, sid} & self.revoked)


@dataclass
class TokenFactory:
    """Signs tokens with a key of its own and verifies them: a signing-service in miniature."""

    denylist: NothingRevoked = field(default_factory=NothingRevoked)
    kid: str = "test-key"

    def __post_init__(self) -> None:
        """Make the key pair."""
        private = ec.generate_private_key(ec.SECP256R1())
        self.pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = jwk.construct(self.pem, ALGORITHM).public_key().to_dict()
        self.jwk: Jwk = {name: _text(value) for name, value in public.items()} | {"kid": self.kid}

    async def key(self, kid: str) -> Jwk | None:
        """See fleet_kit.token_verifier.KeySource."""
        return self.jwk if kid == self.kid else None

    def verifier(self) -> TokenVerifier:
        """A verifier that trusts this factory's key."""
        return TokenVerifier(self, self.denylist, ISSUER, AUDIENCE)

    def token(
        self,
        organization_id: UUID | None = None,
        role: Role = Role.ADMIN,
        *,
        is_admin: bool = False,
        lifetime: timedelta = timedelta(minutes=30),
    ) -> str:
        """A token of a new user in that organisation."""
        now = datetime.now(UTC)
        principal = Principal(
            user_id=uuid4(),
            organization_id=organization_id or uuid4(),
            role=role,
            is_admin=is_admin,
            email="someone@example.com",
            token_id=str(uuid4()),
            session_id=str(uuid4()),
            expires_at=now + lifetime,
        )
        claims = claims_of(principal, issuer=ISSUER, audience=AUDIENCE, issued_at=now)
        return str(jwt.encode(claims, self.pem, algorithm=ALGORITHM, headers={"kid": self.kid}))

    def headers(self, organization_id: UUID | None = None, role: Role = Role.ADMIN) -> dict[str, str]:
        """Request headers of such a user."""
        return {"Authorization": f"Bearer {self.token(organization_id, role)}"}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def eventually(
    check: Callable[[], Awaitable[T]],
    *,
    timeout: float = 60.0,
    every: float = 0.02,
) -> T:
    """The first truthy answer; an AssertionError counts as not yet. Fails at the deadline.

    Asks after `every` seconds and then less and less often: who waits for a minute leaves the cores to the
    processes it waits for.
    """
    deadline = time.monotonic() + timeout
    while True:
        problem: AssertionError
        try:
            answer = await check()
            if answer:
                return answer
            problem = AssertionError(f"still {answer!r} after {timeout} s")
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem
        await asyncio.sleep(every)
        every = min(every * 1.2, 0.5)
