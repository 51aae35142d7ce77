"""Verification of access tokens: the only module that verifies with python-jose.

python-jose accepts any algorithm unless one is named, ignores `kid` and lets a token without `aud` pass,
so all of that is fixed here and held by tests that forge such tokens.
"""

import hashlib
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import httpx
import structlog
from jose import JWTError, jwt

from fleet_kit.errors import Unauthorized, Unavailable
from fleet_kit.principal import Principal, Role
from fleet_kit.shared_call import SharedCall
from fleet_kit.token_denylist import Denylist

ALGORITHM = "ES256"
LEEWAY_SECONDS = 60
"""Clocks of two machines may differ; a token is accepted this long after `exp`."""
_REMEMBERED = 10_000
_REQUIRED = {f"require_{claim}": True for claim in ("aud", "exp", "iat", "iss", "sub", "jti")} | {
    "leeway": LEEWAY_SECONDS
}

log = structlog.get_logger(__name__)
Jwk = dict[str, Any]


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, kid: str) -> Jwk | None:
        """The public key of that id, None where there is none; raises Unavailable if it cannot be checked."""
        ...


class JwksClient:
    """Public keys fetched from signing-service, kept in memory, asked again for an unknown `kid`.

    Nobody waits for a key that is known. Others wait for the one question that is under way, which is asked
    again after a pause, however many tokens come.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        signing_url: str,
        *,
        every_seconds: float = 600,
        pause_seconds: float = 5,
        failure_pause_seconds: float = 1,
    ) -> None:
        self._http, self._url = http, f"{signing_url}/api/v1/auth/jwks.json"
        self._every, self._pause, self._failure_pause = every_seconds, pause_seconds, failure_pause_seconds
        self._keys, self._fetch = dict[str, Jwk](), SharedCall(self._ask)
        self._not_before, self._fresh_until = float("-inf"), float("-inf")

    async def key(self, kid: str) -> Jwk | None:
        """See KeySource; asks at most once in five seconds for ids that nobody knows."""
        may_ask = time.monotonic() >= self._not_before
        if kid in self._keys:
            if may_ask and time.monotonic() >= self._fresh_until:
                self._fetch.start()
        elif may_ask or self._fetch.under_way:
            await self._fetch()
        if not self._keys:
            raise Unavailable("tokens cannot be checked at the moment")
        return self._keys.get(kid)

    async def _ask(self) -> None:
        try:
            response = await self._http.get(self._url)
            response.raise_for_status()
            self._keys = {key["kid"]: key for key in response.json()["keys"]}
            self._fresh_until, pause = time.monotonic() + self._every, self._pause
        except (httpx.HTTPError, ValueError, KeyError) as error:
            log.warning("cannot fetch the public keys", error=repr(error))
            pause = self._failure_pause
        self._not_before = time.monotonic() + pause


class TokenVerifier:
    """Makes a Principal of an access token; raises Unauthorized, or Unavailable if it cannot be checked."""

    def __init__(self, keys: KeySource, denylist: Denylist, issuer: str, audience: str) -> None:
        self._keys, self._denylist, self._issuer, self._audience = keys, denylist, issuer, audience
        self._seen: OrderedDict[bytes, Principal] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Check signature, claims and denylist. A signature once checked is remembered until it expires."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        principal = self._seen.get(digest)
        if principal is None:
            principal = await self._decode(token)
            self._remember(digest, principal)
        if time.time() > principal.expires_at.timestamp() + LEEWAY_SECONDS:
            raise Unauthorized("the token has expired", code="TOKEN_EXPIRED")
        if await self._denylist.is_revoked(principal.token_id, principal.session_id):
            raise Unauthorized("the token has been revoked", code="TOKEN_REVOKED")
        return principal

    def _remember(self, digest: bytes, principal: Principal) -> None:
        self._seen[digest] = principal
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def _decode(self, token: str) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
                raise Unauthorized("not a token of this platform", code="TOKEN_INVALID")
            key = await self._keys.key(header["kid"])
            if key is None:
                raise Unauthorized("not a token of this platform", code="TOKEN_INVALID")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options=_REQUIRED,
            )
            return principal_of(claims)
        except (JWTError, ValueError, KeyError, TypeError, AttributeError) as error:
            expired = "expired" in str(error).lower()
            code = "TOKEN_EXPIRED" if expired else "TOKEN_INVALID"
            raise Unauthorized("the token is not valid", code=code) from error


def principal_of(claims: dict[str, Any]) -> Principal:
    """The Principal that verified claims describe; raises KeyError or ValueError for other claims."""
    return Principal(
        user_id=UUID(claims["sub"]),
        organization_id=UUID(claims["organization_id"]),
        role=Role(claims["role"]),
        is_admin=claims["is_admin"] is True,
        email=str(claims.get("email", "")),
        token_id=str(claims["jti"]),
        session_id=str(claims["sid"]),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )


def claims_of(principal: Principal, *, issuer: str, audience: str, issued_at: datetime) -> dict[str, Any]:
    """The claims of a token for that principal; the inverse of `principal_of`."""
    return {
        "iss": issuer,
        "aud": audience,
        "iat": int(issued_at.timestamp()),
        "exp": int(principal.expires_at.timestamp()),
        "sub": str(principal.user_id),
        "jti": principal.token_id,
        "sid": principal.session_id,
        "organization_id": str(principal.organization_id),
        "role": principal.role.value,
        "is_admin": principal.is_admin,
        "email": principal.email,
    }
